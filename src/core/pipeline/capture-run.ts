/** The capturing half of one worker: brings its tables up, follows, and begins again where a table is new or the source came back. */

import { setTimeout as sleep } from 'node:timers/promises';
import { capture, isLostSource } from '../capture/capture.ts';
import { type Checkpoint, CheckpointWriter, tablesOf } from '../capture/checkpoint.ts';
import { formatTableName, type TableName } from '../change.ts';
import { followsTable } from '../config.ts';
import { CancelledError, CdcError } from '../errors.ts';
import { formatPosition } from '../position.ts';
import type { Lease } from '../store/lease.ts';
import { type BroughtUp, bringUp } from './bring-up.ts';
import type { MergeLoop } from './merge-loop.ts';
import { replicaId } from './replica-id.ts';
import type { WorkerOptions } from './worker-options.ts';
import { problemOf } from './worker-state.ts';

/** What no new connection mends: the binlog is not the one that was followed, or it cannot be followed past a point. Only a load goes on from there. */
const BREAKS = new Set([
  'position.purged',
  'position.other-history',
  'position.unknown',
  'position.too-far',
  'event.unsupported',
  'capture.incident',
]);

/** Between two tries to read the source's tables again. */
const RETRY_MS = 2000;
/** A new table that cannot be loaded is tried again this much later; the others are followed meanwhile. */
const POSTPONED_MS = 60_000;
/** A loss that stays is said again after this. */
const LOSS_TOLD_MS = 10 * 60_000;
/** A table that is altered while it is read is read again, so many times. */
const SNAPSHOT_TRIES = 5;

export class CaptureRun {
  readonly #options: WorkerOptions;
  readonly #lease: Lease;
  readonly #loop: MergeLoop;
  readonly #stop: AbortSignal;
  readonly #created = new Set<string>();
  readonly #postponed = new Set<string>();
  #hasFollowed = false;
  /** Why it does not go on, and when that was last said. */
  #lastLoss: { message: string; at: number } | undefined;

  constructor(options: WorkerOptions, lease: Lease, loop: MergeLoop, stop: AbortSignal) {
    this.#options = options;
    this.#lease = lease;
    this.#loop = loop;
    this.#stop = stop;
  }

  async run(): Promise<void> {
    const { pipeline, request } = this.#options;
    const { writer } = await CheckpointWriter.open(pipeline.staging);
    while (!this.#stop.aborted) {
      try {
        const brought = await this.#bringUp(writer);
        this.#begin(brought);
        if (!request.ongoing) return;
        await this.#follow(brought.checkpoint, writer);
      } catch (error) {
        if (error instanceof CancelledError && this.#stop.aborted) return;
        // A source that cannot be had at the start is a mistake to tell; one that goes away later comes back.
        if (!this.#hasFollowed || !isLostSource(error)) throw await broken(error, writer);
        this.#lost(error);
        await sleep(RETRY_MS, undefined, { signal: this.#stop }).catch(() => undefined);
      }
    }
  }

  async #bringUp(writer: CheckpointWriter): Promise<BroughtUp> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await bringUp({
          ...this.#options,
          lease: this.#lease,
          writer,
          created: this.#created,
          postponed: this.#postponed,
          signal: this.#stop,
        });
      } catch (error) {
        if (!(error instanceof CdcError)) throw error;
        if (error.code === 'snapshot.table-changed' && attempt < SNAPSHOT_TRIES) {
          this.#options.progress.detail(`${error.message}; reading again`);
          continue;
        }
        if (!this.#mayPostpone(error)) throw error;
        this.#postpone(error);
      }
    }
  }

  /** While others are followed, a new table's failure is its own. */
  #mayPostpone(error: CdcError): boolean {
    if (!this.#hasFollowed || this.#created.size === this.#postponed.size || this.#stop.aborted) return false;
    return !/^(cancelled$|lease\.|checkpoint\.)/.test(error.code) && !isLostSource(error);
  }

  #postpone(error: CdcError): void {
    const { progress, state } = this.#options;
    for (const name of this.#created) {
      if (this.#postponed.has(name)) continue;
      this.#postponed.add(name);
      state.updateTable(name, { error: problemOf(error) });
    }
    progress.warn(`the new tables ${[...this.#postponed].join(', ')} are not loaded yet: ${error.message}`);
  }

  #begin({ checkpoint, loaded, choice }: BroughtUp): void {
    const { request, state } = this.#options;
    if (request.fullLoad) state.update({ loaded: [...state.state.loaded, ...loaded.map(formatTableName)] });
    // What was captured before a table was stopped or taken out is merged too.
    for (const table of [...choice.follow, ...choice.stopped, ...choice.removed]) this.#loop.wake(table);
    for (const { name } of tablesOf(checkpoint)) this.#loop.wake(name);
    // Loaded, or found not to be there any more, or refused by a finding.
    for (const name of this.#created) if (!this.#postponed.has(name)) this.#created.delete(name);
    for (const name of loaded) state.updateTable(formatTableName(name), { error: undefined });
    if (!request.merge || loaded.length === 0) state.update({ loadsMerged: true });
    else
      this.#loop.drain(loaded).then(
        () => state.update({ loadsMerged: true }),
        () => undefined, // reported by the loop, table by table
      );
  }

  async #follow(checkpoint: Checkpoint, writer: CheckpointWriter): Promise<void> {
    const { pipeline, request, state, progress } = this.#options;
    const { config, staging } = pipeline;
    this.#hasFollowed = true;
    // A new table ends the session at the next boundary; it is loaded, and capture goes on.
    const pause = new AbortController();
    const again = this.#postponed.size === 0 ? undefined : setTimeout(() => pause.abort(), POSTPONED_MS);
    this.#postponed.clear();
    try {
      await capture({
        source: () => pipeline.address(),
        serverId: replicaId(config.name),
        staging,
        checkpoint,
        writer,
        lease: this.#lease,
        limits: { maxFileBytes: config.capture.maxFileBytes, maxDelayMs: config.capture.maxDelayMs },
        truncate: config.capture.truncate,
        acceptCascades: config.capture.foreignKeyCascades === 'accept',
        matches: (table) => followsTable(config, table),
        onPublished: (table, { key, size, first, last }) => {
          if (request.merge) this.#loop.wake(table).set(key, { size, first, last });
        },
        onChanged: (table) => this.#loop.wake(table),
        onStopped: (table, reason) => {
          progress.warn(`${reason.message}; the table is stopped (${reason.hint})`);
          state.updateTable(formatTableName(table), { stopped: reason });
        },
        onNewTable: (table) => this.#isNew(table, checkpoint) && pause.abort(),
        onCheckpoint: (written) => state.update({ position: formatPosition(written.position) }),
        onFollowing: () => this.#following(writer.current ?? checkpoint),
        onRetry: (error) => this.#lost(error),
        onLag: (since) => state.update({ behindSince: since?.toISOString() }),
        progress,
        signal: AbortSignal.any([this.#stop, pause.signal]),
      });
    } finally {
      clearTimeout(again);
    }
  }

  #isNew(table: TableName, checkpoint: Checkpoint): boolean {
    const name = formatTableName(table);
    if (checkpoint.tables[name] !== undefined) return false;
    this.#options.progress.done(`new table ${name}`);
    this.#created.add(name);
    return true;
  }

  #following(checkpoint: Checkpoint): void {
    const { state, progress } = this.#options;
    if (this.#lastLoss !== undefined) progress.done('following the binlog again');
    this.#lastLoss = undefined;
    state.update({
      state: 'following',
      doing: 'following the binlog',
      position: formatPosition(checkpoint.position),
      error: undefined,
    });
  }

  #lost(error: CdcError): void {
    const { state, progress } = this.#options;
    state.update({ state: 'reconnecting', doing: error.message, error: problemOf(error) });
    // It is tried every few seconds, for as long as it takes; the log need not say so each time.
    const now = performance.now();
    if (error.message === this.#lastLoss?.message && now - this.#lastLoss.at < LOSS_TOLD_MS) return;
    this.#lastLoss = { message: error.message, at: now };
    progress.warn(`${error.message}; trying again`);
  }
}

/** A break is written down, so that the next `replicate` loads; returns the error to throw. */
async function broken(error: unknown, writer: CheckpointWriter): Promise<unknown> {
  if (!(error instanceof CdcError) || !BREAKS.has(error.code) || writer.current === undefined) return error;
  const { code, message } = error;
  await writer.write({ ...writer.current, broken: { code, message, hint: 'cdc replicate' } });
  return error;
}
