/** What a table needs beside merges, under the same lease: checkpoints, log cleanup, vacuum. */

import { cleanLog, vacuum } from './cleanup.ts';
import type { LakeTable } from './lake-table.ts';
import { readSnapshot, type Snapshot } from './snapshot.ts';
import { writeCheckpoint } from './write-checkpoint.ts';

/** As Spark does. */
const COMMITS_PER_CHECKPOINT = 10;
/** The clean-up looks at every file of the log, of which a busy day leaves many. */
const COMMITS_PER_CLEANUP = 100;

/** The version whose checkpoint is due: the newest multiple of ten below the tip that has none yet. */
export function dueCheckpoint(snapshot: Snapshot): number | undefined {
  const due = Math.floor((snapshot.version - 1) / COMMITS_PER_CHECKPOINT) * COMMITS_PER_CHECKPOINT;
  return due > 0 && due > (snapshot.checkpointVersion ?? 0) ? due : undefined;
}

/**
 * Writes the checkpoint that is due, and after every tenth one cleans the log. `assertHeld` throws when the table's lease is lost.
 * Returns the snapshot to go on with.
 */
export async function maintainLog(
  table: LakeTable,
  snapshot: Snapshot,
  options: { assertHeld: () => Promise<void>; now: Date },
): Promise<Snapshot> {
  const version = dueCheckpoint(snapshot);
  if (version === undefined) return snapshot;
  // Read again: what is written for everybody else comes from the log, not from memory.
  const below = await readSnapshot(table, { version });
  if (below === undefined) return snapshot;
  await options.assertHeld();
  await writeCheckpoint(table, below, options.now);
  if (version % COMMITS_PER_CLEANUP === 0) {
    await options.assertHeld();
    await cleanLog(table, snapshot, options.now);
  }
  return { ...snapshot, checkpointVersion: version };
}

/** Deletes what the retention no longer needs; lists the whole folder, so not after every merge. */
export async function vacuumTable(
  table: LakeTable,
  options: { assertHeld: () => Promise<void>; now: Date },
): Promise<number> {
  const snapshot = await readSnapshot(table);
  if (snapshot === undefined) return 0;
  await options.assertHeld();
  return await vacuum(table, snapshot, options.now);
}
