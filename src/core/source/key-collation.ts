/** Key columns whose values MySQL calls equal although their bytes differ: `a` and `A`, `b` and `b` with a blank behind it. */

import { parseColumnType } from '../column-type.ts';
import type { SourceColumn } from '../table-definition.ts';
import type { SourceTable } from './read-definition.ts';

const TEXTS = new Set(['char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext']);

/** An update may change their bytes and, to MySQL, not the key; the lake tells keys apart by their bytes. */
export function looselyComparedKey({ columns, key }: Pick<SourceTable, 'columns' | 'key'>): SourceColumn[] {
  return columns.filter((column) => key.includes(column.name) && !isComparedByBytes(column));
}

function isComparedByBytes({ type, collation }: SourceColumn): boolean {
  const base = parseColumnType(type)?.base ?? '';
  if (!TEXTS.has(base) || collation === undefined) return true;
  if (/(^binary|_0900_bin|_nopad_bin)$/.test(collation)) return true;
  // The others of these still fill up with blanks, of which a CHAR keeps none.
  return collation.endsWith('_bin') && base === 'char';
}
