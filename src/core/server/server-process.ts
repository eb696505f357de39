/** Looks at processes of this machine: is one alive, is it the mysqld of our data directory, has it gone. */
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { nativeCodeOf } from '../errors.ts';
import { runCommand } from './run-command.ts';

export async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: there, but somebody else's.
    return nativeCodeOf(error) === 'EPERM';
  }
  try {
    // In a container whose first process does not reap, a dead server stays as a zombie for ever: it counts as gone.
    // But only when its last thread has ended: until then it holds its port and the locks on its data.
    const status = await readFile(`/proc/${pid}/stat`, 'utf8');
    if (!/^\d+ \(.*\) [ZX] /s.test(status)) return true;
    return (await readdir(`/proc/${pid}/task`)).length > 1;
  } catch (error) {
    // Where there is a /proc, no entry means gone; elsewhere (macOS) the signal's word stands.
    return !(nativeCodeOf(error) === 'ENOENT' && process.platform === 'linux');
  }
}

async function commandLine(pid: number): Promise<string[]> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
  } catch {
    const result = await runCommand('ps', ['-ww', '-o', 'command=', '-p', String(pid)]);
    return result.exitCode === 0 ? [result.stdout.trim()] : [];
  }
}

/** A pid may have been given to another program since: only a process with our data directory in its arguments is ours. */
export async function isServerOf(pid: number, dataDir: string): Promise<boolean> {
  if (!(await isAlive(pid))) return false;
  const wanted = `--datadir=${dataDir}`;
  const args = await commandLine(pid);
  return args.length === 1 ? (args[0] ?? '').includes(wanted) : args.includes(wanted);
}

/** True when the process has gone within the time. */
export async function waitUntilGone(pid: number, milliseconds: number, signal?: AbortSignal): Promise<boolean> {
  const end = Date.now() + milliseconds;
  while (await isAlive(pid)) {
    if (Date.now() >= end || signal?.aborted) return false;
    await sleep(25);
  }
  return true;
}
