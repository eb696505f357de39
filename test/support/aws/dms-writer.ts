/** Writes files as DMS's endpoint and task that `init` and `replicate` make do: its header, its texts, its sequence, its names. */

import type { Op } from '../../../src/core/change.ts';
import { quoteField } from '../../../src/core/change-file/csv.ts';
import { DIALECT_KEY, formatDialect } from '../../../src/core/change-file/dialect.ts';
import { dmsTime } from '../../../src/core/change-file/dms-epoch.ts';
import { tableFolder } from '../../../src/core/change-file/layout.ts';
import { loadFileName } from '../../../src/core/change-file/name.ts';
import { parseColumnType } from '../../../src/core/column-type.ts';
import type { Store } from '../../../src/core/store/store.ts';
import type { TableDefinition } from '../../../src/core/table-definition.ts';

export const DMS_NULL = '<null 3kQ9>';

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

export async function putDialect(staging: Store, nullText = DMS_NULL): Promise<void> {
  await staging.put(DIALECT_KEY, formatDialect({ null: nullText, timestampColumn: 'dms_ts' }));
}

/** Of the commit, to 1/100 of a second, and a counter that rises through the task with gaps. */
export function dmsSequence(commit: Date, counter: number): string {
  return `${dmsTime(commit).replace('-', '').slice(0, 16)}${String(counter).padStart(19, '0')}`;
}

/** Writes a file of changes; returns its key. */
export async function putDmsChanges(
  staging: Store,
  definition: TableDefinition,
  changes: readonly DmsChange[],
  { named, nullText = DMS_NULL }: { named: Date; nullText?: string },
): Promise<string> {
  const key = `${tableFolder(definition)}${dmsTime(named)}.csv`;
  const lines = changes.map(({ op, row, before, sequence }) => {
    const time = `${sequence.slice(0, 4)}-${sequence.slice(4, 6)}-${sequence.slice(6, 8)} ${sequence.slice(8, 10)}:${sequence.slice(10, 12)}:${sequence.slice(12, 14)}.000000`;
    const was = keyPlaces(definition).map((place) => (op === 'U' ? (before ?? row)[place] : null) ?? null);
    const columns = definition.columns.map(({ type }, place) => dmsText(type, row[place] ?? null));
    const befores = keyPlaces(definition).map((place, at) =>
      dmsText(definition.columns[place]?.type ?? '', was[at] ?? null),
    );
    return line([op, time, ...columns, sequence, ...befores], nullText);
  });
  await putNew(staging, key, header(definition) + lines.join(''));
  return key;
}

/** Writes LOAD files from number `first` on, of so many rows each. DMS writes none for an empty table. */
export async function putDmsLoad(
  staging: Store,
  definition: TableDefinition,
  rows: readonly DmsRow[],
  {
    first = 1,
    rowsPerFile = 1000,
    nullText = DMS_NULL,
  }: { first?: number; rowsPerFile?: number; nullText?: string } = {},
): Promise<string[]> {
  const keys: string[] = [];
  for (let from = 0; from < rows.length; from += rowsPerFile) {
    const key = `${tableFolder(definition)}${loadFileName(first + keys.length)}`;
    const lines = rows.slice(from, from + rowsPerFile).map((row) => {
      const columns = definition.columns.map(({ type }, place) => dmsText(type, row[place] ?? null));
      const nothing = [null, ...keyPlaces(definition).map(() => null)];
      return line(['I', '2026-11-22 10:00:00.000000', ...columns, ...nothing], nullText);
    });
    await putNew(staging, key, header(definition) + lines.join(''));
    keys.push(key);
  }
  return keys;
}

/** A file of DMS replaces one of the same name: a load begins at LOAD00000001 again. */
async function putNew(staging: Store, key: string, body: string): Promise<void> {
  await staging.put(key, body);
}

function keyPlaces({ columns, key }: TableDefinition): number[] {
  return key.map((name) => columns.findIndex((column) => column.name === name));
}

function header(definition: TableDefinition): string {
  const names = definition.columns.map(({ name }) => name);
  return line(['Op', 'dms_ts', ...names, 'dms_seq', ...definition.key.map((name) => `BI_${name}`)], '');
}

function line(fields: readonly (string | null)[], nullText: string): string {
  return `${fields.map((field) => quoteField(field ?? nullText)).join(',')}\n`;
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

/** C's `%+.16e`. */
function scientific(number: number): string {
  const [digits = '', exponent = '+0'] = number.toExponential(16).split('e');
  const sign = Object.is(number, -0) ? '-' : digits.startsWith('-') ? '' : '+';
  return `${sign}${digits}e${exponent.startsWith('-') ? '-' : '+'}${exponent.replace(/^[+-]/, '').padStart(2, '0')}`;
}
