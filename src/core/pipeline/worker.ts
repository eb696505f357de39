/** The worker: loads what is not loaded, follows the binlog from there, and merges what it captured. One per pipeline, by lease. */

import { formatTableName } from '../change.ts';
import { CAPTURE_LEASE } from '../change-file/layout.ts';
import { withEngine } from '../engine/engine.ts';
import { CancelledError } from '../errors.ts';
import { acquireLease } from '../store/lease.ts';
import { CaptureRun } from './capture-run.ts';
import { keepHouse } from './housekeeping.ts';
import { MergeLoop } from './merge-loop.ts';
import { tableWork, withoutMerging } from './table-work.ts';
import type { WorkerOptions } from './worker-options.ts';

export type { WorkerOptions, WorkerRequest } from './worker-options.ts';

/** Returns when told to stop, or when a full load without `ongoing` is merged. Throws what only a person can mend. */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const { pipeline, request, state, signal, progress } = options;
  const lease = await acquireLease({ store: pipeline.staging, folder: CAPTURE_LEASE, engine: 'cdc', signal });
  // Of two that were started at once only the holder may speak for the pipeline.
  state.update({});
  // Losing the lease (a process that slept) ends the worker like a signal would; the reason is thrown below.
  const stop = AbortSignal.any([signal, lease.lost]);
  const done = new AbortController();
  // Whoever stops does not wait for a merge: what it has written is not committed, and is merged another time.
  const merging = AbortSignal.any([stop, done.signal]);
  const house = keepHouse({ pipeline, state, progress, signal: done.signal });
  try {
    await withEngine({ ...pipeline.engineOptions, signal: merging }, async (engine) => {
      const work = tableWork({ pipeline, engine, progress, signal: merging });
      const loop = new MergeLoop({
        pipeline,
        work: request.merge ? work : withoutMerging(work),
        onMerged: (table, { version, changes, waits }) =>
          request.merge &&
          state.updateTable(formatTableName(table), {
            error: undefined,
            waiting: waits === undefined ? undefined : { reason: waits },
            version,
            ...(changes > 0 ? { mergedAt: new Date().toISOString() } : {}),
          }),
        onWaiting: (table, waiting) => state.updateTable(formatTableName(table), { waiting }),
        onError: (table, error) => state.updateTable(formatTableName(table), { error, waiting: undefined }),
        progress,
        signal: merging,
      });
      const merged = loop.run();
      try {
        await new CaptureRun(options, lease, loop, stop).run();
        // Nothing goes on being captured; what is published is merged before the end, unless somebody asked to stop.
        if (request.merge && !stop.aborted) await loop.drain();
      } catch (error) {
        if (!(error instanceof CancelledError && stop.aborted)) throw error;
      } finally {
        done.abort();
        await merged;
      }
    });
    if (lease.lost.aborted && !signal.aborted) await lease.assertHeld();
  } finally {
    done.abort();
    await house;
    await lease.release();
  }
}
