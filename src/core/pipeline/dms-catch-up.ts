/** Brings the lake tables that DMS's files make up to what staging holds: merged here, or by whoever merges elsewhere. */

import { setTimeout as sleep } from 'node:timers/promises';
import { formatTableName, type TableName } from '../change.ts';
import type { Engine } from '../engine/engine.ts';
import { CancelledError, CdcError, throwIfCancelled } from '../errors.ts';
import { mergeTable } from '../merge/merge-table.ts';
import { pendingState } from '../merge/table-state.ts';
import type { Progress } from '../progress.ts';
import type { Pipeline } from './pipeline.ts';

export interface DmsCatchUpOptions {
  pipeline: Pipeline;
  engine: Engine;
  tables: readonly TableName[];
  /** Merges everything that is pending, in place of this process. */
  mergeElsewhere?: (() => Promise<void>) | undefined;
  signal: AbortSignal;
  progress: Progress;
}

const PAUSE_MS = 500;
/** Somebody else who merges for so long without an end is waited for no longer: the comparison says what is missing. */
const PATIENCE_MS = 5 * 60_000;

export async function mergeDmsFiles(options: DmsCatchUpOptions): Promise<void> {
  const { mergeElsewhere, progress } = options;
  try {
    if (mergeElsewhere !== undefined && (await isAnyPending(options))) await mergeElsewhere();
  } catch (error) {
    if (!(error instanceof CdcError) || error instanceof CancelledError) throw error;
    progress.warn(`not everything is merged: ${error.message}`);
  }
  if (mergeElsewhere === undefined) for (const table of options.tables) await mergeHere(options, table);
}

async function isAnyPending({ pipeline, engine, tables, signal }: DmsCatchUpOptions): Promise<boolean> {
  for (const table of tables) {
    const { pendingFiles, waiting } = await pendingState({ ...pipeline.mergeOf(table), engine, signal });
    if (pendingFiles > 0 && waiting === undefined) return true;
  }
  return false;
}

async function mergeHere({ pipeline, engine, signal, progress }: DmsCatchUpOptions, table: TableName): Promise<void> {
  for (const since = performance.now(); ; await sleep(PAUSE_MS)) {
    throwIfCancelled(signal);
    try {
      const { waiting } = await mergeTable({
        ...pipeline.mergeOf(table),
        engine,
        signal,
        progress,
        leaseWaitMs: PAUSE_MS,
      });
      if (waiting !== undefined) progress.warn(`${formatTableName(table)}: ${waiting}`);
      return;
    } catch (error) {
      if (!(error instanceof CdcError) || error instanceof CancelledError) throw error;
      if (error.code === 'lease.held' && performance.now() - since < PATIENCE_MS) continue;
      // The comparison shows what comes of it, as rows that are not right.
      progress.warn(`${formatTableName(table)} cannot be merged: ${error.message}`);
      return;
    }
  }
}
