/** The statements that make the lake tables visible to another engine, each table under its place; none of them copies a row. */

import { formatTableName, type TableName } from '../change.ts';
import { tableFolder } from '../change-file/layout.ts';
import { quoteName, quoteText } from '../engine/quote.ts';
import { UsageError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import { listLakeTables } from './lake-views.ts';

export const CATALOG_ENGINES = ['athena', 'spark', 'trino', 'duckdb'] as const;
export type CatalogEngine = (typeof CATALOG_ENGINES)[number];

export interface CatalogStatement {
  schema: string;
  /** Null: of the schema itself. */
  table: string | null;
  /** What the engine will call it. */
  name: string;
  sql: string;
}

/** In the order in which they must run. Throws UsageError where the engine cannot reach the lake. */
export async function catalogStatements(lake: Store, engine: CatalogEngine): Promise<CatalogStatement[]> {
  if (engine === 'athena' && lake.kind !== 'bucket')
    throw new UsageError(
      `query: Athena reads buckets, and this lake is the folder ${lake.location}`,
      'name the bucket it was copied to with --lake s3://bucket/prefix, or choose another engine',
    );
  const tables: TableName[] = [];
  for (const table of await listLakeTables(lake)) if (await hasCommit(lake, table)) tables.push(table);
  const names = namesFor(engine, tables);
  const schemas = new Map(tables.map((table) => [table.schema, names.schemaOf(table)]));
  return [
    ...[...schemas].map(([schema, name]) => ({ schema, table: null, name, sql: WRITERS[engine].schema(name) })),
    ...tables.map((table) => {
      const schemaName = names.schemaOf(table);
      const tableName = names.tableOf(table);
      const place = `${lake.location}/${tableFolder(table)}`;
      const sql = WRITERS[engine].table(schemaName, tableName, place);
      return { ...table, name: `${schemaName}.${tableName}`, sql };
    }),
  ];
}

/** A folder whose first commit is being written is no table yet. */
async function hasCommit(lake: Store, table: TableName): Promise<boolean> {
  const log = `${tableFolder(table)}_delta_log/`;
  return (await lake.list(log)).some(({ key }) => /^\d{20}\.json$/.test(key.slice(log.length)));
}

interface Writer {
  schema(name: string): string;
  /** `place` ends in `/`. */
  table(schema: string, table: string, place: string): string;
}

const WRITERS: Readonly<Record<CatalogEngine, Writer>> = {
  athena: {
    schema: (name) => `CREATE DATABASE IF NOT EXISTS ${backticked(name)};`,
    // Columns, or any other property, are refused for Delta: the table's own log has them.
    table: (schema, table, place) =>
      `CREATE EXTERNAL TABLE IF NOT EXISTS ${backticked(schema)}.${backticked(table)} LOCATION ${backslashed(place)} TBLPROPERTIES ('table_type' = 'DELTA');`,
  },
  spark: {
    schema: (name) => `CREATE DATABASE IF NOT EXISTS ${backticked(name)};`,
    table: (schema, table, place) =>
      `CREATE TABLE IF NOT EXISTS ${backticked(schema)}.${backticked(table)} USING delta LOCATION ${backslashed(place)};`,
  },
  trino: {
    schema: (name) => `CREATE SCHEMA IF NOT EXISTS ${quoteName(name)};`,
    table: (schema, table, place) =>
      `CALL system.register_table(schema_name => ${quoteText(schema)}, table_name => ${quoteText(table)}, table_location => ${quoteText(asUrl(place))});`,
  },
  // Its delta extension (seen: 1.4.4) finds no folder that has a % in its name, however that is written.
  duckdb: {
    schema: (name) => `CREATE SCHEMA IF NOT EXISTS ${quoteName(name)};`,
    table: (schema, table, place) =>
      `CREATE OR REPLACE VIEW ${quoteName(schema)}.${quoteName(table)} AS SELECT * FROM delta_scan(${quoteText(place)});`,
  },
};

/** The names of Athena and Spark are the ones that a Hive catalog takes, whatever the quotes around them. */
function backticked(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** A text literal of Spark and Hive, in which two quotes would be two texts side by side. */
function backslashed(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&')}'`;
}

function asUrl(place: string): string {
  return place.startsWith('/') ? `file://${place}` : place;
}

interface Names {
  schemaOf(table: TableName): string;
  tableOf(table: TableName): string;
}

/**
 * DuckDB takes any name. The catalogs of the others (Glue's, Hive's, Spark's own) keep lower case and take letters, digits
 * and `_`; whatever else is in a name becomes `_`, and of two that become the same the later gets `_2`.
 */
function namesFor(engine: CatalogEngine, tables: readonly TableName[]): Names {
  if (engine === 'duckdb') return { schemaOf: ({ schema }) => schema, tableOf: ({ table }) => table };
  const schemas = distinctNames(tables.map(({ schema }) => schema));
  const bySchema = new Map(
    [...schemas.keys()].map((schema) => [
      schema,
      distinctNames(tables.filter((one) => one.schema === schema).map(({ table }) => table)),
    ]),
  );
  return {
    schemaOf: ({ schema }) => schemas.get(schema) ?? schema,
    tableOf: (name) => bySchema.get(name.schema)?.get(name.table) ?? formatTableName(name),
  };
}

/** Names that fit as they are come first, so that no other takes theirs. */
function distinctNames(names: readonly string[]): Map<string, string> {
  const taken = new Map<string, string>();
  const used = new Set<string>();
  const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9_]/g, '_');
  const isPlain = (name: string) => plain(name) === name;
  const distinct = [...new Set(names)];
  for (const name of [...distinct.filter(isPlain), ...distinct.filter((one) => !isPlain(one))]) {
    let free = plain(name);
    for (let copy = 2; used.has(free); copy++) free = `${plain(name)}_${copy}`;
    used.add(free);
    taken.set(name, free);
  }
  return taken;
}
