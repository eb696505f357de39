/** The worker: loads what is not loaded, follows the binlog from there, and merges what it captured. One per pipeline, by lease. */

import { setTimeout as sleep } from 'node:timers/promises';
import { capture, isLostSource } from '../capture/capture.ts';
import { type Checkpoint, CheckpointWriter, readCheckpoint } from '../capture/checkpoint.ts';
import { formatTableName, type TableName } from '../change.ts';
import { CAPTURE_LEASE } from '../change-file/layout.ts';
import { runOf } from '../change-number.ts';
import { followsTable } from '../config.ts';
import { withEngine } from '../engine/engine.ts';
import { CancelledError, CdcError } from '../errors.ts';
import { tableState } from '../merge/table-state.ts';
import { formatPosition } from '../position.ts';
import type { Progress } from '../progress.ts';
import { acquireLease, type Lease } from '../store/lease.ts';
import { chooseTables } from './choose-tables.ts';
import { loadTables } from './load-tables.ts';
import { MergeLoop } from './merge-loop.ts';
import type { Pipeline } from './pipeline.ts';
import { readSource, type SourceView } from './source-tables.ts';
import { type StartAt, startAt } from './start-at.ts';
import type { WorkerStateFile } from './worker-state.ts';

export interface WorkerRequest {
  /** Load tables that are not loaded. */
  fullLoad: boolean;
  /** Follow the binlog. */
  ongoing: boolean;
  /** Merge what is captured. */
  merge: boolean;
  /** Where to begin without a full load. */
  from?: StartAt;
}

export interface WorkerOptions {
  pipeline: Pipeline;
  request: WorkerRequest;
  state: WorkerStateFile;
  progress: Progress;
  signal: AbortSignal;
}

/** What a new connection cannot mend: the binlog is not the one that was followed. */
const BREAKS = new Set(['position.purged', 'position.other-history']);

/** Between two tries to read the source's tables again. */
const RETRY_MS = 2000;
const LOSS_TOLD_MS = 10 * 60_000;

/** Returns when told to stop, or when a full load without `ongoing` is merged. Throws what only a person can mend. */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const { pipeline, request, state, signal, progress } = options;
  const lease = await acquireLease({ store: pipeline.staging, folder: CAPTURE_LEASE, engine: 'cdc', signal });
  // Of two that were started at once only the holder may speak for the pipeline.
  state.update({});
  // Losing the lease (a process that slept) ends the worker like a signal would; the reason is thrown below.
  const stop = AbortSignal.any([signal, lease.lost]);
  try {
    await withEngine(pipeline.engineOptions, async (engine) => {
      const merging = new AbortController();
      const loop = new MergeLoop({
        pipeline,
        engine,
        onMerged: (table, report) =>
          state.updateTable(formatTableName(table), {
            error: undefined,
            waiting: report.waits,
            version: report.version,
            ...(report.changes > 0 ? { mergedAt: new Date().toISOString() } : {}),
          }),
        onError: (table, error) => state.updateTable(formatTableName(table), { error }),
        progress,
        signal: merging.signal,
      });
      const merged = request.merge ? loop.run() : Promise.resolve();
      try {
        await new CaptureRun(options, lease, loop, stop).run();
        // Nothing goes on being captured; what is published is merged before the end, unless somebody asked to stop.
        if (request.merge && !stop.aborted) await loop.drain();
      } finally {
        merging.abort();
        await merged;
      }
    });
    if (lease.lost.aborted && !signal.aborted) await lease.assertHeld();
  } finally {
    await lease.release();
  }
}

/** The capturing half of one worker. */
class CaptureRun {
  readonly #options: WorkerOptions;
  readonly #lease: Lease;
  readonly #loop: MergeLoop;
  readonly #stop: AbortSignal;
  /** Why the source was not there, and when that was last said. */
  #lastLoss: { message: string; at: number } | undefined;

  constructor(options: WorkerOptions, lease: Lease, loop: MergeLoop, stop: AbortSignal) {
    this.#options = options;
    this.#lease = lease;
    this.#loop = loop;
    this.#stop = stop;
  }

  async run(): Promise<void> {
    const { pipeline, request } = this.#options;
    const { writer, current } = await CheckpointWriter.open(pipeline.staging);
    let checkpoint = current;
    let hasFollowed = false;
    while (!this.#stop.aborted) {
      try {
        checkpoint = await this.#loadWhatIsMissing(checkpoint, writer);
        if (!request.ongoing) return;
        hasFollowed = true;
        checkpoint = await this.#follow(checkpoint, writer);
      } catch (error) {
        if (error instanceof CancelledError && this.#stop.aborted) return;
        // A source that cannot be had at the start is a mistake to tell; one that goes away later comes back.
        if (hasFollowed && isLostSource(error)) {
          this.#disconnected(error);
          await sleep(RETRY_MS, undefined, { signal: this.#stop }).catch(() => undefined);
          checkpoint = (await readCheckpoint(pipeline.staging)) ?? checkpoint;
          continue;
        }
        if (error instanceof CdcError && BREAKS.has(error.code) && checkpoint !== undefined) {
          const { code, message } = error;
          await writer.write({ ...checkpoint, broken: { code, message, hint: 'cdc replicate' } });
        }
        throw error;
      }
    }
  }

  /** Compares what is asked for with what is followed, loads the difference, and returns where capture goes on. */
  async #loadWhatIsMissing(checkpoint: Checkpoint | undefined, writer: CheckpointWriter): Promise<Checkpoint> {
    const { pipeline, request, state, progress } = this.#options;
    const address = await pipeline.address();
    const source = await readSource({ pipeline, address, signal: this.#stop });
    for (const refused of source.refused) progress.warn(`left out ${refused.table}: ${refused.message}`);
    const known = isSameServer(checkpoint, source.server.uuid) ? checkpoint : undefined;
    const choice = chooseTables(
      source.tables.map(({ name }) => name),
      known,
    );
    for (const table of choice.removed)
      progress.warn(
        `${formatTableName(table)} is no longer asked for: it is not followed any more, its lake table stays`,
      );
    for (const table of choice.stopped)
      progress.warn(
        `${formatTableName(table)} is stopped: ${known?.tables[formatTableName(table)]?.stopped?.message ?? ''}`,
      );

    const whole = known !== undefined && known.broken === undefined ? without(known, choice.removed) : undefined;
    const toLoad = source.tables.filter(({ name }) =>
      choice.load.some((one) => formatTableName(one) === formatTableName(name)),
    );
    const tell = (text: string) => {
      progress.update(text);
      state.update({ doing: text });
    };
    let next = whole;
    if (toLoad.length > 0 && request.fullLoad) {
      state.update({ state: 'loading', doing: `loading ${toLoad.length} tables` });
      next = await loadTables({
        source: address,
        staging: pipeline.staging,
        tables: toLoad,
        checkpoint: whole,
        writer,
        leaseGeneration: this.#lease.generation,
        merge: request.merge,
        ledgerRun: (table) => this.#ledgerRun(table),
        maxFileBytes: pipeline.config.capture.maxFileBytes,
        signal: this.#stop,
        progress: { ...progress, update: tell },
      });
    } else if (toLoad.length > 0 && request.from !== undefined) {
      next = await startAt({
        at: request.from,
        source: address,
        staging: pipeline.staging,
        tables: toLoad,
        checkpoint: whole,
        writer,
        leaseGeneration: this.#lease.generation,
        merge: request.merge,
        ledgerRun: (table) => this.#ledgerRun(table),
        signal: this.#stop,
      });
    } else if (toLoad.length > 0) {
      progress.warn(
        `not loaded, so not followed: ${toLoad.map(({ name }) => formatTableName(name)).join(', ')}; \`cdc replicate\` loads them`,
      );
    }
    if (next === undefined) throw nothingToFollow(source, known);
    if (next.merge !== request.merge || choice.removed.length > 0) {
      next = { ...next, merge: request.merge };
      await writer.write(next);
    }
    if (request.fullLoad) state.update({ loaded: [...state.state.loaded, ...choice.load.map(formatTableName)] });
    const tables = [...choice.load, ...choice.follow];
    for (const table of tables) this.#loop.wake(table);
    if (!request.merge || choice.load.length === 0) state.update({ loadsMerged: true });
    else
      this.#loop.drain(choice.load).then(
        () => state.update({ loadsMerged: true }),
        () => undefined, // reported by the loop, table by table
      );
    return next;
  }

  async #follow(checkpoint: Checkpoint, writer: CheckpointWriter): Promise<Checkpoint> {
    const { pipeline, state, progress } = this.#options;
    const { config, staging } = pipeline;
    // A new table ends the session at the next boundary; it is loaded, and capture goes on.
    const pause = new AbortController();
    return capture({
      source: () => pipeline.address(),
      serverId: replicaId(config.name),
      staging,
      checkpoint,
      writer,
      lease: this.#lease,
      limits: { maxFileBytes: config.capture.maxFileBytes, maxDelayMs: config.capture.maxDelayMs },
      truncate: config.capture.truncate,
      matches: (table) => followsTable(config, table),
      onPublished: (table, file) =>
        this.#loop.wake(table).set(file.key, { size: file.size, first: file.first, last: file.last }),
      onChanged: (table) => this.#loop.wake(table),
      onStopped: (table, reason) => {
        progress.warn(`${reason.message}; the table is stopped (${reason.hint})`);
        state.updateTable(formatTableName(table), { error: reason });
      },
      onNewTable: (table) => {
        if (checkpoint.tables[formatTableName(table)] !== undefined) return;
        progress.done(`new table ${formatTableName(table)}`);
        pause.abort();
      },
      onCheckpoint: (written) => state.update({ position: formatPosition(written.position) }),
      onFollowing: () => {
        if (this.#lastLoss !== undefined) progress.done('following the binlog again');
        this.#lastLoss = undefined;
        state.update({
          state: 'following',
          doing: 'following the binlog',
          position: formatPosition(checkpoint.position),
        });
      },
      onDisconnected: (error) => this.#disconnected(error),
      progress,
      signal: AbortSignal.any([this.#stop, pause.signal]),
    });
  }

  #disconnected(error: CdcError): void {
    const { state, progress } = this.#options;
    state.update({ state: 'reconnecting', doing: error.message });
    // It is tried every few seconds, for as long as it takes; the log need not say so each time.
    const now = Date.now();
    if (error.message === this.#lastLoss?.message && now - this.#lastLoss.at < LOSS_TOLD_MS) return;
    this.#lastLoss = { message: error.message, at: now };
    progress.warn(`${error.message}; trying again`);
  }

  async #ledgerRun(table: TableName): Promise<number> {
    const known = await tableState(this.#options.pipeline.mergeOf(table));
    return known === undefined ? 0 : runOf(known.watermark);
  }
}

/** Another server's binlog is another history; MariaDB has no uuid to tell. */
function isSameServer(checkpoint: Checkpoint | undefined, uuid: string | undefined): boolean {
  return checkpoint?.server.uuid === undefined || uuid === undefined || checkpoint.server.uuid === uuid;
}

function without(checkpoint: Checkpoint, removed: TableName[]): Checkpoint {
  const gone = new Set(removed.map(formatTableName));
  return {
    ...checkpoint,
    tables: Object.fromEntries(Object.entries(checkpoint.tables).filter(([key]) => !gone.has(key))),
  };
}

function nothingToFollow(source: SourceView, checkpoint: Checkpoint | undefined): CdcError {
  if (source.tables.length === 0)
    return new CdcError(
      'tables.none',
      source.refused.length > 0
        ? 'no table can be followed: each has a finding against it'
        : 'no table of the source fits `tables:` in cdc.yaml',
      {
        hint: source.refused.length > 0 ? 'cdc check' : 'load one with `cdc load FILE`, or change `tables:`',
      },
    );
  if (checkpoint?.broken !== undefined)
    return new CdcError('position.broken', `the position is lost: ${checkpoint.broken.message}`, {
      hint: 'cdc replicate   # loads the tables again',
    });
  return new CdcError('load.missing', 'nothing is loaded yet, so there is no position to go on from', {
    hint: 'cdc replicate, or `cdc replicate --ongoing --from now` to begin without the rows that are there',
  });
}

/** A replica's id is any number no other replica has; derived from the name, so that two pipelines on one server differ. */
function replicaId(name: string): number {
  let hash = 2166136261;
  for (const char of name) hash = Math.imul(hash ^ char.charCodeAt(0), 16777619) >>> 0;
  return 1_000_000 + (hash % 4_000_000_000);
}
