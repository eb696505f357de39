/** How long the large values of the source are: a task of DMS is told the longest that it writes whole, and cuts what is longer. */

import type { Connection } from 'mysql2/promise';
import { formatTableName, type TableName } from '../../change.ts';
import { CUT_CHARACTER_BYTES, LARGE_TYPES } from '../../change-file/large-value.ts';
import type { Finding } from '../../source/finding.ts';
import { queryRows, quoteName, quoteTable } from '../../source/query.ts';
import { MOST_LOB_KB } from './task-settings.ts';

/** Bytes of the longest one of each table that has such columns, by `schema.table`. */
export type LongestValues = ReadonlyMap<string, number>;

export async function measureLargeValues(
  connection: Connection,
  tables: readonly TableName[],
  signal: AbortSignal | undefined,
): Promise<LongestValues> {
  const columns = await queryRows({
    connection,
    sql: `SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, COLUMN_NAME AS c FROM information_schema.COLUMNS
      WHERE DATA_TYPE IN (${LARGE_TYPES.map(() => '?').join(', ')})`,
    values: LARGE_TYPES,
    doing: 'looking for columns with large values',
    signal,
  });
  const ofTable = groupByTable(columns);
  const longest = new Map<string, number>();
  for (const table of tables) {
    const name = formatTableName(table);
    const of = ofTable.get(name);
    if (of === undefined) continue;
    const [row] = await queryRows({
      connection,
      sql: `SELECT ${of.map((column, index) => `MAX(OCTET_LENGTH(${quoteName(column)})) AS c${index}`).join(', ')} FROM ${quoteTable(table)}`,
      doing: `measuring the large values of ${name}`,
      signal,
    });
    longest.set(name, Math.max(0, ...Object.values(row ?? {}).map((value) => Number(value ?? 0))));
  }
  return longest;
}

/** At least double of what is there now, for what comes; in KB, rounded up. */
export function roomFor(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, (2 * bytes) / 1024)));
}

/** Whether a task with this limit cuts a value of so many bytes, or leaves nobody able to tell. */
export function mayBeCut(bytes: number, limitKb: number): boolean {
  return bytes + CUT_CHARACTER_BYTES >= limitKb * 1024;
}

/** Tables that no task of DMS writes whole. */
export function tooLongFindings(longest: LongestValues): Finding[] {
  return [...longest].flatMap(([table, bytes]): Finding[] =>
    mayBeCut(bytes, MOST_LOB_KB)
      ? [
          {
            level: 'error',
            code: 'lob.too-long',
            table,
            message: `it has a value of ${bytes.toLocaleString('en')} bytes, and DMS writes at most ${MOST_LOB_KB.toLocaleString('en')} KB of one to S3`,
            fix: 'leave the table out with `exclude:` in cdc.yaml, or keep such values elsewhere',
          },
        ]
      : [],
  );
}

function groupByTable(columns: readonly Record<string, string | null>[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { s, t, c } of columns) {
    const name = formatTableName({ schema: s ?? '', table: t ?? '' });
    found.set(name, [...(found.get(name) ?? []), c ?? '']);
  }
  return found;
}
