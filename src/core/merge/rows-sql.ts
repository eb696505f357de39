/** The SQL by which a change file's fields become lake values; both columns and our own marks get names that cannot clash. */

import type { FileLayout } from '../change-file/header.ts';
import { castSql, type DeltaType, duckdbTypeOf, parseColumnType } from '../column-type.ts';
import type { LakeColumn } from '../delta/schema.ts';
import { quoteName, quotePaths, quoteText } from '../engine/quote.ts';
import { CdcError } from '../errors.ts';
import type { ColumnDefinition, TableDefinition } from '../table-definition.ts';
import { isWholeSql } from './cut-value.ts';
import { dmsTextSql } from './dms-text.ts';

/** Our own columns beside a table's: `=` cannot stand in a lake name (contract.md 3). */
export const OURS = {
  /** The change's number, or a loose file's row. */
  number: '"=number"',
  op: '"=op"',
  ts: '"=ts"',
  seq: '"=seq"',
  /** Path of the file a row comes from. */
  file: '"=file"',
  /** Every value fits its type. */
  fits: '"=fits"',
  /** The key's values fit and none is NULL. */
  keyFits: '"=key_fits"',
} as const;

/** A CSV file as the engine reads it. */
export interface CsvSource {
  /** For errors: the file as its owner knows it. */
  label: string;
  /** On this machine. */
  path: string;
  /** Bytes. */
  size: number;
  layout: FileLayout;
  definition: TableDefinition;
}

/** The longest row the engine takes without being told; longer ones cost memory, so it is told only where they can be. */
const LONG_ROW_BYTES = 2_000_000;

/**
 * Every field as text: nothing sniffed, no NULL but what we make one. `nullText` must be a text that no file holds.
 * `ordered`: rows in the order of the file, which needs a single reader.
 */
export function readCsvSql(
  sources: readonly CsvSource[],
  options: { nullText: string; ordered: boolean; longRows: boolean },
): string {
  const [first] = sources;
  if (first === undefined) throw new Error('no file to read');
  const fields = first.layout.fields.map((_, index) => `'f${index}': 'VARCHAR'`).join(', ');
  const settings = [
    'auto_detect=false',
    `delim=','`,
    `quote='"'`,
    `escape='"'`,
    `new_line='\\n'`,
    'strict_mode=true',
    `header=${first.layout.hasHeader}`,
    `nullstr=${quoteText(options.nullText)}`,
    `filename='=file'`,
    'hive_partitioning=false',
    `compression=${first.path.endsWith('.gz') ? `'gzip'` : `'none'`}`,
    `columns={${fields}}`,
    ...(options.ordered ? ['parallel=false'] : []),
    // A gz file's rows may be longer than the file.
    ...(options.longRows ? [`max_line_size=${Math.max(LONG_ROW_BYTES, longestRow(sources))}`] : []),
  ];
  return `read_csv(${quotePaths(sources.map(({ path }) => path))}, ${settings.join(', ')})`;
}

function longestRow(sources: readonly CsvSource[]): number {
  return Math.max(...sources.map(({ path, size }) => (path.endsWith('.gz') ? size * 20 : size))) + 1;
}

/** What one source column gives. */
export interface ColumnSql {
  column: ColumnDefinition;
  /** The text, NULL told apart and unescaped. */
  text: string;
  value: string;
  fits: string;
  /** What the column was before an update, where the file says it: the same over `b<index>`. */
  before?: { text: string; value: string; fits: string };
}

/** Expressions over a subquery that has `text` under the name `t<index>`, and that of `before` as `b<index>`. */
export function columnsSql(source: Pick<CsvSource, 'layout' | 'definition'>): ColumnSql[] {
  const { layout, definition } = source;
  const places = new Map<number, number>();
  const befores = new Map<number, number>();
  layout.fields.forEach((role, place) => {
    if (role.is === 'column') places.set(role.index, place);
    else if (role.is === 'before') befores.set(role.index, place);
  });
  return definition.columns.map((column, index) => {
    const type = parseColumnType(column.type);
    if (type === undefined)
      throw new CdcError(
        'type.unsupported',
        `column ${column.name} has type ${column.type}, which this version does not follow`,
      );
    const place = places.get(index);
    const textOf = (at: number) => {
      const text = textSql(`f${at}`, layout, column);
      return layout.writer === 'dms' ? dmsTextSql(type, column, text) : text;
    };
    const before = befores.get(index);
    const cast = castSql(type, definition.zeroDates, `t${index}`);
    const isWhole = isWholeSql(column, `t${index}`, layout.cutAt);
    const of = isWhole === undefined ? cast : { ...cast, fits: `(${cast.fits} AND ${isWhole})` };
    const sql: ColumnSql = { column, text: place === undefined ? 'NULL::VARCHAR' : textOf(place), ...of };
    if (before === undefined) return sql;
    const text = textOf(before);
    // DMS leaves it empty where there is nothing to say.
    const given = column.delta === 'string' ? text : `NULLIF(${text}, '')`;
    return { ...sql, before: { text: given, ...castSql(type, definition.zeroDates, `b${index}`) } };
  });
}

/** The same rules as `readField` has for a row read in JavaScript. */
function textSql(field: string, layout: FileLayout, column: ColumnDefinition): string {
  if (layout.null === 'escape') {
    const isText = column.delta === 'string';
    const bare = `NULLIF(${field}, '\\N')`;
    // Only a text can look like an escaped NULL; the pattern is asked only of those that begin as one.
    return isText
      ? `CASE WHEN starts_with(${field}, '\\') AND regexp_full_match(${field}, '\\\\+N') THEN CASE WHEN ${field} = '\\N' THEN NULL ELSE substr(${field}, 2) END ELSE ${field} END`
      : bare;
  }
  if (layout.null !== undefined) return `NULLIF(${field}, ${quoteText(layout.null.text)})`;
  return !column.nullable && column.delta === 'string' ? field : `NULLIF(${field}, '')`;
}

/** The place of a field with a role, as SQL; a constant where the file has none. */
export function fieldSql(layout: FileLayout, is: 'op' | 'time' | 'number', absent: string): string {
  const place = layout.fields.findIndex((role) => role.is === is);
  return place < 0 ? absent : `f${place}`;
}

/** `"a" BIGINT, "b" VARCHAR`. */
export function columnTypesSql(columns: readonly LakeColumn[]): string {
  return columns.map(({ lake, delta }) => `${quoteName(lake)} ${duckdbTypeOf(delta)}`).join(', ');
}

export function nullSql(delta: DeltaType): string {
  return `NULL::${duckdbTypeOf(delta)}`;
}

export function namesSql(names: readonly string[]): string {
  return names.map(quoteName).join(', ');
}
