/** Brings a lake up to a position of the source: waits for the worker where one runs, merges here where none merges. */

import { setTimeout as sleep } from 'node:timers/promises';
import { readCheckpoint } from '../capture/checkpoint.ts';
import { formatTableName, type TableName } from '../change.ts';
import { changeNumber } from '../change-number.ts';
import type { Engine } from '../engine/engine.ts';
import { CdcError, throwIfCancelled } from '../errors.ts';
import { mergeTable } from '../merge/merge-table.ts';
import { tableState } from '../merge/table-state.ts';
import { type BinlogPosition, comparePositions, formatPosition } from '../position.ts';
import type { Progress } from '../progress.ts';
import type { Pipeline } from './pipeline.ts';
import { findWorker } from './worker-process.ts';

/** A worker that does not come this far in this time is stuck, and the comparison says what is missing. */
const PATIENCE_MS = 60_000;

export async function catchUp(options: {
  pipeline: Pipeline;
  engine: Engine;
  tables: TableName[];
  position: BinlogPosition;
  signal: AbortSignal;
  progress: Progress;
}): Promise<void> {
  const { pipeline, engine, tables, position, signal, progress } = options;
  const { alive } = await findWorker(pipeline.config.stateFolder);
  const end = Date.now() + PATIENCE_MS;
  progress.update(`waiting for ${formatPosition(position)}`);
  let checkpoint = await readCheckpoint(pipeline.staging);
  while (alive && checkpoint !== undefined && comparePositions(checkpoint.position, position) < 0 && Date.now() < end) {
    throwIfCancelled(signal);
    await sleep(100);
    checkpoint = await readCheckpoint(pipeline.staging);
  }
  if (checkpoint === undefined || comparePositions(checkpoint.position, position) < 0)
    progress.warn(
      `captured up to ${checkpoint === undefined ? 'nowhere' : formatPosition(checkpoint.position)} only: what was committed after it is not in the lake${alive ? '' : '; no worker runs'}`,
    );
  for (const table of tables) {
    const entry = checkpoint?.tables[formatTableName(table)];
    const wanted = entry === undefined ? 0n : changeNumber(entry.run, entry.number);
    for (;;) {
      throwIfCancelled(signal);
      const state = await tableState({ ...pipeline.mergeOf(table), engine });
      if (state !== undefined && state.watermark >= wanted) break;
      if (Date.now() > end) {
        progress.warn(`${formatTableName(table)} is not merged up to there`);
        break;
      }
      try {
        await mergeTable({ ...pipeline.mergeOf(table), engine, signal, progress });
      } catch (error) {
        // The worker is at it.
        if (!(error instanceof CdcError && error.code === 'lease.held')) throw error;
      }
      await sleep(100);
    }
  }
}
