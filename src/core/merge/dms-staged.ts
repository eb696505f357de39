/** What staging holds of a table that DMS writes: its epochs, LOAD files and change files. */

import type { TableName } from '../change.ts';
import { type Dialect, readDialect } from '../change-file/dialect.ts';
import { type DmsEpoch, dmsTime, readDmsEpochs } from '../change-file/dms-epoch.ts';
import { type DmsScan, scanDmsFile } from '../change-file/dms-scan.ts';
import { tableFolder } from '../change-file/layout.ts';
import type { StoredLoadRecord } from '../change-file/load-record.ts';
import { compareStagedNames, parseStagedName, type StagedName } from '../change-file/name.ts';
import { runOf } from '../change-number.ts';
import { CdcError } from '../errors.ts';
import type { Store, StoredObject } from '../store/store.ts';
import type { TableDefinition } from '../table-definition.ts';
import { type DmsFile, type DmsStaged, timeOf } from './dms-file.ts';
import { beginOf, type DmsState } from './ledger.ts';

/** Files looked into already, by key: they never change. Filled as files are read. */
export type KnownScans = Map<string, DmsScan>;

export interface DmsTable extends DmsStaged {
  dialect: Dialect;
  /** By number. */
  definitions: TableDefinition[];
}

/** The epochs of a table that DMS writes now; undefined where our own capture does: whoever came last opened the higher run. */
export async function readCurrentDmsEpochs(
  staging: Store,
  table: TableName,
  readRecords: () => Promise<readonly StoredLoadRecord[]>,
): Promise<DmsEpoch[] | undefined> {
  const epochs = await readDmsEpochs(staging, table);
  const newest = epochs.at(-1);
  if (newest === undefined) return undefined;
  const ownRun = (await readRecords()).reduce((most, { number }) => Math.max(most, runOf(number)), -1);
  if (ownRun > runOf(newest.definition)) return undefined;
  return epochs.filter(({ definition }) => runOf(definition) > ownRun);
}

/** Reads whole, once, each change file that the table may not have had. */
export async function readDmsTable(
  staging: Store,
  table: TableName,
  given: { epochs: DmsEpoch[]; definitions: TableDefinition[]; state: DmsState | undefined; known: KnownScans },
): Promise<DmsTable> {
  const { epochs, definitions, state, known } = given;
  const dialect = await readDialect(staging);
  const folder = tableFolder(table);
  const objects = (await staging.list(folder)).flatMap((object) => {
    const parsed = parseStagedName(object.key.slice(folder.length));
    return parsed === undefined ? [] : [{ object, parsed }];
  });
  objects.sort((a, b) => compareStagedNames(a.parsed, b.parsed));
  const loads = objects.filter(({ parsed }) => parsed.kind === 'load');
  const changes = objects.filter(({ parsed }) => parsed.kind === 'changes');
  for (const { object, parsed } of [...loads, ...changes]) assertReadable(staging, object, parsed);
  const needed = neededScans(epochs, state);
  const files: DmsFile[] = [];
  for (const { object } of changes) {
    const name = object.key.slice(folder.length);
    const time = timeOf(name);
    const scan = needed(name, time) ? await scanOf(staging, object, { definitions, dialect, known }) : undefined;
    if (scan?.isOurs !== true) files.push({ ...object, name, time, scan });
  }
  return { epochs, definitions, dialect, loads: loads.map(({ object }) => object), files };
}

/** Lengths in bytes to which DMS may have cut the large values of a file of this time: those of the epoch that it was written in. */
export function cutLengths(epochs: readonly DmsEpoch[], time: string): number[] {
  const epoch = epochs.findLast(({ started }) => dmsTime(started) <= time) ?? epochs[0];
  return (epoch?.lobKb ?? []).map((kilobytes) => kilobytes * 1024);
}

const NEAR_MS = 3_600_000;

/** Files that are new, and those that an epoch to come may begin among. What is older than an hour before both is of no use. */
function neededScans(
  epochs: readonly DmsEpoch[],
  state: DmsState | undefined,
): (name: string, time: string) => boolean {
  const applied = new Set(state?.applied.map(({ name }) => name));
  const later = epochs.filter(({ started }) => state === undefined || started > state.epoch.started);
  const starts = [...(state === undefined ? [] : [beginOf(state)]), ...later.map(({ started }) => started)];
  const oldest = dmsTime(new Date(Math.min(Date.now(), ...starts.map((start) => start.getTime())) - NEAR_MS));
  const near = later.map(({ started }) => [dmsTime(new Date(started.getTime() - NEAR_MS)), dmsTime(started)] as const);
  return (name, time) => (applied.has(name) ? near.some(([from, to]) => time >= from && time < to) : time >= oldest);
}

async function scanOf(
  staging: Store,
  { key, size }: StoredObject,
  { known, ...options }: { definitions: TableDefinition[]; dialect: Dialect; known: KnownScans },
): Promise<DmsScan> {
  const found = known.get(key);
  if (found?.size === size) return found;
  const scan = await scanDmsFile(staging, key, { size, ...options });
  known.set(key, scan);
  return scan;
}

function assertReadable(staging: Store, { key }: StoredObject, { format, gzip }: StagedName): void {
  if (format === 'csv' && !gzip) return;
  throw new CdcError(
    'file.format',
    `reading ${staging.location}/${key}: this version reads DMS's files as plain CSV only`,
    { hint: 'set DataFormat csv and CompressionType none on the endpoint (cdc init does), then reload the table' },
  );
}
