/** The merging half of a worker: merges each table soon after capture publishes for it, looks for itself once a minute, keeps to the write budget. */

import { formatTableName, type TableName } from '../change.ts';
import type { Engine } from '../engine/engine.ts';
import { CancelledError } from '../errors.ts';
import { expireChangeFiles } from '../merge/expire.ts';
import { maintainTable } from '../merge/maintain.ts';
import { mergeTable, type TableMergeReport } from '../merge/merge-table.ts';
import type { KnownRanges } from '../merge/pending.ts';
import type { Progress } from '../progress.ts';
import type { Pipeline } from './pipeline.ts';
import { problemOf, type WorkerProblem } from './worker-state.ts';

export interface MergeLoopOptions {
  pipeline: Pipeline;
  engine: Engine;
  onMerged(table: TableName, report: TableMergeReport): void;
  onError(table: TableName, problem: WorkerProblem): void;
  progress: Progress;
  signal: AbortSignal;
}

/** Without a word from capture each table is looked at this often: files may come by other ways. */
const LOOK_MS = 60_000;
/** After a failure a table is tried again this much later; what stopped it may have been mended. */
const RETRY_MS = 15_000;
const MAINTAIN_MS = 10 * 60_000;
const HOUR_MS = 3_600_000;

interface TableSlot {
  name: TableName;
  /** What capture said of files that are not merged yet, so that they need not be read to be listed. */
  known: KnownRanges;
  /** When it is to be merged next. */
  due: number;
  /** Not before: the write budget, or a failure. */
  notBefore: number;
  maintained: number;
  /** Those who wait for the end of the next merge that begins. */
  waiters: { resolve(): void; reject(error: unknown): void }[];
}

export class MergeLoop {
  readonly #options: MergeLoopOptions;
  readonly #slots = new Map<string, TableSlot>();
  #wake: (() => void) | undefined;

  constructor(options: MergeLoopOptions) {
    this.#options = options;
  }

  /** Merge this table soon. */
  wake(name: TableName): KnownRanges {
    const slot = this.#slot(name);
    slot.due = 0;
    this.#wake?.();
    return slot.known;
  }

  /** Runs until the signal fires; a merge under way is finished first. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    signal.addEventListener('abort', () => this.#wake?.(), { once: true });
    while (!signal.aborted) {
      const now = Date.now();
      const slot = [...this.#slots.values()]
        .filter((one) => Math.max(one.due, one.notBefore) <= now)
        .sort((a, b) => a.due - b.due)[0];
      if (slot !== undefined) {
        await this.#merge(slot);
        continue;
      }
      const next = Math.min(now + LOOK_MS, ...[...this.#slots.values()].map((one) => Math.max(one.due, one.notBefore)));
      await this.#sleep(next - now);
    }
    for (const slot of this.#slots.values())
      for (const waiter of slot.waiters.splice(0)) waiter.reject(new CancelledError());
  }

  /** Merges these tables (or all) now, whatever the budget says; throws the first failure. */
  async drain(names: TableName[] = [...this.#slots.values()].map((slot) => slot.name)): Promise<void> {
    const merged = names.map((name) => {
      const slot = this.#slot(name);
      slot.due = 0;
      slot.notBefore = 0;
      return new Promise<void>((resolve, reject) => slot.waiters.push({ resolve, reject }));
    });
    this.#wake?.();
    await Promise.all(merged);
  }

  /** Until the time has passed, somebody wakes it, or the signal fires. */
  #sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(wake, milliseconds);
      this.#wake = wake;
    });
  }

  #slot(name: TableName): TableSlot {
    const key = formatTableName(name);
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = { name, known: new Map(), due: 0, notBefore: 0, maintained: Date.now(), waiters: [] };
      this.#slots.set(key, slot);
    }
    return slot;
  }

  async #merge(slot: TableSlot): Promise<void> {
    const { pipeline, engine, progress, signal } = this.#options;
    const { config } = pipeline;
    const merge = pipeline.mergeOf(slot.name);
    slot.due = Date.now() + LOOK_MS;
    const waiters = slot.waiters.splice(0);
    try {
      const report = await mergeTable({ ...merge, engine, known: slot.known, signal, progress });
      this.#options.onMerged(slot.name, report);
      for (const waiter of waiters) waiter.resolve();
      // Rewriting at most the budget in an hour: a merge that wrote B bytes buys as much rest as B takes of it.
      slot.notBefore = Date.now() + (report.bytesWritten / config.merge.writeBudgetBytesPerHour) * HOUR_MS;
      if (Date.now() - slot.maintained > MAINTAIN_MS) {
        slot.maintained = Date.now();
        await maintainTable({ ...merge, engine, signal });
        await expireChangeFiles({ ...merge, keepMs: config.staging.keepMs, known: slot.known, engine, signal });
      }
    } catch (error) {
      for (const waiter of waiters) waiter.reject(error);
      if (signal.aborted) return;
      slot.notBefore = Date.now() + RETRY_MS;
      const problem = problemOf(error);
      this.#options.onError(slot.name, problem);
      progress.warn(`merging ${formatTableName(slot.name)}: ${problem.message}`);
    }
  }
}
