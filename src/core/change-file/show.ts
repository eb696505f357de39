/** The content of a change file for people: each row in the guide's headerless form, and by column. */

import type { Op } from '../change.ts';
import { formatChangeNumber, parseChangeNumber } from '../change-number.ts';
import type { Store } from '../store/store.ts';
import type { TableDefinition } from '../table-definition.ts';
import { readBytes } from './bytes.ts';
import { formatCsv, readCsv } from './csv.ts';
import type { Dialect } from './dialect.ts';
import { dmsLayout } from './dms-layout.ts';
import { isOurHeader } from './header.ts';
import { readHeader } from './number-range.ts';
import { formatHeaderless, readChanges, readLaidOutRows } from './read.ts';

export interface ShownRow {
  op: Op | null;
  /** Commit time as the file has it. */
  ts: string | null;
  /** 19 digits; null where the file has none. */
  number: string | null;
  columns: Record<string, string | null>;
  /** `U,7,ABC XYZ,Phoenix` */
  text: string;
}

export interface ShowOptions {
  store: Store;
  key: string;
  /** Needed for a file that does not name its columns in a header of ours. */
  definition?: Pick<TableDefinition, 'columns'> | undefined;
  dialect?: Dialect;
  /** A table that DMS writes: every definition it has had, and how DMS writes. */
  dms?: { definitions: readonly TableDefinition[]; dialect: Dialect } | undefined;
}

/** In file order. Throws what reading it throws: `file.cut`, `file.width`, `file.columns-unknown` … */
export async function* showFile(options: ShowOptions): AsyncGenerator<ShownRow> {
  const { store, key, definition, dialect } = options;
  // A file of ours says itself what it holds; the definition it was written with may not be the newest.
  const own = await ourColumns(store, key);
  if (own === undefined && options.dms !== undefined) {
    yield* showDmsFile(store, key, options.dms);
    return;
  }
  const names = own ?? definition?.columns.map((column) => column.name) ?? [];
  const columns = own === undefined ? definition : undefined;
  if (own === undefined && columns === undefined) {
    // Nobody says what the fields are, and values are never guessed from: they are shown as they stand.
    for await (const { fields } of readCsv(readBytes(store, key), { file: `${store.location}/${key}` }))
      yield {
        op: null,
        ts: null,
        number: null,
        columns: Object.fromEntries(fields.map((field, index) => [`${index + 1}`, field])),
        text: formatCsv(fields),
      };
    return;
  }
  for await (const row of readChanges(store, key, { ...(columns && { columns }), ...(dialect && { dialect }) })) {
    const { op = null, ts = null, seq, values } = row;
    yield {
      op,
      ts,
      number: seq === undefined ? null : numberText(seq),
      columns: Object.fromEntries(values.map((value, index) => [names[index] ?? `${index + 1}`, value])),
      text: formatHeaderless(row),
    };
  }
}

async function* showDmsFile(store: Store, key: string, dms: NonNullable<ShowOptions['dms']>): AsyncGenerator<ShownRow> {
  const file = `${store.location}/${key}`;
  const first = await readHeader(store, key);
  if (first.length === 0) return;
  const { layout, definition } = dmsLayout(first, { ...dms, file });
  for await (const row of readLaidOutRows(readBytes(store, key), file, layout, definition)) {
    const { op = null, ts = null, values } = row;
    const columns = Object.fromEntries(definition.columns.map(({ name }, index) => [name, values[index] ?? null]));
    yield { op, ts, number: null, columns, text: formatHeaderless(row) };
  }
}

/** The columns that a header of ours names; undefined for other files. */
async function ourColumns(store: Store, key: string): Promise<string[] | undefined> {
  for await (const { fields } of readCsv(readBytes(store, key), { file: `${store.location}/${key}` }))
    return isOurHeader(fields) ? fields.slice(2, -1) : undefined;
  return undefined;
}

function numberText(seq: string): string | null {
  return /^(\d{16})?\d{19}$/.test(seq) ? formatChangeNumber(parseChangeNumber(seq)) : null;
}
