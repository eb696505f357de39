/** What a worker that runs for years must do beside its work: say that it lives, keep its log small, remove what killed processes left. */

import { copyFile, stat, truncate } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, nativeCodeOf } from '../errors.ts';
import type { Progress } from '../progress.ts';
import type { Pipeline } from './pipeline.ts';
import { type WorkerStateFile, workerLogPath } from './worker-state.ts';

const TICK_MS = 10_000;
const SWEEP_MS = 86_400_000;
/** The log and the one before it may have this size each. */
export const LOG_BYTES = 16 * 1024 * 1024;

export interface HousekeepingOptions {
  pipeline: Pick<Pipeline, 'config' | 'staging' | 'lake'>;
  state: WorkerStateFile;
  progress: Progress;
  signal: AbortSignal;
}

/** Resolves when the signal has fired; nothing of it ends a worker. */
export async function keepHouse(options: HousekeepingOptions): Promise<void> {
  const { pipeline, state, progress, signal } = options;
  let swept = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    try {
      // Whoever reads the file sees that the worker lives, and a file that somebody removed comes back.
      state.update({});
      await boundLog(pipeline.config.stateFolder);
      if (performance.now() - swept >= SWEEP_MS) {
        swept = performance.now();
        await pipeline.staging.sweep();
        await pipeline.lake.sweep();
      }
    } catch (error) {
      progress.warn(`cleaning up: ${messageOf(error)}`);
    }
    await sleep(TICK_MS, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** Copies a log that has grown too large to `worker.log.1` and empties it: the worker's descriptor appends, so it writes on from the start. */
export async function boundLog(stateFolder: string, limit = LOG_BYTES): Promise<boolean> {
  const path = workerLogPath(stateFolder);
  try {
    if ((await stat(path)).size < limit) return false;
    await copyFile(path, `${path}.1`);
    await truncate(path, 0);
    return true;
  } catch (error) {
    if (nativeCodeOf(error) === 'ENOENT') return false;
    throw error;
  }
}
