/** Brings a lake up to a position of the source: waits for the worker where one runs, merges here where none merges. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type Checkpoint, readCheckpoint } from '../capture/checkpoint.ts';
import { formatTableName, type TableName } from '../change.ts';
import { changeNumber } from '../change-number.ts';
import type { Engine } from '../engine/engine.ts';
import { CancelledError, CdcError, throwIfCancelled } from '../errors.ts';
import { mergeTable } from '../merge/merge-table.ts';
import { tableState } from '../merge/table-state.ts';
import { type BinlogPosition, comparePositions, formatPosition } from '../position.ts';
import type { Progress } from '../progress.ts';
import type { Pipeline } from './pipeline.ts';
import { findWorker } from './worker-process.ts';

/** A worker that makes no progress for so long is stuck, and the comparison says what is missing. */
const PATIENCE_MS = 60_000;
const LOOK_MS = 100;

export interface CatchUpOptions {
  pipeline: Pipeline;
  engine: Engine;
  tables: readonly TableName[];
  position: BinlogPosition;
  signal: AbortSignal;
  progress: Progress;
}

export async function catchUp(options: CatchUpOptions): Promise<void> {
  const checkpoint = await waitForCapture(options);
  for (const table of options.tables) await waitForMerge(options, table, checkpoint);
}

async function waitForCapture({
  pipeline,
  position,
  signal,
  progress,
}: CatchUpOptions): Promise<Checkpoint | undefined> {
  progress.update(`waiting for ${formatPosition(position)}`);
  const patience = new Patience();
  for (;;) {
    throwIfCancelled(signal);
    const { alive } = await findWorker(pipeline.config.stateFolder);
    const checkpoint = await readCheckpoint(pipeline.staging);
    const stands = checkpoint === undefined ? 'nowhere' : formatPosition(checkpoint.position);
    if (checkpoint !== undefined && comparePositions(checkpoint.position, position) >= 0) return checkpoint;
    if (!alive || patience.isOver(stands)) {
      progress.warn(
        `captured up to ${stands} only: what was committed after it is not in the lake${alive ? '' : '; no worker runs'}`,
      );
      return checkpoint;
    }
    await sleep(LOOK_MS);
  }
}

async function waitForMerge(
  { pipeline, engine, signal, progress }: CatchUpOptions,
  table: TableName,
  checkpoint: Checkpoint | undefined,
): Promise<void> {
  const entry = checkpoint?.tables[formatTableName(table)];
  const wanted = entry === undefined ? 0n : changeNumber(entry.run, entry.number);
  const patience = new Patience();
  for (;;) {
    throwIfCancelled(signal);
    try {
      const state = await tableState({ ...pipeline.mergeOf(table), engine });
      if (state !== undefined && state.watermark >= wanted) return;
      if (patience.isOver(String(state?.watermark))) break;
      await mergeTable({ ...pipeline.mergeOf(table), engine, signal, progress, leaseWaitMs: LOOK_MS });
    } catch (error) {
      if (!(error instanceof CdcError) || error instanceof CancelledError) throw error;
      // The worker is at it. Anything else the comparison shows, as rows that are not right.
      if (error.code !== 'lease.held') {
        progress.warn(`${formatTableName(table)} cannot be merged: ${error.message}`);
        return;
      }
    }
    await sleep(LOOK_MS);
  }
  progress.warn(`${formatTableName(table)} is not merged up to there`);
}

/** Ends when nothing has changed for a while. */
class Patience {
  #last: string | undefined;
  #since = performance.now();

  isOver(now: string): boolean {
    if (now !== this.#last) {
      this.#last = now;
      this.#since = performance.now();
    }
    return performance.now() - this.#since > PATIENCE_MS;
  }
}
