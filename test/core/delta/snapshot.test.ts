import { copyFile, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { maintainLog } from '../../../src/core/delta/maintenance.ts';
import type { LakeColumn } from '../../../src/core/delta/schema.ts';
import { readSnapshot, type Snapshot, updateSnapshot } from '../../../src/core/delta/snapshot.ts';
import { writeCheckpoint } from '../../../src/core/delta/write-checkpoint.ts';
import { createTable, NOW, openTestLake, type TestLake, writeRows } from '../../support/lake.ts';

const COLUMNS: LakeColumn[] = [{ lake: 'id', delta: 'long' }];
const LOG = '_delta_log';
const version = (number: number, rest = '.json') => `${String(number).padStart(20, '0')}${rest}`;

/** A table with `commits` versions after the first, each with a file; every fifth replaces all before. */
async function tableWith(commits: number): Promise<{ lake: TestLake; snapshots: Snapshot[] }> {
  const lake = await openTestLake();
  const snapshots = [await createTable(lake, COLUMNS)];
  for (let id = 1; id <= commits; id++)
    snapshots.push(
      await writeRows(lake, snapshots.at(-1)!, `SELECT ${id}::BIGINT AS id`, COLUMNS, {
        replace: id % 5 === 0,
        actions: [{ txn: { appId: 'app', version: BigInt(id) } }],
      }),
    );
  return { lake, snapshots };
}

const files = (snapshot: Snapshot | undefined) => [...(snapshot?.files.keys() ?? [])].sort();

describe('reading a table', () => {
  it('finds none in a folder without a log, or that is not there', async () => {
    const lake = await openTestLake();
    expect(await readSnapshot(lake)).toBeUndefined();
    await lake.store.put('shop/orders/some/file', 'x');
    expect(await readSnapshot(lake)).toBeUndefined();
  });

  it('gives every version as it was, with and without a checkpoint below it', async () => {
    const { lake, snapshots } = await tableWith(13);
    const check = async () => {
      for (const { version, files: expected, txns } of snapshots) {
        const read = await readSnapshot(lake, { version });
        expect(files(read)).toEqual([...expected.keys()].sort());
        expect(read?.txns.get('app')?.version).toBe(txns.get('app')?.version);
      }
    };
    await check();
    await writeCheckpoint(lake, snapshots[7]!, NOW);
    await check();
    expect((await readSnapshot(lake))?.checkpointVersion).toBe(7);
    expect((await readSnapshot(lake, { version: 6 }))?.checkpointVersion).toBeUndefined();
  });

  it('works from the checkpoint alone, and without the hint or with a false one', async () => {
    const { lake, snapshots } = await tableWith(8);
    await writeCheckpoint(lake, snapshots[8]!, NOW);
    const hint = join(lake.path, LOG, '_last_checkpoint');
    for (const bad of ['{"version":99}', '{"version":3}', 'no json', '{}']) {
      await writeFile(hint, bad);
      expect(files(await readSnapshot(lake))).toEqual(files(snapshots[8]));
    }
    await rm(hint);
    for (let old = 0; old <= 8; old++) await rm(join(lake.path, LOG, version(old)));
    const read = await readSnapshot(lake);
    expect(read?.version).toBe(8);
    expect(files(read)).toEqual(files(snapshots[8]));
    expect([...(read?.tombstones.keys() ?? [])].sort()).toEqual([...snapshots[8]!.tombstones.keys()].sort());
    expect(read?.metaData).toEqual(snapshots[8]?.metaData);
    await expect(readSnapshot(lake, { version: 7 })).rejects.toMatchObject({ code: 'lake.no-version' });
  });

  it('names the version that is not there', async () => {
    const { lake } = await tableWith(2);
    await expect(readSnapshot(lake, { version: 3 })).rejects.toMatchObject({ code: 'lake.no-version' });
  });

  it('is refused where a commit is missing or broken, naming the file', async () => {
    const { lake } = await tableWith(4);
    const path = join(lake.path, LOG, version(2));
    await copyFile(path, join(lake.path, 'kept'));
    for (const broken of ['', '\n', '{"add":', '{"add":{"path":"x"}}\n', 'nonsense']) {
      await writeFile(path, broken);
      await expect(readSnapshot(lake), broken).rejects.toMatchObject({
        code: 'lake.corrupt',
        message: expect.stringContaining(version(2)),
      });
    }
    await rm(path);
    await expect(readSnapshot(lake)).rejects.toMatchObject({
      code: 'lake.corrupt',
      message: expect.stringContaining(version(2)),
    });
    await copyFile(join(lake.path, 'kept'), path);
    await rm(join(lake.path, LOG, version(0)));
    await expect(readSnapshot(lake)).rejects.toMatchObject({ message: expect.stringContaining(version(0)) });
  });

  it('is refused where its checkpoint is broken, naming the file', async () => {
    const { lake, snapshots } = await tableWith(3);
    await writeCheckpoint(lake, snapshots[2]!, NOW);
    await writeFile(join(lake.path, LOG, version(2, '.checkpoint.parquet')), 'PAR1 no parquet PAR1');
    await expect(readSnapshot(lake)).rejects.toMatchObject({
      code: 'lake.corrupt',
      message: expect.stringContaining(version(2, '.checkpoint.parquet')),
    });
  });

  it('ignores what is no part of the log, and a checkpoint of which parts are missing', async () => {
    const { lake, snapshots } = await tableWith(3);
    for (const name of [
      version(3, '.crc'),
      version(2, '.00000000000000000003.compacted.json'),
      version(4, '.json.tmp'),
      '.x',
      'README',
    ])
      await writeFile(join(lake.path, LOG, name), 'x');
    await writeFile(join(lake.path, LOG, version(2, '.checkpoint.0000000001.0000000002.parquet')), 'x');
    expect(await readSnapshot(lake)).toEqual(snapshots[3]);
  });

  it('begins again when a clean-up takes files between listing and reading', async () => {
    const { lake, snapshots } = await tableWith(8);
    const get = lake.store.get.bind(lake.store);
    let cleaned = false;
    lake.store.get = async (key) => {
      if (!cleaned) {
        cleaned = true;
        await writeCheckpoint(lake, snapshots[6]!, NOW);
        for (let old = 0; old < 6; old++) await rm(join(lake.path, LOG, version(old)));
      }
      return await get(key);
    };
    expect(files(await readSnapshot(lake))).toEqual(files(snapshots[8]));
  });
});

describe('carrying a snapshot forward', () => {
  it('reads only the new commits', async () => {
    const { lake, snapshots } = await tableWith(6);
    const get = lake.store.getIfPresent.bind(lake.store);
    const read: string[] = [];
    lake.store.getIfPresent = async (key) => {
      read.push(key);
      return await get(key);
    };
    expect(await updateSnapshot(lake, snapshots[4]!)).toEqual(snapshots[6]);
    expect(read.map((key) => key.slice(-10))).toEqual(['00005.json', '00006.json']);
    expect(await updateSnapshot(lake, snapshots[6]!)).toEqual(snapshots[6]);
  });

  it('begins again when the log was cleaned past it', async () => {
    const { lake, snapshots } = await tableWith(12);
    const held = { assertHeld: async () => {}, now: NOW };
    const kept = await maintainLog(lake, snapshots[12]!, held);
    expect(kept.checkpointVersion).toBe(10);
    for (let old = 0; old < 10; old++) await rm(join(lake.path, LOG, version(old)));
    const updated = await updateSnapshot(lake, snapshots[3]!);
    expect(updated?.version).toBe(12);
    expect(files(updated)).toEqual(files(snapshots[12]));
  });

  it('begins again when someone replaced the commit it stands on', async () => {
    const { lake, snapshots } = await tableWith(3);
    const path = join(lake.path, LOG, version(3));
    await copyFile(join(lake.path, LOG, version(2)), path);
    await utimes(path, new Date(0), new Date(0));
    const updated = await updateSnapshot(lake, snapshots[3]!);
    expect(files(updated)).toEqual(files(snapshots[2]));
  });

  it('finds no table any more when it was deleted', async () => {
    const { lake, snapshots } = await tableWith(1);
    await rm(lake.path, { recursive: true });
    expect(await updateSnapshot(lake, snapshots[1]!)).toBeUndefined();
    await expect(readdir(lake.path)).rejects.toThrow();
  });
});
