/** Finds a database server to run, the first that works: named, on this system, in the cache, or fetched into the cache. */
import { stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { CdcError, messageOf, throwIfCancelled } from '../errors.ts';
import type { Progress } from '../progress.ts';
import { installWithApt } from './apt-install.ts';
import { cachedServers, prepareCache } from './binary-cache.ts';
import { fetchMariadb } from './fetch-mariadb.ts';
import { fetchMysql } from './fetch-mysql.ts';
import { serverNotFound } from './not-found.ts';
import { type CommandRunner, runCommand } from './run-command.ts';
import { inspectBinary, type ServerBinary, type ServerFlavor } from './server-binary.ts';

export interface FindServerOptions {
  /** What CDC_MYSQLD says; then nothing else is tried. */
  mysqld?: string | undefined;
  /** What PATH says; the usual folders are looked at in any case. */
  searchPath?: string | undefined;
  /** Where fetched servers are kept, for all pipelines of this person. */
  cacheDir: string;
  flavor?: ServerFlavor | undefined;
  /** Looked at after PATH; other folders than the usual ones are for tests. */
  systemFolders?: readonly string[];
  /** False: look, but fetch and install nothing. */
  fetch?: boolean;
  run?: CommandRunner;
  progress: Progress;
  signal?: AbortSignal | undefined;
}

interface Search extends FindServerOptions {
  run: CommandRunner;
  /** Why each place did not give a server, for the error. */
  reasons: string[];
}

export async function findServer(options: FindServerOptions): Promise<ServerBinary> {
  const { mysqld, flavor, signal, run = runCommand } = options;
  if (mysqld !== undefined && mysqld !== '') {
    const named = await inspectBinary({ mysqld: path.resolve(mysqld), run, signal });
    if (flavor === undefined || named.flavor === flavor) return named;
    throw new CdcError(
      'server.mysqld-unusable',
      `using ${mysqld} as the database server: it is ${named.flavor}, and ${flavor} is asked for`,
      {
        hint: `set CDC_MYSQLD to a server of ${flavor}, or unset it`,
      },
    );
  }
  const search: Search = { ...options, run, reasons: [] };
  const found = (await onThisSystem(search)) ?? (await fromCache(search));
  if (found !== undefined) return found;
  if (options.fetch !== false) {
    const fetched = await fetchServer(search);
    if (fetched !== undefined) return fetched;
  }
  throw await serverNotFound({ flavor, reasons: search.reasons });
}

const USUAL_FOLDERS = [
  '/usr/sbin',
  '/usr/local/sbin',
  '/usr/bin',
  '/usr/local/bin',
  '/usr/libexec',
  '/usr/local/mysql/bin',
  '/opt/homebrew/opt/mariadb/bin',
  '/opt/homebrew/opt/mysql/bin',
  '/usr/local/opt/mariadb/bin',
  '/usr/local/opt/mysql/bin',
];

async function onThisSystem(search: Search): Promise<ServerBinary | undefined> {
  const folders = [...(search.searchPath ?? '').split(path.delimiter), ...(search.systemFolders ?? USUAL_FOLDERS)];
  const names = search.flavor === 'mysql' ? ['mysqld'] : ['mariadbd', 'mysqld'];
  for (const folder of new Set(folders.filter((folder) => path.isAbsolute(folder)))) {
    for (const name of names) {
      const mysqld = path.join(folder, name);
      if (!(await isFile(mysqld))) continue;
      if (await isConfined(mysqld)) {
        note(search, `${mysqld}: AppArmor lets it write to /var/lib/mysql only`);
        continue;
      }
      const binary = await attempt(search, mysqld, () => inspectBinary({ ...search, mysqld }));
      if (binary === undefined) continue;
      if (search.flavor === undefined || binary.flavor === search.flavor) return binary;
    }
  }
  return undefined;
}

async function fromCache(search: Search): Promise<ServerBinary | undefined> {
  for (const unpacked of await cachedServers(search)) {
    const binary = await attempt(search, unpacked.mysqld, () => inspectBinary({ ...search, ...unpacked }));
    if (binary !== undefined) return binary;
  }
  return undefined;
}

async function fetchServer(search: Search): Promise<ServerBinary | undefined> {
  const { flavor, run, progress, signal } = search;
  const cacheDir = await prepareCache(search.cacheDir);
  const context = { cacheDir, run, progress, signal };
  const inspect = (unpacked: { mysqld: string; env: Record<string, string> }) =>
    inspectBinary({ ...search, ...unpacked });
  if (flavor !== 'mysql') {
    const mariadb = await attempt(search, 'Debian package mariadb-server-core', async () =>
      inspect(await fetchMariadb(context)),
    );
    if (mariadb !== undefined) return mariadb;
  }
  if (flavor !== 'mariadb') {
    const mysql = await attempt(search, 'MySQL from Maven Central', async () => inspect(await fetchMysql(context)));
    if (mysql !== undefined) return mysql;
  }
  if (flavor === 'mysql') return undefined;
  const installed = await attempt(search, 'apt-get install', () => installWithApt(context));
  return installed === true ? onThisSystem(search) : undefined;
}

/** A way that fails is a reason kept for the end, not the end. */
async function attempt<T>(search: Search, what: string, way: () => Promise<T>): Promise<T | undefined> {
  throwIfCancelled(search.signal);
  try {
    return await way();
  } catch (error) {
    if (error instanceof CdcError && error.code === 'cancelled') throw error;
    note(search, `${what}: ${messageOf(error)}`);
    return undefined;
  }
}

function note(search: Search, reason: string): void {
  search.reasons.push(reason);
  search.progress.detail(reason);
}

async function isFile(file: string): Promise<boolean> {
  return stat(file).then(
    (facts) => facts.isFile(),
    () => false,
  );
}

/** Ubuntu's package confines /usr/sbin/mysqld to the system server's folders. */
async function isConfined(mysqld: string): Promise<boolean> {
  if (os.platform() !== 'linux') return false;
  const profile = `/etc/apparmor.d/${mysqld.slice(1).replaceAll('/', '.')}`;
  return (await isFile(profile)) && (await isFile('/sys/kernel/security/apparmor/profiles'));
}
