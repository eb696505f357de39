import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Action } from '../../../src/core/delta/actions.ts';
import { type CommitRequest, commitVersion } from '../../../src/core/delta/commit.ts';
import { createTableActions, removeOf } from '../../../src/core/delta/create-table.ts';
import { commitKey } from '../../../src/core/delta/lake-table.ts';
import type { LakeColumn } from '../../../src/core/delta/schema.ts';
import { readSnapshot } from '../../../src/core/delta/snapshot.ts';
import { writeCheckpoint } from '../../../src/core/delta/write-checkpoint.ts';
import { createTable, NOW, openTestLake, writeRows } from '../../support/lake.ts';

const COLUMNS: LakeColumn[] = [{ lake: 'id', delta: 'long' }];
const add = (path: string): Action => ({
  add: { path, partitionValues: {}, size: 1, modificationTime: 1, dataChange: true },
});
const txn: Action = { txn: { appId: 'app', version: 1n } };
const request = (previous: CommitRequest['previous'], actions: readonly Action[]): CommitRequest => ({
  previous,
  actions,
  operation: 'MERGE',
  now: NOW,
});

describe('a commit', () => {
  it('makes one new version, whose first line says what it was', async () => {
    const lake = await openTestLake();
    const created = await createTable(lake, COLUMNS);
    const result = await commitVersion(lake, {
      ...request(created, [txn, add('part-1')]),
      operationMetrics: { numOutputRows: '1' },
    });
    expect(result).toMatchObject({ state: 'committed', snapshot: { version: 1 } });
    const lines = (await lake.store.get(commitKey(lake.folder, 1))).toString().trimEnd().split('\n');
    expect(lines.map((line) => Object.keys(JSON.parse(line))[0])).toEqual(['commitInfo', 'txn', 'add']);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      commitInfo: {
        operation: 'MERGE',
        readVersion: 0,
        isBlindAppend: false,
        operationMetrics: { numOutputRows: '1' },
      },
    });
  });

  it('gives the snapshot that a reader puts together from the log', async () => {
    const lake = await openTestLake();
    let snapshot = await createTable(lake, COLUMNS, { 'cdc.appId': 'app' });
    for (let id = 0; id < 5; id++)
      snapshot = await writeRows(lake, snapshot, `SELECT ${id}::BIGINT AS id`, COLUMNS, {
        replace: id === 3,
        actions: [txn],
      });
    expect(await readSnapshot(lake)).toEqual(snapshot);
    expect(snapshot.files.size).toBe(2);
    expect(snapshot.tombstones.size).toBe(3);
  });

  it('of a version that someone else made meanwhile changes nothing', async () => {
    const lake = await openTestLake();
    const created = await createTable(lake, COLUMNS);
    await commitVersion(lake, request(created, [add('theirs')]));
    const before = await readdir(join(lake.path, '_delta_log'));
    expect(await commitVersion(lake, request(created, [add('ours')]))).toEqual({ state: 'taken' });
    expect(await readdir(join(lake.path, '_delta_log'))).toEqual(before);
    expect([...((await readSnapshot(lake))?.files.keys() ?? [])]).toEqual(['theirs']);
  });

  it('on a version that was cleaned away, whose next number only looks free, is not made', async () => {
    const lake = await openTestLake();
    const created = await createTable(lake, COLUMNS);
    let snapshot = created;
    for (let id = 1; id <= 4; id++) snapshot = await writeRows(lake, snapshot, `SELECT ${id}::BIGINT AS id`, COLUMNS);
    await writeCheckpoint(lake, (await readSnapshot(lake, { version: 3 }))!, NOW);
    for (const version of [0, 1, 2]) await lake.store.delete(commitKey(lake.folder, version));
    expect(await commitVersion(lake, request(created, [add('ours')]))).toEqual({ state: 'taken' });
    expect(await lake.store.stat(commitKey(lake.folder, 1))).toBeUndefined();
  });

  it('is made on a checkpoint whose own commit is gone', async () => {
    const lake = await openTestLake();
    await writeCheckpoint(lake, await createTable(lake, COLUMNS), NOW);
    await lake.store.delete(commitKey(lake.folder, 0));
    const snapshot = await readSnapshot(lake);
    expect(await commitVersion(lake, request(snapshot, [add('ours')]))).toMatchObject({ state: 'committed' });
    expect([...((await readSnapshot(lake))?.files.keys() ?? [])]).toEqual(['ours']);
  });

  it('whose reply was lost is known as our own', async () => {
    const lake = await openTestLake();
    const created = await createTable(lake, COLUMNS);
    const putIfAbsent = lake.store.putIfAbsent.bind(lake.store);
    lake.store.putIfAbsent = async (key, body) => (await putIfAbsent(key, body)) && false;
    expect(await commitVersion(lake, request(created, [add('ours')]))).toMatchObject({ state: 'committed' });
  });

  it('is wholly there when it is there: its file is written, synced and then linked', async () => {
    const lake = await openTestLake();
    await createTable(lake, COLUMNS);
    const body = await readFile(join(lake.path, '_delta_log', '00000000000000000000.json'), 'utf8');
    expect(body.endsWith('}\n')).toBe(true);
    expect(await readdir(join(lake.path, '_delta_log'))).toEqual(['00000000000000000000.json']);
  });

  it('that would corrupt the table is not made', async () => {
    const lake = await openTestLake();
    const create = createTableActions({ columns: COLUMNS, now: NOW });
    await expect(commitVersion(lake, request(undefined, [add('x')]))).rejects.toThrow(/needs a protocol/);
    const created = await createTable(lake, COLUMNS);
    const snapshot = await writeRows(lake, created, 'SELECT 1::BIGINT AS id', COLUMNS);
    const file = [...snapshot.files.values()][0]!;
    const remove: Action = { remove: removeOf(file, NOW) };
    const wrong: [Action[], RegExp][] = [
      [[add('x'), add('x')], /x is added twice/],
      [[remove, remove], /removed twice/],
      [[{ remove: { path: 'gone', dataChange: true } }], /gone is removed and is not in the table/],
      [[{ add: file }], /already in the table/],
      [[txn, txn], /two txn of app/],
      [[...create, ...create], /two protocols/],
      [[{ commitInfo: {} }], /commitInfo is made here/],
    ];
    for (const [actions, reason] of wrong)
      await expect(commitVersion(lake, request(snapshot, actions))).rejects.toThrow(reason);
    expect((await readSnapshot(lake))?.version).toBe(1);
    expect(await commitVersion(lake, request(snapshot, [remove, { add: file }]))).toMatchObject({ state: 'committed' });
  });
});
