/** The options that a private server runs with: what capture needs, and small memory. */
import type { ServerBinary, ServerFlavor } from './server-binary.ts';
import type { ServerPaths } from './state.ts';

export interface ServerArgumentsOptions {
  binary: ServerBinary;
  paths: ServerPaths;
  port: number;
  socket: string;
  user: string | undefined;
  initFile: string | undefined;
  extraArgs: readonly string[];
}

const WEEK_SECONDS = 7 * 24 * 3600;

export function serverArguments(options: ServerArgumentsOptions): string[] {
  const { binary, paths, port, socket, user, initFile, extraArgs } = options;
  return [
    // First, or it does not count: /etc/my.cnf belongs to the system's server.
    '--no-defaults',
    ...commonArguments(binary, paths.dataDir, user),
    `--tmpdir=${paths.tmpDir}`,
    `--pid-file=${paths.pidFile}`,
    `--socket=${socket}`,
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    '--skip-name-resolve',
    '--default-time-zone=+00:00',
    '--character-set-server=utf8mb4',
    '--max-allowed-packet=64M',
    '--innodb-buffer-pool-size=64M',
    '--server-id=1',
    // RDS calls its binlog so.
    '--log-bin=mysql-bin-changelog',
    '--binlog-format=ROW',
    '--binlog-row-image=FULL',
    '--binlog-row-metadata=FULL',
    // A commit that a reader has seen must still be there after a crash.
    '--sync-binlog=1',
    '--innodb-flush-log-at-trx-commit=1',
    '--max-binlog-size=128M',
    `--loose-binlog-expire-logs-seconds=${WEEK_SECONDS}`,
    ...FLAVOR_ARGUMENTS[binary.flavor],
    ...(initFile === undefined ? [] : [`--init-file=${initFile}`]),
    ...extraArgs,
  ];
}

/** Shared with the making of the data directory, whose redo log must have the size the server is started with. */
export function commonArguments(binary: ServerBinary, dataDir: string, user: string | undefined): string[] {
  return [
    ...(user === undefined ? [] : [`--user=${user}`]),
    `--basedir=${binary.baseDir}`,
    `--lc-messages-dir=${binary.shareDir}`,
    `--datadir=${dataDir}`,
    ...(binary.flavor === 'mysql' ? ['--loose-innodb-redo-log-capacity=64M'] : ['--innodb-log-file-size=48M']),
  ];
}

const FLAVOR_ARGUMENTS: Record<ServerFlavor, string[]> = {
  // MariaDB's GTIDs are always there.
  mariadb: ['--log-slave-updates=ON', '--performance-schema=OFF'],
  mysql: ['--gtid-mode=ON', '--enforce-gtid-consistency=ON', '--loose-mysqlx=OFF', '--performance-schema=OFF'],
};
