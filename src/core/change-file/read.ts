/** Reading change files row by row, for people and for errors; merge itself reads them in the engine. */

import type { Op } from '../change.ts';
import { type ChangeNumber, parseChangeNumber } from '../change-number.ts';
import { CdcError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import type { TableDefinition } from '../table-definition.ts';
import { readBytes } from './bytes.ts';
import { type CsvRecord, quoteField, readCsv } from './csv.ts';
import type { Dialect } from './dialect.ts';
import { assertOurHeader, type FileLayout, isOurHeader, ourLayout, recogniseLayout } from './header.ts';

export { changeHeader } from './header.ts';

export interface ChangeRow {
  /** undefined in a load file without Op. */
  op: Op | undefined;
  /** Commit time as the file has it. */
  ts: string | undefined;
  /** By column, in the definition's order; NULL is null. */
  values: (string | null)[];
  /** `cdc_seq` or `dms_seq` as it stands there; undefined where empty (rows of a load) or absent. */
  seq: string | undefined;
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
    else if (role.is === 'number') row.seq = field === '' ? undefined : field;
    else row.values[role.index] = readField(field, layout, definition?.columns[role.index]);
  }
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

export function wrongWidth(file: string, line: number, found: number, expected: number): CdcError {
  return new CdcError(
    'file.width',
    `reading ${file}, line ${line}: ${found} field${found === 1 ? '' : 's'}, expected ${expected}`,
    { hint: 'the file is cut, or belongs to another table; nothing of it was applied' },
  );
}

export function parseOp(text: string, file: string, line: number): Op {
  if (text === 'I' || text === 'U' || text === 'D') return text;
  throw new CdcError('file.op', `reading ${file}, line ${line}: Op is "${shorten(text)}", expected I, U or D`);
}

/** A value in an error message. */
export function shorten(text: string, length = 60): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}

/** The change in the guide's headerless form, `U,7,ABC XYZ,Phoenix`: NULL is an empty field, an empty text `""`. */
export function formatHeaderless(change: Pick<ChangeRow, 'op' | 'values'>): string {
  const values = change.values.map((value) => (value === null ? '' : value === '' ? '""' : quoteField(value)));
  return [...(change.op === undefined ? [] : [change.op]), ...values].join(',');
}

/** The numbers a change file of ours holds; both undefined when it holds no change. */
export interface NumberRange {
  size: number;
  first: ChangeNumber | undefined;
  last: ChangeNumber | undefined;
}

/** Bytes of a `,` and the 35 digits of cdc_seq and the newline: how every row of ours ends. */
const TAIL_BYTES = 37;
const HEAD_BYTES = 1 << 16;

/**
 * The first and last number of a change file of ours, from its first record and its last bytes. Throws `file.cut` when it
 * does not end as a row of ours does, `file.header` when it is not ours.
 */
export async function readNumberRange(store: Store, key: string): Promise<NumberRange> {
  const object = await store.stat(key);
  const file = `${store.location}/${key}`;
  if (object === undefined) throw new CdcError('store.not-found', `reading ${file}: it is not there`);
  const size = object.size;
  let first: CsvRecord | undefined;
  for (let bytes = HEAD_BYTES; first === undefined; bytes *= 8) {
    const head = await store.getRange(key, 0, bytes);
    const records = readCsv(once(head), { file });
    const header = await nextRecord(records, head.length >= size);
    if (header === undefined && head.length < size) continue;
    if (header === undefined || !isOurHeader(header.fields))
      throw new CdcError(
        'file.header',
        `reading ${file}, line 1: it does not begin with the header Op,cdc_ts,…,cdc_seq`,
        {
          hint: `apply a file made elsewhere with: cdc merge ${file} --table … --key … --columns …`,
        },
      );
    first = await nextRecord(records, head.length >= size);
    if (first === undefined && head.length >= size) return { size, first: undefined, last: undefined };
    if (first !== undefined && first.fields.length !== header.fields.length)
      throw wrongWidth(file, first.line, first.fields.length, header.fields.length);
  }
  const tail = (await store.getRange(key, Math.max(0, size - TAIL_BYTES), size)).toString('latin1');
  const last = /^,(\d{35})\n$/.exec(tail)?.[1];
  const firstText = first.fields.at(-1) ?? '';
  if (last === undefined) throw await findCut(store, key, file);
  if (!/^\d{35}$/.test(firstText))
    throw new CdcError(
      'file.number',
      `reading ${file}, line ${first.line}: cdc_seq is "${shorten(firstText)}", expected 35 digits`,
    );
  return { size, first: parseChangeNumber(firstText), last: parseChangeNumber(last) };
}

/** The next record; undefined at the end, and also where the bytes end inside it and are known not to be the whole file. */
async function nextRecord(records: AsyncGenerator<CsvRecord>, whole: boolean): Promise<CsvRecord | undefined> {
  try {
    const next = await records.next();
    return next.done ? undefined : next.value;
  } catch (error) {
    if (!whole && error instanceof CdcError && error.code === 'file.cut') return undefined;
    throw error;
  }
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

/** Reads the whole file to say on which line it is broken. */
async function findCut(store: Store, key: string, file: string): Promise<CdcError> {
  let line = 1;
  try {
    for await (const row of readChanges(store, key)) {
      line = row.line;
      if (row.seq === undefined || !/^\d{35}$/.test(row.seq))
        return new CdcError(
          'file.number',
          `reading ${file}, line ${line}: cdc_seq is "${shorten(row.seq ?? '')}", expected 35 digits`,
        );
    }
  } catch (error) {
    if (error instanceof CdcError) return error;
    throw error;
  }
  return new CdcError('file.cut', `reading ${file}, line ${line}: the file ends inside a row`);
}
