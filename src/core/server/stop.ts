/** Stops a private server in good order, and removes one with its data. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { CancelledError, CdcError, nativeCodeOf } from '../errors.ts';
import type { Progress } from '../progress.ts';
import { isShortSocket } from './layout.ts';
import { waitUntilGone } from './server-process.ts';
import { withStartLock } from './start-lock.ts';
import { canonicalFolder, readRecord, runningPid, serverPaths, writeRecord } from './state.ts';

export interface StopPrivateServerOptions {
  folder: string;
  progress: Progress;
  signal?: AbortSignal | undefined;
}

// Killing costs a recovery at the next start, never data; still, a server gets the time to write its pages.
const PATIENCE_MS = 60_000;

export async function stopPrivateServer(options: StopPrivateServerOptions): Promise<{ stopped: boolean }> {
  const folder = await canonicalFolder(options.folder);
  // Also keeps `withStartLock` from failing in a folder that is not there.
  if ((await readRecord(folder)) === undefined) return { stopped: false };
  return withStartLock(folder, options.signal, async () => ({ stopped: await stop({ ...options, folder }) }));
}

async function stop(options: StopPrivateServerOptions): Promise<boolean> {
  const { folder, progress, signal } = options;
  const record = await readRecord(folder);
  if (record === undefined) return false;
  const paths = serverPaths(record.outside?.place ?? folder);
  const pid = await runningPid(record, paths);
  if (pid === undefined) return false;
  progress.update(`stopping the private server (pid ${pid})`);
  send(pid, 'SIGTERM');
  if (!(await waitUntilGone(pid, PATIENCE_MS, signal))) {
    if (signal?.aborted) {
      throw new CancelledError(`stopping the private server: interrupted, pid ${pid} goes on ending by itself`);
    }
    progress.warn(
      `the private server (pid ${pid}) did not end within ${PATIENCE_MS / 1000} s: killing it, it recovers at the next start`,
    );
    send(pid, 'SIGKILL');
    if (!(await waitUntilGone(pid, 10_000))) {
      throw new CdcError('server.stop-failed', `stopping the private server: pid ${pid} does not end`, {
        hint: `kill -9 ${pid}`,
      });
    }
  }
  await rm(paths.pidFile, { force: true });
  await writeRecord(folder, { ...record, pid: undefined });
  return true;
}

/** Stops the server and deletes its folder, its data wherever it lies, and its passwords. */
export async function removePrivateServer(options: StopPrivateServerOptions): Promise<void> {
  const folder = await canonicalFolder(options.folder);
  await stopPrivateServer(options);
  const record = await readRecord(folder);
  if (record?.outside !== undefined) await rm(record.outside.place, { recursive: true, force: true });
  if (record !== undefined && isShortSocket(record.socket)) {
    await rm(path.dirname(record.socket), { recursive: true, force: true });
  }
  await rm(folder, { recursive: true, force: true });
}

function send(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (nativeCodeOf(error) === 'ESRCH') return;
    throw new CdcError('server.stop-failed', `stopping the private server: pid ${pid} belongs to another user`, {
      hint: 'run the command as the user who started the server',
      cause: error,
    });
  }
}
