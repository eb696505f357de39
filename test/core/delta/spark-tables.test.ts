import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { objectPath } from '../../../src/core/delta/actions.ts';
import { removeOf } from '../../../src/core/delta/create-table.ts';
import { assertReadable, assertWritable } from '../../../src/core/delta/gate.ts';
import { maintainLog } from '../../../src/core/delta/maintenance.ts';
import type { LakeColumn } from '../../../src/core/delta/schema.ts';
import { readSnapshot, type Snapshot } from '../../../src/core/delta/snapshot.ts';
import { quotePaths } from '../../../src/core/engine/quote.ts';
import { commit, NOW, openTestLake, type TestLake, writeRows } from '../../support/lake.ts';
import { hasDeltaReader, readDeltaTable } from '../../support/python.ts';

const FIXTURES = fileURLToPath(new URL('../../fixtures/delta/spark-3.5.6-delta-3.3.2/', import.meta.url));
const withReader = await hasDeltaReader();

async function sparkTable(name: string): Promise<TestLake> {
  const lake = await openTestLake();
  await cp(join(FIXTURES, name), lake.path, { recursive: true });
  return lake;
}

async function rowsOf(lake: TestLake, snapshot: Snapshot, columns: string): Promise<Record<string, unknown>[]> {
  const files = [...snapshot.files.values()].map((file) => join(lake.path, objectPath(file.path) ?? ''));
  return await lake.engine.withConnection((connection) =>
    connection.rows(`SELECT ${columns} FROM read_parquet(${quotePaths(files)}) ORDER BY id`),
  );
}

describe('a table made by Spark 3.5.6 and Delta 3.3.2', () => {
  it('is read alike from its checkpoint and from its commits, at every version, with the ledger of its MERGE', async () => {
    const lake = await sparkTable('plain');
    const versions = Array.from({ length: 13 }, (_, version) => version);
    const withCheckpoint = await Promise.all(versions.map((version) => readSnapshot(lake, { version })));
    expect(withCheckpoint.map((snapshot) => snapshot?.checkpointVersion)).toEqual([
      ...Array(10).fill(undefined),
      10,
      10,
      10,
    ]);
    const log = join(lake.path, '_delta_log');
    await rm(join(log, '00000000000000000010.checkpoint.parquet'));
    await rm(join(log, '_last_checkpoint'));
    for (const version of versions) {
      const plain = await readSnapshot(lake, { version });
      const known = withCheckpoint[version];
      expect([...(plain?.files.keys() ?? [])].sort()).toEqual([...(known?.files.keys() ?? [])].sort());
      expect(plain?.txns).toEqual(known?.txns);
      expect(plain?.protocol).toEqual(known?.protocol);
      expect(plain?.metaData).toEqual(known?.metaData);
      for (const [key, file] of plain?.files ?? [])
        expect(JSON.parse(known?.files.get(key)?.stats ?? '0')).toEqual(JSON.parse(file.stats ?? '1'));
    }
    expect(withCheckpoint[12]?.txns.get('cdc/test')?.version).toBe(4611686018427387905n);
    const rows = await rowsOf(lake, withCheckpoint[12]!, 'id, name, "at"::VARCHAR AS "at"');
    expect(rows.map(({ id }) => Number(id))).toEqual([1, 2, 3, 4, 6, 7, 8, 9, 10, 99]);
    expect(rows[2]).toMatchObject({ name: 'merged', at: expect.stringContaining('2024-01-04 00:00:00.000001') });
  });

  it('has its checkpoint of several parts read', async () => {
    const lake = await sparkTable('parts');
    const snapshot = await readSnapshot(lake);
    expect(snapshot?.checkpointVersion).toBe(5);
    expect((await rowsOf(lake, snapshot!, 'id')).map(({ id }) => Number(id))).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('is written on, with checkpoints of ours over its own', async () => {
    const lake = await sparkTable('plain');
    const columns: LakeColumn[] = [
      { lake: 'id', delta: 'long' },
      { lake: 'name', delta: 'string' },
      { lake: 'price', delta: 'decimal(12,2)' },
      { lake: 'at', delta: 'timestamp' },
    ];
    let snapshot = (await readSnapshot(lake))!;
    assertWritable(lake, snapshot);
    snapshot = await commit(
      lake,
      snapshot,
      [...snapshot.files.values()].slice(0, 3).map((file) => ({ remove: removeOf(file, NOW) })),
    );
    for (let id = 100; id < 110; id++) {
      const select = `SELECT ${id}::BIGINT AS id, 'ours' AS name, 1::DECIMAL(12,2) AS price, now() AS at`;
      snapshot = await writeRows(lake, snapshot, select, columns);
      snapshot = await maintainLog(lake, snapshot, { assertHeld: async () => {}, now: NOW });
    }
    expect(snapshot.checkpointVersion).toBe(20);
    const ids = (await rowsOf(lake, (await readSnapshot(lake))!, 'id')).map(({ id }) => Number(id));
    expect(ids).toHaveLength(7 + 10);
    if (withReader)
      expect((await readDeltaTable(lake.path)).map(({ id }) => Number(id)).sort((a, b) => a - b)).toEqual(ids);
  });

  it.each([
    ['vectors', 'deletion vectors'],
    ['mapped', 'column mapping'],
    ['checked', 'CHECK constraints'],
    ['fed', 'change data feed'],
    ['appended', 'append only'],
    ['partitioned', 'partitions (d)'],
    ['notnull', 'NOT NULL of column id'],
    ['rowtracked', 'the feature rowTracking'],
    ['v2checkpoint', 'the feature v2Checkpoint'],
    ['nested', 'of column s'],
    ['ntz', 'timestampNtz'],
    ['clustered', 'the feature clustering'],
  ])('of the kind %s is refused by name', async (name, feature) => {
    const lake = await sparkTable(name);
    const snapshot = (await readSnapshot(lake))!;
    const refused = expect.objectContaining({ code: 'lake.unsupported', message: expect.stringContaining(feature) });
    expect(() => assertWritable(lake, snapshot)).toThrow(refused);
    if (['vectors', 'mapped', 'v2checkpoint'].includes(name))
      expect(() => assertReadable(lake, snapshot)).toThrow(refused);
  });
});
