/**
 * What one look at a table leaves for the next, where nobody can say at which position of the source the lake stands (files
 * of DMS): the rows that differed and what they were on either side, in a Parquet file.
 */

import type { LakeColumn } from '../delta/schema.ts';
import type { EngineConnection } from '../engine/engine.ts';
import { quoteName, quotePaths, quoteText } from '../engine/quote.ts';
import { quoteName as quoteSourceName } from '../source/query.ts';

export const DIFFERENCES = '"=differences"';
/** Hashes of the row as the source and as the lake has it; NULL where it has none. */
export const SIDES = { source: '"=source row"', lake: '"=lake row"' };

/** More keys than this are not asked for one by one: the whole table is read again. */
const KEYS_ASKED = 1000;

export async function keepDifferences(
  connection: EngineConnection,
  key: readonly string[],
  path: string,
): Promise<void> {
  const columns = ['"=key"', ...key.map(quoteName), SIDES.source, SIDES.lake];
  await connection.run(
    `COPY (SELECT ${columns.join(', ')} FROM ${DIFFERENCES}) TO ${quoteText(path)} (FORMAT parquet)`,
  );
}

/** In SQL: a row with these key columns differed at the earlier look. */
export function isAmongEarlier(earlier: string, key: readonly string[]): string {
  const names = key.map(quoteName).join(', ');
  return `(${names}) IN (SELECT (${names}) FROM ${readEarlier(earlier)})`;
}

/** In SQL: the difference `d` is not the very one that the earlier look has seen. */
export function isNoOlder(earlier: string | undefined): string {
  if (earlier === undefined) return 'true';
  const same = [SIDES.source, SIDES.lake].map((side) => `e.${side} IS NOT DISTINCT FROM d.${side}`).join(' AND ');
  return `NOT EXISTS (SELECT 1 FROM ${readEarlier(earlier)} e WHERE e."=key" = d."=key" AND ${same})`;
}

/** A condition in MySQL's SQL that every row with one of the keys fulfils; undefined: read the whole table. */
export async function onlyKeys(
  connection: EngineConnection,
  earlier: string,
  key: readonly (LakeColumn & { name: string })[],
): Promise<string | undefined> {
  const texts = key.map(literalSql);
  if (texts.includes(undefined)) return undefined;
  const rows = await connection.rows(
    `SELECT concat('(', ${texts.join(`, ', ', `)}, ')') AS one FROM ${readEarlier(earlier)} LIMIT ${KEYS_ASKED + 1}`,
  );
  if (rows.length > KEYS_ASKED) return undefined;
  if (rows.length === 0) return 'false';
  return `(${key.map(({ name }) => quoteSourceName(name)).join(', ')}) IN (${rows.map(({ one }) => String(one)).join(', ')})`;
}

/** Makes the text of MySQL's literal of the value, in the engine's SQL; undefined for a type whose text need not find its row again. */
function literalSql({ lake, delta }: LakeColumn): string | undefined {
  const value = quoteName(lake);
  if (/^(byte|short|integer|long|decimal)/.test(delta)) return `${value}::VARCHAR`;
  // By its bytes, so that nothing in it can end the literal; it takes the column's collation.
  if (delta === 'string') return `concat('_utf8mb4 x''', hex(encode(${value})), '''')`;
  if (delta === 'binary') return `concat('x''', hex(${value}), '''')`;
  if (delta === 'date') return `concat('''', strftime(${value}, '%Y-%m-%d'), '''')`;
  if (delta === 'timestamp') return `concat('''', strftime(${value}, '%Y-%m-%d %H:%M:%S.%f'), '''')`;
  return undefined;
}

function readEarlier(path: string): string {
  return `read_parquet(${quotePaths([path])})`;
}
