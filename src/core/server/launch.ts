/** Spawns a server so that it outlives the command, and waits until it answers or has said why not. */
import { spawn } from 'node:child_process';
import { open, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { CancelledError, CdcError } from '../errors.ts';
import type { Progress } from '../progress.ts';
import type { ServerCredentials } from './credentials.ts';
import { lastLogLines, waitUntilReady } from './readiness.ts';
import { serverArguments } from './server-arguments.ts';
import type { ServerBinary } from './server-binary.ts';
import { waitUntilGone } from './server-process.ts';
import { type ServerPaths, type ServerRecord, writeRecord } from './state.ts';

export interface LaunchOptions {
  binary: ServerBinary;
  folder: string;
  paths: ServerPaths;
  record: ServerRecord;
  user: string | undefined;
  initFile: string | undefined;
  credentials: ServerCredentials;
  progress: Progress;
  signal?: AbortSignal | undefined;
}

/** Returns the record with the pid; when the server does not come up, none is left running. */
export async function launch(options: LaunchOptions): Promise<ServerRecord & { pid: number }> {
  const { binary, folder, paths, record, user, initFile, credentials, progress, signal } = options;
  const { port, socket, extraArgs } = record;
  const logStart = await stat(paths.errorLog).then(
    (facts) => facts.size,
    () => 0,
  );
  progress.update(`starting ${binary.flavor} ${binary.version} on 127.0.0.1:${port}`);
  // MySQL takes the pid in the lock of a socket for a server as long as anything has that pid: another program since, or a
  // killed server that nobody has reaped. That no server of this folder runs is known here; a copy of it has a socket of its
  // own, but for one under the temporary folder.
  if (path.dirname(socket) === paths.runDir) await rm(`${socket}.lock`, { force: true });
  const args = serverArguments({ binary, paths, port, socket, user, initFile, extraArgs });
  const child = await spawnDetached(binary, args, paths.errorLog);
  const launched = { ...record, pid: child.pid };
  await writeRecord(folder, launched);
  try {
    const log = { file: paths.errorLog, from: logStart };
    await waitUntilReady({ child, log, port, user: credentials.admin, dataDir: paths.dataDir, progress, signal });
  } catch (error) {
    child.kill();
    if (error instanceof CancelledError) throw error;
    // It may hold the data directory still, and the next try needs it.
    await waitUntilGone(child.pid, 30_000);
    if (error instanceof CdcError && error.code !== 'server.start-failed') throw error;
    const log = await lastLogLines(paths.errorLog, logStart);
    throw startFailed({ port, log, errorLog: paths.errorLog, cause: error });
  }
  return launched;
}

interface DetachedServer {
  pid: number;
  hasEnded: () => boolean;
  kill: () => void;
}

/** In a session of its own: it survives the command that started it and its terminal. */
async function spawnDetached(binary: ServerBinary, args: readonly string[], errorLog: string): Promise<DetachedServer> {
  // Through an open file rather than --log-error: what is said before the server opens its log is there too.
  const log = await open(errorLog, 'a', 0o640);
  try {
    const child = spawn(binary.mysqld, args, {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      cwd: '/',
      // Nothing of the person's environment: secrets in it would live as long as the server.
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C', ...binary.env },
    });
    let over = false;
    child.once('exit', () => {
      over = true;
    });
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', () => (child.pid === undefined ? reject(new Error('no pid')) : resolve(child.pid)));
    });
    child.unref();
    return { pid, hasEnded: () => over, kill: () => child.kill('SIGTERM') };
  } catch (error) {
    throw new CdcError('server.start-failed', `starting ${binary.mysqld}: ${String(error)}`, { cause: error });
  } finally {
    await log.close();
  }
}

function startFailed(facts: { port: number; log: string[]; errorLog: string; cause: unknown }): CdcError {
  const text = facts.log.join('\n');
  // Taken between our look and the server's.
  if (/Address already in use|Do you already have another (mysqld|server)/i.test(text)) return portInUse(facts.port);
  const lines = facts.log.length === 0 ? ['(its log is empty)'] : facts.log;
  return new CdcError(
    'server.start-failed',
    ['starting the private server: it ended at once and said', ...lines].join('\n  '),
    {
      hint: `the whole log: ${facts.errorLog}`,
      cause: facts.cause,
    },
  );
}

export function portInUse(port: number): CdcError {
  return new CdcError(
    'server.port-in-use',
    `starting the private server on 127.0.0.1:${port}: another program uses that port`,
    {
      hint: 'take another number in source.port of cdc.yaml, or leave it out: the tool then finds a free one',
    },
  );
}
