/** Which load of DMS a table takes next, whether it is complete, and which change files come after it. Pure. */

import { type DmsEpoch, dmsTime } from '../change-file/dms-epoch.ts';
import type { StoredObject } from '../store/store.ts';
import type { DmsFile, DmsStaged } from './dms-file.ts';
import type { DmsState } from './ledger.ts';

/**
 * The newest epoch that the table has not had and whose load is complete. One that is not yet does not hold up the one before,
 * until it begins to replace its files, for they have the same names.
 */
export function nextDmsEpoch(
  staged: DmsStaged,
  state: DmsState | undefined,
  loadComplete: boolean | undefined,
): DmsEpoch | undefined {
  const later = staged.epochs.filter(
    ({ started, kind }) => state === undefined || (kind === 'load' && started > state.epoch.started),
  );
  const isWhole = (epoch: DmsEpoch, index: number) =>
    (loadComplete === true || isComplete(staged, epoch)) &&
    !later.slice(index + 1).some((next) => next.kind === 'load' && loadsOf(staged, next).length > 0);
  return later.findLast((epoch, index) => epoch.kind === 'start' || isWhole(epoch, index));
}

/** A load that the table has not had and that nothing says is complete: the newest epoch, for a later one overtakes it. */
export function openLoad(staged: DmsStaged, state: DmsState | undefined): DmsEpoch | undefined {
  const newest = staged.epochs.at(-1);
  if (newest?.kind !== 'load' || newest.state === 'complete') return undefined;
  const isPending = state === undefined || newest.started > state.epoch.started;
  return isPending && !isComplete(staged, newest) ? newest : undefined;
}

function isComplete(staged: DmsStaged, epoch: DmsEpoch): boolean {
  const loads = loadsOf(staged, epoch);
  // DMS writes no file of an empty table; but that a table is empty must be said.
  if (epoch.state === 'complete') return loads.length > 0 || epoch.rows !== undefined;
  if (!epoch.caches || loads.length === 0) return false;
  const newest = dmsTime(new Date(Math.max(...loads.map(({ modified }) => modified.getTime()))));
  return staged.files.some(({ time }) => time > newest);
}

/** Older ones are leftovers. S3 gives whole seconds. */
export function loadsOf({ loads }: DmsStaged, { started }: Pick<DmsEpoch, 'started'>): StoredObject[] {
  return loads.filter(({ modified }) => modified.getTime() >= wholeSecond(started));
}

function wholeSecond(time: Date): number {
  return Math.floor(time.getTime() / 1000) * 1000;
}

/**
 * A file named before the epoch is part of what the load read. Should DMS name a file when it begins to write it, then its
 * last change may be younger: that one counts.
 */
export function belongsTo({ time, scan }: DmsFile, started: Date): boolean {
  if (time >= dmsTime(started)) return true;
  const second = dmsTime(new Date(wholeSecond(started)))
    .replace('-', '')
    .slice(0, 16);
  return scan?.greatest !== undefined && scan.greatest.slice(0, 16) >= second;
}
