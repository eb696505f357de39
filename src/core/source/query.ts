/** Queries of the source whose answers are read by column name, every value as the server's text. */

import type { Connection, RowDataPacket } from 'mysql2/promise';
import { sourceError } from '../binlog/connection.ts';
import { CancelledError } from '../errors.ts';

/** By column name in lower case: the two servers spell `File` and `FILE` as they like. */
export type Row = Record<string, string | null>;

export interface QueryOptions {
  connection: Connection;
  sql: string;
  values?: readonly (string | number)[];
  /** For the error: "reading the columns of shop.orders". */
  doing: string;
  signal?: AbortSignal | undefined;
}

export async function queryRows({ connection, sql, values, doing, signal }: QueryOptions): Promise<Row[]> {
  try {
    const [result] = await interruptible(
      signal,
      connection.query<RowDataPacket[]>(sql, values === undefined ? [] : [...values]),
    );
    if (!Array.isArray(result)) return [];
    // A CALL answers with a list of results; the first counts.
    const rows: RowDataPacket[] = Array.isArray(result[0]) ? result[0] : result;
    return rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => [name.toLowerCase(), value === null ? null : String(value)]),
      ),
    );
  } catch (error) {
    throw sourceError(error, doing);
  }
}

/** The first row's first value; null when there is none. */
export async function queryValue(options: QueryOptions): Promise<string | null> {
  const [row] = await queryRows(options);
  return row === undefined ? null : (Object.values(row)[0] ?? null);
}

/** Rejects as soon as the signal fires: a query on a connection that is being closed never ends. */
export async function interruptible<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (signal === undefined) return work;
  let abort = () => {};
  const cancelled = new Promise<never>((_, reject) => {
    abort = () => reject(new CancelledError());
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([work, cancelled]);
  } finally {
    signal.removeEventListener('abort', abort);
    // Whoever lost the race has nobody left to report to.
    work.catch(() => {});
    cancelled.catch(() => {});
  }
}

/** A schema, table, column or index name in SQL. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

export function quoteTable(table: { schema: string; table: string }): string {
  return `${quoteName(table.schema)}.${quoteName(table.table)}`;
}
