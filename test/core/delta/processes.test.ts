import { once } from 'node:events';
import { cp, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { objectPath } from '../../../src/core/delta/actions.ts';
import { readCommit, readSnapshot } from '../../../src/core/delta/snapshot.ts';
import { quotePaths } from '../../../src/core/engine/quote.ts';
import { openLocalStore } from '../../../src/core/store/local.ts';
import { type CompiledChild, compileChild } from '../../support/child.ts';
import { createTable, openTestLake, type TestLake } from '../../support/lake.ts';
import { hasDeltaReader, readDeltaTable } from '../../support/python.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';
import { applyBatches, countingStore } from './children/batches.ts';
import type { RaceReport } from './children/race-commits.ts';

const COLUMNS = [{ lake: 'id', delta: 'long' as const }];
let racer: CompiledChild;
let writer: CompiledChild;
beforeAll(async () => {
  racer = await compileChild('test/core/delta/children/race-commits.ts');
  writer = await compileChild('test/core/delta/children/batches.ts');
});
afterAll(async () => {
  await racer.remove();
  await writer.remove();
});
const hasReader = await hasDeltaReader();

describe('two processes that commit on one table', () => {
  it('make each version once, whole, and lose none', async () => {
    const lake = await openTestLake();
    await createTable(lake, COLUMNS);
    const root = lake.store.location;
    const children = ['a', 'b'].map((app) => racer.start(root, app, '60'));
    await Promise.all(children.map((child) => once(child, 'message')));
    for (const child of children) child.send('go');
    const reports = await Promise.all(
      children.map(async (child): Promise<RaceReport> => (await once(child, 'message'))[0]),
    );
    expect(reports.reduce((sum, { taken }) => sum + taken, 0)).toBeGreaterThan(0);

    const snapshot = await readSnapshot(lake);
    expect(snapshot?.version).toBe(120);
    expect([snapshot?.txns.get('a')?.version, snapshot?.txns.get('b')?.version]).toEqual([60n, 60n]);
    const seen = new Map([
      ['a', 0n],
      ['b', 0n],
    ]);
    for (let version = 1; version <= 120; version++)
      for (const action of await readCommit(lake, version))
        if ('txn' in action) {
          expect(action.txn.version).toBe((seen.get(action.txn.appId) ?? 0n) + 1n);
          seen.set(action.txn.appId, action.txn.version);
        }
    expect((await readdir(join(lake.path, '_delta_log'))).filter((name) => name.startsWith('.tmp'))).toEqual([]);
  });
});

describe('a writer killed with SIGKILL at each of its writes', () => {
  it('leaves a table that reads well, a lease that is free at once, and no row lost or doubled once it goes on', {
    timeout: 240_000,
  }, async () => {
    // Eight batches are there; the child does five more, with the checkpoint of version 10 among them.
    const prepared = await openTestLake();
    await createTable(prepared, COLUMNS);
    await applyBatches(prepared.store.location, prepared.store, 8);
    const root = await temporaryFolder();
    const fresh = async (name: string): Promise<TestLake> => {
      await cp(prepared.store.location, join(root, name), { recursive: true });
      return { ...prepared, store: openLocalStore(join(root, name)), path: join(root, name, prepared.folder) };
    };
    let writes = 0;
    const whole = await fresh('whole');
    await applyBatches(
      whole.store.location,
      countingStore(whole.store, (_moment, write) => (writes = write)),
      13,
    );
    expect(writes).toBeGreaterThanOrEqual(18);

    const versions = new Set<number>();
    for (const moment of ['before', 'after'])
      for (let at = 1; at <= writes; at++) {
        const lake = await fresh(`${moment}-${at}`);
        const child = writer.start(lake.store.location, '13', moment, String(at));
        const [, signal] = await once(child, 'exit');
        expect(signal, `killed ${moment} write ${at}`).toBe('SIGKILL');
        const left = await readSnapshot(lake);
        versions.add(left?.version ?? -1);
        expect(await idsOf(lake)).toEqual(upTo(Number(left?.txns.get('app')?.version)));
        await applyBatches(lake.store.location, lake.store, 13);
        expect(await idsOf(lake), `after a kill ${moment} write ${at}`).toEqual(upTo(13));
        if (hasReader && at % 4 === 0)
          expect((await readDeltaTable(lake.path)).map(({ id }) => Number(id)).sort((a, b) => a - b)).toEqual(upTo(13));
      }
    // Every commit of the child was once the last that stood.
    expect([...versions].sort((a, b) => a - b)).toEqual([8, 9, 10, 11, 12, 13]);
  });
});

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}

async function idsOf(lake: TestLake): Promise<number[]> {
  const snapshot = await readSnapshot(lake);
  const files = [...(snapshot?.files.values() ?? [])].map((file) => join(lake.path, objectPath(file.path) ?? ''));
  const rows = await lake.engine.withConnection((connection) =>
    connection.rows(`SELECT id FROM read_parquet(${quotePaths(files)}) ORDER BY id`),
  );
  return rows.map(({ id }) => Number(id));
}
