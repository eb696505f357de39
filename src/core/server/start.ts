/** Starts the private server of a folder, making it first when it is not there; adopts one that runs already. */
import { spawn } from 'node:child_process';
import { mkdir, open, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CdcError, throwIfCancelled } from '../errors.ts';
import type { Progress } from '../progress.ts';
import { generateCredentials, readCredentials, writeCredentials } from './credentials.ts';
import { hasDataDirectory, makeDataDirectory } from './data-directory.ts';
import { writeInitFile } from './init-file.ts';
import { prepareLayout } from './layout.ts';
import { freePort, isPortFree } from './port.ts';
import { lastLogLines, waitUntilReady } from './readiness.ts';
import { serverArguments } from './server-arguments.ts';
import { compareVersions, inspectBinary, type ServerBinary, type ServerFlavor } from './server-binary.ts';
import { serviceAccount } from './service-account.ts';
import { withStartLock } from './start-lock.ts';
import {
  describeRunning,
  type PrivateServer,
  readRecord,
  runningPid,
  type ServerRecord,
  serverPaths,
  writeRecord,
} from './state.ts';

export interface StartPrivateServerOptions {
  /** The server's own folder, `.cdc/server` of a pipeline; made when it is not there. */
  folder: string;
  /** Called only when the binary that the folder was made with is not known or not there any more; see findServer. */
  findBinary: (wanted: { flavor: ServerFlavor | undefined }) => Promise<ServerBinary>;
  /** A port somebody chose; without it a free one, kept from start to start. */
  port?: number | undefined;
  /** Kept with the server until other ones are given. */
  extraArgs?: readonly string[] | undefined;
  progress: Progress;
  signal?: AbortSignal | undefined;
}

export interface StartedServer extends PrivateServer {
  /** It was running before. */
  adopted: boolean;
}

export async function startPrivateServer(options: StartPrivateServerOptions): Promise<StartedServer> {
  const folder = path.resolve(options.folder);
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw new CdcError('server.folder', `making the server's folder ${folder}: ${String(error)}`, { cause: error });
  }
  return withStartLock(folder, options.signal, () => start({ ...options, folder }));
}

async function start(options: StartPrivateServerOptions): Promise<StartedServer> {
  const { folder, progress, signal } = options;
  const record = await readRecord(folder);
  const running = await adoptRunning(options, record);
  if (running !== undefined) return running;

  const binary = await binaryFor(options, record);
  throwIfCancelled(signal);
  const account = await serviceAccount();
  const { paths, socket, outside } = await prepareLayout({ folder, record, account, progress });
  const port = await choosePort(options, record);

  let credentials = await readCredentials(folder);
  let accountsReady = record?.accountsReady ?? false;
  if (credentials === undefined) {
    credentials = generateCredentials();
    accountsReady = false;
    await writeCredentials(folder, credentials);
  }
  if (!(await hasDataDirectory(paths))) {
    accountsReady = false;
    progress.update(`making a ${binary.flavor === 'mysql' ? 'MySQL' : 'MariaDB'} ${binary.version} data directory`);
    await makeDataDirectory({ binary, paths, account, signal });
  }
  throwIfCancelled(signal);

  const next: ServerRecord = {
    ...binary,
    port,
    outside,
    socket,
    accountsReady,
    extraArgs: [...(options.extraArgs ?? record?.extraArgs ?? [])],
  };
  // The tool writes down where the data lies before anything runs there.
  await writeRecord(folder, next);
  const initFile = accountsReady
    ? undefined
    : await writeInitFile({ paths, flavor: binary.flavor, credentials, account });
  const args = serverArguments({
    binary,
    paths,
    port,
    socket,
    user: account?.name,
    initFile,
    extraArgs: next.extraArgs,
  });
  const logStart = await stat(paths.errorLog).then(
    (facts) => facts.size,
    () => 0,
  );
  progress.update(`starting ${binary.flavor} ${binary.version} on 127.0.0.1:${port}`);
  const child = await spawnDetached(binary, args, paths.errorLog);
  await writeRecord(folder, { ...next, pid: child.pid });
  try {
    await waitUntilReady({ child, port, user: credentials.admin, dataDir: paths.dataDir, progress, signal });
  } catch (error) {
    child.kill();
    if (error instanceof CdcError && error.code !== 'server.start-failed') throw error;
    throw startFailed({
      port,
      log: await lastLogLines(paths.errorLog, logStart),
      errorLog: paths.errorLog,
      cause: error,
    });
  }
  if (initFile !== undefined) await rm(initFile, { force: true });
  await writeRecord(folder, { ...next, accountsReady: true, pid: child.pid });
  return { ...(await describeRunning(folder, next, child.pid)), adopted: false };
}

async function adoptRunning(
  options: StartPrivateServerOptions,
  record: ServerRecord | undefined,
): Promise<StartedServer | undefined> {
  const { folder, port } = options;
  const paths = serverPaths(record?.outside?.place ?? folder);
  const pid = await runningPid(record, paths);
  if (record === undefined || pid === undefined) return undefined;
  if (port !== undefined && port !== record.port) {
    throw new CdcError(
      'server.running',
      `starting the private server on port ${port}: it is running on port ${record.port} (pid ${pid})`,
      {
        hint: 'cdc stop, then cdc start',
      },
    );
  }
  const facts = await describeRunning(folder, record, pid);
  // The tool may have been killed while the server was starting.
  await waitUntilReady({
    port: record.port,
    pid,
    user: facts.users.admin,
    dataDir: paths.dataDir,
    progress: options.progress,
    signal: options.signal,
  });
  if (!record.accountsReady) {
    await rm(paths.initFile, { force: true });
    await writeRecord(folder, { ...record, accountsReady: true, pid });
  }
  return { ...facts, adopted: true };
}

/** The binary the data was made with; else a found one that is not older, for no server can read newer data. */
async function binaryFor(options: StartPrivateServerOptions, record: ServerRecord | undefined): Promise<ServerBinary> {
  if (record !== undefined) {
    try {
      const same = await inspectBinary({ mysqld: record.mysqld, env: record.env, signal: options.signal });
      if (same.flavor === record.flavor && compareVersions(same.version, record.version) >= 0) return same;
    } catch (error) {
      if (!(error instanceof CdcError) || error.code !== 'server.mysqld-unusable') throw error;
    }
  }
  const found = await options.findBinary({ flavor: record?.flavor });
  if (record !== undefined && (found.flavor !== record.flavor || compareVersions(found.version, record.version) < 0)) {
    throw new CdcError(
      'server.binary-differs',
      `starting the private server: its data was written by ${record.flavor} ${record.version}, and what is here is ${found.flavor} ${found.version}`,
      { hint: `CDC_MYSQLD=/path/to/mysqld of ${record.flavor} ${record.version} or later` },
    );
  }
  return found;
}

async function choosePort(options: StartPrivateServerOptions, record: ServerRecord | undefined): Promise<number> {
  const wanted = options.port ?? record?.port;
  if (wanted === undefined) return freePort();
  // A server that was just killed holds its port a moment longer than its pid.
  for (let attempt = 0; attempt < 20; attempt++) {
    if (await isPortFree(wanted)) return wanted;
    await sleep(50);
  }
  if (options.port !== undefined) throw portInUse(options.port);
  const port = await freePort();
  options.progress.warn(`port ${wanted} is in use by another program: the private server moves to port ${port}`);
  return port;
}

function portInUse(port: number): CdcError {
  return new CdcError(
    'server.port-in-use',
    `starting the private server on 127.0.0.1:${port}: another program uses that port`,
    {
      hint: 'take another number in source.port of cdc.yaml, or leave it out: the tool then finds a free one',
    },
  );
}

interface DetachedServer {
  pid: number;
  /** Settles when the process ends. */
  ended: Promise<void>;
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
    const ended = new Promise<void>((resolve) => {
      const end = () => {
        over = true;
        resolve();
      };
      child.once('exit', end);
      child.once('error', end);
    });
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', () => (child.pid === undefined ? reject(new Error('no pid')) : resolve(child.pid)));
    });
    child.unref();
    return { pid, ended, hasEnded: () => over, kill: () => child.kill('SIGTERM') };
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
