/**
 * How a consistent view and its exact binlog position are had together. MariaDB gives both by itself. MySQL gives no position
 * with a view, so writes are held for that instant: by the global read lock, or where that is not allowed (RDS) by locks
 * on the tables.
 */

import type { Connection } from 'mysql2/promise';
import { sourceError } from '../binlog/connection.ts';
import { formatTableName, type TableName } from '../change.ts';
import { CdcError, nativeCodeOf, throwIfCancelled } from '../errors.ts';
import type { BinlogPosition } from '../position.ts';
import type { Progress } from '../progress.ts';
import { interruptible, queryRows, queryValue, quoteTable } from '../source/query.ts';
import { positionOf, readBinlogStatus, type SourceServer } from '../source/server.ts';
import { xaCounters, xaInDoubt } from './xa.ts';

export interface OpenViewOptions {
  connection: Connection;
  connect(): Promise<Connection>;
  server: SourceServer;
  tables: readonly TableName[];
  signal?: AbortSignal | undefined;
  progress: Progress;
}

export interface View {
  position: BinlogPosition;
  takenAt: Date;
}

const ATTEMPTS = 10;
const PAUSE_MS = 1000;
/** While we wait for the lock, writers wait behind us: give up soon, and try again when the long query may be over. */
const LOCK_WAIT_SECONDS = 3;

const DENIED = new Set(['ER_SPECIFIC_ACCESS_DENIED_ERROR', 'ER_ACCESS_DENIED_ERROR', 'ER_DBACCESS_DENIED_ERROR']);

type Attempt = { view: View } | { retry: string; hint: string };

/** Starts the transaction on `connection`. Throws `snapshot.busy` when no instant without XA transactions in doubt, or no lock, was to be had. */
export async function openView(options: OpenViewOptions): Promise<View> {
  const { connection, server, signal, progress } = options;
  const run = (sql: string) => execute(connection, sql, signal);
  await run('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ');
  // The view must not end because nobody asks anything while files are published.
  await run('SET SESSION wait_timeout = 86400, net_write_timeout = 3600');
  await releaseMetadataLocksEarly(connection, server, signal);
  for (let attempt = 1; ; attempt++) {
    throwIfCancelled(signal);
    const result = server.flavor === 'mariadb' ? await viewOfMariadb(options) : await viewOfMysql(options);
    if ('view' in result) return result.view;
    await run('ROLLBACK');
    if (attempt === ATTEMPTS)
      throw new CdcError('snapshot.busy', `taking a snapshot of the source: ${result.retry}`, { hint: result.hint });
    progress.update(`waiting to take a snapshot: ${result.retry}`);
    await interruptible(signal, new Promise((resolve) => setTimeout(resolve, PAUSE_MS)));
  }
}

/**
 * MariaDB gives metadata locks back at ROLLBACK TO SAVEPOINT only in a session that writes no binlog. Where the user may not
 * ask for that, an ALTER of a table that was read waits until the load ends; the load is right either way.
 */
async function releaseMetadataLocksEarly(
  connection: Connection,
  server: SourceServer,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (server.flavor !== 'mariadb') return;
  await interruptible(signal, connection.query('SET SESSION sql_log_bin = 0')).catch((error: unknown) => {
    if (!DENIED.has(nativeCodeOf(error) ?? '')) throw sourceError(error, 'preparing the session of the snapshot');
  });
}

async function viewOfMariadb({ connection, signal }: OpenViewOptions): Promise<Attempt> {
  const before = await xaCounters(connection, signal);
  const inDoubt = await xaInDoubt(connection, signal);
  if (inDoubt !== undefined) return inDoubt;
  await execute(connection, 'START TRANSACTION WITH CONSISTENT SNAPSHOT', signal);
  const takenAt = new Date();
  const doing = 'reading the position of the snapshot';
  const rows = await queryRows({ connection, sql: "SHOW STATUS LIKE 'binlog_snapshot_%'", doing, signal });
  // Rows of an XA transaction enter the binlog before its commit. With none in doubt before and after, and none prepared or
  // ended meanwhile, none had a part on either side of the position.
  const stillInDoubt = await xaInDoubt(connection, signal);
  if (stillInDoubt !== undefined) return stillInDoubt;
  if (before !== (await xaCounters(connection, signal)))
    return { retry: 'XA transactions come and go', hint: 'try again when they are over' };
  const status = new Map(rows.map((row) => [row.variable_name?.toLowerCase(), row.value]));
  const file = status.get('binlog_snapshot_file') ?? '';
  const position = positionOf({ file, position: status.get('binlog_snapshot_position') ?? null });
  const gtid = await queryValue({
    connection,
    sql: 'SELECT BINLOG_GTID_POS(?, ?)',
    values: [position.file, position.offset],
    doing,
    signal,
  });
  return { view: { position: { ...position, ...(gtid ? { gtid } : {}) }, takenAt } };
}

async function viewOfMysql(options: OpenViewOptions): Promise<Attempt> {
  const { connection, connect, server, tables, signal } = options;
  const locker = await connect();
  try {
    const locked = await lockWrites(locker, tables, signal);
    if (locked !== undefined) return locked;
    // Nobody commits from here to the unlock.
    const inDoubt = await xaInDoubt(locker, signal);
    if (inDoubt !== undefined) return inDoubt;
    await execute(connection, 'START TRANSACTION WITH CONSISTENT SNAPSHOT', signal);
    const takenAt = new Date();
    const position = positionOf(await readBinlogStatus(locker, server, signal));
    await execute(locker, 'UNLOCK TABLES', signal);
    return { view: { position, takenAt } };
  } finally {
    // Ends the lock too, whatever happened.
    locker.destroy();
  }
}

/** undefined: locked. */
async function lockWrites(
  locker: Connection,
  tables: readonly TableName[],
  signal: AbortSignal | undefined,
): Promise<Attempt | undefined> {
  const busy = {
    retry: `a query has been running for longer than ${LOCK_WAIT_SECONDS} s, or a transaction holds a lock`,
    hint: 'SHOW PROCESSLIST on the source names it; end it, or try again later',
  };
  await execute(locker, `SET SESSION lock_wait_timeout = ${LOCK_WAIT_SECONDS}`, signal);
  try {
    await interruptible(signal, locker.query('FLUSH TABLES WITH READ LOCK'));
    return undefined;
  } catch (error) {
    const code = nativeCodeOf(error) ?? '';
    if (code === 'ER_LOCK_WAIT_TIMEOUT') return busy;
    if (!DENIED.has(code)) throw sourceError(error, 'locking the source for an instant');
  }
  try {
    const list = tables.map((table) => `${quoteTable(table)} READ`).join(', ');
    if (list !== '') await interruptible(signal, locker.query(`LOCK TABLES ${list}`));
    return undefined;
  } catch (error) {
    const code = nativeCodeOf(error) ?? '';
    if (code === 'ER_LOCK_WAIT_TIMEOUT') return busy;
    if (!DENIED.has(code)) throw sourceError(error, 'locking the tables for an instant');
    throw new CdcError(
      'grant.snapshot',
      'locking the tables for an instant: the user may neither RELOAD nor LOCK TABLES',
      {
        hint: 'GRANT RELOAD ON *.* TO the user, or LOCK TABLES on the followed schemas',
        cause: error,
      },
    );
  }
}

async function execute(connection: Connection, sql: string, signal: AbortSignal | undefined): Promise<void> {
  await queryRows({ connection, sql, doing: 'taking a snapshot of the source', signal });
}

/**
 * Runs `work` while the table cannot be altered. The first read tells whether a DDL came between the view and now; behind
 * the savepoint the metadata lock is given back, so that nobody's ALTER waits for the whole load.
 */
export async function insideSavepoint<T>(
  options: { connection: Connection; table: TableName; signal?: AbortSignal | undefined },
  work: () => Promise<T>,
): Promise<T> {
  const { connection, table, signal } = options;
  await execute(connection, 'SAVEPOINT cdc_table', signal);
  try {
    await interruptible(signal, connection.query(`SELECT 1 FROM ${quoteTable(table)} LIMIT 1`));
    const result = await work();
    await execute(connection, 'ROLLBACK TO SAVEPOINT cdc_table', signal);
    return result;
  } catch (error) {
    // The view itself may live on; whatever this leaves behind, the error is the one to tell.
    if (!signal?.aborted) await connection.query('ROLLBACK TO SAVEPOINT cdc_table').catch(() => {});
    throw tableError(error, table);
  }
}

const CHANGED = new Set(['ER_TABLE_DEF_CHANGED', 'ER_NO_SUCH_TABLE', 'ER_BAD_FIELD_ERROR']);

function tableError(error: unknown, table: TableName): CdcError {
  const doing = `reading ${formatTableName(table)}`;
  if (error instanceof CdcError && !CHANGED.has(nativeCodeOf(error.cause) ?? '')) return error;
  const cause = error instanceof CdcError ? error.cause : error;
  if (!CHANGED.has(nativeCodeOf(cause) ?? '')) return sourceError(error, doing);
  return tableChanged(table, cause);
}

export function tableChanged(table: TableName, cause?: unknown): CdcError {
  return new CdcError(
    'snapshot.table-changed',
    `reading ${formatTableName(table)}: the table was altered or dropped while the snapshot was taken`,
    { hint: 'run the same command again: it takes a new snapshot', cause },
  );
}
