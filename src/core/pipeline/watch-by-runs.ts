/** `merge --watch` with an engine that is started for each merge: a run begins when something arrived, and sees all there is by then. */

import { setTimeout as sleep } from 'node:timers/promises';
import { formatTableName, type TableName } from '../change.ts';
import { CancelledError, CdcError, throwIfCancelled } from '../errors.ts';
import type { Progress } from '../progress.ts';
import type { Store } from '../store/store.ts';
import { listStagedTables } from './merge-pending.ts';
import { type Seen, seeNew } from './see-new.ts';

export interface WatchByRunsOptions {
  staging: Store;
  /** Empty: all that staging knows. */
  tables: readonly TableName[];
  /** One run for these tables, to its end. True when something waits for what no file tells of: a gap, a load that is going on. */
  run(tables: readonly TableName[]): Promise<boolean>;
  /** A run failed; it is tried again. */
  onError(error: CdcError): void;
  progress: Progress;
  signal: AbortSignal;
  /** How often staging is looked at; tests wait less. */
  lookMs?: number;
  /** When a run that failed, or left something waiting, is followed by another. */
  againMs?: number;
}

const LOOK_MS = { folder: 500, bucket: 5000 };
const AGAIN_MS = 60_000;

/**
 * What arrives while a run is under way is seen after it, and is one more run however many files it is: so starts space
 * themselves. Ends by the signal, with CancelledError.
 */
export async function watchByRuns(options: WatchByRunsOptions): Promise<never> {
  const { staging, run, onError, progress, signal } = options;
  const lookMs = options.lookMs ?? LOOK_MS[staging.kind];
  const watched = new Map<string, Seen>();
  let again = Number.POSITIVE_INFINITY;
  for (;;) {
    throwIfCancelled(signal);
    const tables = options.tables.length > 0 ? options.tables : await listStagedTables(staging);
    let isNew = performance.now() >= again;
    for (const table of tables) {
      const seen = watched.get(formatTableName(table)) ?? { lastFile: '', records: 0 };
      watched.set(formatTableName(table), seen);
      // Each is looked at, for the run takes them all.
      if (await seeNew(staging, table, seen)) isNew = true;
    }
    if (isNew) {
      const isWaiting = await run(tables).catch((error: unknown) => {
        if (!(error instanceof CdcError) || error instanceof CancelledError) throw error;
        onError(error);
        return true;
      });
      again = isWaiting ? performance.now() + (options.againMs ?? AGAIN_MS) : Number.POSITIVE_INFINITY;
      continue;
    }
    progress.update(`waiting for files in ${staging.location}`);
    await sleep(lookMs, undefined, { signal }).catch(() => undefined);
  }
}
