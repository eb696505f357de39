/** Starts the private server of a folder, making it first when it is not there; adopts one that runs already. */
import { mkdir, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { CdcError, messageOf, throwIfCancelled } from '../errors.ts';
import type { Progress } from '../progress.ts';
import { generateCredentials, readCredentials, writeCredentials } from './credentials.ts';
import { hasDataDirectory, makeDataDirectory } from './data-directory.ts';
import { writeInitFile } from './init-file.ts';
import { launch, portInUse } from './launch.ts';
import { prepareLayout } from './layout.ts';
import { freePort, isPortFree } from './port.ts';
import { waitUntilReady } from './readiness.ts';
import { compareVersions, inspectBinary, type ServerBinary, type ServerFlavor } from './server-binary.ts';
import { serviceAccount } from './service-account.ts';
import { withStartLock } from './start-lock.ts';
import {
  canonicalFolder,
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
  try {
    await mkdir(options.folder, { recursive: true });
  } catch (error) {
    throw new CdcError('server.folder', `making the server's folder ${options.folder}: ${messageOf(error)}`, {
      hint: 'make the folder above it writable, or move the pipeline to another folder',
      cause: error,
    });
  }
  const folder = await canonicalFolder(options.folder);
  return withStartLock(folder, options.signal, () => start({ ...options, folder }));
}

async function start(options: StartPrivateServerOptions): Promise<StartedServer> {
  const { folder, progress, signal } = options;
  const record = await readRecord(folder);
  const running = await adoptRunning(options, record);
  if (running !== undefined) return running;

  const binary = await binaryFor(options, record);
  throwIfCancelled(signal);
  const account = await serviceAccount({ progress });
  const { paths, socket, outside } = await prepareLayout({ folder, record, account, progress });
  const port = await choosePort(options, record);

  let credentials = await readCredentials(folder);
  let accountsReady = record?.accountsReady ?? false;
  if (credentials === undefined) {
    credentials = generateCredentials();
    accountsReady = false;
    await writeCredentials(folder, credentials);
  }
  const hasData = await hasDataDirectory(paths);
  accountsReady &&= hasData;
  const next: ServerRecord = {
    ...binary,
    port,
    outside,
    socket,
    accountsReady,
    extraArgs: [...(options.extraArgs ?? record?.extraArgs ?? [])],
  };
  // Where the data lies is written down before there is any.
  await writeRecord(folder, next);
  if (!hasData) {
    progress.update(`making a ${binary.flavor === 'mysql' ? 'MySQL' : 'MariaDB'} ${binary.version} data directory`);
    await makeDataDirectory({ binary, paths, account, signal });
  }
  throwIfCancelled(signal);
  const initFile = accountsReady
    ? undefined
    : await writeInitFile({ paths, flavor: binary.flavor, credentials, account });
  const launchOnPort = (port: number) =>
    launch({
      binary,
      folder,
      paths,
      record: { ...next, port },
      user: account?.name,
      initFile,
      credentials,
      progress,
      signal,
    });
  const launched = await launchOnPort(port).catch(async (error: unknown) => {
    // A port that we found was taken between our look and the server's: another one does as well.
    const taken = error instanceof CdcError && error.code === 'server.port-in-use';
    if (!taken || options.port !== undefined) throw error;
    return launchOnPort(await freePort());
  });
  if (initFile !== undefined) await rm(initFile, { force: true });
  await writeRecord(folder, { ...launched, accountsReady: true });
  return { ...(await describeRunning(folder, launched, launched.pid)), adopted: false };
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
        hint: 'cdc stop\ncdc start',
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
