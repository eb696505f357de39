/** Where a table of a pipeline stands: its version, watermark, rows, and what waits. Reads only. */

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TableName } from '../change.ts';
import { tableFolder } from '../change-file/layout.ts';
import type { ChangeNumber } from '../change-number.ts';
import { readSnapshot } from '../delta/snapshot.ts';
import { type Engine, withEngine } from '../engine/engine.ts';
import type { Store } from '../store/store.ts';
import type { TableDefinition } from '../table-definition.ts';
import { sumRows } from './apply.ts';
import { type Epoch, type MergeMode, readState } from './ledger.ts';
import { standingOf } from './merge-table.ts';
import { type KnownRanges, nextBatch, type Waiting } from './pending.ts';
import { countQuarantined } from './quarantine.ts';
import { readStaged } from './staged.ts';
import { appIdOf } from './target-schema.ts';
import { findUpTo } from './up-to.ts';

export interface TableStateOptions {
  staging: Store;
  lake: Store;
  table: TableName;
  /** As the table's properties say unless told. */
  appId?: string | undefined;
  mode?: MergeMode;
  known?: KnownRanges;
  /** One of its own when there is none; it is only needed to read checkpoints of the log. */
  engine?: Engine;
  signal?: AbortSignal | undefined;
}

export interface TableState {
  /** Of the lake table. */
  version: number;
  /** The batch that the log names. */
  seq: number;
  /** Every change up to it is in the lake. */
  watermark: ChangeNumber;
  epoch: Epoch | null;
  /** The source table as the lake has it. */
  definition: TableDefinition;
  mode: MergeMode;
  /** Rows, by the log's statistics. */
  rows: number;
  /** Data files and their bytes. */
  dataFiles: number;
  bytes: number;
  quarantined: number;
  /** When the last batch was committed. */
  lastMerged: Date;
}

export interface PendingState {
  /** Files with something in them that is not merged yet; with `upTo`, those that a merge up to it would take. */
  pendingFiles: number;
  /** When the first of them was published. */
  oldest: Date | undefined;
  waiting: Waiting | undefined;
}

/** undefined before the table's first batch. */
export async function tableState(options: TableStateOptions): Promise<TableState | undefined> {
  const { lake, table } = options;
  return await usingEngine(options, async (engine) => {
    const snapshot = await readSnapshot({ store: lake, folder: tableFolder(table), engine });
    const appId = options.appId ?? appIdOf(snapshot);
    const state = await readState(lake, table, snapshot, appId);
    const standing = standingOf(state);
    if (snapshot === undefined || state === undefined || standing === undefined) return undefined;
    const files = [...snapshot.files.values()];
    return {
      ...standing,
      version: snapshot.version,
      seq: state.seq,
      mode: state.mode,
      rows: sumRows(files),
      dataFiles: files.length,
      bytes: files.reduce((sum, { size }) => sum + size, 0),
      quarantined: await countQuarantined(lake, state),
      lastMerged: new Date(snapshot.txns.get(appId)?.lastUpdated ?? snapshot.tip.modified),
    };
  });
}

/** What is not merged yet, also of a table that has no lake table yet. */
export async function pendingState(options: TableStateOptions & { upTo?: string | undefined }): Promise<PendingState> {
  const { staging, lake, table, known, upTo, mode = 'merge' } = options;
  return await usingEngine(options, async (engine) => {
    const snapshot = await readSnapshot({ store: lake, folder: tableFolder(table), engine });
    const standing = standingOf(await readState(lake, table, snapshot, options.appId ?? appIdOf(snapshot)));
    const staged = await readStaged(staging, table, known);
    const limit = upTo === undefined ? undefined : findUpTo(staging, table, staged, standing, upTo);
    const { pendingFiles, waiting, batch } = nextBatch(table, staged, standing, {
      limit,
      keepHistory: mode === 'append',
    });
    const taken = batch?.files.filter(({ file }) => file.last > (standing?.watermark ?? -1n)).length ?? 0;
    const times = staged.files
      .filter((file) => file.last > (standing?.watermark ?? -1n))
      .map(({ modified }) => modified.getTime());
    return {
      pendingFiles: (limit === undefined ? pendingFiles : taken) + (batch?.epoch?.files.length ?? 0),
      oldest: times.length === 0 ? undefined : new Date(Math.min(...times)),
      waiting,
    };
  });
}

async function usingEngine<T>(options: TableStateOptions, work: (engine: Engine) => Promise<T>): Promise<T> {
  if (options.engine !== undefined) return await work(options.engine);
  return await withEngine({ tempDirectory: join(tmpdir(), 'cdc'), signal: options.signal }, work);
}
