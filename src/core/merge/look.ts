/** What of a table is pending now, whoever writes its files, and how its next batch is made ready. */

import { formatTableName, type TableName } from '../change.ts';
import { readDefinitions } from '../change-file/definitions.ts';
import type { DmsEpoch } from '../change-file/dms-epoch.ts';
import { readLoadRecords, type StoredLoadRecord } from '../change-file/load-record.ts';
import { type ChangeNumber, numberInRun } from '../change-number.ts';
import type { Snapshot } from '../delta/snapshot.ts';
import { CdcError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import { prepareDmsBatch } from './dms-batch.ts';
import { type DmsBatch, nextDmsBatch } from './dms-pending.ts';
import { type KnownScans, readCurrentDmsEpochs, readDmsTable } from './dms-staged.ts';
import type { MergeMode, Plan, UnfitPolicy } from './ledger.ts';
import { readState } from './ledger.ts';
import { openLoad } from './next-dms-epoch.ts';
import {
  compareEpochs,
  type KnownRanges,
  type NextBatch,
  nextBatch,
  type Staged,
  type Standing,
  type Waiting,
} from './pending.ts';
import { type PreparedBatch, prepareBatch } from './prepare-batch.ts';
import { readStaged } from './staged.ts';
import { findUpTo } from './up-to.ts';

/** The epoch of a load, complete by now and written down as that; or why it is not, in a few words. */
export type LoadAnswer = { epoch: DmsEpoch } | { why: string };

/** Asks DMS about a load that nobody has called complete. It answers whatever happens: one table holds up no other. */
export type AskLoad = (epoch: DmsEpoch) => Promise<LoadAnswer>;

export interface LookOptions {
  staging: Store;
  lake: Store;
  table: TableName;
  appId: string;
  mode?: MergeMode | undefined;
  /** The key of a change file or load file in staging: what is pending before it comes first, nothing after it. */
  upTo?: string | undefined;
  /** Nothing above it; of files that our own capture wrote. */
  limit?: ChangeNumber | undefined;
  /** Ranges of files known already; filled as files are read. */
  known?: KnownRanges | undefined;
  /** Takes the change files from `known` alone and lists none. */
  trustKnown?: boolean | undefined;
  /** The key of a change file: it and those before it are merged, and not looked at. */
  listAfter?: string | undefined;
  /** Files of DMS that have been looked into already; filled as files are read. */
  knownScans?: KnownScans | undefined;
  /** A load of DMS counts although nobody has recorded that it is complete. */
  loadComplete?: boolean | undefined;
  askLoad?: AskLoad | undefined;
  /** How long what a resumed task of DMS repeats waits for its end; 10 minutes unless told. */
  replayWaitMs?: number | undefined;
}

/** The next batch, before its files are opened. */
export interface NextLook {
  isLoad: boolean;
  /** Files that no batch has had yet. */
  newFiles: number;
  /** `the load and numbers 1 to 6`. */
  describe: string;
  prepare(options: { snapshot: Snapshot | undefined; policies: { unfit: UnfitPolicy } }): Promise<PreparedBatch>;
}

export interface TableLook {
  state: Plan | undefined;
  next: NextLook | undefined;
  waiting: Waiting | undefined;
  /** Files that hold something not merged yet, whether or not the next batch can take it. */
  pendingFiles: number;
  /** When the first of them was published. */
  oldest: Date | undefined;
  /** The last number that is there, merged or not; of files that our own capture wrote. */
  newest?: ChangeNumber | undefined;
}

export async function lookAtTable(options: LookOptions, snapshot: Snapshot | undefined): Promise<TableLook> {
  const { staging, lake, table, appId, trustKnown } = options;
  const state = await readState(lake, table, snapshot, appId);
  // Whoever is told of each file is told by our own capture.
  if (trustKnown === true) return await lookAtOurs(options, state);
  const epochs = await readCurrentDmsEpochs(staging, table, () => readLoadRecords(staging, table));
  return epochs === undefined ? await lookAtOurs(options, state) : await lookAtDms(options, state, epochs);
}

async function lookAtOurs(options: LookOptions, state: Plan | undefined): Promise<TableLook> {
  const { staging, lake, table, appId, known, trustKnown, listAfter, upTo, mode = 'merge' } = options;
  const standing = standingOf(state);
  const merged = listAfter === undefined && upTo === undefined ? lastMerged(state) : undefined;
  let staged = await readStaged(staging, table, known, { trustKnown, after: listAfter ?? merged });
  // A load counts only with all the changes since, also those that are in the lake already.
  if (merged !== undefined && staged.records.some((record) => isBelow(record, state)))
    staged = await readStaged(staging, table, known, { trustKnown });
  const limit = upTo === undefined ? options.limit : findUpTo(staging, table, staged, standing, upTo);
  const { batch, waiting, pendingFiles } = nextBatch(table, staged, standing, {
    limit,
    keepHistory: mode === 'append',
  });
  const isNew = ({ last }: { last: bigint }) => last > (standing?.watermark ?? -1n);
  return {
    state,
    waiting,
    newest: newestOf(staged),
    pendingFiles: pendingFiles + (batch?.epoch?.files.length ?? 0),
    oldest: oldestOf(staged.files.filter(isNew)),
    next: batch && {
      isLoad: batch.epoch?.kind === 'load',
      newFiles: batch.files.filter(({ file }) => isNew(file)).length + (batch.epoch?.files.length ?? 0),
      describe: describeBatch(batch),
      prepare: ({ snapshot, policies }) =>
        prepareBatch({ staging, lake, batch, state, snapshot, appId, policies, mode }),
    },
  };
}

function newestOf({ files, records }: Staged): ChangeNumber | undefined {
  const numbers = [...files.map(({ last }) => last), ...records.map(({ number }) => number)];
  return numbers.reduce<ChangeNumber | undefined>(
    (most, one) => (most === undefined || one > most ? one : most),
    undefined,
  );
}

async function lookAtDms(options: LookOptions, state: Plan | undefined, epochs: DmsEpoch[]): Promise<TableLook> {
  const { staging, lake, table: name, appId, upTo, loadComplete, replayWaitMs, mode = 'merge' } = options;
  const given = {
    definitions: await readDefinitions(staging, name),
    state: state?.dms,
    known: options.knownScans ?? new Map(),
  };
  let table = await readDmsTable(staging, name, { ...given, epochs });
  const open = loadComplete === true ? undefined : openLoad(table, state?.dms);
  const answer = open && (await options.askLoad?.(open));
  // What DMS wrote last may have come since the listing.
  if (answer !== undefined && 'epoch' in answer)
    table = await readDmsTable(staging, name, { ...given, epochs: [...epochs.slice(0, -1), answer.epoch] });
  if (upTo !== undefined && ![...table.files, ...table.loads].some(({ key }) => key === upTo))
    throw new CdcError(
      'file.unknown',
      `merging ${staging.location}/${upTo}: it is no change file of ${formatTableName(name)}`,
      { hint: 'cdc files   # lists them' },
    );
  const { batch, waiting, pendingFiles } = nextDmsBatch(name, table, state?.dms, {
    now: await staging.now(),
    upTo,
    loadComplete,
    replayWaitMs,
    keepHistory: mode === 'append',
  });
  const applied = new Set(state?.dms?.applied.map((file) => file.name));
  return {
    state,
    waiting:
      waiting?.reason === 'loading' && answer !== undefined && 'why' in answer
        ? { ...waiting, detail: `${waiting.detail} (${answer.why})` }
        : waiting,
    pendingFiles,
    oldest: pendingFiles === 0 ? undefined : oldestOf(table.files.filter((file) => !applied.has(file.name))),
    next: batch && {
      isLoad: batch.epoch?.kind === 'load',
      newFiles: batch.loads.length + batch.inputs.filter((input) => input.applied === undefined).length,
      describe: describeDmsBatch(batch),
      prepare: ({ snapshot, policies }) =>
        prepareDmsBatch({ staging, lake, table, batch, state, snapshot, appId, policies, mode }),
    },
  };
}

export function standingOf(state: Plan | undefined): Standing | undefined {
  if (state === undefined) return undefined;
  const watermark = state.watermark.after;
  if (watermark === null)
    throw new CdcError(
      'lake.loose',
      `merging ${formatTableName(state.definition)}: its lake table was made from loose files, which have no numbers`,
      { hint: 'use another lake folder for the pipeline' },
    );
  return { watermark, epoch: state.epoch, definition: state.definition };
}

/**
 * The last change file that the newest batch took whole: it is merged, and so is every file named before it, for our names
 * only rise. Else a merge would read a piece of every file that staging keeps, a week of them on S3.
 */
function lastMerged(state: Plan | undefined): string | undefined {
  const watermark = state?.watermark.after ?? -1n;
  const keys = (state?.inputs ?? []).flatMap((input) =>
    input.kind === 'changes' && input.last !== undefined && input.last <= watermark ? [input.key] : [],
  );
  return keys.sort().at(-1);
}

/** A load that the table has not had, from before where it stands. */
function isBelow(record: StoredLoadRecord, state: Plan | undefined): boolean {
  const isNew = state?.epoch == null || compareEpochs(record, state.epoch) > 0;
  return isNew && record.number < (state?.watermark.after ?? 0n);
}

function describeBatch({ epoch, after, end }: NextBatch): string {
  const parts = [
    ...(epoch === undefined ? [] : [`the ${epoch.kind}`]),
    ...(end > after ? [`numbers ${numberInRun(after) + 1} to ${numberInRun(end)}`] : []),
  ];
  return parts.join(' and ');
}

function describeDmsBatch({ epoch, inputs }: DmsBatch): string {
  const again = inputs.filter(({ applied }) => applied !== undefined).length;
  const parts = [
    ...(epoch?.kind === 'load' ? ['the load'] : []),
    ...(inputs.length > 0 ? ['changes of DMS'] : []),
    ...(again > 0 && epoch === undefined ? [`${again} files again, for one came late`] : []),
  ];
  return parts.join(' and ');
}

function oldestOf(files: readonly { modified: Date }[]): Date | undefined {
  const times = files.map(({ modified }) => modified.getTime());
  return times.length === 0 ? undefined : new Date(Math.min(...times));
}
