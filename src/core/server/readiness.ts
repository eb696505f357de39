/** Waits until a started server answers its admin, and reads what its log said when it does not. */
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RowDataPacket } from 'mysql2/promise';
import { openConnection } from '../binlog/connection.ts';
import { CdcError, messageOf, nativeCodeOf, throwIfCancelled } from '../errors.ts';
import type { Progress } from '../progress.ts';
import { isServerOf } from './server-process.ts';

export interface WaitUntilReadyOptions {
  port: number;
  /** One of the two tells whether the process still lives. */
  child?: { hasEnded: () => boolean };
  pid?: number;
  /** What a server just spawned says, from this byte on: until it says it is up, whoever answers on its port is another. */
  log?: { file: string; from: number };
  user: { user: string; password: string };
  dataDir: string;
  progress: Progress;
  signal?: AbortSignal | undefined;
}

// Recovery after a crash can take minutes with a large redo log; ours is small.
const LONGEST_START_MS = 300_000;

export async function waitUntilReady(options: WaitUntilReadyOptions): Promise<void> {
  const { child, pid, log, dataDir, progress, signal } = options;
  const begin = Date.now();
  for (let attempt = 0; ; attempt++) {
    throwIfCancelled(signal);
    const isUp =
      log === undefined || (await lastLogLines(log.file, log.from)).some((line) => /ready for connections/.test(line));
    if (isUp && (await login(options))) return;
    const ended = child !== undefined ? child.hasEnded() : pid !== undefined && !(await isServerOf(pid, dataDir));
    if (ended) throw new CdcError('server.start-failed', 'starting the private server: it ended');
    if (Date.now() - begin > LONGEST_START_MS) {
      throw new CdcError('server.start-failed', 'starting the private server: it does not answer');
    }
    if (attempt > 0 && attempt % 100 === 0)
      progress.update('waiting for the database server: it is recovering its data');
    await sleep(attempt < 40 ? 25 : 100);
  }
}

const NOT_YET = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'PROTOCOL_CONNECTION_LOST',
  'ER_SERVER_SHUTDOWN',
]);

/**
 * True when the admin got in; false when nobody answers yet. The password must be right and the data directory ours:
 * the port may have gone to another server meanwhile.
 */
async function login(options: WaitUntilReadyOptions): Promise<boolean> {
  const { port, user, dataDir } = options;
  const where = `logging in to the private server on port ${port}`;
  try {
    const connection = await openConnection({ host: '127.0.0.1', port, ...user, connectTimeout: 30_000 });
    const [rows] = await connection.query<RowDataPacket[]>('SELECT @@datadir AS dataDir');
    await connection.end();
    const found = String(rows[0]?.dataDir).replace(/\/+$/, '');
    if (found === dataDir) return true;
    throw new CdcError('server.port-in-use', `${where}: the server there keeps its data in ${found}`);
  } catch (error) {
    if (error instanceof CdcError) throw error;
    const code = nativeCodeOf(error) ?? '';
    if (NOT_YET.has(code)) return false;
    if (code === 'ER_ACCESS_DENIED_ERROR') {
      throw new CdcError('server.credentials', `${where}: the password in credentials.json is refused`, {
        hint: 'delete credentials.json in the folder of the server, then cdc stop and cdc start: that sets new passwords',
        cause: error,
      });
    }
    throw new CdcError('server.start-failed', `${where}: ${messageOf(error)}`, { cause: error });
  }
}

/** The last lines written after `from`, without blank ones. */
export async function lastLogLines(file: string, from: number, count = 12): Promise<string[]> {
  try {
    const handle = await open(file, 'r');
    try {
      const { size } = await handle.stat();
      const start = Math.max(from, size - 16_384);
      const { buffer, bytesRead } = await handle.read(
        Buffer.alloc(Math.max(size - start, 0)),
        0,
        Math.max(size - start, 0),
        start,
      );
      const text = buffer.subarray(0, bytesRead).toString('utf8');
      return text
        .split('\n')
        .filter((line) => line.trim() !== '')
        .slice(-count);
    } finally {
      await handle.close();
    }
  } catch {
    return [];
  }
}
