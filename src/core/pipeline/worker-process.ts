/** The worker as a process of this machine: started apart from the terminal, watched until it is ready, stopped. */

import { spawn } from 'node:child_process';
import { mkdir, open, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { CAPTURE_LEASE } from '../change-file/layout.ts';
import { CancelledError, CdcError, nativeCodeOf, throwIfCancelled } from '../errors.ts';
import type { Progress } from '../progress.ts';
import { describeLease } from '../store/lease.ts';
import { identityOf, isGone, type ProcessIdentity } from '../store/process-identity.ts';
import type { Pipeline } from './pipeline.ts';
import {
  noteStartingWorker,
  readStartingWorker,
  readWorkerState,
  type WorkerState,
  workerLogPath,
} from './worker-state.ts';

/** The worker of this folder, if its process is alive; what it last said otherwise. */
export interface WorkerFound {
  alive: boolean;
  state: WorkerState | undefined;
  /** A process that was started to be the worker and has not said so yet. */
  starting: ProcessIdentity | undefined;
}

/** One that has said its last word has released its lease, though its process may be there for a moment. */
const ENDED: readonly WorkerState['state'][] = ['finished', 'stopped', 'failed'];

export async function findWorker(stateFolder: string): Promise<WorkerFound> {
  const state = await readWorkerState(stateFolder);
  const alive = state !== undefined && !ENDED.includes(state.state) && !(await isGone(state.process));
  const started = alive ? undefined : await readStartingWorker(stateFolder);
  const isStarting = started !== undefined && started.pid !== state?.process.pid && !(await isGone(started));
  return { state, alive, starting: isStarting ? started : undefined };
}

/** A worker that has the lease has said so in its file this much later, also on a busy machine. */
const TOLD_MS = 10_000;

/** The worker of this folder; undefined when nobody captures. Throws `worker.elsewhere` when somebody holds the capture lease who is not of this folder. */
export async function runningWorker(pipeline: Pipeline): Promise<WorkerState | undefined> {
  for (;;) {
    const { alive, state } = await findWorker(pipeline.config.stateFolder);
    if (alive && state !== undefined) return state;
    const lease = await describeLease(pipeline.staging, CAPTURE_LEASE);
    if (lease.state === 'free') return undefined;
    const since = Date.parse(lease.holder?.since ?? '') || 0;
    if ((await pipeline.staging.now()).getTime() - since > TOLD_MS) throw elsewhere(pipeline, lease.text);
    await sleep(100);
  }
}

/** Throws `worker.elsewhere` when somebody holds the capture lease, for starting a second worker would only wait for it. */
export async function refuseSecondWorker(pipeline: Pipeline): Promise<void> {
  const lease = await describeLease(pipeline.staging, CAPTURE_LEASE);
  if (lease.state !== 'free') throw elsewhere(pipeline, lease.text);
}

function elsewhere(pipeline: Pipeline, holder: string): CdcError {
  return new CdcError('worker.elsewhere', `another worker captures into ${pipeline.staging.location}: ${holder}`, {
    hint: 'stop it there with `cdc stop`; after a crash of its machine the lease ends by itself within a minute',
  });
}

/** Starts `command` (a cdc that runs the worker in the foreground) as a process of its own session, its output in the log. */
export async function spawnWorker(options: {
  command: string[];
  stateFolder: string;
  folder: string;
  env: NodeJS.ProcessEnv;
}): Promise<number> {
  await mkdir(options.stateFolder, { recursive: true });
  const log = await open(workerLogPath(options.stateFolder), 'a');
  try {
    const [program = process.execPath, ...args] = options.command;
    const child = spawn(program, args, {
      cwd: options.folder,
      env: options.env,
      detached: true,
      // Its answer is for a person who runs it in the foreground; the log is what it says meanwhile.
      stdio: ['ignore', 'ignore', log.fd],
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    const pid = child.pid ?? 0;
    await noteStartingWorker(options.stateFolder, await identityOf(pid));
    return pid;
  } finally {
    await log.close();
  }
}

/**
 * Waits until the worker with this pid has confirmed its position and merged its loads (or, without `ongoing`, has
 * finished). Throws what the worker failed with. Where another worker runs, its state is returned.
 */
export async function waitForWorker(options: {
  pid: number;
  pipeline: Pipeline;
  progress: Progress;
  signal: AbortSignal;
}): Promise<WorkerState> {
  const { pid, pipeline, progress, signal } = options;
  const { stateFolder } = pipeline.config;
  progress.update('starting a worker');
  for (;;) {
    // The worker is a session of its own, which the terminal's Ctrl-C does not reach.
    if (signal.aborted)
      throw new CancelledError(
        `interrupted: the worker (pid ${pid}) goes on in the background`,
        'cdc status\ncdc stop --worker',
      );
    const state = await readWorkerState(stateFolder);
    if (state?.process.pid === pid) {
      if (state.state === 'failed') throw failureOf(state);
      if (state.state === 'finished') return state;
      if (state.state === 'stopped')
        throw new CdcError('worker.stopped', `the worker (pid ${pid}) was stopped before it was ready`, {
          hint: 'cdc start',
        });
      if (state.state === 'following' && state.loadsMerged) return state;
      const stuck = Object.values(state.tables).find((table) => table.error !== undefined)?.error;
      if (stuck !== undefined && state.state === 'following')
        throw new CdcError(stuck.code, stuck.message, stuck.hint === undefined ? {} : { hint: stuck.hint });
      progress.update(state.doing);
    }
    if (!isProcess(pid)) {
      const last = await readWorkerState(stateFolder);
      if (last?.process.pid === pid && ENDED.includes(last.state)) continue;
      // Another one, started at the same time, was faster.
      const other = await runningWorker(pipeline);
      if (other !== undefined) return other;
      throw new CdcError(
        'worker.died',
        `the worker (pid ${pid}) ended without a word: ${await lastLines(stateFolder)}`,
        { hint: 'cdc logs' },
      );
    }
    await sleep(100, undefined, { signal }).catch(() => undefined);
  }
}

/** Ends the worker of this folder and waits for it; false when none runs. Throws when it does not end in time. */
export async function stopWorker(stateFolder: string, signal: AbortSignal): Promise<boolean> {
  const found = await findWorker(stateFolder);
  const worker = found.alive ? found.state?.process : found.starting;
  if (worker === undefined) return false;
  const { pid } = worker;
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    if (nativeCodeOf(error) === 'EPERM')
      throw new CdcError('worker.not-ours', `stopping the worker (pid ${pid}): it belongs to another user`, {
        hint: `sudo kill ${pid}`,
      });
  }
  for (let waited = 0; waited < 30_000; waited += 50) {
    throwIfCancelled(signal);
    if (await isGone(worker)) return true;
    await sleep(50);
  }
  throw new CdcError('worker.stuck', `the worker (pid ${pid}) has not ended within 30 s`, {
    hint: `kill -9 ${pid}   # nothing is lost: it goes on from its checkpoint`,
  });
}

export function failureOf(state: WorkerState): CdcError {
  const error = state.error ?? { code: 'worker.failed', message: 'the worker failed' };
  return new CdcError(error.code, error.message, { hint: error.hint ?? 'cdc logs' });
}

function isProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function lastLines(stateFolder: string): Promise<string> {
  const log = await readFile(workerLogPath(stateFolder), 'utf8').catch(() => '');
  return log.trim().split('\n').slice(-5).join('\n');
}
