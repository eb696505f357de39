/**
 * Which of the files that DMS wrote the next batch of a table takes, and in which order (contract.md 5): by name, but for
 * what a resumed task repeats and what comes late. Pure.
 */

import { formatTableName, type TableName } from '../change.ts';
import { type DmsEpoch, dmsTime } from '../change-file/dms-epoch.ts';
import { CdcError } from '../errors.ts';
import type { StoredObject } from '../store/store.ts';
import { type DmsFile, type DmsStaged, greatest, isAbove, repeats, someRepeats, timeOf } from './dms-file.ts';
import { type AppliedFile, beginOf, type DmsState } from './ledger.ts';
import { belongsTo, loadsOf, nextDmsEpoch } from './next-dms-epoch.ts';
import type { Waiting } from './pending.ts';

/** A file that the batch reads; `applied` when an earlier batch has had it. */
export interface DmsInput {
  file: DmsFile;
  applied: AppliedFile | undefined;
}

export interface DmsBatch {
  /** Begins with it: its load replaces the table. */
  epoch: DmsEpoch | undefined;
  loads: StoredObject[];
  /** In the order in which their changes count. */
  inputs: DmsInput[];
  /** Applied files that stand before the inputs. */
  before: AppliedFile[];
  /** The greatest `dms_seq` once the batch is committed. */
  sequence: string | null;
  /** Some of it may be in the table already, or come twice in the batch. */
  repeats: boolean;
}

export interface DmsPending {
  batch: DmsBatch | undefined;
  waiting: Waiting | undefined;
  pendingFiles: number;
}

export interface NextDmsOptions {
  now: Date;
  /** The key of a file: nothing after it. */
  upTo?: string | undefined;
  /** Somebody says that the load is complete, whatever the statistics say. */
  loadComplete?: boolean | undefined;
  /** The table keeps its history: a change counts once and never again. */
  keepHistory?: boolean;
  /** How long what a resumed task repeats waits for its end; 10 minutes unless told. */
  replayWaitMs?: number | undefined;
}

const REPLAY_WAIT_MS = 10 * 60_000;

export function nextDmsBatch(
  table: TableName,
  staged: DmsStaged,
  state: DmsState | undefined,
  options: NextDmsOptions,
): DmsPending {
  const epoch = nextDmsEpoch(staged, state, options.loadComplete);
  const applied = new Map(state?.applied.map((file) => [file.name, file]));
  const current = epoch ?? state?.epoch;
  if (current === undefined) return loading(table, staged);
  const keepHistory = options.keepHistory === true;
  // A history leaves out nothing that came before a load.
  const since = keepHistory && state !== undefined ? beginOf(state) : current.started;
  const ofEpoch = staged.files.filter((file) => belongsTo(file, since));
  const fresh = ofEpoch.filter(({ name }) => !applied.has(name));
  const work: Work = { table, staged, ofEpoch, fresh, state, options, epoch };
  const start = keepHistory ? onceOnly(work) : epoch === undefined ? followOn(work) : beginAgain(work);
  const upTo = staged.files.find(({ key }) => key === options.upTo);
  const { taken, waiting } = takeFresh(work, start.fresh, upTo);
  const loads = epoch === undefined ? [] : loadsOf(staged, epoch);
  const inputs = [...start.inputs, ...taken.map((file) => ({ file, applied: undefined }))];
  // Of an epoch what follows it need not be there; without one, only what is new makes a batch.
  const isNew = epoch !== undefined || inputs.some((input) => input.applied === undefined);
  const sequence = greatest([
    state?.sequence ?? undefined,
    ...inputs.map(({ file, applied: known }) => (known === undefined ? file.scan?.greatest : undefined)),
  ]);
  return {
    batch: isNew
      ? {
          epoch,
          loads,
          inputs,
          before: start.before,
          sequence: sequence ?? null,
          repeats: someRepeats(
            inputs.map(({ file }) => file),
            state?.sequence,
          ),
        }
      : undefined,
    waiting,
    pendingFiles: fresh.length + loads.length,
  };
}

interface Work {
  table: TableName;
  staged: DmsStaged;
  /** Change files of the epoch. */
  ofEpoch: DmsFile[];
  /** Those that no batch has had. */
  fresh: DmsFile[];
  state: DmsState | undefined;
  options: NextDmsOptions;
  epoch: DmsEpoch | undefined;
}

interface Start {
  before: AppliedFile[];
  inputs: DmsInput[];
  /** What comes after the inputs, if it may. */
  fresh: DmsFile[];
}

/** History: what is there stays there, and what repeats is known by its sequence. */
function onceOnly({ table, staged, fresh, state }: Work): Start {
  const bare = fresh.find(({ scan }) => (scan?.rows ?? 0) > 0 && scan?.greatest === undefined);
  if (bare !== undefined)
    throw new CdcError(
      'append.no-sequence',
      `merging ${formatTableName(table)}: ${bare.key} has no dms_seq, and without it a history would hold changes twice`,
      { hint: 'have the task write it (cdc replicate does), or take `mode: append` out of cdc.yaml' },
    );
  const there = new Set(staged.files.map(({ name }) => name));
  return { before: (state?.applied ?? []).filter(({ name }) => there.has(name)), inputs: [], fresh };
}

/** A new epoch: its load, then every change file of it, also those that the table has had before its load was complete. */
function beginAgain({ table, ofEpoch, fresh, state, epoch }: Work): Start {
  const there = new Map(ofEpoch.map((file) => [file.name, file]));
  const since = dmsTime(epoch?.started ?? new Date(0));
  const again = (state?.applied ?? []).filter(({ name }) => there.has(name) || timeOf(name) >= since);
  const inputs = again.map((applied) => ({ file: there.get(applied.name) ?? gone(table, applied.name), applied }));
  return { before: [], inputs, fresh };
}

/** On from where the table stands; from further back where a file comes late. */
function followOn({ table, staged, fresh, state }: Work): Start {
  const applied = state?.applied ?? [];
  const last = greatest(applied.map(({ name }) => timeOf(name))) ?? '';
  const late = fresh.filter((file) => file.time < last && !isAbove(file, state?.sequence));
  const [first] = late;
  const there = new Map(staged.files.map((file) => [file.name, file]));
  // What has left staging is not named any more.
  if (first === undefined) return { before: applied.filter(({ name }) => there.has(name)), inputs: [], fresh };
  const place = applied.findIndex(({ name }) => timeOf(name) > first.time);
  const inputs: DmsInput[] = applied
    .slice(place)
    .map((one) => ({ file: there.get(one.name) ?? gone(table, one.name), applied: one }));
  for (const file of late) {
    const at = inputs.findIndex((input) => input.file.time > file.time);
    inputs.splice(at < 0 ? inputs.length : at, 0, { file, applied: undefined });
  }
  return {
    before: applied.slice(0, place).filter(({ name }) => there.has(name)),
    inputs,
    fresh: fresh.filter((file) => !late.includes(file)),
  };
}

/** What a resumed task repeats waits for the file that reaches what was there before, and comes with it. */
function takeFresh(
  { table, state, options }: Work,
  fresh: readonly DmsFile[],
  upTo: DmsFile | undefined,
): { taken: DmsFile[]; waiting: Waiting | undefined } {
  const asked =
    options.upTo === undefined ? fresh : fresh.filter(({ time }) => upTo !== undefined && time <= upTo.time);
  const taken: DmsFile[] = [];
  let reached = state?.sequence ?? undefined;
  let repeating: DmsFile[] = [];
  for (const file of asked) {
    if (repeating.length === 0 && !repeats(file, reached)) taken.push(file);
    else repeating.push(file);
    reached = greatest([reached, file.scan?.greatest]);
    if (repeating.length > 0 && file.scan?.last !== undefined && file.scan.last === reached) {
      taken.push(...repeating);
      repeating = [];
    }
  }
  const [first] = repeating;
  if (first === undefined) return { taken, waiting: undefined };
  const isOver = options.now.getTime() - first.modified.getTime() > (options.replayWaitMs ?? REPLAY_WAIT_MS);
  if (options.keepHistory === true || isOver) return { taken: [...taken, ...repeating], waiting: undefined };
  return {
    taken,
    waiting: {
      reason: 'replaying',
      detail: `${formatTableName(table)}: the task repeats changes since ${first.key}, and is not where it was before`,
      files: repeating.length,
      since: first.modified,
    },
  };
}

function loading(table: TableName, staged: DmsStaged): DmsPending {
  const files = [...staged.files, ...staged.loads];
  if (files.length === 0) return { batch: undefined, waiting: undefined, pendingFiles: 0 };
  return {
    batch: undefined,
    pendingFiles: files.length,
    waiting: {
      reason: 'loading',
      detail: `${formatTableName(table)}: ${files.length} file${files.length === 1 ? '' : 's'} of DMS wait until its load is complete`,
      files: files.length,
      since: new Date(Math.min(...files.map(({ modified }) => modified.getTime()))),
    },
  };
}

function gone(table: TableName, name: string): never {
  throw new CdcError(
    'replay.gone',
    `merging ${formatTableName(table)}: ${name} is needed again, for changes before it have come since, and it is no longer in staging`,
    { hint: `cdc reload ${formatTableName(table)}` },
  );
}
