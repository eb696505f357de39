/** Lake tables for tests: made in a folder of their own with the code under test, and small enough to read aloud. */

import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { TableName } from '../../src/core/change.ts';
import { tableFolder } from '../../src/core/change-file/layout.ts';
import type { Action } from '../../src/core/delta/actions.ts';
import { commitVersion } from '../../src/core/delta/commit.ts';
import { createTableActions, removeOf } from '../../src/core/delta/create-table.ts';
import type { LakeTable } from '../../src/core/delta/lake-table.ts';
import type { LakeColumn } from '../../src/core/delta/schema.ts';
import type { Snapshot } from '../../src/core/delta/snapshot.ts';
import { writeDataFiles } from '../../src/core/delta/write-parquet.ts';
import { openEngine } from '../../src/core/engine/engine.ts';
import { openLocalStore } from '../../src/core/store/local.ts';
import type { Store } from '../../src/core/store/store.ts';
import { temporaryFolder } from './temp-folder.ts';

export interface TestLake extends LakeTable {
  store: Store;
  /** The table's folder on disk. */
  path: string;
}

export async function openTestLake(): Promise<TestLake> {
  // A folder whose name is a pattern to the engine and needs quoting everywhere.
  const root = join(await temporaryFolder(), "it's [a] lake*");
  const engine = await openEngine({ tempDirectory: join(root, '.tmp-engine'), threads: 1 });
  onTestFinished(() => engine.close());
  const folder = 'shop/orders/';
  return { store: openLocalStore(root), folder, engine, path: join(root, folder) };
}

/** For engines that must quote what they are given. */
export const AWKWARD_NAMES: readonly TableName[] = [
  { schema: 'Shop-1', table: "it's" },
  { schema: 'Shop-1', table: 'order' },
  { schema: 'select', table: 'a-b' },
  { schema: 'select', table: 'a_b' },
  { schema: 'select', table: 'a"`b' },
];

/** A lake with these tables, each with one row: its place in the list as `id`. */
export async function lakeOf(tables: readonly TableName[]): Promise<Store> {
  const lake = await openTestLake();
  const columns = [{ lake: 'id', delta: 'integer' }] as const;
  for (const [index, table] of tables.entries()) {
    const one = { ...lake, folder: tableFolder(table) };
    await writeRows(one, await createTable(one, columns), `SELECT ${index}::INT AS id`, columns);
  }
  return lake.store;
}

/** One moment for a whole test file; of the real clock, for the files on disk have its times. */
export const NOW = new Date();

/** Commits, and fails the test when someone else was faster. */
export async function commit(
  lake: LakeTable,
  previous: Snapshot | undefined,
  actions: readonly Action[],
): Promise<Snapshot> {
  const result = await commitVersion(lake, { previous, actions, operation: 'TEST', now: NOW });
  if (result.state !== 'committed') throw new Error('the version was taken');
  return result.snapshot;
}

export async function createTable(
  lake: LakeTable,
  columns: readonly LakeColumn[],
  properties: Record<string, string> = {},
): Promise<Snapshot> {
  return await commit(lake, undefined, createTableActions({ columns, properties, now: NOW }));
}

/** Commits the rows of a SELECT; `replace` takes every file before away. */
export async function writeRows(
  lake: LakeTable,
  previous: Snapshot,
  select: string,
  columns: readonly LakeColumn[],
  options: { replace?: boolean; actions?: Action[]; targetFileBytes?: number } = {},
): Promise<Snapshot> {
  const { replace = false, actions = [], targetFileBytes } = options;
  const adds = await lake.engine.withConnection((connection) =>
    writeDataFiles(lake, connection, {
      select,
      columns,
      key: [columns[0]?.lake ?? ''],
      now: NOW,
      ...(targetFileBytes === undefined ? {} : { targetFileBytes }),
    }),
  );
  const removes = replace ? [...previous.files.values()].map((file) => ({ remove: removeOf(file, NOW) })) : [];
  return await commit(lake, previous, [...removes, ...adds.map((add) => ({ add })), ...actions]);
}
