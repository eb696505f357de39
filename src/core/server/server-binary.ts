/** What a usable mysqld is: its flavor, version and folders, found out by running it. */
import { access, constants, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { CdcError, messageOf } from '../errors.ts';
import { type CommandRunner, runCommand } from './run-command.ts';

export type ServerFlavor = 'mariadb' | 'mysql';

export interface ServerBinary {
  flavor: ServerFlavor;
  /** `10.11.19`, `8.0.31` */
  version: string;
  mysqld: string;
  /** What `--basedir` gets: the folder above bin or sbin. */
  baseDir: string;
  /** The folder with the error messages and, for MariaDB, the SQL that makes the system tables. */
  shareDir: string;
  /** What the process needs beyond its own defaults: LD_LIBRARY_PATH of an unpacked server. */
  env: Record<string, string>;
}

// MariaDB 10.5 brought BINLOG MONITOR and row metadata; MySQL 8.0 row metadata. Without them the tool cannot follow safely.
const OLDEST: Record<ServerFlavor, string> = { mariadb: '10.5', mysql: '8.0' };

export function compareVersions(left: string, right: string): number {
  const leftParts = left.split('.').map(Number);
  const rightParts = right.split('.').map(Number);
  for (let index = 0; index < Math.max(leftParts.length, rightParts.length); index++) {
    const difference = (leftParts[index] ?? 0) - (rightParts[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Reads `mysqld  Ver 8.0.31 for Linux …` and `mariadbd  Ver 10.11.19-MariaDB-… for …`. */
export function parseVersionLine(text: string): { flavor: ServerFlavor; version: string } | undefined {
  const found = /\bVer (\d+\.\d+\.\d+)(\S*)/.exec(text);
  const version = found?.[1];
  if (version === undefined) return undefined;
  return { flavor: /mariadb/i.test(text) ? 'mariadb' : 'mysql', version };
}

export interface InspectOptions {
  mysqld: string;
  env?: Record<string, string>;
  run?: CommandRunner;
  signal?: AbortSignal | undefined;
}

/** Runs `mysqld --version`; throws `server.mysqld-unusable` with the reason when it is not a server we can use. */
export async function inspectBinary(options: InspectOptions): Promise<ServerBinary> {
  const { mysqld, env = {}, run = runCommand, signal } = options;
  const unusable = (why: string, cause?: unknown) =>
    new CdcError('server.mysqld-unusable', `using ${mysqld} as the database server: ${why}`, {
      hint: 'set CDC_MYSQLD to the mysqld or mariadbd of MySQL 8.0 or MariaDB 10.5 and later, or unset it',
      cause,
    });
  try {
    await access(mysqld, constants.X_OK);
    if (!(await stat(mysqld)).isFile()) throw unusable('it is not a file');
  } catch (error) {
    if (error instanceof CdcError) throw error;
    throw unusable(`it cannot be executed (${messageOf(error)})`, error);
  }
  const result = await run(mysqld, ['--no-defaults', '--version'], { env, signal });
  const facts = parseVersionLine(result.stdout);
  if (result.exitCode !== 0 || facts === undefined) {
    const said = `${result.stderr}${result.stdout}`.trim().split('\n')[0];
    throw unusable(said ? `it says "${said}"` : 'it does not tell its version');
  }
  if (compareVersions(facts.version, OLDEST[facts.flavor]) < 0) {
    throw unusable(`version ${facts.version} is too old, ${OLDEST[facts.flavor]} is the oldest that works`);
  }
  // A link in /usr/local/bin would hide where the server's own files lie.
  const baseDir = path.dirname(path.dirname(await realpath(mysqld)));
  const shareDir = await findShareDir(baseDir);
  if (shareDir === undefined) throw unusable(`its share folder is not under ${baseDir}`);
  return { ...facts, mysqld, baseDir, shareDir, env };
}

async function findShareDir(baseDir: string): Promise<string | undefined> {
  for (const name of ['share/mysql', 'share/mariadb', 'share']) {
    const folder = path.join(baseDir, name);
    try {
      await access(path.join(folder, 'english', 'errmsg.sys'));
      return folder;
    } catch {
      // the next layout
    }
  }
  return undefined;
}
