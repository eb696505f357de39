import { describe, expect, it } from 'vitest';
import type { Checkpoint, TableCheckpoint } from '../../../src/core/capture/checkpoint.ts';
import { formatTableName } from '../../../src/core/change.ts';
import { chooseTables, type TableWishes } from '../../../src/core/pipeline/choose-tables.ts';
import type { Finding } from '../../../src/core/source/finding.ts';

const position = { file: 'binlog.000001', offset: 4 };
const stopped = { code: 'table.dropped', message: 'dropped', hint: 'cdc reload' };

function entry(more: Partial<TableCheckpoint> = {}): TableCheckpoint {
  return { run: 1, number: 0, definitionNumber: 0, loadedAt: position, loaded: true, ...more };
}

function checkpoint(tables: Record<string, TableCheckpoint>, more: Partial<Checkpoint> = {}): Checkpoint {
  const server = { flavor: 'mysql', version: '8.0.31', serverId: 1 } as const;
  return { format: 1, position, server, lease: 1, merge: true, tables, writtenAt: '2026-11-24T00:00:00.000Z', ...more };
}

const name = (table: string) => ({ schema: 'shop', table });

/** What `cdc.yaml` asks for is every table of shop but those called out. */
function choose(known: Checkpoint | undefined, wishes: { there?: string[]; refused?: Finding[]; out?: string[] } = {}) {
  const { there = [], refused = [], out = [] } = wishes;
  const full: TableWishes = { wanted: there.map(name), refused, asks: ({ table }) => !out.includes(table) };
  const choice = chooseTables(full, known);
  return {
    load: choice.load.map(formatTableName),
    follow: choice.follow.map(formatTableName),
    stopped: choice.stopped.map(formatTableName),
    halt: choice.halt.map(({ table }) => formatTableName(table)),
    removed: choice.removed.map(formatTableName),
  };
}

const nothing = { load: [], follow: [], stopped: [], halt: [], removed: [] };

describe('the tables of a worker', () => {
  it('are loaded where there is no checkpoint', () => {
    expect(choose(undefined, { there: ['a', 'b'] })).toEqual({ ...nothing, load: ['shop.a', 'shop.b'] });
  });

  it('are followed where they are loaded, and loaded where a load was killed', () => {
    const known = checkpoint({ 'shop.a': entry(), 'shop.b': entry({ loaded: false }) });
    expect(choose(known, { there: ['a', 'b'] })).toEqual({ ...nothing, follow: ['shop.a'], load: ['shop.b'] });
  });

  it('are all loaded where the position is lost, also those that had stopped', () => {
    const known = checkpoint({ 'shop.a': entry(), 'shop.b': entry({ stopped }) }, { broken: stopped });
    expect(choose(known, { there: ['a', 'b'] })).toEqual({ ...nothing, load: ['shop.a', 'shop.b'] });
  });

  it('stay stopped until somebody reloads them, be they there or not', () => {
    const known = checkpoint({ 'shop.a': entry({ stopped }), 'shop.b': entry({ stopped }) });
    expect(choose(known, { there: ['a'] })).toEqual({ ...nothing, stopped: ['shop.a', 'shop.b'] });
  });

  it('are taken out when nobody asks for them any more, stopped or not', () => {
    const known = checkpoint({ 'shop.a': entry(), 'shop.b': entry({ stopped }) });
    expect(choose(known, { out: ['a', 'b'] })).toEqual({ ...nothing, removed: ['shop.a', 'shop.b'] });
  });

  it('are followed on when they are gone or would be refused by now: the binlog tells in its turn', () => {
    const known = checkpoint({ 'shop.gone': entry(), 'shop.Clash': entry() });
    const clash: Finding = { level: 'error', code: 'table.name-clash', table: 'shop.Clash', message: '', fix: '' };
    expect(choose(known, { refused: [clash] })).toEqual({ ...nothing, follow: ['shop.gone', 'shop.Clash'] });
  });

  it('are halted by cascades, of which the binlog tells nothing', () => {
    const known = checkpoint({ 'shop.a': entry(), 'shop.b': entry() });
    const cascade: Finding = { level: 'error', code: 'table.cascade', table: 'shop.a', message: 'x', fix: 'y' };
    expect(choose(known, { there: ['b'], refused: [cascade] })).toEqual({
      ...nothing,
      halt: ['shop.a'],
      follow: ['shop.b'],
    });
  });

  it('are forgotten when their load was killed and they are gone', () => {
    expect(choose(checkpoint({ 'shop.a': entry({ loaded: false }) }))).toEqual({ ...nothing, removed: ['shop.a'] });
  });
});
