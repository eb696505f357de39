/** The content of a change file for people: each row in the guide's headerless form, and by column. */

import type { Op } from '../change.ts';
import { formatChangeNumber, parseChangeNumber } from '../change-number.ts';
import type { Store } from '../store/store.ts';
import type { TableDefinition } from '../table-definition.ts';
import { readBytes } from './bytes.ts';
import { formatCsv, readCsv } from './csv.ts';
import type { Dialect } from './dialect.ts';
import { isOurHeader } from './header.ts';
import { formatHeaderless, readChanges } from './read.ts';

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
}

/** In file order. Throws what reading it throws: `file.cut`, `file.width`, `file.columns-unknown` … */
export async function* showFile(options: ShowOptions): AsyncGenerator<ShownRow> {
  const { store, key, definition, dialect } = options;
  // A file of ours says itself what it holds; the definition it was written with may not be the newest.
  const own = await ourColumns(store, key);
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

/** The columns that a header of ours names; undefined for other files. */
async function ourColumns(store: Store, key: string): Promise<string[] | undefined> {
  for await (const { fields } of readCsv(readBytes(store, key), { file: `${store.location}/${key}` }))
    return isOurHeader(fields) ? fields.slice(2, -1) : undefined;
  return undefined;
}

function numberText(seq: string): string | null {
  return /^(\d{16})?\d{19}$/.test(seq) ? formatChangeNumber(parseChangeNumber(seq)) : null;
}
