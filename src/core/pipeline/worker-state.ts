/** What the worker tells of itself in `.cdc/worker.json`: for `status`, `replicate` and `stop` on this machine. Nothing is resumed from it. */

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CdcError, messageOf, nativeCodeOf } from '../errors.ts';
import type { ProcessIdentity } from '../store/process-identity.ts';

const problem = z.object({ code: z.string(), message: z.string(), hint: z.string().optional() });

/** Why a merge waits: a load or a file that is not there yet, whoever has the lease, or the write budget until then. */
const waiting = z.object({
  reason: z.enum(['loading', 'gap', 'replaying', 'lease', 'write-budget']),
  until: z.string().optional(),
});

const processIdentity = z.object({
  host: z.string(),
  pid: z.number().int(),
  started: z.string().optional(),
  boot: z.string().optional(),
  machine: z.string().optional(),
});

const workerFile = z.object({
  format: z.literal(1),
  process: processIdentity,
  startedAt: z.string(),
  updatedAt: z.string(),
  /** What it is at; `following` means that the position is confirmed, `finished` that a full load was all it had to do. */
  state: z.enum(['starting', 'loading', 'following', 'reconnecting', 'finished', 'stopped', 'failed']),
  merge: z.boolean(),
  ongoing: z.boolean(),
  /** One line for people: what is under way. */
  doing: z.string(),
  /** The commit time of what it reads, while it is behind the source. */
  behindSince: z.string().optional(),
  position: z.string().optional(),
  /** `schema.table` of what this worker loaded. */
  loaded: z.array(z.string()).default([]),
  /** What it warned of before it followed, such as a table that is left out: for whoever waits for it. */
  warnings: z.array(z.string()).default([]),
  /** Loads that this worker took are merged: what `replicate` waits for. */
  loadsMerged: z.boolean(),
  error: problem.optional(),
  /** By `schema.table`. */
  tables: z.record(
    z.string(),
    z.object({
      /** Why the last merge failed. */
      error: problem.optional(),
      /** Why capture follows it no longer. */
      stopped: problem.optional(),
      waiting: waiting.optional(),
      mergedAt: z.string().optional(),
      version: z.number().optional(),
    }),
  ),
});

export type WorkerState = z.infer<typeof workerFile>;
export type WorkerProblem = z.infer<typeof problem>;
export type MergeWaiting = z.infer<typeof waiting>;

/** What was thrown, as the state file and `status` tell it. */
export function problemOf(error: unknown): WorkerProblem {
  if (!(error instanceof CdcError))
    return { code: 'bug', message: error instanceof Error ? (error.stack ?? error.message) : messageOf(error) };
  return { code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
}

export function workerFilePath(stateFolder: string): string {
  return join(stateFolder, 'worker.json');
}

export function workerLogPath(stateFolder: string): string {
  return join(stateFolder, 'worker.log');
}

/** undefined when no worker ever ran here, or the file is from another version. */
export async function readWorkerState(stateFolder: string): Promise<WorkerState | undefined> {
  try {
    return workerFile.safeParse(JSON.parse(await readFile(workerFilePath(stateFolder), 'utf8'))).data;
  } catch (error) {
    if (nativeCodeOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function startingFilePath(stateFolder: string): string {
  return join(stateFolder, 'worker-starting.json');
}

/** Notes the process that was started to be a worker, for it says nothing of itself before it has the lease. */
export async function noteStartingWorker(stateFolder: string, identity: ProcessIdentity): Promise<void> {
  await writeFile(startingFilePath(stateFolder), `${JSON.stringify(identity)}\n`);
}

/** The process that was started last, be it there or not. */
export async function readStartingWorker(stateFolder: string): Promise<ProcessIdentity | undefined> {
  const text = await readFile(startingFilePath(stateFolder), 'utf8').catch(() => '{}');
  try {
    return processIdentity.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Keeps the file up to date; writes are gathered, for it is only for eyes. */
export class WorkerStateFile {
  readonly #folder: string;
  readonly #onChange: (state: Readonly<WorkerState>) => void;
  #state: WorkerState;
  #writing: Promise<void> | undefined;
  #stale = false;

  constructor(
    folder: string,
    initial: Omit<WorkerState, 'format' | 'updatedAt'>,
    onChange: (state: Readonly<WorkerState>) => void = () => {},
  ) {
    this.#folder = folder;
    this.#onChange = onChange;
    this.#state = { format: 1, updatedAt: new Date().toISOString(), ...initial };
  }

  get state(): Readonly<WorkerState> {
    return this.#state;
  }

  update(changes: Partial<WorkerState>): void {
    this.#state = { ...this.#state, ...changes, updatedAt: new Date().toISOString() };
    this.#onChange(this.#state);
    this.#stale = true;
    this.#writing ??= this.#write();
  }

  updateTable(name: string, changes: Partial<WorkerState['tables'][string]>): void {
    this.update({ tables: { ...this.#state.tables, [name]: { ...this.#state.tables[name], ...changes } } });
  }

  /** Everything said so far is in the file. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(): Promise<void> {
    try {
      while (this.#stale) {
        this.#stale = false;
        await mkdir(this.#folder, { recursive: true });
        const path = workerFilePath(this.#folder);
        await writeFile(`${path}.tmp`, `${JSON.stringify(this.#state, null, 1)}\n`);
        await rename(`${path}.tmp`, path);
      }
    } catch {
      // It is only for eyes: a full disk ends no worker by it, and the next update tries again.
    } finally {
      this.#writing = undefined;
    }
  }
}
