/** Large values in files of DMS: it cuts what is longer than its task's LobMaxSize and tells nobody but its log (contract.md 5). */

import { parseColumnType } from '../column-type.ts';
import type { ColumnDefinition } from '../table-definition.ts';

/** Types that DMS takes for large objects. TEXT and BLOB are none to it. */
export const LARGE_TYPES: readonly string[] = ['mediumtext', 'longtext', 'mediumblob', 'longblob', 'json'];

/** A text that is cut within a character ends before it: up to so many bytes earlier. */
export const CUT_CHARACTER_BYTES = 3;

export function isLargeObject({ type }: Pick<ColumnDefinition, 'type'>): boolean {
  return LARGE_TYPES.includes(parseColumnType(type)?.base ?? '');
}

/** Whether a value's text may be what a cut has left, by limits in bytes; whether DMS counts a text's bytes or characters is not documented. */
export function cutLimitOf(
  column: Pick<ColumnDefinition, 'type' | 'delta'>,
  text: string,
  limits: readonly number[],
): number | undefined {
  if (!isLargeObject(column)) return undefined;
  if (column.delta === 'binary') {
    const digits = text.replace(/^0x/i, '').length;
    return limits.find((limit) => digits === 2 * limit);
  }
  const bytes = Buffer.byteLength(text);
  const isCharacters = (limit: number) => text.length >= limit && [...text].length === limit;
  return limits.find((limit) => (bytes <= limit && bytes >= limit - CUT_CHARACTER_BYTES) || isCharacters(limit));
}
