/** Reading change files row by row, for people and for errors; merge itself reads them in the engine. */

import type { Op } from '../change.ts';
import { CdcError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import type { TableDefinition } from '../table-definition.ts';
import { readBytes } from './bytes.ts';
import { type CsvRecord, quoteField, readCsv } from './csv.ts';
import type { Dialect } from './dialect.ts';
import { assertOurHeader, type FileLayout, isOurHeader, ourLayout, recogniseLayout } from './header.ts';
import { parseOp, wrongWidth } from './row-errors.ts';

export { changeHeader } from './header.ts';
export { type NumberRange, readNumberRange } from './number-range.ts';

export interface ChangeRow {
  /** undefined in a load file without Op. */
  op: Op | undefined;
  /** Commit time as the file has it. */
  ts: string | undefined;
  /** By column, in the definition's order; NULL is null. */
  values: (string | null)[];
  /** `cdc_seq` or `dms_seq` as it stands there; undefined where empty (rows of a load) or absent. */
  seq: string | undefined;
  /** By column: what it was before an update, where the file says so. */
  before?: (string | null)[];
  /** The line of the file it begins on. */
  line: number;
}

export interface ReadOptions {
  /** The table's columns; without it only our own files can be read, whose header names them. */
  columns?: Pick<TableDefinition, 'columns'>;
  dialect?: Dialect;
}

/** The changes of a file of a store, in file order. Throws `file.*` naming file and line at the first thing that is not right. */
export async function* readChanges(store: Store, key: string, options: ReadOptions = {}): AsyncGenerator<ChangeRow> {
  yield* readChangeRows(readBytes(store, key), `${store.location}/${key}`, options);
}

/** The same over bytes; `file` names them in errors. */
export async function* readChangeRows(
  bytes: AsyncIterable<Buffer>,
  file: string,
  options: ReadOptions = {},
): AsyncGenerator<ChangeRow> {
  let layout: FileLayout | undefined;
  for await (const record of readCsv(bytes, { file })) {
    if (layout === undefined) {
      layout = layoutOf(record.fields, file, options);
      if (layout.hasHeader) continue;
    }
    yield changeRow(record, layout, file, options.columns);
  }
}

/** The rows of a file whose layout is known already. */
export async function* readLaidOutRows(
  bytes: AsyncIterable<Buffer>,
  file: string,
  layout: FileLayout,
  columns: Pick<TableDefinition, 'columns'>,
): AsyncGenerator<ChangeRow> {
  let isHeader = layout.hasHeader;
  for await (const record of readCsv(bytes, { file })) {
    if (!isHeader) yield changeRow(record, layout, file, columns);
    isHeader = false;
  }
}

function layoutOf(first: readonly string[], file: string, { columns, dialect = {} }: ReadOptions): FileLayout {
  if (columns === undefined) {
    if (isOurHeader(first)) return ourLayout(first.length - 3);
    throw new CdcError('file.columns-unknown', `reading ${file}: it has no header of ours and its table is not known`, {
      hint: 'name its columns with --columns',
    });
  }
  if (isOurHeader(first) && first.length === columns.columns.length + 3) {
    assertOurHeader(first, columns, file);
    return ourLayout(columns.columns.length);
  }
  return recogniseLayout(first, { columns: columns.columns.map((column) => column.name), file, dialect });
}

function changeRow(
  record: CsvRecord,
  layout: FileLayout,
  file: string,
  definition: Pick<TableDefinition, 'columns'> | undefined,
): ChangeRow {
  const { fields, line } = record;
  if (fields.length !== layout.fields.length) throw wrongWidth(file, line, fields.length, layout.fields.length);
  const row: ChangeRow = { op: undefined, ts: undefined, values: [], seq: undefined, line };
  for (const [place, role] of layout.fields.entries()) {
    const field = fields[place] ?? '';
    if (role.is === 'op') row.op = parseOp(field, file, line);
    else if (role.is === 'time') row.ts = field;
    // DMS has none for the rows of a load, and may write that as NULL.
    else if (role.is === 'number') row.seq = field === '' ? undefined : (readField(field, layout) ?? undefined);
    else if (role.is === 'column') row.values[role.index] = readField(field, layout, definition?.columns[role.index]);
    else {
      row.before ??= [];
      row.before[role.index] = readField(field, layout, definition?.columns[role.index]);
    }
  }
  // A column that a file is older than, or that was dropped.
  if (definition !== undefined) row.values = definition.columns.map((_, index) => row.values[index] ?? null);
  return row;
}

/** A field's text as a value: NULL told apart, the escape of `\N` taken off. */
export function readField(
  field: string,
  layout: Pick<FileLayout, 'null'>,
  column?: Pick<TableDefinition['columns'][number], 'nullable' | 'delta'>,
): string | null {
  if (layout.null === 'escape') return field === '\\N' ? null : /^\\+N$/.test(field) ? field.slice(1) : field;
  if (layout.null !== undefined) return field === layout.null.text ? null : field;
  return field !== '' || (column?.nullable === false && column.delta === 'string') ? field : null;
}

/** The change in the guide's headerless form, `U,7,ABC XYZ,Phoenix`: NULL is an empty field, an empty text `""`. */
export function formatHeaderless(change: Pick<ChangeRow, 'op' | 'values'>): string {
  const values = change.values.map((value) => (value === null ? '' : value === '' ? '""' : quoteField(value)));
  return [...(change.op === undefined ? [] : [change.op]), ...values].join(',');
}
