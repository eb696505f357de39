/** Merges everything of one table that its pipeline has pending, batch by batch. */

import { setTimeout as sleep } from 'node:timers/promises';
import { formatTableName, type TableName } from '../change.ts';
import { tableFolder } from '../change-file/layout.ts';
import type { ChangeNumber } from '../change-number.ts';
import type { LakeTable } from '../delta/lake-table.ts';
import { readSnapshot, type Snapshot, updateSnapshot } from '../delta/snapshot.ts';
import type { Engine } from '../engine/engine.ts';
import { CdcError, throwIfCancelled } from '../errors.ts';
import type { Progress } from '../progress.ts';
import type { AskRun, Lease } from '../store/lease.ts';
import type { DataFileSizes } from './apply.ts';
import { type BatchEffect, runBatch } from './batch.ts';
import { withMergeLease } from './lake-lease.ts';
import type { MergeMode, Plan, UnfitPolicy } from './ledger.ts';
import { type LookOptions, lookAtTable, type TableLook } from './look.ts';
import type { Waiting } from './pending.ts';

export interface MergeTableOptions extends LookOptions {
  engine: Engine;
  policies: { unfit: UnfitPolicy };
  /** Takes the lease from whoever holds it. */
  takeOver?: boolean;
  /** Asks Glue whether the run that holds the lease is over. */
  askRun?: AskRun;
  leaseWaitMs?: number;
  /** After this long a gap in the numbers is an error; 5 minutes unless told. */
  gapWaitMs?: number;
  /** How large data files are. */
  sizes?: DataFileSizes;
  /** What this merge has committed so far, after each batch: so it is also known when a later one fails. */
  onBatch?: (report: TableMergeReport) => void;
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
  waits?: Waiting['reason'];
  /** The same as a sentence. */
  waiting?: string;
}

const GAP_WAIT_MS = 5 * 60_000;

/**
 * Until nothing is left of what was there when it began: what arrives faster than it is merged would hold up every other
 * table, and whoever waits for this one, for ever. Throws CdcError `merge.gap` when a number has been missing for too long; what
 * comes before it is merged.
 */
export async function mergeTable(given: MergeTableOptions): Promise<TableMergeReport> {
  // A file never changes, so it is looked through once, however often the table is looked at.
  const options = { ...given, known: given.known ?? new Map(), knownScans: given.knownScans ?? new Map() };
  const { lake, table, engine, signal } = options;
  const started = performance.now();
  const lakeTable: LakeTable = { store: lake, folder: tableFolder(table), engine };
  const totals = new Totals(table);
  let snapshot = await readSnapshot(lakeTable);
  let look = await lookAtTable(options, snapshot);
  // Without anything to do no lease is taken: a table is looked at far more often than it changes.
  if (look.next !== undefined)
    await withMergeLease({ ...options, signal }, async (lease) => {
      let limit: ChangeNumber | undefined;
      for (;;) {
        throwIfCancelled(signal);
        snapshot = snapshot === undefined ? await readSnapshot(lakeTable) : await updateSnapshot(lakeTable, snapshot);
        look = await lookAtTable({ ...options, limit }, snapshot);
        limit ??= look.newest;
        if (look.next === undefined) return;
        const effect = await mergeOnce(options, lakeTable, lease, snapshot, look);
        if (effect === undefined) {
          // Someone else commits to this table too; let it finish.
          await sleep(50);
          continue;
        }
        snapshot = effect.snapshot;
        totals.add(effect);
        options.onBatch?.(totals.report(snapshot, performance.now() - started));
      }
    });
  const watermark = look.state?.watermark.after;
  const report: TableMergeReport = {
    ...totals.report(snapshot, performance.now() - started),
    ...(watermark == null ? {} : { watermark }),
  };
  const { waiting } = look;
  if (waiting === undefined) return report;
  const gapWaitMs = options.gapWaitMs ?? GAP_WAIT_MS;
  if (waiting.reason === 'gap' && (await lake.now()).getTime() - waiting.since.getTime() > gapWaitMs)
    throw new CdcError('merge.gap', `merging ${waiting.detail}`, {
      hint: `bring the missing file back and it goes on by itself, or load the table again: cdc reload ${formatTableName(table)}`,
    });
  return { ...report, waits: waiting.reason, waiting: waiting.detail };
}

async function mergeOnce(
  options: MergeTableOptions,
  table: LakeTable,
  lease: Lease,
  snapshot: Snapshot | undefined,
  { state, next }: TableLook,
): Promise<BatchEffect | undefined> {
  const { policies, mode = 'merge', progress, signal } = options;
  if (next === undefined) throw new Error('nothing is pending');
  assertMode(options.table, mode, state, next.isLoad);
  const prepared = await next.prepare({ snapshot, policies });
  const files = prepared.inputs.length;
  const what = next.describe === '' ? '' : `${next.describe}, `;
  progress.detail(`merging ${formatTableName(options.table)}: ${what}from ${files} file${files === 1 ? '' : 's'}`);
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
