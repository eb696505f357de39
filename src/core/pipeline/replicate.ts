/** `replicate` and `start`: the worker in this process, or in one of its own that is watched until it is ready. */

import { type Checkpoint, readCheckpoint } from '../capture/checkpoint.ts';
import { formatTableName, type TableName } from '../change.ts';
import { CancelledError, CdcError } from '../errors.ts';
import { formatPosition } from '../position.ts';
import type { Progress } from '../progress.ts';
import { ownIdentity } from '../store/process-identity.ts';
import type { Pipeline } from './pipeline.ts';
import { runWorker, type WorkerRequest } from './worker.ts';
import { runningWorker, spawnWorker, waitForWorker } from './worker-process.ts';
import { problemOf, readWorkerState, type WorkerState, WorkerStateFile } from './worker-state.ts';

export interface ReplicateReport {
  /** `already`: it was running. `finished`: a full load alone, done. */
  state: 'started' | 'already' | 'finished';
  pid: number;
  position: string | null;
  /** What is followed, or loaded. */
  tables: string[];
  /** What this call loaded; the rest was loaded before. */
  loaded: string[];
}

/** What a worker says before it follows goes to whoever waits for it; of a table created every minute nobody needs it all. */
const WARNINGS_KEPT = 50;

/** Runs the worker here until the signal fires; its state goes to `.cdc/worker.json`. */
export async function replicateHere(options: {
  pipeline: Pipeline;
  request: WorkerRequest;
  progress: Progress;
  signal: AbortSignal;
}): Promise<ReplicateReport> {
  const { pipeline, request, signal } = options;
  const running = await runningWorker(pipeline);
  if (running !== undefined) {
    refuseOtherRequest(running, request);
    return reportOf('already', running, await readCheckpoint(pipeline.staging));
  }
  const initial = {
    process: await ownIdentity(),
    startedAt: new Date().toISOString(),
    state: 'starting' as const,
    merge: request.merge,
    ongoing: request.ongoing,
    doing: 'starting',
    loaded: [],
    warnings: [],
    loadsMerged: false,
    tables: {},
  };
  const state = new WorkerStateFile(pipeline.config.stateFolder, initial, ({ state, doing, position }) =>
    options.progress.update(state === 'following' ? `following the binlog, captured up to ${position}` : doing),
  );
  const stampedProgress = stamped(options.progress);
  const progress: Progress = {
    ...stampedProgress,
    warn(text) {
      stampedProgress.warn(text);
      if (state.state.state === 'starting' || state.state.state === 'loading')
        state.update({ warnings: [...state.state.warnings, text].slice(-WARNINGS_KEPT) });
    },
  };
  progress.detail(`worker started (pid ${state.state.process.pid})`);
  try {
    await runWorker({ pipeline, request, state, progress, signal });
    if (signal.aborted) throw new CancelledError();
    state.update({ state: 'finished', doing: 'finished' });
  } catch (error) {
    if (error instanceof CancelledError) {
      state.update({ state: 'stopped', doing: 'stopped' });
      throw stoppedAt(await readCheckpoint(pipeline.staging));
    }
    // Whoever holds the lease speaks for the pipeline, also before its first word: one that never held it says nothing.
    const told = await readWorkerState(pipeline.config.stateFolder);
    if (!isAboutLease(error) || told?.process.pid === state.state.process.pid)
      state.update({ state: 'failed', doing: 'failed', error: problemOf(error) });
    throw error;
  } finally {
    progress.detail('worker ended');
    await state.flush();
  }
  return reportOf('finished', state.state, await readCheckpoint(pipeline.staging));
}

function isAboutLease(error: unknown): boolean {
  return error instanceof CdcError && error.code.startsWith('lease.');
}

/** Whoever pressed Ctrl-C learns where it stands. */
function stoppedAt(checkpoint: Checkpoint | undefined): CancelledError {
  const loading = Object.entries(checkpoint?.tables ?? {}).filter(([, table]) => !table.loaded);
  if (checkpoint === undefined || loading.length > 0)
    return new CancelledError('stopped before the load was complete', 'cdc replicate   # loads what is not loaded');
  return new CancelledError(
    `stopped: everything up to ${formatPosition(checkpoint.position)} is captured`,
    'cdc start   # goes on from there',
  );
}

/** Starts the worker as a process apart; returns when it is ready, or at once with `wait: false`. */
export async function replicateInBackground(options: {
  pipeline: Pipeline;
  request: WorkerRequest;
  /** The command line of a cdc that runs the same request in the foreground. */
  command: string[];
  env: NodeJS.ProcessEnv;
  wait: boolean;
  progress: Progress;
  signal: AbortSignal;
}): Promise<ReplicateReport> {
  const { pipeline, request, command, env, wait, progress, signal } = options;
  const { stateFolder, folder } = pipeline.config;
  const running = await runningWorker(pipeline);
  if (running !== undefined) {
    refuseOtherRequest(running, request);
    return reportOf('already', running, await readCheckpoint(pipeline.staging));
  }
  const pid = await spawnWorker({ command, stateFolder, folder, env });
  if (!wait) return { state: 'started', pid, position: null, tables: [], loaded: [] };
  const state = await waitForWorker({ pid, pipeline, progress, signal });
  for (const warning of state.warnings) progress.warn(warning);
  if (state.process.pid !== pid) {
    refuseOtherRequest(state, request);
    return reportOf('already', state, await readCheckpoint(pipeline.staging));
  }
  return reportOf(state.state === 'finished' ? 'finished' : 'started', state, await readCheckpoint(pipeline.staging));
}

/** Throws `worker.other-request` when the worker that runs does something else than what is asked for. */
export function refuseOtherRequest(state: WorkerState, request: WorkerRequest): void {
  const differs =
    state.merge !== request.merge
      ? state.merge
        ? 'it merges what it captures'
        : 'it captures without merging'
      : request.ongoing && !state.ongoing
        ? 'it takes a full load and ends'
        : request.from !== undefined
          ? 'it has a position already'
          : undefined;
  if (differs === undefined) return;
  throw new CdcError(
    'worker.other-request',
    `replicating: a worker with another request runs already (pid ${state.process.pid}): ${differs}`,
    { hint: 'cdc stop --worker   # then this command again' },
  );
}

function reportOf(
  state: ReplicateReport['state'],
  worker: WorkerState,
  checkpoint: Checkpoint | undefined,
): ReplicateReport {
  const tables = Object.entries(checkpoint?.tables ?? {});
  return {
    state,
    pid: worker.process.pid,
    position: worker.position ?? null,
    tables: tables.filter(([, table]) => table.stopped === undefined).map(([name]) => name),
    loaded: worker.loaded,
  };
}

/** A log is read later: its lines say when. */
function stamped(progress: Progress): Progress {
  const at = (text: string) => `${new Date().toISOString()} ${text}`;
  return {
    update: (text) => progress.update(text),
    done: (text) => progress.done(at(text)),
    warn: (text) => progress.warn(at(text)),
    detail: (text) => progress.detail(at(text)),
  };
}

/** Makes tables count as not loaded: the next `replicate` loads them in a new run. The worker must have ended. */
export function forgetTables(checkpoint: Checkpoint, tables: TableName[]): Checkpoint {
  const forgotten = new Set(tables.map(formatTableName));
  const entries = Object.entries(checkpoint.tables).map(([key, entry]) => {
    if (!forgotten.has(key)) return [key, entry] as const;
    const { stopped: _, stoppedAt: __, ...rest } = entry;
    return [key, { ...rest, loaded: false }] as const;
  });
  return { ...checkpoint, tables: Object.fromEntries(entries) };
}
