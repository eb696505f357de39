/** Answers a SELECT over the lake tables, and lists them. It only reads. */

import { formatTableName } from '../change.ts';
import { withEngine } from '../engine/engine.ts';
import { EngineFailure } from '../engine/engine-error.ts';
import { CdcError } from '../errors.ts';
import { didYouMean } from '../nearest-word.ts';
import type { Store } from '../store/store.ts';
import { countRows, createView, listLakeTables, readLakeTables } from './lake-views.ts';
import { type QueryValue, queryValue } from './query-value.ts';

export interface QueryEngine {
  lake: Store;
  /** As DuckDB writes it: `768MB`. */
  memoryLimit: string;
  tempDirectory: string;
  signal?: AbortSignal | undefined;
}

export interface QueryResult {
  columns: { name: string; type: string }[];
  rows: QueryValue[][];
}

/** Throws CdcError `query.failed` with what the engine says, `query.not-a-select` for anything that could write. */
export async function queryLake(options: QueryEngine & { sql: string }): Promise<QueryResult> {
  const { lake, sql } = options;
  const names = await listLakeTables(lake);
  return withEngine(options, async (engine) => {
    // A log may be long: only tables that the text can be about are read.
    const text = sql.toLowerCase();
    const mayName = (name: string) => name.includes('"') || text.includes(name.toLowerCase());
    const isAboutAll = /information_schema|duckdb_|\bshow\b/.test(text);
    const wanted = names.filter((name) => isAboutAll || mayName(name.table));
    const tables = await readLakeTables(lake, engine, wanted);
    return engine.withConnection(async (connection) => {
      for (const table of tables) await createView(connection, lake, table);
      try {
        const { columns, rows } = await connection.select(sql);
        return { columns, rows: rows.map((row) => row.map(queryValue)) };
      } catch (error) {
        if (!(error instanceof EngineFailure)) throw error;
        throw queryFailed(error, names.map(formatTableName));
      }
    });
  });
}

export interface LakeTableSummary {
  schema: string;
  table: string;
  version: number;
  /** Absent where the log does not say. */
  rows: number | undefined;
  files: number;
  bytes: number;
}

export async function describeLake(options: QueryEngine): Promise<LakeTableSummary[]> {
  const names = await listLakeTables(options.lake);
  if (names.length === 0) return [];
  const found = await withEngine(options, (engine) => readLakeTables(options.lake, engine, names));
  return found.map(({ schema, table, snapshot }) => ({
    schema,
    table,
    version: snapshot.version,
    rows: countRows(snapshot),
    files: snapshot.files.size,
    bytes: [...snapshot.files.values()].reduce((sum, file) => sum + file.size, 0),
  }));
}

function queryFailed(error: EngineFailure, tables: readonly string[]): CdcError {
  const missing = /Table with name "?([^"\s]+)"? does not exist/.exec(error.message)?.[1];
  const hint =
    tables.length === 0
      ? 'the lake is empty: `cdc replicate` or `cdc merge` fills it'
      : `its tables are ${tables.slice(0, 10).join(', ')}${tables.length > 10 ? ' …' : ''}`;
  if (missing !== undefined) {
    const near = didYouMean(missing, missing.includes('.') ? tables : tables.map(lastName));
    return new CdcError('query.failed', `running the query: the lake has no table ${missing}${near}`, {
      hint,
      cause: error,
    });
  }
  const message = error.message.replace(/^Failed to extract statements: /, '');
  return new CdcError('query.failed', `running the query: ${message}`, { cause: error });
}

function lastName(name: string): string {
  return name.slice(name.indexOf('.') + 1);
}
