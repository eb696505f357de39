/** Findings about the server as a whole: does its binlog hold every change of every row, and for long enough. */

import type { Connection } from 'mysql2/promise';
import { CancelledError, nativeCodeOf } from '../errors.ts';
import type { Finding } from './finding.ts';
import { queryRows, type Row } from './query.ts';
import { readBinlogStatus, type SourceServer } from './server.ts';

const DAY_SECONDS = 86_400;

type Variables = ReadonlyMap<string, string>;

export async function checkServer(options: {
  connection: Connection;
  server: SourceServer;
  signal?: AbortSignal | undefined;
}): Promise<Finding[]> {
  const { connection, server, signal } = options;
  const variables = await readVariables(connection, signal);
  const value = (name: string) => (variables.get(name) ?? '').toUpperCase();
  const set = settingOf(server);
  const findings: Finding[] = [];
  const error = (code: string, message: string, fix: string) => findings.push({ level: 'error', code, message, fix });
  const warning = (code: string, message: string, fix: string) =>
    findings.push({ level: 'warning', code, message, fix });

  if (isOff(value('log_bin')))
    error(
      'binlog.off',
      'the server writes no binlog',
      'start it with --log-bin (on RDS: turn automated backups on), then run `cdc check` again',
    );
  if (value('binlog_format') !== 'ROW')
    error(
      'binlog.format',
      `binlog_format is ${value('binlog_format')}: statements are written instead of rows`,
      `${set('binlog_format', 'ROW')}; then let the applications connect anew, for sessions keep the old format`,
    );
  if (value('binlog_row_image') !== 'FULL')
    error(
      'binlog.row-image',
      `binlog_row_image is ${value('binlog_row_image')}: rows are written without some of their columns`,
      `${set('binlog_row_image', 'FULL')}; then let the applications connect anew`,
    );
  if (value('binlog_row_value_options').includes('PARTIAL_JSON'))
    error(
      'binlog.partial-json',
      'binlog_row_value_options is PARTIAL_JSON: changes of JSON values are written in part',
      set('binlog_row_value_options', "''"),
    );
  if (isOn(value('binlog_transaction_compression')))
    error(
      'binlog.compression',
      'binlog_transaction_compression is ON: compressed transactions are not followed yet',
      set('binlog_transaction_compression', 'OFF'),
    );
  if (isOn(value('log_bin_compress')))
    error(
      'binlog.compression',
      'log_bin_compress is ON: compressed rows are not followed yet',
      set('log_bin_compress', 'OFF'),
    );
  if (isOn(value('binlog_alter_two_phase')))
    error(
      'binlog.alter-two-phase',
      'binlog_alter_two_phase is ON: an ALTER is written before it is known to succeed',
      set('binlog_alter_two_phase', 'OFF'),
    );
  if (value('server_id') === '0')
    error('server.id', 'server_id is 0: the server sends its binlog to nobody', set('server_id', '1'));
  findings.push(...(await checkFilters(options)));
  const updates = variables.get('log_replica_updates') ?? variables.get('log_slave_updates');
  if (updates !== undefined && isOff(updates.toUpperCase()) && (await isReplica(options)))
    error(
      'binlog.replica-updates',
      'the server is a replica and does not write to its own binlog what it replicates',
      `start it with --log-${server.flavor === 'mysql' ? 'replica' : 'slave'}-updates, or follow its primary`,
    );

  if (variables.has('sync_binlog') && value('sync_binlog') !== '1')
    warning(
      'binlog.sync',
      `sync_binlog is ${value('sync_binlog')}: after a crash of its machine the server may have lost transactions that were captured already`,
      set('sync_binlog', '1'),
    );
  if (variables.has('binlog_row_metadata') && value('binlog_row_metadata') !== 'FULL')
    warning(
      'binlog.row-metadata',
      `binlog_row_metadata is ${value('binlog_row_metadata')}: rows are read by the definition alone, and the binlog cannot confirm it`,
      set('binlog_row_metadata', 'FULL'),
    );
  findings.push(...(await checkRetention(options, variables)));
  return findings;
}

/** How a global setting is made to last. */
function settingOf(server: SourceServer): (name: string, value: string) => string {
  return (name, value) =>
    server.flavor === 'mysql'
      ? `SET PERSIST ${name} = ${value} (on RDS: in the parameter group)`
      : `SET GLOBAL ${name} = ${value}, and the same in my.cnf`;
}

function isOn(value: string): boolean {
  return value === 'ON' || value === '1';
}

function isOff(value: string): boolean {
  return value === 'OFF' || value === '0';
}

const VARIABLES = [
  'log_bin',
  'binlog_format',
  'binlog_row_image',
  'binlog_row_value_options',
  'binlog_row_metadata',
  'binlog_transaction_compression',
  'log_bin_compress',
  'binlog_alter_two_phase',
  'log_replica_updates',
  'log_slave_updates',
  'server_id',
  'sync_binlog',
  'expire_logs_days',
  'binlog_expire_logs_seconds',
  'basedir',
];

async function readVariables(connection: Connection, signal: AbortSignal | undefined): Promise<Variables> {
  const sql = `SHOW GLOBAL VARIABLES WHERE Variable_name IN (${VARIABLES.map((name) => `'${name}'`).join(', ')})`;
  const rows = await queryRows({ connection, sql, doing: 'reading the settings of the source', signal });
  return new Map(rows.map((row) => [row.variable_name ?? '', row.value ?? '']));
}

/** binlog-do-db and binlog-ignore-db stand in no variable; the grant for the status is checked elsewhere. */
async function checkFilters(options: {
  connection: Connection;
  server: SourceServer;
  signal?: AbortSignal | undefined;
}): Promise<Finding[]> {
  const status = await readBinlogStatus(options.connection, options.server, options.signal).catch(unlessDenied);
  const filters = [
    ['binlog-do-db', status?.binlog_do_db],
    ['binlog-ignore-db', status?.binlog_ignore_db],
  ] as const;
  return filters.flatMap(([option, schemas]): Finding[] =>
    schemas
      ? [
          {
            level: 'error',
            code: 'binlog.filter',
            message: `${option} is set (${schemas}): changes of some schemas are not in the binlog`,
            fix: `start the server without --${option}`,
          },
        ]
      : [],
  );
}

/** Nothing can be said where the question is not allowed. */
function unlessDenied(error: unknown): undefined {
  const cause = error instanceof Error ? error.cause : undefined;
  if (DENIED.has(nativeCodeOf(cause) ?? '')) return undefined;
  throw error;
}

const DENIED = new Set(['ER_SPECIFIC_ACCESS_DENIED_ERROR', 'ER_ACCESS_DENIED_ERROR', 'ER_DBACCESS_DENIED_ERROR']);

async function isReplica({
  connection,
  server,
  signal,
}: {
  connection: Connection;
  server: SourceServer;
  signal?: AbortSignal | undefined;
}): Promise<boolean> {
  const doing = 'asking whether the source is a replica';
  const sql = server.flavor === 'mysql' ? 'SHOW REPLICA STATUS' : 'SHOW ALL SLAVES STATUS';
  const rows: Row[] | undefined = await queryRows({ connection, sql, doing, signal }).catch(unlessDenied);
  if (rows !== undefined) return rows.length > 0;
  // MariaDB says to everybody at least whether replication runs.
  const [running] = await queryRows({ connection, sql: "SHOW GLOBAL STATUS LIKE 'Slaves_running'", doing, signal });
  return Number(running?.value ?? 0) > 0;
}

async function checkRetention(
  { connection, signal }: { connection: Connection; signal?: AbortSignal | undefined },
  variables: Variables,
): Promise<Finding[]> {
  const short = (kept: string, fix: string): Finding[] => [
    {
      level: 'warning',
      code: 'binlog.retention',
      message: `the binlog is kept for ${kept}: a pipeline that is stopped for longer has to load every table again`,
      fix,
    },
  ];
  const rds = await queryRows({
    connection,
    sql: 'CALL mysql.rds_show_configuration()',
    doing: 'reading how long RDS keeps the binlog',
    signal,
  }).catch((error: unknown) => {
    if (error instanceof CancelledError) throw error;
    return undefined;
  });
  if (rds !== undefined) {
    const hours = rds.find((row) => row.name === 'binlog retention hours')?.value ?? null;
    if (Number(hours ?? 0) >= 24) return [];
    return short(
      hours === null ? 'no longer than RDS needs it itself' : `${hours} h`,
      "CALL mysql.rds_set_configuration('binlog retention hours', 24)",
    );
  }
  // On RDS the variables say nothing about it, and the user may not ask.
  if ((variables.get('basedir') ?? '').startsWith('/rdsdbbin')) return [];
  const seconds =
    Number(variables.get('binlog_expire_logs_seconds') ?? 0) ||
    Number(variables.get('expire_logs_days') ?? 0) * DAY_SECONDS;
  // 0: never purged.
  if (seconds === 0 || seconds >= DAY_SECONDS) return [];
  return short(
    `${Math.round(seconds / 360) / 10} h`,
    `SET GLOBAL binlog_expire_logs_seconds = ${DAY_SECONDS}, and the same in my.cnf`,
  );
}
