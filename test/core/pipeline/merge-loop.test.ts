import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TableName } from '../../../src/core/change.ts';
import { changeNumber } from '../../../src/core/change-number.ts';
import { parseConfig } from '../../../src/core/config.ts';
import { CancelledError, CdcError } from '../../../src/core/errors.ts';
import type { TableMergeReport } from '../../../src/core/merge/merge-table.ts';
import { MergeLoop } from '../../../src/core/pipeline/merge-loop.ts';
import { openPipeline } from '../../../src/core/pipeline/pipeline.ts';
import type { TableLook } from '../../../src/core/pipeline/table-work.ts';

const A: TableName = { schema: 'shop', table: 'a' };
const B: TableName = { schema: 'shop', table: 'b' };
const MINUTE = 60_000;

type Outcome = Partial<TableMergeReport> | Error;

describe('the merge loop', () => {
  const abort: { controller: AbortController } = { controller: new AbortController() };
  let running: Promise<void> = Promise.resolve();
  beforeEach(() => {
    abort.controller = new AbortController();
  });
  afterEach(async () => {
    abort.controller.abort();
    await running;
    vi.useRealTimers();
  });

  /** `outcome` is asked at each merge; the looks say how it was asked to look for files. */
  async function start(outcome: (table: TableName, count: number) => Outcome = () => ({}), budget = '20GB') {
    const text = `name: loop\nsource: mysql://u@127.0.0.1:1\nmerge: { write_budget: ${budget} }\n`;
    const pipeline = openPipeline(parseConfig({ file: '/nowhere/cdc.yaml', text }), {});
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
    const merges: { table: string; look: TableLook; files: string[] }[] = [];
    const seen: string[] = [];
    const maintained: string[] = [];
    const loop = new MergeLoop({
      pipeline,
      onMerged: ({ table }, { waits }) => seen.push(`${table} merged${waits === undefined ? '' : `, waits: ${waits}`}`),
      onWaiting: ({ table }, { reason }) => seen.push(`${table} waits: ${reason}`),
      onError: ({ table }, { code }) => seen.push(`${table} failed: ${code}`),
      progress: { update() {}, done() {}, detail() {}, warn: (line) => seen.push(`warning: ${line}`) },
      signal: abort.controller.signal,
      work: {
        async merge(table, look) {
          const count = merges.push({ table: table.table, look: { ...look }, files: [...look.known.keys()] });
          const result = outcome(table, count);
          if (result instanceof Error) throw result;
          const none = { files: 0, changes: 0, inserted: 0, updated: 0, deleted: 0, quarantined: 0, bytesWritten: 0 };
          return { ...table, ...none, version: 1, seconds: 0, ...result };
        },
        async maintain({ table }) {
          maintained.push(table);
        },
      },
    });
    running = loop.run();
    return { loop, merges, seen, maintained, tables: () => merges.map(({ table }) => table) };
  }

  const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

  it('merges a table when it is woken, and looks for itself once a minute', async () => {
    const { loop, tables } = await start();
    await pass(MINUTE * 5);
    expect(tables()).toEqual([]);
    loop.wake(A);
    await pass(1);
    expect(tables()).toEqual(['a']);
    await pass(MINUTE - 10);
    expect(tables()).toEqual(['a']);
    await pass(10);
    expect(tables()).toEqual(['a', 'a']);
  });

  it('gives each table its turn, however often another one is woken', async () => {
    const started: { loop?: MergeLoop } = {};
    const { loop, tables } = await start(({ table }, count) => {
      if (table === 'a' && count < 20) started.loop?.wake(A);
      return {};
    });
    started.loop = loop;
    loop.wake(A);
    loop.wake(B);
    await pass(1);
    expect(tables().slice(0, 3)).toEqual(['a', 'b', 'a']);
  });

  it('lists files at the start and once a minute, and trusts what it is told in between', async () => {
    const { loop, merges } = await start();
    for (let second = 0; second < 70; second += 10) {
      loop.wake(A);
      await pass(10_000);
    }
    expect(merges.map(({ look }) => look.trustKnown)).toEqual([false, true, true, true, true, true, false]);
  });

  it('forgets files that are merged, and lists only names behind them', async () => {
    const { loop, merges } = await start((_, count) => ({ watermark: changeNumber(1, count === 1 ? 4 : 6) }));
    const range = (first: number, last: number) => ({
      size: 1,
      first: changeNumber(1, first),
      last: changeNumber(1, last),
    });
    const known = loop.wake(A);
    known.set('shop/a/1.csv', range(1, 2)).set('shop/a/2.csv', range(3, 4)).set('shop/a/3.csv', range(5, 6));
    await pass(1);
    expect([...known.keys()]).toEqual(['shop/a/3.csv']);
    loop.wake(A);
    await pass(1);
    expect(merges.at(-1)).toMatchObject({ files: ['shop/a/3.csv'], look: { listAfter: 'shop/a/2.csv' } });
    expect(known.size).toBe(0);
  });

  it('passes over no file that still waits, whatever its numbers', async () => {
    const { loop } = await start(() => ({ watermark: changeNumber(1, 9) }));
    const known = loop.wake(A);
    known.set('shop/a/1.csv', { size: 1, first: changeNumber(1, 8), last: changeNumber(1, 12) });
    known.set('shop/a/2.csv', { size: 1, first: changeNumber(1, 8), last: changeNumber(1, 9) });
    await pass(1);
    expect([...known.keys()]).toEqual(['shop/a/1.csv', 'shop/a/2.csv']);
  });

  it('looks at everything again after a gap, but no more often than it lists', async () => {
    const { loop, merges } = await start((_, count) => ({
      watermark: changeNumber(1, 4),
      ...(count > 1 ? { waits: 'gap' } : {}),
    }));
    loop.wake(A).set('shop/a/1.csv', { size: 1, first: changeNumber(1, 1), last: changeNumber(1, 4) });
    for (let second = 0; second < 70; second += 10) {
      await pass(10_000);
      loop.wake(A);
    }
    expect(merges.map(({ look: { trustKnown, listAfter } }) => [trustKnown, listAfter])).toEqual([
      [false, undefined],
      ...Array.from({ length: 5 }, () => [true, 'shop/a/1.csv']),
      [false, undefined],
    ]);
  });

  it('lists again after a merge that failed before it had listed', async () => {
    const { loop, merges } = await start((_, count) => (count === 1 ? new CdcError('store.failed', 'no answer') : {}));
    loop.wake(A);
    await pass(20_000);
    expect(merges.map(({ look }) => look.trustKnown)).toEqual([false, false]);
  });

  it('rests as long as the write budget asks, tells why, and merges then', async () => {
    // A gigabyte of ten an hour: six minutes.
    const { loop, tables, seen } = await start((_, count) => (count === 1 ? { bytesWritten: 1e9 } : {}), '10GB');
    loop.wake(A);
    await pass(1);
    loop.wake(A);
    await pass(6 * MINUTE - 1000);
    expect(tables()).toEqual(['a']);
    expect(seen).toEqual(['a merged', 'a waits: write-budget']);
    await pass(1000);
    expect(tables()).toEqual(['a', 'a']);
  });

  it('shares the write budget between the tables that need it', async () => {
    const { loop, tables } = await start(() => ({ bytesWritten: 1e9 }), '10GB');
    loop.wake(A);
    await pass(1);
    loop.wake(B);
    await pass(1);
    loop.wake(B);
    await pass(11 * MINUTE);
    expect(tables().filter((table) => table === 'b')).toEqual(['b']);
    await pass(MINUTE);
    expect(tables().filter((table) => table === 'b')).toEqual(['b', 'b']);
  });

  it('merges whatever the budget says when it is drained', async () => {
    const { loop, tables } = await start(() => ({ bytesWritten: 1e12 }));
    loop.wake(A);
    await pass(1);
    const drained = loop.drain();
    await pass(1);
    await drained;
    expect(tables()).toEqual(['a', 'a']);
  });

  it('tries a table that failed again, says the same failure once, and holds up no other', async () => {
    const { loop, tables, seen } = await start(({ table }) =>
      table === 'a' ? new CdcError('row.unfit', 'no date') : {},
    );
    loop.wake(A);
    loop.wake(B);
    await pass(MINUTE - 1);
    expect(tables().filter((table) => table === 'a')).toHaveLength(4);
    expect(tables()).toContain('b');
    expect(seen.filter((line) => line.startsWith('warning'))).toEqual(['warning: merging shop.a: no date']);
    expect(seen.filter((line) => line === 'a failed: row.unfit')).toHaveLength(4);
  });

  it('waits for whoever has the lease, which is no failure', async () => {
    const { loop, seen } = await start((_, count) => (count < 3 ? new CdcError('lease.held', 'held') : {}));
    loop.wake(A);
    await pass(3000);
    expect(seen).toEqual(['a waits: lease', 'a waits: lease', 'a merged']);
  });

  it('keeps up the tables every ten minutes', async () => {
    const { loop, maintained } = await start();
    loop.wake(A);
    await pass(21 * MINUTE);
    expect(maintained).toEqual(['a', 'a']);
  });

  it('rejects those who wait when it is stopped, and those who come later', async () => {
    const { loop } = await start(() => new CancelledError());
    const waiting = loop.drain([A]);
    abort.controller.abort();
    await expect(waiting).rejects.toBeInstanceOf(CancelledError);
    await expect(loop.drain([A])).rejects.toBeInstanceOf(CancelledError);
  });

  it('leaves no listener behind when it is woken', async () => {
    const { loop } = await start();
    const add = vi.spyOn(abort.controller.signal, 'addEventListener');
    for (let count = 0; count < 100; count++) {
      loop.wake(A);
      await pass(1);
    }
    expect(add).not.toHaveBeenCalled();
  });
});
