import { readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { onCrashPoint } from '../../../src/core/crash-point.ts';
import { cleanLog, vacuum } from '../../../src/core/delta/cleanup.ts';
import { dueCheckpoint, maintainLog, vacuumTable } from '../../../src/core/delta/maintenance.ts';
import type { LakeColumn } from '../../../src/core/delta/schema.ts';
import { readSnapshot, type Snapshot } from '../../../src/core/delta/snapshot.ts';
import { writeCheckpoint } from '../../../src/core/delta/write-checkpoint.ts';
import { commit, createTable, NOW, openTestLake, type TestLake, writeRows } from '../../support/lake.ts';

const COLUMNS: LakeColumn[] = [{ lake: 'id', delta: 'long' }];
const HOUR = 3_600_000;
const held = { assertHeld: async () => {}, now: NOW };

async function tableWith(commits: number): Promise<{ lake: TestLake; snapshot: Snapshot }> {
  const lake = await openTestLake();
  let snapshot = await createTable(lake, COLUMNS);
  for (let id = 1; id <= commits; id++)
    snapshot = await writeRows(lake, snapshot, `SELECT ${id}::BIGINT AS id`, COLUMNS, { replace: true });
  return { lake, snapshot };
}

/** Gives files another age, in hours before NOW. */
async function age(folder: string, hours: (name: string) => number | undefined): Promise<void> {
  for (const name of await readdir(folder)) {
    const old = hours(name);
    const time = new Date(NOW.getTime() - (old ?? 0) * HOUR);
    if (old !== undefined) await utimes(join(folder, name), time, time);
  }
}

const logOf = async (lake: TestLake) =>
  (await readdir(join(lake.path, '_delta_log'))).map((name) => name.replace(/^0+(?=\d)/, ''));

describe('checkpoints', () => {
  it('are due for every tenth version once a later one is there', async () => {
    const { snapshot } = await tableWith(1);
    const due = (version: number, checkpointVersion?: number) =>
      dueCheckpoint({ ...snapshot, version, checkpointVersion });
    expect([0, 9, 10, 11, 20, 21, 1234].map((version) => due(version))).toEqual([
      undefined,
      undefined,
      undefined,
      10,
      10,
      20,
      1230,
    ]);
    expect([due(11, 10), due(20, 10), due(21, 10), due(25, 23)]).toEqual([undefined, undefined, 20, undefined]);
  });

  it('are not written without the lease', async () => {
    const { lake, snapshot } = await tableWith(11);
    const lost = async () => {
      throw new Error('lost');
    };
    await expect(maintainLog(lake, snapshot, { assertHeld: lost, now: NOW })).rejects.toThrow('lost');
    expect(await logOf(lake)).toHaveLength(12);
  });

  it('that a crash left without the hint are taken, and the hint is made good', async () => {
    const { lake, snapshot } = await tableWith(11);
    onCrashPoint((point) => {
      if (point === 'lake.checkpoint-written') throw new Error('killed');
    });
    await expect(maintainLog(lake, snapshot, held)).rejects.toThrow('killed');
    onCrashPoint(undefined);
    expect(await logOf(lake)).toContain('10.checkpoint.parquet');
    expect(await logOf(lake)).not.toContain('_last_checkpoint');
    expect((await readSnapshot(lake))?.checkpointVersion).toBe(10);
    expect((await maintainLog(lake, snapshot, held)).checkpointVersion).toBe(10);
    expect(JSON.parse((await lake.store.get('shop/orders/_delta_log/_last_checkpoint')).toString())).toMatchObject({
      version: 10,
      size: 12,
      numOfAddFiles: 1,
    });
  });

  it('forget removed files after the retention, and no others', async () => {
    const { lake, snapshot } = await tableWith(3);
    const tombstones = async (now: Date) => {
      await lake.store.delete('shop/orders/_delta_log/00000000000000000003.checkpoint.parquet');
      await writeCheckpoint(lake, snapshot, now);
      return (await readSnapshot(lake))?.tombstones.size;
    };
    expect(await tombstones(new Date(NOW.getTime() + 23 * HOUR))).toBe(2);
    expect(await tombstones(new Date(NOW.getTime() + 25 * HOUR))).toBe(0);
  });
});

describe('log cleanup', () => {
  it('comes with the checkpoint of every hundredth version', async () => {
    const { lake, snapshot } = await tableWith(1);
    let last = snapshot;
    for (let version = 2; version <= 101; version++) last = await commit(lake, last, []);
    await age(join(lake.path, '_delta_log'), () => 50);
    await writeCheckpoint(lake, (await readSnapshot(lake, { version: 90 }))!, NOW);
    expect((await maintainLog(lake, last, held)).checkpointVersion).toBe(100);
    expect((await logOf(lake)).slice(0, 2)).toEqual(['100.checkpoint.parquet', '100.json']);
  });

  it('keeps the newest checkpoint older than the retention, with its commit, and all after it', async () => {
    const { lake, snapshot } = await tableWith(25);
    for (const version of [5, 10, 20]) await writeCheckpoint(lake, (await readSnapshot(lake, { version }))!, NOW);
    await age(join(lake.path, '_delta_log'), (name) => (Number(name.slice(0, 20)) <= 12 ? 25 : 23));
    expect(await cleanLog(lake, snapshot, NOW)).toBe(11);
    const log = await logOf(lake);
    expect(log.slice(0, 3)).toEqual(['10.checkpoint.parquet', '10.json', '11.json']);
    expect((await readSnapshot(lake))?.files).toEqual(snapshot.files);
    expect((await readSnapshot(lake, { version: 10 }))?.version).toBe(10);
    expect(await cleanLog(lake, snapshot, NOW)).toBe(0);
  });

  it('deletes nothing without a checkpoint, however old the log is', async () => {
    const { lake, snapshot } = await tableWith(3);
    await age(join(lake.path, '_delta_log'), () => 10_000);
    expect(await cleanLog(lake, snapshot, NOW)).toBe(0);
  });

  it('never builds on a checkpoint of the tip or with parts missing', async () => {
    const { lake, snapshot } = await tableWith(3);
    await writeCheckpoint(lake, snapshot, NOW);
    await writeFile(
      join(lake.path, '_delta_log', '00000000000000000002.checkpoint.0000000001.0000000002.parquet'),
      'x',
    );
    await age(join(lake.path, '_delta_log'), () => 10_000);
    expect(await cleanLog(lake, snapshot, NOW)).toBe(0);
  });

  it('leaves what is not named by a version', async () => {
    const { lake, snapshot } = await tableWith(25);
    await writeCheckpoint(lake, (await readSnapshot(lake, { version: 20 }))!, NOW);
    await writeFile(join(lake.path, '_delta_log', 'note.txt'), 'x');
    await age(join(lake.path, '_delta_log'), () => 10_000);
    await cleanLog(lake, snapshot, NOW);
    expect(await logOf(lake)).toEqual([
      '20.checkpoint.parquet',
      '20.json',
      '21.json',
      '22.json',
      '23.json',
      '24.json',
      '25.json',
      '_last_checkpoint',
      'note.txt',
    ]);
  });
});

describe('vacuum', () => {
  it('deletes removed and left-over files older than the retention, and nothing that is needed, young or hidden', async () => {
    const { lake, snapshot } = await tableWith(3);
    const live = [...snapshot.files.keys()];
    const removed = [...snapshot.tombstones.keys()];
    for (const name of [
      'left-over.parquet',
      'young.parquet',
      'deletion_vector_1.bin',
      '.hidden',
      '_cdc/batches/1.json',
      'a/_b/c',
    ])
      await lake.store.put(`shop/orders/${name}`, 'x');
    const all = [...live, ...removed, 'left-over.parquet', 'deletion_vector_1.bin', '.hidden'];
    await age(lake.path, (name) => (all.includes(name) ? 50 : undefined));

    // Removed within the retention, so readers of an older version may still be at them.
    expect(await vacuum(lake, snapshot, new Date(NOW.getTime() + 23 * HOUR))).toBe(1);
    expect(await readdir(lake.path)).toEqual(expect.arrayContaining([...live, ...removed]));
    const later = { ...snapshot, tombstones: new Map([...snapshot.tombstones].slice(1)) };
    expect(await vacuum(lake, later, NOW)).toBe(1);
    await age(lake.path, (name) => (name === 'young.parquet' ? -24 : undefined));
    expect(await vacuum(lake, snapshot, new Date(NOW.getTime() + 25 * HOUR))).toBe(removed.length - 1);
    expect(
      (await lake.store.list('shop/orders/'))
        .map(({ key }) => key.slice(12))
        .filter((key) => !key.startsWith('_delta_log')),
    ).toEqual(['.hidden', '_cdc/batches/1.json', 'a/_b/c', 'deletion_vector_1.bin', ...live, 'young.parquet']);
  });

  it('reads the table again first, and only under the lease', async () => {
    const { lake } = await tableWith(1);
    await lake.store.put('shop/orders/old', 'x');
    await age(lake.path, (name) => (name === '_delta_log' ? undefined : 50));
    const lost = async () => {
      throw new Error('lost');
    };
    await expect(vacuumTable(lake, { assertHeld: lost, now: NOW })).rejects.toThrow('lost');
    expect(await vacuumTable(lake, held)).toBe(1);
    expect(await vacuumTable({ ...lake, folder: 'no/table/' }, held)).toBe(0);
  });
});
