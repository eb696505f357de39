/** Runs a SELECT that somebody typed, and nothing else: whatever could write is refused before it runs. */

import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import { CdcError } from '../errors.ts';

export type { DuckDBValue as EngineValue } from '@duckdb/node-api';

export interface SelectResult {
  /** Names are unique: a second `n` is `n:1`. */
  columns: { name: string; type: string }[];
  rows: DuckDBValue[][];
}

/** Throws CdcError `query.not-a-select`, or what the engine says of the statement. */
export async function select(connection: DuckDBConnection, sql: string): Promise<SelectResult> {
  if (sql.trim() === '') throw notASelect('it is empty');
  const { StatementType } = await import('@duckdb/node-api');
  const statements = await connection.extractStatements(sql);
  if (statements.count !== 1) throw notASelect(`there are ${statements.count} statements, and one SELECT is taken`);
  const statement = await statements.prepare(0);
  try {
    if (statement.statementType !== StatementType.SELECT) throw notASelect('the statement is no SELECT');
    const reader = await statement.runAndReadAll();
    const types = reader.columnTypes();
    return {
      columns: reader
        .deduplicatedColumnNames()
        .map((name, index) => ({ name, type: types[index]?.toString() ?? 'unknown' })),
      rows: reader.getRows(),
    };
  } finally {
    statement.destroySync();
  }
}

function notASelect(why: string): CdcError {
  return new CdcError('query.not-a-select', `running the query: ${why}`, {
    hint: 'a query only reads the lake; change rows on the source with `cdc load -e SQL`',
  });
}
