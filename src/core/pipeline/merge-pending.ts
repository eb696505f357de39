/** `cdc merge` of a pipeline: what is pending of its tables, once, or whenever something arrives. */

import { setTimeout as sleep } from 'node:timers/promises';
import { formatTableName, type TableName } from '../change.ts';
import { nameOfFolder } from '../change-file/layout.ts';
import { type Engine, withEngine } from '../engine/engine.ts';
import { CancelledError, CdcError, messageOf, throwIfCancelled } from '../errors.ts';
import type { AskLoad } from '../merge/look.ts';
import { mergeTable, type TableMergeReport } from '../merge/merge-table.ts';
import { pendingState } from '../merge/table-state.ts';
import { didYouMean } from '../nearest-word.ts';
import type { Progress } from '../progress.ts';
import type { Store } from '../store/store.ts';
import { MAINTAIN_MS, MergeSlot } from './merge-slot.ts';
import type { Pipeline } from './pipeline.ts';
import { type Seen, seeNew } from './see-new.ts';
import { type TableLook, tableWork } from './table-work.ts';

/** Every table that staging knows: each has a definition before its first file. */
export async function listStagedTables(staging: Store): Promise<TableName[]> {
  const tables: TableName[] = [];
  for (const schema of await staging.listFolders('_cdc/tables/'))
    for (const table of await staging.listFolders(`_cdc/tables/${schema}/`))
      tables.push({ schema: nameOfFolder(schema), table: nameOfFolder(table) });
  return tables;
}

/** Those of them that were asked for; all when none was. Throws `table.unknown`. */
export async function chooseStagedTables(staging: Store, wanted: readonly TableName[]): Promise<TableName[]> {
  const there = await listStagedTables(staging);
  const names = there.map(formatTableName);
  for (const name of wanted.map(formatTableName))
    if (!names.includes(name))
      throw new CdcError(
        'table.unknown',
        `looking for ${name}: staging holds nothing of it${didYouMean(name, names)}`,
        {
          hint: names.length === 0 ? 'cdc replicate' : `its tables are ${names.join(', ')}`,
        },
      );
  return wanted.length === 0 ? there : [...wanted];
}

export interface MergePendingOptions {
  pipeline: Pipeline;
  tables: readonly TableName[];
  /** The key of a file: what is pending before it comes first, nothing after it. */
  upTo?: string | undefined;
  /** Takes the tables' leases from whoever holds them. */
  takeOver?: boolean;
  /** Loads of DMS count although nobody has recorded that they are complete. */
  loadComplete?: boolean;
  /** Asks DMS about loads that nobody has called complete. */
  askLoad?: AskLoad | undefined;
  progress: Progress;
  signal: AbortSignal;
}

/** What became of one table; a failure of one does not hold up the others. `merged`: what was committed before it. */
export type MergeOutcome = { table: TableName } & (
  | { report: TableMergeReport }
  | { error: CdcError; merged?: TableMergeReport | undefined }
);

export async function mergePending(options: MergePendingOptions): Promise<MergeOutcome[]> {
  const { pipeline, tables, progress, signal } = options;
  return withEngine({ ...pipeline.engineOptions, signal }, async (engine) => {
    const outcomes: MergeOutcome[] = [];
    for (const table of tables) {
      throwIfCancelled(signal);
      progress.update(`merging ${formatTableName(table)}`);
      outcomes.push(await mergeOne({ ...options, engine, table }));
    }
    return outcomes;
  });
}

/** How many files of each table are not merged; with `upTo`, how many a merge up to it would take. */
export async function countPending(
  options: Pick<MergePendingOptions, 'pipeline' | 'tables' | 'upTo' | 'signal'>,
): Promise<{ table: TableName; files: number }[]> {
  const { pipeline, tables, upTo, signal } = options;
  return withEngine({ ...pipeline.engineOptions, signal }, async (engine) => {
    const counts: { table: TableName; files: number }[] = [];
    for (const table of tables) {
      const { pendingFiles } = await pendingState({ ...pipeline.mergeOf(table), upTo, engine, signal });
      counts.push({ table, files: pendingFiles });
    }
    return counts;
  });
}

async function mergeOne(
  options: Omit<MergePendingOptions, 'tables'> & { engine: Engine; table: TableName; look?: TableLook },
): Promise<MergeOutcome> {
  const { pipeline, table, engine, upTo, takeOver = false, loadComplete, askLoad, look, progress, signal } = options;
  let merged: TableMergeReport | undefined;
  const onBatch = (report: TableMergeReport) => {
    merged = report;
  };
  try {
    const more = { engine, upTo, takeOver, loadComplete, askLoad, progress, signal, onBatch, ...look };
    return { table, report: await mergeTable({ ...pipeline.mergeOf(table), ...more }) };
  } catch (error) {
    if (!(error instanceof CdcError) || error instanceof CancelledError) throw error;
    return { table, error, merged };
  }
}

/** How often staging is looked at, and how long a table that failed is left alone. */
const LOOK_MS = { folder: 500, bucket: 5000 };
const RETRY_MS = 15_000;
/** A table is merged this often without anything new to see: a gap may have closed. */
const MERGE_MS = 60_000;

interface Watched {
  slot: MergeSlot;
  seen: Seen;
}

/** Merges each table when something new of it lies in staging; tells what came of it. Ends by the signal, with CancelledError. */
export async function mergeArrivals(
  options: Omit<MergePendingOptions, 'upTo'> & { onOutcome(outcome: MergeOutcome): Promise<void> },
): Promise<never> {
  const { pipeline, progress, signal, onOutcome } = options;
  const { staging } = pipeline;
  const watched = new Map<string, Watched>();
  return withEngine({ ...pipeline.engineOptions, signal }, async (engine) => {
    const work = tableWork({ pipeline, engine, progress, signal });
    for (;;) {
      for (const table of options.tables.length > 0 ? options.tables : await listStagedTables(staging)) {
        const name = formatTableName(table);
        if (!watched.has(name))
          watched.set(name, { slot: new MergeSlot(table, performance.now()), seen: { lastFile: '', records: 0 } });
      }
      for (const one of watched.values()) {
        throwIfCancelled(signal);
        const { slot } = one;
        const isNew = await seeNew(staging, slot.name, one.seen);
        if (!isNew && performance.now() < slot.due) continue;
        // Nobody tells of files here, so those behind the merged ones are listed each time.
        const look = { ...slot.look(performance.now()), trustKnown: false };
        const outcome = await mergeOne({ ...options, engine, table: slot.name, look });
        settle(slot, outcome);
        if ('error' in outcome || outcome.report.files > 0) await onOutcome(outcome);
        if (performance.now() - slot.maintained >= MAINTAIN_MS) {
          slot.maintained = performance.now();
          await work.maintain(slot.name).catch((error: unknown) => {
            throwIfCancelled(signal);
            progress.warn(`cleaning up ${formatTableName(slot.name)}: ${messageOf(error)}`);
          });
        }
      }
      progress.update(`waiting for files in ${staging.location}`);
      await sleep(LOOK_MS[staging.kind], undefined, { signal }).catch(() => undefined);
      throwIfCancelled(signal);
    }
  });
}

function settle(slot: MergeSlot, outcome: MergeOutcome): void {
  slot.due = performance.now() + ('error' in outcome ? RETRY_MS : MERGE_MS);
  if ('error' in outcome) return;
  if (outcome.report.waits === 'gap') slot.distrust();
  else if (outcome.report.watermark !== undefined) slot.forgetUpTo(outcome.report.watermark);
}
