/** `replicate` and `start`: the worker in this process, or in one of its own that is watched until it is ready. */

import { type Checkpoint, readCheckpoint } from '../capture/checkpoint.ts';
import { formatTableName } from '../change.ts';
import { CdcError } from '../errors.ts';
import type { Progress } from '../progress.ts';
import { ownIdentity } from '../store/process-identity.ts';
import type { Pipeline } from './pipeline.ts';
import { runWorker, type WorkerRequest } from './worker.ts';
import { findWorker, refuseSecondWorker, spawnWorker, waitForWorker } from './worker-process.ts';
import { problemOf, type WorkerState, WorkerStateFile } from './worker-state.ts';

export interface ReplicateReport {
  /** `already`: it was running. `finished`: a full load alone, done. */
  state: 'started' | 'already' | 'finished';
  pid: number;
  position: string | null;
  tables: string[];
}

/** Runs the worker here until the signal fires; its state goes to `.cdc/worker.json`. */
export async function replicateHere(options: {
  pipeline: Pipeline;
  request: WorkerRequest;
  progress: Progress;
  signal: AbortSignal;
}): Promise<ReplicateReport> {
  const { pipeline, request, signal } = options;
  const found = await findWorker(pipeline.config.stateFolder);
  if (found.alive && found.state !== undefined && found.state.process.pid !== process.pid)
    return alreadyRunning(found.state, request, await readCheckpoint(pipeline.staging));
  await refuseSecondWorker(pipeline);
  const state = new WorkerStateFile(pipeline.config.stateFolder, {
    process: await ownIdentity(),
    startedAt: new Date().toISOString(),
    state: 'starting',
    merge: request.merge,
    ongoing: request.ongoing,
    doing: 'starting',
    loadsMerged: false,
    tables: {},
  });
  state.update({});
  try {
    await runWorker({ pipeline, request, state, progress: stamped(options.progress), signal });
    state.update({ state: 'stopped', doing: 'stopped' });
  } catch (error) {
    state.update({ state: 'failed', doing: 'failed', error: problemOf(error) });
    throw error;
  } finally {
    await state.flush();
  }
  return reportOf('finished', state.state, await readCheckpoint(pipeline.staging));
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
  const found = await findWorker(stateFolder);
  const checkpoint = await readCheckpoint(pipeline.staging);
  if (found.alive && found.state !== undefined) return alreadyRunning(found.state, request, checkpoint);
  await refuseSecondWorker(pipeline);
  const pid = await spawnWorker({ command, stateFolder, folder, env });
  if (!wait) return { state: 'started', pid, position: null, tables: [] };
  const state = await waitForWorker({ pid, stateFolder, progress, signal });
  return reportOf(state.state === 'stopped' ? 'finished' : 'started', state, await readCheckpoint(pipeline.staging));
}

function alreadyRunning(
  state: WorkerState,
  request: WorkerRequest,
  checkpoint: Checkpoint | undefined,
): ReplicateReport {
  const { pid } = state.process;
  const differs =
    state.merge !== request.merge
      ? `it ${state.merge ? 'merges' : 'does not merge'}, and this request ${request.merge ? 'does' : 'does not'}`
      : request.ongoing && !state.ongoing
        ? 'it takes a full load only'
        : request.from !== undefined
          ? 'it has a position already'
          : undefined;
  if (differs !== undefined)
    throw new CdcError('worker.other-request', `a worker runs already (pid ${pid}), and ${differs}`, {
      hint: 'cdc stop, then the command again',
    });
  return reportOf('already', state, checkpoint);
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

/** Removes tables from the checkpoint: the next `replicate` finds them not loaded and loads them in a new run. The worker must have ended. */
export function forgetTables(checkpoint: Checkpoint, tables: { schema: string; table: string }[]): Checkpoint {
  const gone = new Set(tables.map(formatTableName));
  return {
    ...checkpoint,
    tables: Object.fromEntries(Object.entries(checkpoint.tables).filter(([key]) => !gone.has(key))),
  };
}
