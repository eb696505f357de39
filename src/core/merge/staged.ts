/** What staging holds of a table: loads, definitions and change files with their numbers. */

import type { TableName } from '../change.ts';
import { readDefinitions } from '../change-file/definitions.ts';
import { dmsEpochFolder, tableFolder } from '../change-file/layout.ts';
import { readLoadRecords } from '../change-file/load-record.ts';
import { parseStagedName } from '../change-file/name.ts';
import { readNumberRange } from '../change-file/number-range.ts';
import { numberInRun } from '../change-number.ts';
import { CdcError } from '../errors.ts';
import type { Store, StoredObject } from '../store/store.ts';
import type { KnownRanges, RangedFile, Staged } from './chain.ts';

/**
 * Finds what staging holds of a table. Files first: whatever a file needs (its definition, the truncation below it) was
 * published before it, so it is in the lists that are read later. `trustKnown`: the change files are those of `known` and
 * none is listed, for whoever was told of each as it was published. `after`: change files up to this key are merged, and
 * left out; our names only rise.
 */
export async function readStaged(
  staging: Store,
  table: TableName,
  known: KnownRanges = new Map(),
  { trustKnown = false, after }: { trustKnown?: boolean | undefined; after?: string | undefined } = {},
): Promise<Staged> {
  const listed = trustKnown
    ? { files: knownFiles(known), others: [] }
    : await listFiles(staging, table, known, (object) => after === undefined || object.key > after);
  const [records, definitions] = await Promise.all([readLoadRecords(staging, table), readDefinitions(staging, table)]);
  return { records, definitions, ...listed };
}

function knownFiles(known: KnownRanges): RangedFile[] {
  const modified = new Date();
  return [...known].flatMap(([key, { size, first, last }]) =>
    first === undefined || last === undefined ? [] : [{ key, size, first, last, modified }],
  );
}

/** The change files that are wanted with their numbers, and what else lies in the folder. */
export async function listFiles(
  staging: Store,
  table: TableName,
  known: KnownRanges,
  isWanted: (object: StoredObject) => boolean,
): Promise<Pick<Staged, 'files' | 'others'>> {
  const folder = tableFolder(table);
  const objects = await staging.list(folder);
  const changes = objects.filter(({ key }) => {
    const name = parseStagedName(key.slice(folder.length));
    return name?.kind === 'changes' && name.format === 'csv' && !name.gzip;
  });
  const wanted = changes.filter(isWanted);
  const files: RangedFile[] = [];
  for (let start = 0; start < wanted.length; start += 32)
    for (const file of await Promise.all(
      wanted.slice(start, start + 32).map((object) => rangeOf(staging, table, object, known)),
    ))
      if (file !== undefined) files.push(file);
  const isChange = new Set(changes.map(({ key }) => key));
  const others = objects.map(({ key }) => key).filter((key) => !isChange.has(key));
  return { files, others };
}

async function rangeOf(
  staging: Store,
  table: TableName,
  object: StoredObject,
  known: KnownRanges,
): Promise<RangedFile | undefined> {
  let range = known.get(object.key);
  if (range?.size !== object.size) {
    try {
      range = await readNumberRange(staging, object.key, object.size);
    } catch (error) {
      // It expired between the listing and now; if it was needed, its numbers are missing and said to be.
      if (error instanceof CdcError && error.code === 'store.not-found') return undefined;
      if (!(await isOfDms(staging, table, error))) throw error;
      // Left from when DMS followed the table.
      range = { size: object.size, first: undefined, last: undefined };
    }
    known.set(object.key, range);
  }
  if (range.first === undefined || range.last === undefined) return undefined;
  if (range.last < range.first)
    throw new CdcError(
      'file.number',
      `reading ${staging.location}/${object.key}: its numbers fall from ${numberInRun(range.first)} to ${numberInRun(range.last)}`,
    );
  return { key: object.key, size: object.size, first: range.first, last: range.last, modified: object.modified };
}

async function isOfDms(staging: Store, table: TableName, error: unknown): Promise<boolean> {
  if (!(error instanceof CdcError) || error.code !== 'file.header') return false;
  return (await staging.list(dmsEpochFolder(table))).length > 0;
}
