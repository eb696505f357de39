/** The private server's own record (`server.json`) and what can be told from it: absent, stopped or running. */
import { readFile, realpath, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { CdcError, nativeCodeOf } from '../errors.ts';
import { readCredentials, type ServerCredentials } from './credentials.ts';
import type { ServerFlavor } from './server-binary.ts';
import { isServerOf } from './server-process.ts';

const recordSchema = z.object({
  flavor: z.enum(['mariadb', 'mysql']),
  version: z.string(),
  mysqld: z.string(),
  baseDir: z.string(),
  shareDir: z.string(),
  env: z.record(z.string(), z.string()),
  port: z.number().int().min(1).max(65535),
  /** Where data, run and tmp lie when they cannot lie in the server's folder; see layout.ts. */
  outside: z.object({ place: z.string(), owner: z.string() }).optional(),
  socket: z.string(),
  /** The passwords of credentials.json are set in the server. */
  accountsReady: z.boolean(),
  extraArgs: z.array(z.string()),
  pid: z.number().int().optional(),
});

export type ServerRecord = z.infer<typeof recordSchema>;

/** What it takes to talk to a private server. */
export interface PrivateServer {
  flavor: ServerFlavor;
  version: string;
  host: '127.0.0.1';
  port: number;
  socket: string;
  pid: number;
  users: ServerCredentials;
  /** The server's folder: credentials.json, server.json, error.log. */
  folder: string;
  dataDir: string;
}

export type PrivateServerState =
  | { state: 'absent' }
  | { state: 'stopped'; flavor: ServerFlavor; version: string; port: number }
  | ({ state: 'running' } & PrivateServer);

const RECORD_FILE = 'server.json';

export async function readRecord(folder: string): Promise<ServerRecord | undefined> {
  const file = path.join(folder, RECORD_FILE);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (nativeCodeOf(error) === 'ENOENT') return undefined;
    throw new CdcError('server.record', `reading ${file}: ${nativeCodeOf(error) ?? 'failed'}`, { cause: error });
  }
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new CdcError('server.record', `reading what is known of the private server: ${file} is damaged`, {
      hint: `delete ${file}: the data in ${path.join(folder, 'data')} is kept and the next \`cdc start\` writes it again`,
      cause: error,
    });
  }
}

export async function writeRecord(folder: string, record: ServerRecord): Promise<void> {
  const file = path.join(folder, RECORD_FILE);
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, `${JSON.stringify(record, null, 2)}\n`);
  await rename(temporary, file);
}

/** One name for the folder, however it was reached: the running server is known by the path of its data. */
export async function canonicalFolder(folder: string): Promise<string> {
  return realpath(folder).catch(() => path.resolve(folder));
}

/** Folders of one server. `place` is the server's folder itself, or one outside when that one is closed to its user. */
export interface ServerPaths {
  dataDir: string;
  runDir: string;
  tmpDir: string;
  pidFile: string;
  errorLog: string;
  initFile: string;
}

export function serverPaths(place: string): ServerPaths {
  const runDir = path.join(place, 'run');
  return {
    dataDir: path.join(place, 'data'),
    runDir,
    tmpDir: path.join(place, 'tmp'),
    pidFile: path.join(runDir, 'mysqld.pid'),
    errorLog: path.join(runDir, 'error.log'),
    initFile: path.join(runDir, 'accounts.sql'),
  };
}

/** The pid of the running server of these folders, whatever stale files say. */
export async function runningPid(record: ServerRecord | undefined, paths: ServerPaths): Promise<number | undefined> {
  const candidates: number[] = [];
  if (record?.pid !== undefined) candidates.push(record.pid);
  try {
    // Also mysqld's own file: the tool may have been killed between starting it and noting its pid.
    const pid = Number.parseInt(await readFile(paths.pidFile, 'utf8'), 10);
    if (Number.isInteger(pid) && pid > 0) candidates.push(pid);
  } catch {
    // not there, or not readable: the record must do
  }
  for (const pid of candidates) {
    if (await isServerOf(pid, paths.dataDir)) return pid;
  }
  return undefined;
}

export async function privateServerState(folder: string): Promise<PrivateServerState> {
  const absolute = await canonicalFolder(folder);
  const record = await readRecord(absolute);
  if (record === undefined) return { state: 'absent' };
  const paths = serverPaths(record.outside?.place ?? absolute);
  const { flavor, version, port } = record;
  const pid = await runningPid(record, paths);
  if (pid === undefined) return { state: 'stopped', flavor, version, port };
  return { state: 'running', ...(await describeRunning(absolute, record, pid)) };
}

export async function describeRunning(folder: string, record: ServerRecord, pid: number): Promise<PrivateServer> {
  const users = await readCredentials(folder);
  if (users === undefined) {
    throw new CdcError('server.credentials', `using the private server in ${folder}: its credentials.json is gone`, {
      hint: 'cdc stop\ncdc start   # without the file it sets new passwords',
    });
  }
  const { flavor, version, port, socket } = record;
  const { dataDir } = serverPaths(record.outside?.place ?? folder);
  return { flavor, version, host: '127.0.0.1', port, socket, pid, users, folder, dataDir };
}
