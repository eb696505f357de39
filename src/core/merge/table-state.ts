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
import { type DmsState, type Epoch, type MergeMode, readState } from './ledger.ts';
import { lookAtTable, standingOf } from './look.ts';
import type { KnownRanges, Waiting } from './pending.ts';
import { countQuarantined } from './quarantine.ts';
import { appIdOf } from './target-schema.ts';

export interface TableStateOptions {
  staging: Store;
  lake: Store;
  table: TableName;
  /** As the table's properties say unless told. */
  appId?: string | undefined;
  mode?: MergeMode | undefined;
  known?: KnownRanges | undefined;
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
  /** Of a table that DMS's files make. */
  dms: DmsState | undefined;
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
      dms: state.dms,
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
  const { lake, table, upTo } = options;
  return await usingEngine(options, async (engine) => {
    const snapshot = await readSnapshot({ store: lake, folder: tableFolder(table), engine });
    const appId = options.appId ?? appIdOf(snapshot);
    const { pendingFiles, waiting, next, oldest } = await lookAtTable({ ...options, appId }, snapshot);
    return { pendingFiles: upTo === undefined ? pendingFiles : (next?.newFiles ?? 0), oldest, waiting };
  });
}

async function usingEngine<T>(options: TableStateOptions, work: (engine: Engine) => Promise<T>): Promise<T> {
  if (options.engine !== undefined) return await work(options.engine);
  return await withEngine({ tempDirectory: join(tmpdir(), 'cdc'), signal: options.signal }, work);
}
