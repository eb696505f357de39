/** Compares one table's rows as a snapshot of the source has them with the newest version of its lake table, in the engine. */

import { formatTableName, type TableName } from '../change.ts';
import { ourLayout } from '../change-file/header.ts';
import { changeNumber } from '../change-number.ts';
import { duckdbTypeOf } from '../column-type.ts';
import type { Engine, EngineConnection } from '../engine/engine.ts';
import { quoteName } from '../engine/quote.ts';
import { createRowTable, stageFiles } from '../merge/stage.ts';
import type { Progress } from '../progress.ts';
import { createView, readLakeTables } from '../query/lake-views.ts';
import type { LoadableTable, Snapshot } from '../snapshot/snapshot.ts';
import type { LocalStore } from '../store/local.ts';
import type { Store } from '../store/store.ts';
import type { TableDefinition } from '../table-definition.ts';

export type DifferenceKind = 'missing' | 'extra' | 'different';

export interface Difference {
  kind: DifferenceKind;
  /** The key's values as text, in key order. */
  key: string[];
  /** Tells the lake's row of one comparison from that of another; empty where the lake has none. */
  lakeRow: string;
}

export interface Comparison {
  sourceRows: number;
  lakeRows: number;
  /** By kind and key. */
  differences: Map<string, Difference>;
}

export interface CompareOptions {
  snapshot: Snapshot;
  table: LoadableTable;
  lake: Store;
  /** Where the source's rows are put for the time of the comparison. */
  scratch: LocalStore;
  engine: Engine;
  maxFileBytes: number;
  signal: AbortSignal;
  progress: Progress;
}

const SOURCE = '"=source"';

export async function compareTable(options: CompareOptions): Promise<Comparison> {
  const { snapshot, table, lake, scratch, engine, signal, progress } = options;
  const definition = table.define(changeNumber(1, 0));
  const files = await snapshot.loadTable({
    definition,
    staging: scratch,
    maxFileBytes: options.maxFileBytes,
    signal,
    progress,
  });
  return engine.withConnection(async (connection) => {
    const sources = await Promise.all(
      files.map(async ({ key, size }) => ({
        label: key,
        path: await scratch.materialise(key),
        size,
        layout: ourLayout(definition.columns.length),
        definition,
      })),
    );
    const key = definition.key.map((name) => lakeName(definition, name));
    const staging = { connection, columns: definition.columns, key };
    await createRowTable(staging, SOURCE);
    await stageFiles(staging, SOURCE, sources, { by: 'nothing' });
    const [found] = await readLakeTables(lake, engine, [table.name]);
    if (found === undefined) await createEmptyView(connection, table.name, definition);
    else await createView(connection, lake, found);
    return await compare(connection, table.name, definition, key);
  });
}

async function compare(
  connection: EngineConnection,
  name: TableName,
  definition: TableDefinition,
  key: string[],
): Promise<Comparison> {
  const lake = `${quoteName(name.schema)}.${quoteName(name.table)}`;
  const columns = definition.columns.map((column) => quoteName(column.lake));
  const on = key.map((column) => `s.${quoteName(column)} = l.${quoteName(column)}`).join(' AND ');
  const differs = columns.map((column) => `s.${column} IS DISTINCT FROM l.${column}`).join(' OR ');
  const keyText = key.map((column) => `coalesce(s.${quoteName(column)}, l.${quoteName(column)})::VARCHAR`).join(', ');
  const rows = await connection.rows(
    `SELECT CASE WHEN l."=there" IS NULL THEN 'missing' WHEN s."=there" IS NULL THEN 'extra' ELSE 'different' END AS kind, ` +
      `[${keyText}] AS key, CASE WHEN l."=there" THEN md5(row(${columns.map((column) => `l.${column}`).join(', ')})::VARCHAR) ELSE '' END AS lake_row ` +
      `FROM (SELECT *, true AS "=there" FROM ${SOURCE}) s FULL JOIN (SELECT *, true AS "=there" FROM ${lake}) l ON ${on} ` +
      `WHERE l."=there" IS NULL OR s."=there" IS NULL OR ${differs} ORDER BY key`,
  );
  const [counts] = await connection.rows(
    `SELECT (SELECT count(*) FROM ${SOURCE}) AS source_rows, (SELECT count(*) FROM ${lake}) AS lake_rows`,
  );
  const differences = rows.map(
    (row): Difference => ({
      kind: kindOf(row.kind),
      key: Array.isArray(row.key) ? row.key.map(String) : [],
      lakeRow: String(row.lake_row),
    }),
  );
  return {
    sourceRows: Number(counts?.source_rows),
    lakeRows: Number(counts?.lake_rows),
    differences: new Map(
      differences.map((difference) => [JSON.stringify([difference.kind, difference.key]), difference]),
    ),
  };
}

/** A view as well: the next comparison may find the table, and one replaces the other. */
async function createEmptyView(
  connection: EngineConnection,
  name: TableName,
  definition: TableDefinition,
): Promise<void> {
  const columns = definition.columns.map(({ lake, delta }) => `NULL::${duckdbTypeOf(delta)} AS ${quoteName(lake)}`);
  await connection.run(`CREATE SCHEMA IF NOT EXISTS ${quoteName(name.schema)}`);
  await connection.run(
    `CREATE OR REPLACE VIEW ${quoteName(name.schema)}.${quoteName(name.table)} AS SELECT ${columns.join(', ')} WHERE false`,
  );
}

function kindOf(kind: unknown): DifferenceKind {
  if (kind === 'missing' || kind === 'extra' || kind === 'different') return kind;
  throw new Error(`no kind of difference: ${String(kind)}`);
}

function lakeName(definition: TableDefinition, name: string): string {
  const column = definition.columns.find((one) => one.name === name);
  if (column === undefined) throw new Error(`${formatTableName(definition)} has no column ${name}`);
  return column.lake;
}
