/** Writes files as an endpoint and a task of DMS do, those of `init` and `replicate` unless told: header, texts, sequence, names. */

import type { Op } from '../../../src/core/change.ts';
import { quoteField } from '../../../src/core/change-file/csv.ts';
import { DIALECT_KEY, formatDialect } from '../../../src/core/change-file/dialect.ts';
import { dmsTime } from '../../../src/core/change-file/dms-epoch.ts';
import { isLargeObject } from '../../../src/core/change-file/large-value.ts';
import { tableFolder } from '../../../src/core/change-file/layout.ts';
import { loadFileName } from '../../../src/core/change-file/name.ts';
import { parseColumnType } from '../../../src/core/column-type.ts';
import type { Store } from '../../../src/core/store/store.ts';
import type { TableDefinition } from '../../../src/core/table-definition.ts';
import { beforePlaces, type DmsShape, OUR_SHAPE } from './dms-shape.ts';

/** A row as our own change files have its values. */
export type DmsRow = readonly (string | null)[];

export interface DmsChange {
  op: Op;
  /** After an insert or update, before a delete. */
  row: DmsRow;
  /** Before an update. */
  before?: DmsRow | undefined;
  /** 35 digits. */
  sequence: string;
}

export async function putDialect(staging: Store): Promise<void> {
  await staging.put(DIALECT_KEY, formatDialect({ null: OUR_SHAPE.nullText, timestampColumn: 'dms_ts' }));
}

/** Of the commit, to 1/100 of a second, and a counter that rises through the task with gaps. */
export function dmsSequence(commit: Date, counter: number): string {
  return `${dmsTime(commit).replace('-', '').slice(0, 16)}${String(counter).padStart(19, '0')}`;
}

/** Writes a file of changes; returns its key. */
export async function putDmsChanges(
  staging: Pick<Store, 'put'>,
  definition: TableDefinition,
  changes: readonly DmsChange[],
  { named, shape = OUR_SHAPE }: { named: Date; shape?: DmsShape },
): Promise<string> {
  const key = `${tableFolder(definition)}${dmsTime(named)}.csv`;
  const lines = changes.map(({ op, row, before, sequence }) => {
    const time = `${sequence.slice(0, 4)}-${sequence.slice(4, 6)}-${sequence.slice(6, 8)} ${sequence.slice(8, 10)}:${sequence.slice(10, 12)}:${sequence.slice(12, 14)}.000000`;
    return line({ op, time, row, sequence, was: op === 'U' ? (before ?? row) : undefined }, definition, shape);
  });
  await staging.put(key, header(definition, shape, true) + lines.join(''));
  return key;
}

/** Writes LOAD files from number `first` on, of so many rows each. DMS writes none for an empty table. */
export async function putDmsLoad(
  staging: Pick<Store, 'put'>,
  definition: TableDefinition,
  rows: readonly DmsRow[],
  {
    first = 1,
    rowsPerFile = 1000,
    started = new Date('2026-11-22T10:00:00Z'),
    shape = OUR_SHAPE,
  }: { first?: number; rowsPerFile?: number; started?: Date; shape?: DmsShape } = {},
): Promise<string[]> {
  const keys: string[] = [];
  const time = `${started.toISOString().slice(0, 23).replace('T', ' ')}000`;
  const op = shape.hasOpInLoad ? 'I' : undefined;
  for (let from = 0; from < rows.length; from += rowsPerFile) {
    const key = `${tableFolder(definition)}${loadFileName(first + keys.length)}`;
    const lines = rows
      .slice(from, from + rowsPerFile)
      .map((row) => line({ op, time, row, sequence: null, was: undefined }, definition, shape));
    // A file of DMS replaces one of the same name: a load begins at LOAD00000001 again.
    await staging.put(key, header(definition, shape, shape.hasOpInLoad) + lines.join(''));
    keys.push(key);
  }
  return keys;
}

function header(definition: TableDefinition, shape: DmsShape, hasOp: boolean): string {
  const { hasHeader, timestampColumn, sequenceColumns, before } = shape;
  if (!hasHeader) return '';
  const names = [
    ...(hasOp ? ['Op'] : []),
    ...(timestampColumn === undefined ? [] : [timestampColumn]),
    ...definition.columns.map(({ name }) => name),
    ...sequenceColumns,
    ...beforePlaces(shape, definition).map(
      (place) => `${before?.prefix}${definition.columns[place]?.name}${before?.suffix}`,
    ),
  ];
  return `${names.map(quoteField).join(',')}\n`;
}

function line(
  change: { op: Op | undefined; time: string; row: DmsRow; sequence: string | null; was: DmsRow | undefined },
  definition: TableDefinition,
  shape: DmsShape,
): string {
  const { op, time, row, sequence, was } = change;
  const textOf = (of: DmsRow | undefined, place: number) =>
    cutText(
      definition.columns[place]?.type ?? '',
      dmsText(definition.columns[place]?.type ?? '', of?.[place] ?? null),
      shape,
    );
  const fields = [
    ...(op === undefined ? [] : [op]),
    ...(shape.timestampColumn === undefined ? [] : [time]),
    ...definition.columns.map((_, place) => textOf(row, place)),
    ...shape.sequenceColumns.map(() => sequence),
    ...beforePlaces(shape, definition).map((place) => textOf(was, place)),
  ];
  return `${fields.map((field) => quoteField(field ?? shape.nullText)).join(',')}\n`;
}

/** Our own text of a value as DMS writes it. */
function dmsText(columnType: string, value: string | null): string | null {
  const type = parseColumnType(columnType);
  if (value === null || type === undefined) return value;
  if (type.text === 'float' || type.text === 'double') return scientific(Number(value));
  if (type.base === 'bit' && type.length === 1) return value === '1' ? 'true' : 'false';
  if (type.text === 'hex') return value.toUpperCase();
  if (type.base === 'datetime' || type.base === 'timestamp')
    return value.replace(/\.?0+$/, (zeros) => (zeros.startsWith('.') ? '' : zeros));
  return value;
}

/** A large value ends at the limit, before a character that would reach beyond it. */
function cutText(
  columnType: string,
  text: string | null,
  { lobBytes = Number.POSITIVE_INFINITY }: DmsShape,
): string | null {
  if (text === null || !isLargeObject({ type: columnType })) return text;
  if (parseColumnType(columnType)?.text === 'hex') return text.slice(0, 2 * lobBytes);
  const bytes = Buffer.from(text);
  if (bytes.length <= lobBytes) return text;
  let end = lobBytes;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end).toString();
}

/** C's `%+.16e`. */
function scientific(number: number): string {
  const [digits = '', exponent = '+0'] = number.toExponential(16).split('e');
  const sign = Object.is(number, -0) ? '-' : digits.startsWith('-') ? '' : '+';
  return `${sign}${digits}e${exponent.startsWith('-') ? '-' : '+'}${exponent.replace(/^[+-]/, '').padStart(2, '0')}`;
}
