/** The source's tables and what they look like now, from information_schema. */

import type { Connection } from 'mysql2/promise';
import { formatTableName, type TableName } from '../change.ts';
import type { ChangeNumber } from '../change-number.ts';
import type { ZeroDates } from '../column-type.ts';
import { CdcError } from '../errors.ts';
import { defineTable, type SourceColumn, type TableDefinition } from '../table-definition.ts';
import { matchesTables, SYSTEM_SCHEMAS } from '../table-pattern.ts';
import { queryRows, type Row } from './query.ts';

/** `schema.table` with wildcards, as in cdc.yaml. */
export interface TablePatterns {
  tables: readonly string[];
  exclude: readonly string[];
}

/** A table of the source as it is now; `defineTable` makes a definition of it. */
export interface SourceTable {
  name: TableName;
  columns: SourceColumn[];
  /** The primary key, or the chosen unique key; empty when there is neither. */
  key: string[];
  keyIndex?: string | undefined;
  charset?: string | undefined;
  collation?: string | undefined;
}

/** The tables that fit, by schema and name. Views are none; MariaDB's system-versioned tables are, and `check` refuses them. */
export async function readTables(
  connection: Connection,
  patterns: TablePatterns,
  signal?: AbortSignal,
): Promise<TableName[]> {
  const rows = await queryRows({
    connection,
    sql: `SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t FROM information_schema.TABLES
      WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND TABLE_SCHEMA NOT IN (${SYSTEM_SCHEMAS.map(() => '?').join(', ')})`,
    values: SYSTEM_SCHEMAS,
    doing: 'listing the tables of the source',
    signal,
  });
  return rows
    .map((row) => ({ schema: row.s ?? '', table: row.t ?? '' }))
    .filter((name) => matchesTables(patterns.tables, patterns.exclude, name))
    .sort((a, b) => compareNames(a.schema, b.schema) || compareNames(a.table, b.table));
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export interface ReadDefinitionOptions {
  /** The change number the definition begins at. */
  number: ChangeNumber;
  zeroDates: ZeroDates;
  /** The columns of a NOT NULL unique index to use as key instead of the primary key. */
  keyOverride?: readonly string[] | undefined;
  signal?: AbortSignal | undefined;
}

/** Throws `table.missing`, `key.unfit` and `type.unsupported`. */
export async function readDefinition(
  connection: Connection,
  table: TableName,
  options: ReadDefinitionOptions,
): Promise<TableDefinition> {
  const { name, ...source } = await readSourceTable(connection, table, options);
  return defineTable(name, { ...source, number: options.number, zeroDates: options.zeroDates });
}

export async function readSourceTable(
  connection: Connection,
  table: TableName,
  options: { keyOverride?: readonly string[] | undefined; signal?: AbortSignal | undefined } = {},
): Promise<SourceTable> {
  const ask = (what: string, sql: string) =>
    queryRows({
      connection,
      sql,
      values: [table.schema, table.table],
      doing: `reading the ${what} of ${formatTableName(table)}`,
      signal: options.signal,
    });
  // Where names differ only in case, some collations of information_schema find both tables: the exact one counts.
  const exact = (rows: Row[]) => rows.filter((row) => row.s === table.schema && row.t === table.table);
  const columns = exact(
    await ask(
      'columns',
      `SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, COLUMN_NAME AS name, COLUMN_TYPE AS type, IS_NULLABLE AS nullable,
        COLUMN_DEFAULT AS dflt, CHARACTER_SET_NAME AS charset, COLLATION_NAME AS coll, EXTRA AS extra
      FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`,
    ),
  );
  if (columns.length === 0)
    throw new CdcError('table.missing', `reading the columns of ${formatTableName(table)}: there is no such table`, {
      hint: 'check the name (its case too) and that the user may SELECT from it',
    });
  const [collation] = exact(
    await ask(
      'character set',
      `SELECT t.TABLE_SCHEMA AS s, t.TABLE_NAME AS t, t.TABLE_COLLATION AS coll, c.CHARACTER_SET_NAME AS charset
      FROM information_schema.TABLES t LEFT JOIN information_schema.COLLATIONS c ON c.COLLATION_NAME = t.TABLE_COLLATION
      WHERE t.TABLE_SCHEMA = ? AND t.TABLE_NAME = ?`,
    ),
  );
  const indexes = exact(
    await ask(
      'keys',
      `SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, INDEX_NAME AS name, COLUMN_NAME AS col, NULLABLE AS nullable
      FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND NON_UNIQUE = 0
      ORDER BY INDEX_NAME, SEQ_IN_INDEX`,
    ),
  );
  return {
    name: table,
    columns: columns.map(sourceColumn),
    ...(options.keyOverride === undefined
      ? { key: columnsOf(indexes, 'PRIMARY') }
      : chosenKey(table, indexes, options.keyOverride)),
    charset: collation?.charset ?? collation?.coll?.split('_')[0],
    collation: collation?.coll ?? undefined,
  };
}

function sourceColumn(row: Row): SourceColumn {
  const extra = (row.extra ?? '').toUpperCase();
  return {
    name: row.name ?? '',
    type: row.type ?? '',
    nullable: row.nullable === 'YES',
    // MariaDB writes defaults as SQL, no default of a nullable column among them.
    default: row.dflt === 'NULL' ? null : (row.dflt ?? null),
    ...(row.charset == null ? {} : { charset: row.charset }),
    ...(row.coll == null ? {} : { collation: row.coll }),
    ...(/\b(VIRTUAL|STORED|PERSISTENT) GENERATED\b/.test(extra) ? { generated: true } : {}),
    ...(/\bINVISIBLE\b/.test(extra) ? { invisible: true } : {}),
  };
}

function columnsOf(indexes: Row[], name: string): string[] {
  return indexes.filter((row) => row.name === name).map((row) => row.col ?? '');
}

/** The unique index over just these columns, none of them nullable. */
function chosenKey(table: TableName, indexes: Row[], wanted: readonly string[]): Pick<SourceTable, 'key' | 'keyIndex'> {
  const sorted = (names: readonly string[]) => JSON.stringify([...names].map((name) => name.toLowerCase()).sort());
  for (const index of new Set(indexes.map((row) => row.name ?? ''))) {
    const key = columnsOf(indexes, index);
    if (sorted(key) !== sorted(wanted)) continue;
    const nullable = indexes.filter((row) => row.name === index && row.nullable === 'YES');
    if (nullable.length > 0) continue;
    return index === 'PRIMARY' ? { key } : { key, keyIndex: index };
  }
  throw new CdcError(
    'key.unfit',
    `reading the keys of ${formatTableName(table)}: \`key: [${wanted.join(', ')}]\` names no unique index whose columns are all NOT NULL`,
    { hint: 'name the columns of such an index in cdc.yaml, or make one' },
  );
}
