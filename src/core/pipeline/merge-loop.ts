/** The merging half of a worker: merges each table soon after capture publishes for it, looks for itself once a minute, keeps to the write budget. */

import { formatTableName, type TableName } from '../change.ts';
import { CancelledError, CdcError, messageOf } from '../errors.ts';
import type { KnownRanges } from '../merge/chain.ts';
import type { TableMergeReport } from '../merge/merge-table.ts';
import type { Progress } from '../progress.ts';
import { LOOK_MS, MAINTAIN_MS, MergeSlot } from './merge-slot.ts';
import type { Pipeline } from './pipeline.ts';
import type { TableWork } from './table-work.ts';
import { type MergeWaiting, problemOf, type WorkerProblem } from './worker-state.ts';

export interface MergeLoopOptions {
  pipeline: Pick<Pipeline, 'config'>;
  onMerged(table: TableName, report: TableMergeReport): void;
  /** Something is there, and is merged later. */
  onWaiting(table: TableName, waiting: MergeWaiting): void;
  onError(table: TableName, problem: WorkerProblem): void;
  progress: Progress;
  signal: AbortSignal;
  work: TableWork;
}

/** After a failure a table is tried again this much later; what stopped it may have been mended. */
const RETRY_MS = 15_000;
/** Whoever has the table's lease is usually done soon. */
const LEASE_RETRY_MS = 1000;
const HOUR_MS = 3_600_000;
/** A failure that stays is said again after this. */
const REPEAT_MS = 10 * 60_000;
/** A rest that nobody would notice is none. */
const REST_MS = 1000;

export class MergeLoop {
  readonly #options: MergeLoopOptions;
  readonly #work: TableWork;
  readonly #slots = new Map<string, MergeSlot>();
  #wake: (() => void) | undefined;

  constructor(options: MergeLoopOptions) {
    this.#options = options;
    this.#work = options.work;
  }

  /** Merge this table soon; what is published may be told by the ranges. */
  wake(name: TableName): KnownRanges {
    const slot = this.#slot(name);
    // In its turn: one that is woken again and again goes before no other.
    slot.due = Math.min(slot.due, performance.now());
    if (slot.isResting && slot.notBefore > performance.now()) this.#tellOfRest(slot);
    this.#wake?.();
    return slot.known;
  }

  /** Runs until the signal fires. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    const wake = () => this.#wake?.();
    signal.addEventListener('abort', wake);
    while (!signal.aborted) {
      const now = performance.now();
      const slots = [...this.#slots.values()];
      const slot = slots.filter((one) => one.at <= now).sort((a, b) => a.due - b.due)[0];
      if (slot !== undefined) await this.#merge(slot);
      else await this.#sleep(Math.min(LOOK_MS, ...slots.map((one) => one.at - now)));
    }
    signal.removeEventListener('abort', wake);
    for (const slot of this.#slots.values())
      for (const waiter of slot.waiters.splice(0)) waiter.reject(new CancelledError());
  }

  /** Merges these tables (or all) now, whatever the budget says; throws the first failure. */
  async drain(names: TableName[] = [...this.#slots.values()].map((slot) => slot.name)): Promise<void> {
    if (this.#options.signal.aborted) throw new CancelledError();
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

  #slot(name: TableName): MergeSlot {
    const key = formatTableName(name);
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = new MergeSlot(name, performance.now());
      this.#slots.set(key, slot);
    }
    return slot;
  }

  async #merge(slot: MergeSlot): Promise<void> {
    const { signal } = this.#options;
    const now = performance.now();
    slot.due = now + LOOK_MS;
    slot.isResting = false;
    // Of those that are due at once the one that has waited longest comes first.
    const key = formatTableName(slot.name);
    this.#slots.delete(key);
    this.#slots.set(key, slot);
    const waiters = slot.waiters.splice(0);
    try {
      const report = await this.#work.merge(slot.name, slot.look(now));
      if (report.watermark !== undefined) slot.forgetUpTo(report.watermark);
      if (report.waits === 'gap') slot.distrust();
      slot.failure = undefined;
      this.#options.onMerged(slot.name, report);
      for (const waiter of waiters) waiter.resolve();
      this.#rest(slot, report.bytesWritten);
    } catch (error) {
      for (const waiter of waiters) waiter.reject(error);
      if (!signal.aborted) this.#failed(slot, error);
      return;
    }
    await this.#maintain(slot);
  }

  /** Rewriting at most the budget in an hour: what a merge wrote buys as much rest as it takes of the share of one table. */
  #rest(slot: MergeSlot, bytesWritten: number): void {
    const now = performance.now();
    const others = [...this.#slots.values()].filter((one) => one !== slot && one.isResting && one.notBefore > now);
    const { writeBudgetBytesPerHour } = this.#options.pipeline.config.merge;
    const rest = (bytesWritten / writeBudgetBytesPerHour) * HOUR_MS * (1 + others.length);
    slot.notBefore = now + rest;
    slot.isResting = rest >= REST_MS;
    // Capture has published meanwhile.
    if (slot.isResting && slot.due <= now) this.#tellOfRest(slot);
  }

  #tellOfRest(slot: MergeSlot): void {
    const until = new Date(Date.now() + slot.notBefore - performance.now()).toISOString();
    this.#options.onWaiting(slot.name, { reason: 'write-budget', until });
  }

  #failed(slot: MergeSlot, error: unknown): void {
    const now = performance.now();
    if (error instanceof CdcError && error.code === 'lease.held') {
      slot.notBefore = now + LEASE_RETRY_MS;
      slot.due = 0;
      this.#options.onWaiting(slot.name, { reason: 'lease' });
      return;
    }
    slot.notBefore = now + RETRY_MS;
    slot.due = 0;
    slot.lookAgain();
    const problem = problemOf(error);
    this.#options.onError(slot.name, problem);
    if (problem.message === slot.failure?.message && now - slot.failure.told < REPEAT_MS) return;
    slot.failure = { message: problem.message, told: now };
    this.#options.progress.warn(`merging ${formatTableName(slot.name)}: ${problem.message}`);
  }

  /** What fails of it stops no table: it is tried again in its turn. */
  async #maintain(slot: MergeSlot): Promise<void> {
    if (performance.now() - slot.maintained < MAINTAIN_MS) return;
    slot.maintained = performance.now();
    try {
      await this.#work.maintain(slot.name);
    } catch (error) {
      if (this.#options.signal.aborted || (error instanceof CdcError && error.code === 'lease.held')) return;
      this.#options.progress.warn(`cleaning up ${formatTableName(slot.name)}: ${messageOf(error)}`);
    }
  }
}
