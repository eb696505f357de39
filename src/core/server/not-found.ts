/** What to do when no database server can be had, in the words of this system. */
import { readFile } from 'node:fs/promises';
import { CdcError } from '../errors.ts';
import type { ServerFlavor } from './server-binary.ts';

export interface NotFoundOptions {
  flavor: ServerFlavor | undefined;
  reasons: readonly string[];
  /** For tests: what this system is, else found out. */
  system?: { platform: string; osRelease: string };
}

export async function serverNotFound(options: NotFoundOptions): Promise<CdcError> {
  const { flavor, reasons } = options;
  const system = options.system ?? {
    platform: process.platform,
    osRelease: await readFile('/etc/os-release', 'utf8').catch(() => ''),
  };
  const what =
    flavor === 'mysql' ? 'MySQL server' : flavor === 'mariadb' ? 'MariaDB server' : 'MariaDB or MySQL server';
  const message = [`looking for a database server: no ${what} on this machine, and none could be fetched`, ...reasons];
  const command = installCommand(system, flavor);
  return new CdcError('server.not-found', message.join('\n  '), {
    hint: `${command}\nor set CDC_MYSQLD=/path/to/mysqld\nor use a server that is there: cdc init --source mysql://user@host:3306/`,
  });
}

export function installCommand(
  system: { platform: string; osRelease: string },
  flavor: ServerFlavor | undefined,
): string {
  if (system.platform === 'darwin') return flavor === 'mysql' ? 'brew install mysql' : 'brew install mariadb';
  if (system.platform === 'win32') return 'wsl --install, and run cdc inside WSL';
  const ids = [...system.osRelease.matchAll(/^ID(?:_LIKE)?="?([^"\n]*)"?$/gm)].flatMap((found) =>
    (found[1] ?? '').split(' '),
  );
  const isLike = (...names: string[]) => names.some((name) => ids.includes(name));
  const mysql = flavor === 'mysql';
  if (isLike('alpine')) return 'apk add mariadb';
  if (isLike('fedora', 'rhel', 'centos', 'amzn'))
    return `sudo dnf install ${mysql ? 'mysql-server' : 'mariadb-server'}`;
  if (isLike('arch')) return 'sudo pacman -S mariadb';
  if (isLike('suse', 'opensuse')) return 'sudo zypper install mariadb';
  if (isLike('ubuntu') && mysql) return 'sudo apt-get install mysql-server-core-8.0';
  return 'sudo apt-get update && sudo apt-get install mariadb-server-core';
}
