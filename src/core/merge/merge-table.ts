/** Merges everything of one table that its pipeline has pending, batch by batch, until nothing is left. */

import { setTimeout as sleep } from 'node:timers/promises';
import { formatTableName, type TableName } from '../change.ts';
import { tableFolder } from '../change-file/layout.ts';
import { type ChangeNumber, numberInRun } from '../change-number.ts';
import type { LakeTable } from '../delta/lake-table.ts';
import { readSnapshot, type Snapshot, updateSnapshot } from '../delta/snapshot.ts';
import type { Engine } from '../engine/engine.ts';
import { CdcError, throwIfCancelled } from '../errors.ts';
import type { Progress } from '../progress.ts';
import type { Lease } from '../store/lease.ts';
import type { Store } from '../store/store.ts';
import type { DataFileSizes } from './apply.ts';
import { type BatchEffect, runBatch } from './batch.ts';
import { withMergeLease } from './lake-lease.ts';
import { type MergeMode, type Plan, readState, type UnfitPolicy } from './ledger.ts';
import { type KnownRanges, type NextBatch, nextBatch, type Pending, type Standing } from './pending.ts';
import { prepareBatch } from './prepare-batch.ts';
import { readStaged } from './staged.ts';
import { findUpTo } from './up-to.ts';

export interface MergeTableOptions {
  staging: Store;
  lake: Store;
  table: TableName;
  /** Identifies this pipeline's merges of the table in the log's `txn`. */
  appId: string;
  engine: Engine;
  policies: { unfit: UnfitPolicy };
  mode?: MergeMode;
  /** The key of a change file or load file in staging: what is pending before it comes first, nothing after it. */
  upTo?: string | undefined;
  /** Takes the lease from whoever holds it. */
  takeOver?: boolean;
  leaseWaitMs?: number;
  /** After this long a gap in the numbers is an error; 5 minutes unless told. */
  gapWaitMs?: number;
  /** How large data files are. */
  sizes?: DataFileSizes;
  /** Ranges of files known already; filled as files are read. */
  known?: KnownRanges;
  /** Takes the change files from `known` alone and lists none. */
  trustKnown?: boolean;
  /** The key of a change file: it and those before it are merged, and not looked at. */
  listAfter?: string | undefined;
  progress: Progress;
  signal?: AbortSignal | undefined;
}

export interface TableMergeReport extends TableName {
  files: number;
  changes: number;
  inserted: number;
  updated: number;
  deleted: number;
  quarantined: number;
  /** The lake table's version now; -1 where there is no table yet. */
  version: number;
  seconds: number;
  bytesWritten: number;
  /** Every change up to it is in the lake; undefined before the first batch. */
  watermark?: ChangeNumber;
  /** Nothing was pending (of the file that was asked for). */
  already?: true;
  /** Why something that is there is not merged yet. */
  waits?: 'loading' | 'gap';
  /** The same as a sentence. */
  waiting?: string;
}

const GAP_WAIT_MS = 5 * 60_000;

/** Throws CdcError `merge.gap` when a number has been missing for too long; what comes before it is merged. */
export async function mergeTable(options: MergeTableOptions): Promise<TableMergeReport> {
  const { lake, table, engine, signal } = options;
  const started = performance.now();
  const lakeTable: LakeTable = { store: lake, folder: tableFolder(table), engine };
  const totals = new Totals(table);
  let snapshot = await readSnapshot(lakeTable);
  let look = await lookAt(options, snapshot);
  // Without anything to do no lease is taken: a table is looked at far more often than it changes.
  if (look.pending.batch !== undefined)
    await withMergeLease({ ...options, signal }, async (lease) => {
      for (;;) {
        throwIfCancelled(signal);
        snapshot = snapshot === undefined ? await readSnapshot(lakeTable) : await updateSnapshot(lakeTable, snapshot);
        look = await lookAt(options, snapshot);
        if (look.pending.batch === undefined) return;
        const effect = await mergeOnce(options, lakeTable, lease, snapshot, look);
        if (effect === undefined) {
          // Someone else commits to this table too; let it finish.
          await sleep(50);
          continue;
        }
        snapshot = effect.snapshot;
        totals.add(effect);
      }
    });
  const watermark = look.state?.watermark.after;
  const report: TableMergeReport = {
    ...totals.report(snapshot, performance.now() - started),
    ...(watermark == null ? {} : { watermark }),
  };
  const { waiting } = look.pending;
  if (waiting === undefined) return report;
  const gapWaitMs = options.gapWaitMs ?? GAP_WAIT_MS;
  if (waiting.reason === 'gap' && (await lake.now()).getTime() - waiting.since.getTime() > gapWaitMs)
    throw new CdcError('merge.gap', `merging ${waiting.detail}`, {
      hint: `bring the missing file back and it goes on by itself, or load the table again: cdc reload ${formatTableName(table)}`,
    });
  return { ...report, waits: waiting.reason, waiting: waiting.detail };
}

interface Look {
  state: Plan | undefined;
  pending: Pending;
}

/** What is pending now. */
async function lookAt(options: MergeTableOptions, snapshot: Snapshot | undefined): Promise<Look> {
  const { staging, lake, table, appId, known, trustKnown, listAfter, mode = 'merge' } = options;
  const state = await readState(lake, table, snapshot, appId);
  const standing = standingOf(state);
  const staged = await readStaged(staging, table, known, { trustKnown, after: listAfter });
  const limit = options.upTo === undefined ? undefined : findUpTo(staging, table, staged, standing, options.upTo);
  const pending = nextBatch(table, staged, standing, { limit, keepHistory: mode === 'append' });
  return { state, pending };
}

export function standingOf(state: Plan | undefined): Standing | undefined {
  if (state === undefined) return undefined;
  const watermark = state.watermark.after;
  if (watermark === null)
    throw new CdcError(
      'lake.loose',
      `merging ${formatTableName(state.definition)}: its lake table was made from loose files, which have no numbers`,
      { hint: 'use another lake folder for the pipeline' },
    );
  return { watermark, epoch: state.epoch, definition: state.definition };
}

async function mergeOnce(
  options: MergeTableOptions,
  table: LakeTable,
  lease: Lease,
  snapshot: Snapshot | undefined,
  { state, pending }: Look,
): Promise<BatchEffect | undefined> {
  const { staging, appId, policies, mode = 'merge', progress, signal } = options;
  const { batch } = pending;
  if (batch === undefined) throw new Error('nothing is pending');
  assertMode(options.table, mode, state, batch.epoch?.kind === 'load');
  const prepared = await prepareBatch({ staging, lake: table.store, batch, state, snapshot, appId, policies, mode });
  progress.detail(`merging ${formatTableName(options.table)}: ${describeBatch(batch, prepared.inputs.length)}`);
  return await runBatch({ table, lease, snapshot, state, ...prepared, sizes: options.sizes, progress, signal });
}

/** A mirror and a history do not mix; only a load makes a mirror of a history. */
function assertMode(table: TableName, mode: MergeMode, state: Plan | undefined, isLoad: boolean): void {
  if (state === undefined || state.mode === mode || (mode === 'merge' && isLoad)) return;
  const name = formatTableName(table);
  const [asked, is] = mode === 'append' ? ['append', 'a mirror'] : ['mirror', 'a history'];
  throw new CdcError(
    'table.mode-changed',
    `merging ${name}: cdc.yaml says \`mode: ${asked}\`, and its lake table is ${is}`,
    {
      hint:
        mode === 'append'
          ? `set the mode back, or move the lake table away and then cdc reload ${name}`
          : `set the mode back, or cdc reload ${name}`,
    },
  );
}

/** `the load and numbers 1 to 6, from 2 files`. */
function describeBatch({ epoch, after, end }: NextBatch, files: number): string {
  const parts = [
    ...(epoch === undefined ? [] : [`the ${epoch.kind}`]),
    ...(end > after ? [`numbers ${numberInRun(after) + 1} to ${numberInRun(end)}`] : []),
  ];
  return `${parts.join(' and ')}${parts.length === 0 ? '' : ', '}from ${files} file${files === 1 ? '' : 's'}`;
}

/** Sums up the batches of one call. */
class Totals {
  readonly #sum: Omit<TableMergeReport, 'version' | 'seconds'>;
  #batches = 0;

  constructor({ schema, table }: TableName) {
    this.#sum = {
      schema,
      table,
      files: 0,
      changes: 0,
      inserted: 0,
      updated: 0,
      deleted: 0,
      quarantined: 0,
      bytesWritten: 0,
    };
  }

  add(effect: BatchEffect): void {
    this.#batches++;
    for (const name of ['files', 'changes', 'inserted', 'updated', 'deleted', 'quarantined', 'bytesWritten'] as const)
      this.#sum[name] += effect[name];
  }

  report(snapshot: Snapshot | undefined, milliseconds: number): TableMergeReport {
    return {
      ...this.#sum,
      version: snapshot?.version ?? -1,
      seconds: Math.round(milliseconds) / 1000,
      ...(this.#batches === 0 ? { already: true as const } : {}),
    };
  }
}
