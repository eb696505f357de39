/** The tables of a lake, and each as a view for SQL: schema.table at its newest version. */

import { formatTableName, type TableName } from '../change.ts';
import { nameOfFolder, tableFolder } from '../change-file/layout.ts';
import { duckdbTypeOf } from '../column-type.ts';
import { objectPath } from '../delta/actions.ts';
import { assertReadable } from '../delta/gate.ts';
import type { LakeTable } from '../delta/lake-table.ts';
import { parseSchema } from '../delta/schema.ts';
import { readSnapshot, type Snapshot } from '../delta/snapshot.ts';
import type { Engine, EngineConnection } from '../engine/engine.ts';
import { quoteName, quotePaths } from '../engine/quote.ts';
import { CdcError } from '../errors.ts';
import type { Store } from '../store/store.ts';

/** A table of the lake at its newest version. */
export interface FoundTable extends TableName {
  table: string;
  snapshot: Snapshot;
}

/** Names of all tables that have a Delta log, in order. */
export async function listLakeTables(lake: Store): Promise<TableName[]> {
  const found: TableName[] = [];
  // No name of a schema or table begins with a dot in a folder's name: such folders are other programs'.
  const foldersIn = async (prefix: string) => (await lake.listFolders(prefix)).filter((name) => !name.startsWith('.'));
  for (const schemaFolder of await foldersIn(''))
    for (const folder of await foldersIn(`${schemaFolder}/`)) {
      const name = { schema: nameOfFolder(schemaFolder), table: nameOfFolder(folder) };
      if ((await lake.listFolders(tableFolder(name))).includes('_delta_log')) found.push(name);
    }
  return found;
}

/** The newest version of each; a folder whose log holds no commit yet is left out. */
export async function readLakeTables(lake: Store, engine: Engine, names: readonly TableName[]): Promise<FoundTable[]> {
  const found: FoundTable[] = [];
  for (let start = 0; start < names.length; start += 8) {
    const batch = names.slice(start, start + 8).map(async (name) => {
      const table: LakeTable = { store: lake, folder: tableFolder(name), engine };
      const snapshot = await readSnapshot(table);
      if (snapshot !== undefined) assertReadable(table, snapshot);
      return snapshot === undefined ? [] : [{ ...name, snapshot }];
    });
    found.push(...(await Promise.all(batch)).flat());
  }
  return found;
}

/** Rows of a table by its log's statistics; undefined where a writer gave none. */
export function countRows(snapshot: Snapshot): number | undefined {
  let rows = 0;
  for (const file of snapshot.files.values()) {
    const stats: unknown = file.stats === undefined ? undefined : JSON.parse(file.stats);
    if (typeof stats !== 'object' || stats === null || !('numRecords' in stats)) return undefined;
    if (typeof stats.numRecords !== 'number') return undefined;
    rows += stats.numRecords - (file.deletionVector?.cardinality ?? 0);
  }
  return rows;
}

export async function createView(connection: EngineConnection, lake: Store, found: FoundTable): Promise<void> {
  const { schema, table, snapshot } = found;
  const fields = parseSchema(snapshot.metaData.schemaString);
  const unknown = fields.find((field) => field.delta === undefined);
  if (unknown !== undefined || snapshot.metaData.partitionColumns.length > 0)
    throw new CdcError(
      'lake.unsupported',
      `reading the lake table ${formatTableName(found)}: this version does not read ${
        unknown === undefined ? 'partitioned tables' : `the type ${unknown.type} of column ${unknown.name}`
      }`,
    );
  const columns = fields.map((field) => quoteName(field.name)).join(', ');
  // The typed row that is never there gives the columns to files written before one of them was added.
  const typed = fields
    .map(({ name, delta }) => `NULL::${delta === undefined ? 'VARCHAR' : duckdbTypeOf(delta)} AS ${quoteName(name)}`)
    .join(', ');
  const paths: string[] = [];
  for (const { path } of snapshot.files.values()) {
    const key = objectPath(path);
    if (key === undefined)
      throw new CdcError(
        'lake.unsupported',
        `reading the lake table ${formatTableName(found)}: ${path} lies outside of it`,
      );
    paths.push(await lake.materialise(tableFolder(found) + key));
  }
  const files =
    paths.length === 0
      ? ''
      : ` UNION ALL BY NAME SELECT * FROM read_parquet(${quotePaths(paths)}, union_by_name = true, hive_partitioning = false)`;
  await connection.run(`CREATE SCHEMA IF NOT EXISTS ${quoteName(schema)}`);
  await connection.run(
    `CREATE OR REPLACE VIEW ${quoteName(schema)}.${quoteName(table)} AS SELECT ${columns} FROM (SELECT ${typed} WHERE false${files})`,
  );
}
