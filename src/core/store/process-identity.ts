/** Which process holds something, told so exactly that another process of the same machine can see whether it is gone. */

import { execFile } from 'node:child_process';
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { promisify } from 'node:util';
import { nativeCodeOf } from '../errors.ts';

export interface ProcessIdentity {
  host: string;
  pid: number;
  /** When the process started, as its system tells it: a pid that was given out again has another. */
  started?: string | undefined;
  /** The boot it runs in. */
  boot?: string | undefined;
  /** The machine and its pid namespace: two containers may share a host name and see different processes under one pid. */
  machine?: string | undefined;
}

export async function ownIdentity(): Promise<ProcessIdentity> {
  return identityOf(process.pid);
}

/** Of a process of this machine that runs now. */
export async function identityOf(pid: number): Promise<ProcessIdentity> {
  return {
    host: hostname(),
    pid,
    started: await startOf(pid),
    boot: await bootId(),
    machine: await machineId(),
  };
}

/** True only when it is certain: the process ran on this machine and is there no more. */
export async function isGone(identity: ProcessIdentity): Promise<boolean> {
  if (identity.host !== hostname() || identity.machine !== (await machineId())) return false;
  if (identity.boot !== undefined && identity.boot !== (await bootId())) return true;
  if (!(await isRunning(identity.pid))) return true;
  const started = await startOf(identity.pid);
  return identity.started !== undefined && started !== undefined && identity.started !== started;
}

/** Clock ticks since boot from /proc, the date from ps elsewhere; undefined where it cannot be seen. */
export async function startOf(pid: number): Promise<string | undefined> {
  const fields = await processFields(pid);
  if (fields !== undefined) return fields[19];
  if (process.platform === 'linux' || process.platform === 'win32') return undefined;
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)]);
    return stdout.trim() === '' ? undefined : stdout.trim();
  } catch {
    return undefined;
  }
}

async function isRunning(pid: number): Promise<boolean> {
  const state = (await processFields(pid))?.[0];
  // A zombie has ended; only its parent has not looked yet.
  if (state !== undefined) return state !== 'Z' && state !== 'X';
  // /proc may be missing or hide other users' processes; a signal that is refused found one.
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return nativeCodeOf(error) !== 'ESRCH';
  }
}

/** The fields of /proc/<pid>/stat after the name, which stands in parentheses and may hold blanks and parentheses itself. */
async function processFields(pid: number): Promise<string[] | undefined> {
  const status = await readText(`/proc/${pid}/stat`);
  return status?.slice(status.lastIndexOf(')') + 2).split(' ');
}

async function bootId(): Promise<string | undefined> {
  return await readText('/proc/sys/kernel/random/boot_id');
}

async function machineId(): Promise<string | undefined> {
  const machine = await readText('/etc/machine-id');
  const namespace = await readlink('/proc/self/ns/pid').catch(() => undefined);
  if (machine === undefined && namespace === undefined) return undefined;
  return `${machine ?? ''} ${namespace ?? ''}`.trim();
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch {
    return undefined;
  }
}
