/** Real servers for tests: a fresh MariaDB or MySQL in about a second, on a free port, ended by its own pid. */
import { execFile } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { describe, inject } from 'vitest';
import { CdcError } from '../../src/core/errors.ts';
import { silent } from '../../src/core/progress.ts';
import { freePort } from '../../src/core/server/port.ts';
import type { ServerFlavor } from '../../src/core/server/server-binary.ts';
import { waitUntilGone } from '../../src/core/server/server-process.ts';
import { startPrivateServer } from '../../src/core/server/start.ts';
import { type PrivateServer, privateServerState } from '../../src/core/server/state.ts';
import { removePrivateServer, stopPrivateServer } from '../../src/core/server/stop.ts';
import { daySample } from './day-sample.ts';
import { findTestServer } from './server-template.ts';

export type { ServerFlavor } from '../../src/core/server/server-binary.ts';

export interface StartTestServerOptions {
  /** Further mysqld options, such as `--binlog-format=MIXED`; they stay over restarts. */
  extraArgs?: string[];
  port?: number;
}

export interface TestServer {
  readonly flavor: ServerFlavor;
  readonly version: string;
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly socket: string;
  readonly pid: number;
  readonly folder: string;
  readonly dataDir: string;
  /** May do everything. */
  readonly admin: { user: string; password: string };
  /** May do what the tool needs: SELECT, RELOAD, REPLICATION SLAVE … */
  readonly cdc: { user: string; password: string };
  /** `mysql://user@127.0.0.1:port/`, with the password; of the cdc user unless told. */
  url(as?: 'admin' | 'cdc'): string;
  /** What mysql2's createConnection takes; of the admin unless told. */
  connection(as?: 'admin' | 'cdc'): { host: string; port: number; user: string; password: string };
  /** A new connection of the admin (the caller ends it). */
  connect(as?: 'admin' | 'cdc'): Promise<Connection>;
  /** Runs statements one after the other as admin, on a connection of their own; returns the rows of the last. */
  query(...statements: string[]): Promise<Record<string, unknown>[]>;
  /** SIGKILL, and waits until the process is gone. */
  kill9(): Promise<void>;
  /** A shutdown in good order; the data stays for `restart`. */
  shutdown(): Promise<void>;
  /** Starts it again on the same port and data. */
  restart(options?: { extraArgs?: string[] }): Promise<void>;
  /** Ends it and deletes its data. */
  stop(): Promise<void>;
}

/** Servers outlive the process that starts them: those a failed test left are ended with the test's own process. */
const left = new Map<string, number>();
process.once('exit', () => {
  for (const [folder, pid] of left) {
    try {
      // The number may be another program's by now.
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder)) process.kill(pid, 'SIGKILL');
    } catch {
      // it has gone already
    }
    rmSync(path.dirname(folder), { recursive: true, force: true });
  }
});
// Without a listener a SIGTERM (Ctrl-C of the whole run) would end this process without `exit`.
process.once('SIGTERM', () => process.exit(143));

/** Throws under CI when the flavor cannot be had; use `describeOnServers` to skip elsewhere. */
export async function startTestServer(flavor: ServerFlavor, options: StartTestServerOptions = {}): Promise<TestServer> {
  const availability = inject('testServers')[flavor];
  if ('reason' in availability) throw new Error(`no ${flavor} for tests: ${availability.reason}`);
  const base = await mkdtemp(path.join(os.tmpdir(), 'cdc-test-server-'));
  await chmod(base, 0o755);
  const folder = path.join(base, 'server');
  // -a keeps the owner, which is another user when the tests run as root.
  await promisify(execFile)('cp', ['-a', availability.template, folder]);

  const start = async (extraArgs: string[] | undefined, port: number | undefined) => {
    const findBinary = () => findTestServer(flavor, silent);
    const started = await startPrivateServer({ folder, port, extraArgs, findBinary, progress: silent });
    left.set(folder, started.pid);
    return started;
  };
  const kill9 = async () => {
    const state = await privateServerState(folder);
    if (state.state !== 'running') return;
    process.kill(state.pid, 'SIGKILL');
    if (!(await waitUntilGone(state.pid, 10_000))) throw new Error(`pid ${state.pid} survived SIGKILL`);
  };
  // Not the template's port, which every copy would try first.
  let facts: PrivateServer = await start(options.extraArgs, options.port ?? (await freePort())).catch(
    (error: unknown) => {
      if (options.port !== undefined || !(error instanceof CdcError) || error.code !== 'server.port-in-use')
        throw error;
      return start(options.extraArgs, undefined);
    },
  );

  const connection = (as: 'admin' | 'cdc' = 'admin') => ({ host: facts.host, port: facts.port, ...facts.users[as] });
  const connect = (as?: 'admin' | 'cdc') => createConnection({ ...connection(as), multipleStatements: true });
  return {
    flavor,
    version: facts.version,
    host: facts.host,
    folder,
    get port() {
      return facts.port;
    },
    get socket() {
      return facts.socket;
    },
    get pid() {
      return facts.pid;
    },
    get dataDir() {
      return facts.dataDir;
    },
    get admin() {
      return facts.users.admin;
    },
    get cdc() {
      return facts.users.cdc;
    },
    url(as = 'cdc') {
      const { user, password } = facts.users[as];
      return `mysql://${user}:${password}@${facts.host}:${facts.port}/`;
    },
    connection,
    connect,
    async query(...statements) {
      const session = await connect();
      try {
        let rows: Record<string, unknown>[] = [];
        for (const statement of statements) {
          const [result] = await session.query<RowDataPacket[]>(statement);
          rows = Array.isArray(result) ? result : [];
        }
        return rows;
      } finally {
        await session.end();
      }
    },
    kill9,
    async shutdown() {
      await stopPrivateServer({ folder, progress: silent });
    },
    async restart(again = {}) {
      facts = await start(again.extraArgs, facts.port);
    },
    async stop() {
      // Its data goes anyway: no need to wait for a shutdown in good order.
      await kill9();
      await removePrivateServer({ folder, progress: silent });
      left.delete(folder);
      await rm(base, { recursive: true, force: true });
    },
  };
}

const FLAVORS: readonly ServerFlavor[] = ['mariadb', 'mysql'];

/** A suite that runs once for each server; skipped for one that this machine cannot get (never under CI). */
export function describeOnServers(name: string, suite: (flavor: ServerFlavor) => void): void {
  for (const flavor of FLAVORS) describeOn(flavor, name, suite);
}

/** The same on one of them, by turns from day to day; in a proof on each. */
export function describeOnServerOfTheDay(name: string, suite: (flavor: ServerFlavor) => void): void {
  for (const flavor of daySample(FLAVORS, 1)) describeOn(flavor, name, suite);
}

function describeOn(flavor: ServerFlavor, name: string, suite: (flavor: ServerFlavor) => void): void {
  const availability = inject('testServers')[flavor];
  describe.skipIf('reason' in availability)(`${name} on ${flavor}`, () => suite(flavor));
}

/** A suite to which the server makes no difference: runs on the first that this machine can get; skipped without any (never under CI). */
export function describeOnOneServer(name: string, suite: (flavor: ServerFlavor) => void): void {
  const flavor = FLAVORS.find((one) => !('reason' in inject('testServers')[one]));
  describe.skipIf(flavor === undefined)(name, () => suite(flavor ?? 'mariadb'));
}
