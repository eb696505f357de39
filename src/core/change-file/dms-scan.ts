/** Reads a change file of DMS whole, strictly: how many rows it holds, and how its sequence runs. */

import { CdcError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import type { TableDefinition } from '../table-definition.ts';
import { readBytes } from './bytes.ts';
import { readCsv } from './csv.ts';
import type { Dialect } from './dialect.ts';
import { dmsLayout } from './dms-layout.ts';
import { isOurHeader } from './header.ts';
import { readLaidOutRows } from './read.ts';
import { shorten } from './row-errors.ts';

/** What planning must know of a change file of DMS. It never changes, so it is found out once. */
export interface DmsScan {
  size: number;
  /** Our own capture wrote it: it is no business of DMS's table. */
  isOurs: boolean;
  rows: number;
  /** The least and greatest `dms_seq`; undefined where the file has none. */
  least: string | undefined;
  greatest: string | undefined;
  /** That of the last row. */
  last: string | undefined;
  /** The sequence does not rise with every row: the file repeats something of itself. */
  repeats: boolean;
}

/** Throws `file.*` naming the line, and `definition.unknown`. */
export async function scanDmsFile(
  store: Store,
  key: string,
  options: { size: number; definitions: readonly TableDefinition[]; dialect: Dialect },
): Promise<DmsScan> {
  const file = `${store.location}/${key}`;
  const scan: DmsScan = {
    size: options.size,
    isOurs: false,
    rows: 0,
    least: undefined,
    greatest: undefined,
    last: undefined,
    repeats: false,
  };
  const first = await firstRecord(store, key, file);
  if (first === undefined) return scan;
  if (isOurHeader(first)) return { ...scan, isOurs: true };
  const { layout, definition } = dmsLayout(first, { ...options, file });
  const hasSequence = layout.fields.some(({ is }) => is === 'number');
  for await (const { op, seq, line } of readLaidOutRows(readBytes(store, key), file, layout, definition)) {
    scan.rows++;
    if (!hasSequence) continue;
    if (seq === undefined || !/^\d{35}$/.test(seq))
      throw new CdcError(
        'file.number',
        `reading ${file}, line ${line}: dms_seq of the ${op ?? 'I'} is "${shorten(seq ?? '')}", expected 35 digits`,
        { hint: 'nothing of it was applied; was the task changed by hand? cdc replicate sets it right' },
      );
    if (scan.last !== undefined && seq <= scan.last) scan.repeats = true;
    if (scan.least === undefined || seq < scan.least) scan.least = seq;
    if (scan.greatest === undefined || seq > scan.greatest) scan.greatest = seq;
    scan.last = seq;
  }
  return scan;
}

async function firstRecord(store: Store, key: string, file: string): Promise<string[] | undefined> {
  for await (const { fields } of readCsv(readBytes(store, key), { file })) return fields;
  return undefined;
}
