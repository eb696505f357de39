/** Makes a fresh data directory: beside its place first, so that a killed `init` leaves nothing half made. */
import { readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { CdcError, nativeCodeOf } from '../errors.ts';
import { runCommand } from './run-command.ts';
import { commonArguments } from './server-arguments.ts';
import type { ServerBinary } from './server-binary.ts';
import { makeOwnedFolder, type ServiceAccount } from './service-account.ts';
import type { ServerPaths } from './state.ts';

export async function hasDataDirectory(paths: ServerPaths): Promise<boolean> {
  try {
    return (await stat(paths.dataDir)).isDirectory();
  } catch (error) {
    if (nativeCodeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

export interface MakeDataDirectoryOptions {
  binary: ServerBinary;
  paths: ServerPaths;
  account: ServiceAccount | undefined;
  signal?: AbortSignal | undefined;
}

export async function makeDataDirectory(options: MakeDataDirectoryOptions): Promise<void> {
  const { binary, paths, account, signal } = options;
  const unfinished = `${paths.dataDir}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await makeOwnedFolder(unfinished, 0o700, account);
  const common = ['--no-defaults', ...commonArguments(binary, unfinished, account?.name), `--tmpdir=${paths.tmpDir}`];
  const result =
    binary.flavor === 'mysql'
      ? await runCommand(binary.mysqld, [...common, '--initialize-insecure'], { env: binary.env, signal })
      : await runCommand(binary.mysqld, [...common, ...MARIADB_BOOTSTRAP], {
          env: binary.env,
          signal,
          input: await mariadbSystemTables(binary),
        });
  if (result.exitCode !== 0) {
    const lines = `${result.stderr}${result.stdout}`.trim().split('\n').slice(-8);
    throw new CdcError(
      'server.init-failed',
      [`making the private server's data directory with ${binary.mysqld}:`, ...lines].join('\n  '),
      {
        hint: 'CDC_MYSQLD=/path/to/another/mysqld, or a server of your own: cdc init --source mysql://…',
      },
    );
  }
  await rename(unfinished, paths.dataDir);
}

const MARIADB_BOOTSTRAP = [
  '--bootstrap',
  '--silent-startup',
  '--log-warnings=0',
  '--enforce-storage-engine=',
  '--max-allowed-packet=8M',
  '--net-buffer-length=16K',
];

/**
 * What mariadb-install-db feeds to the server, without that script: it cannot take blanks in a path and wants programs
 * of two more packages. The help tables stay empty.
 */
async function mariadbSystemTables(binary: ServerBinary): Promise<string> {
  const parts = ['create database if not exists mysql;', 'use mysql;', 'SET @auth_root_socket=NULL;'];
  for (const name of ['system_tables', 'performance_tables', 'system_tables_data']) {
    parts.push(await readSystemSql(binary, [`mysql_${name}.sql`, `mariadb_${name}.sql`]));
  }
  parts.push(await readSystemSql(binary, ['maria_add_gis_sp_bootstrap.sql']));
  // Since 10.6.
  parts.push(await readSystemSql(binary, ['mysql_sys_schema.sql', 'mariadb_sys_schema.sql'], { optional: true }));
  return `${parts.join('\n')}\n`;
}

async function readSystemSql(binary: ServerBinary, names: string[], options = { optional: false }): Promise<string> {
  for (const name of names) {
    try {
      return withoutHostName(await readFile(path.join(binary.shareDir, name), 'utf8'));
    } catch (error) {
      if (nativeCodeOf(error) !== 'ENOENT') throw error;
    }
  }
  if (options.optional) return '';
  throw new CdcError(
    'server.init-failed',
    `making the private server's data directory: ${names[0]} is not in ${binary.shareDir}`,
    {
      hint: 'reinstall the MariaDB server package, or set CDC_MYSQLD to another mysqld',
    },
  );
}

/** Lines with the host's name make accounts `root@thishost`, as `--cross-bootstrap` of mariadb-install-db leaves them out. */
function withoutHostName(sql: string): string {
  return sql
    .split('\n')
    .filter((line) => !line.includes('@current_hostname'))
    .join('\n');
}
