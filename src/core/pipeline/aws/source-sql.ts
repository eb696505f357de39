/** SQL on the source, for the steps that only SQL can take. Handed in, so that tests of the graph need no server. */

import { connectSource, type SourceAddress } from '../../binlog/connection.ts';
import { queryRows, type Row } from '../../source/query.ts';

/** Runs a statement; `doing` is for the error. Values are never part of its text. */
export type RunStatement = (doing: string, sql: string, values?: readonly (string | number)[]) => Promise<Row[]>;

export type SourceSql = <T>(
  address: SourceAddress,
  signal: AbortSignal | undefined,
  use: (run: RunStatement) => Promise<T>,
) => Promise<T>;

export const sourceSql: SourceSql = async (address, signal, use) => {
  const connection = await connectSource(address, signal === undefined ? {} : { signal });
  try {
    return await use((doing, sql, values) =>
      queryRows({ connection, sql, ...(values === undefined ? {} : { values }), doing, signal }),
    );
  } finally {
    connection.destroy();
  }
};
