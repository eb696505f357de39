/** The built command line as a child process: what a person types, with the exit code and the streams a shell sees. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ensureBuilt } from './build.ts';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const PROGRAM = fileURLToPath(new URL('../../bin/cdc.js', import.meta.url));
/** Where calls of AWS are recorded or go wrong: see there. */
const UNBUNDLED = fileURLToPath(new URL('./aws/unbundled.mjs', import.meta.url));

export interface CdcOptions {
  cwd: string;
  /** On top of a clean environment: PATH and HOME, no CDC_* of the caller but the cache of fetched servers. */
  env?: Record<string, string>;
  /** What is piped in; without it stdin is closed at once. */
  input?: string;
}

export interface CdcResult {
  /** Null when a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunningCdc {
  readonly process: ChildProcess;
  readonly pid: number;
  /** What it has written so far. */
  readonly stdout: string;
  readonly stderr: string;
  readonly ended: Promise<CdcResult>;
}

export async function runCdc(args: readonly string[], options: CdcOptions): Promise<CdcResult> {
  return (await startCdc(args, options)).ended;
}

/** `cdc stop`, for a process that is about to end and cannot wait. */
export function stopCdcNow(options: CdcOptions): void {
  spawnSync(process.execPath, [PROGRAM, 'stop'], { cwd: options.cwd, env: environment(options), timeout: 60_000 });
}

function environment({ env }: CdcOptions): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env;
  return { PATH, HOME, TMPDIR, CDC_CACHE: `${REPOSITORY}.cache`, NO_COLOR: '1', ...env };
}

export async function startCdc(args: readonly string[], options: CdcOptions): Promise<RunningCdc> {
  await ensureBuilt();
  const program = options.env?.CDC_TEST_AWS_CALLS === undefined ? PROGRAM : UNBUNDLED;
  const child = spawn(process.execPath, [program, ...args], {
    cwd: options.cwd,
    env: environment(options),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  // A command that does not read its input may be gone before it is written.
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  const stdout = () => Buffer.concat(out).toString();
  const stderr = () => Buffer.concat(err).toString();
  const ended = new Promise<CdcResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout: stdout(), stderr: stderr() }));
  });
  if (child.pid === undefined) return ended.then(() => Promise.reject(new Error('the command did not start')));
  return {
    process: child,
    pid: child.pid,
    ended,
    get stdout() {
      return stdout();
    },
    get stderr() {
      return stderr();
    },
  };
}
