/** The private server as `cdc init` makes it: from nothing, through crashes and restarts, to its removal. */
import { execFile, spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { CdcError } from '../../../src/core/errors.ts';
import { type Progress, silent } from '../../../src/core/progress.ts';
import { freePort } from '../../../src/core/server/port.ts';
import { waitUntilReady } from '../../../src/core/server/readiness.ts';
import type { ServerFlavor } from '../../../src/core/server/server-binary.ts';
import { isAlive, waitUntilGone } from '../../../src/core/server/server-process.ts';
import {
  type StartedServer,
  type StartPrivateServerOptions,
  startPrivateServer,
} from '../../../src/core/server/start.ts';
import { privateServerState } from '../../../src/core/server/state.ts';
import { removePrivateServer, stopPrivateServer } from '../../../src/core/server/stop.ts';
import { findTestServer } from '../../support/server-template.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';

const asRoot = process.getuid?.() === 0;
let base: string;
const folders: string[] = [];

beforeEach(async () => {
  base = await mkdtemp(path.join(os.tmpdir(), 'cdc-start-'));
  await chmod(base, 0o755);
});

afterEach(async () => {
  for (const folder of folders.splice(0)) await removePrivateServer({ folder, progress: silent });
  await rm(base, { recursive: true, force: true });
});

function start(
  flavor: ServerFlavor,
  folder: string,
  more: Partial<StartPrivateServerOptions> = {},
): Promise<StartedServer> {
  folders.push(folder);
  return startPrivateServer({ folder, findBinary: () => findTestServer(flavor, silent), progress: silent, ...more });
}

async function query(
  server: StartedServer,
  sql: string,
  as: { user: string; password: string } = server.users.admin,
): Promise<Record<string, unknown>[]> {
  const connection = await createConnection({ host: server.host, port: server.port, ...as });
  try {
    const [rows] = await connection.query<RowDataPacket[]>(sql);
    return Array.isArray(rows) ? rows : [];
  } finally {
    await connection.end();
  }
}

async function failure(promise: Promise<unknown>): Promise<CdcError> {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof CdcError)) throw error;
  return error;
}

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

function warnings(): { progress: Progress; said: string[] } {
  const said: string[] = [];
  return { said, progress: { ...silent, warn: (text) => said.push(text) } };
}

describeOnServers('a private server made from nothing', (flavor) => {
  let server: StartedServer;
  let made: string;

  beforeAll(async () => {
    made = await mkdtemp(path.join(os.tmpdir(), 'cdc-made-'));
    await chmod(made, 0o755);
    server = await startPrivateServer({
      folder: path.join(made, 'server'),
      findBinary: () => findTestServer(flavor, silent),
      progress: silent,
    });
  });
  afterAll(async () => {
    await removePrivateServer({ folder: path.join(made, 'server'), progress: silent });
    await rm(made, { recursive: true, force: true });
  });

  it('writes a binlog that can be followed: ROW, full images, full metadata, synced, GTIDs', async () => {
    const [row] = await query(
      server,
      `SELECT @@log_bin log_bin, @@binlog_format format, @@binlog_row_image image, @@binlog_row_metadata metadata,
              @@sync_binlog sync, @@innodb_flush_log_at_trx_commit flush, @@server_id > 0 has_id, @@time_zone zone,
              @@character_set_server charset`,
    );
    expect(row).toEqual({
      log_bin: 1,
      format: 'ROW',
      image: 'FULL',
      metadata: 'FULL',
      sync: 1,
      flush: 1,
      has_id: 1,
      zone: '+00:00',
      charset: 'utf8mb4',
    });
    await query(server, 'CREATE DATABASE gtid_probe');
    const gtid = flavor === 'mysql' ? '@@gtid_executed' : '@@gtid_binlog_pos';
    expect((await query(server, `SELECT ${gtid} AS gtid`))[0]?.gtid).toMatch(
      flavor === 'mysql' ? /^[0-9a-f-]{36}:1/ : /^0-1-1$/,
    );
    await query(server, 'DROP DATABASE gtid_probe');
  });

  it('keeps its passwords in a file that only its owner can read, and leaves no other copy', async () => {
    const file = path.join(server.folder, 'credentials.json');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const passwords = [server.users.admin.password, server.users.cdc.password];
    expect(new Set(passwords).size).toBe(2);
    for (const name of await readdir(server.folder, { recursive: true })) {
      const other = path.join(server.folder, name);
      const facts = await stat(other);
      // The system tables hold hashes; the redo log and the binlog must not hold the words either.
      if (other === file || !facts.isFile()) continue;
      const content = await readFile(other);
      for (const password of passwords) expect(content.includes(password), `${name} holds a password`).toBe(false);
    }
  });

  it('has no account without a password and no anonymous one', async () => {
    const accounts = await query(
      server,
      flavor === 'mysql'
        ? `SELECT user, host FROM mysql.user WHERE account_locked = 'N' ORDER BY user, host`
        : `SELECT User AS user, Host AS host FROM mysql.global_priv
           WHERE COALESCE(JSON_VALUE(Priv, '$.account_locked'), 0) = 0 ORDER BY User, Host`,
    );
    expect(accounts).toEqual([
      { user: 'cdc', host: '%' },
      { user: 'root', host: '%' },
      { user: 'root', host: 'localhost' },
    ]);
    for (const user of ['root', 'cdc', '', 'mysql', 'mariadb.sys', 'mysql.session']) {
      for (const way of [{ host: server.host, port: server.port }, { socketPath: server.socket }]) {
        const refused = await createConnection({ ...way, user, password: '' }).then(
          () => 'let in',
          (error: { message: string }) => error.message,
        );
        expect(refused, `user '${user}' without a password`).toMatch(/denied|locked/);
      }
    }
  });

  it('lets the replication user read, lock for an instant and follow, and nothing else', async () => {
    const cdc = server.users.cdc;
    await query(server, 'CREATE DATABASE granted');
    await query(server, 'CREATE TABLE granted.t (id INT PRIMARY KEY)');
    await query(server, 'SELECT * FROM granted.t', cdc);
    await query(server, 'FLUSH TABLES WITH READ LOCK', cdc);
    await query(server, 'LOCK TABLES granted.t READ', cdc);
    await query(server, 'SHOW MASTER STATUS', cdc);
    await query(server, 'SHOW BINARY LOGS', cdc);
    await query(server, 'XA RECOVER', cdc);
    await expect(query(server, 'INSERT INTO granted.t VALUES (1)', cdc)).rejects.toThrow(/denied/);
    await query(server, 'DROP DATABASE granted');
  });

  it('listens on the loopback only and keeps out of sight of other users', async () => {
    expect((await query(server, 'SELECT @@bind_address AS address'))[0]).toEqual({ address: '127.0.0.1' });
    expect((await stat(server.dataDir)).mode & 0o077).toBe(0);
  });

  it.runIf(asRoot)('does not run as root', async () => {
    const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
    const uid = /^Uid:\s+(\d+)/m.exec(status)?.[1];
    expect(uid).not.toBe('0');
    expect(String((await stat(server.dataDir)).uid)).toBe(uid);
  });

  it('is adopted, not doubled, by a second start', async () => {
    const again = await startPrivateServer({
      folder: server.folder,
      findBinary: () => Promise.reject(new Error('not needed')),
      progress: silent,
    });
    expect(again).toEqual({ ...server, adopted: true });
    expect(await privateServerState(server.folder)).toMatchObject({
      state: 'running',
      pid: server.pid,
      port: server.port,
    });
  });
});

describeOnServers('a private server', (flavor) => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startTestServer(flavor);
    await server.query('CREATE DATABASE shop', 'CREATE TABLE shop.t (id INT PRIMARY KEY)');
  });
  afterAll(() => server?.stop());

  it('starts cleanly on the same port after kill -9, with every committed row', async () => {
    const { port, pid } = server;
    const session = await server.connect();
    for (let id = 1; id <= 50; id++) await session.query(`INSERT INTO shop.t VALUES (${id})`);
    await server.kill9();
    session.on('error', () => undefined);
    session.destroy();
    expect(await privateServerState(server.folder)).toMatchObject({ state: 'stopped', port });
    await server.restart();
    expect(server.port).toBe(port);
    expect(server.pid).not.toBe(pid);
    expect(await server.query('SELECT COUNT(*) AS n FROM shop.t')).toEqual([{ n: 50 }]);
  });

  it('is not taken in by stale files that name another program', async () => {
    await server.kill9();
    await writeFile(path.join(server.folder, 'run/mysqld.pid'), `${process.pid}\n`);
    // MySQL believes its lock when the pid is any program's of its own user, but for its parent.
    const { uid, gid } = await stat(path.join(server.folder, 'run'));
    const another = spawn('sleep', ['60'], { uid, gid });
    onTestFinished(() => void another.kill());
    await writeFile(`${server.socket}.lock`, `${another.pid}\n`);
    expect(await privateServerState(server.folder)).toMatchObject({ state: 'stopped' });
    expect(await stopPrivateServer({ folder: server.folder, progress: silent })).toEqual({ stopped: false });
    await server.restart();
    expect(await server.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('is found when the tool was killed before it noted the pid', async () => {
    const file = path.join(server.folder, 'server.json');
    const { pid, ...record } = JSON.parse(await readFile(file, 'utf8'));
    expect(pid).toBe(server.pid);
    await writeFile(file, JSON.stringify(record));
    expect(await privateServerState(server.folder)).toMatchObject({ state: 'running', pid });
  });

  it('moves to a free port, and says so, when another program took the one it had', async () => {
    await server.shutdown();
    const taken = server.port;
    const other = await listen(taken);
    const { progress, said } = warnings();
    try {
      const moved = await startPrivateServer({ folder: server.folder, findBinary: neverNeeded, progress });
      expect(moved.port).not.toBe(taken);
      expect(said).toEqual([expect.stringContaining(`port ${taken} is in use`)]);
      await stopPrivateServer({ folder: server.folder, progress: silent });
    } finally {
      other.close();
    }
    await server.restart();
  });

  it('refuses a configured port that another program uses, and names it', async () => {
    await server.shutdown();
    const port = await freePort();
    const other = await listen(port);
    try {
      const error = await failure(
        startPrivateServer({ folder: server.folder, port, findBinary: neverNeeded, progress: silent }),
      );
      expect(error.code).toBe('server.port-in-use');
      expect(error.message).toContain(`127.0.0.1:${port}`);
    } finally {
      other.close();
    }
    await server.restart();
  });

  it('waits for its own process, whatever another server on its port answers', async () => {
    // One just spawned that has said nothing yet and then ends, while this server holds the port with other passwords.
    const log = path.join(base, 'error.log');
    await writeFile(log, '');
    let looks = 0;
    const error = await failure(
      waitUntilReady({
        port: server.port,
        child: { hasEnded: () => ++looks > 3 },
        log: { file: log, from: 0 },
        user: { user: 'root', password: 'not the one of this server' },
        dataDir: path.join(base, 'data'),
        progress: silent,
      }),
    );
    expect(error.code).toBe('server.start-failed');
    expect(looks).toBe(4);
  });

  it('refuses another port while it runs', async () => {
    const error = await failure(
      startPrivateServer({ folder: server.folder, port: server.port + 1, findBinary: neverNeeded, progress: silent }),
    );
    expect(error.code).toBe('server.running');
    expect(error.hint).toContain('cdc stop');
  });

  it('is the same server through a link to its folder', async () => {
    await symlink(path.dirname(server.folder), path.join(base, 'link'));
    const linked = path.join(base, 'link', path.basename(server.folder));
    expect(await privateServerState(linked)).toMatchObject({ state: 'running', pid: server.pid });
    expect(await stopPrivateServer({ folder: linked, progress: silent })).toEqual({ stopped: true });
    const again = await startPrivateServer({ folder: linked, findBinary: neverNeeded, progress: silent });
    expect(again.dataDir).toBe(server.dataDir);
    await server.restart();
    expect(server.pid).toBe(again.pid);
  });

  it('tells what its log said when it dies while starting', async () => {
    await server.shutdown();
    const error = await failure(server.restart({ extraArgs: ['--no-such-option=1'] }));
    expect(error.code).toBe('server.start-failed');
    expect(error.message).toContain('no-such-option');
    expect(error.hint).toContain('error.log');
    await server.restart({ extraArgs: [] });
  });

  it('sets new passwords when the file with them is gone', async () => {
    await server.shutdown();
    const old = server.cdc.password;
    await rm(path.join(server.folder, 'credentials.json'));
    await server.restart();
    const [row] = await server.query('SELECT COUNT(*) AS n FROM shop.t');
    expect(row).toEqual({ n: 50 });
    expect(server.cdc.password).not.toBe(old);
    const cdc = await server.connect('cdc');
    await cdc.end();
  });

  it('starts once when two commands start it at the same time', async () => {
    await server.shutdown();
    const once = () => startPrivateServer({ folder: server.folder, findBinary: neverNeeded, progress: silent });
    const [first, second] = await Promise.all([once(), once()]);
    expect(first.pid).toBe(second.pid);
    expect([first.adopted, second.adopted].sort()).toEqual([false, true]);
    await server.restart();
  });

  it('carries on in a copy of its folder, on a port of its own', async () => {
    await server.shutdown();
    const copy = path.join(base, 'copy');
    await copyFolder(server.folder, copy);
    await server.restart();
    const { progress, said } = warnings();
    const other = await start(flavor, copy, { progress });
    expect(other.port).not.toBe(server.port);
    expect(said).toHaveLength(1);
    expect(await query(other, 'SELECT COUNT(*) AS n FROM shop.t')).toEqual([{ n: 50 }]);
  });
});

describeOnServers('a private server in an awkward place', (flavor) => {
  it('lives under a path with blanks that is too long for a socket', async () => {
    const folder = path.join(base, 'my projects', 'x'.repeat(100), '.cdc', 'server');
    const server = await start(flavor, folder);
    expect(Buffer.byteLength(server.socket)).toBeLessThan(104);
    const connection = await createConnection({ socketPath: server.socket, ...server.users.admin });
    await connection.end();
    const { socket, pid } = server;
    await stopPrivateServer({ folder, progress: silent });
    expect((await start(flavor, folder)).socket).toBe(socket);
    await removePrivateServer({ folder, progress: silent });
    expect(await isAlive(pid)).toBe(false);
    await expect(stat(path.dirname(socket))).rejects.toThrow(/ENOENT/);
  });

  it.runIf(asRoot)('keeps its data elsewhere when its user may not enter the folder', async () => {
    const closed = path.join(base, 'closed');
    await mkdir(closed, { mode: 0o700 });
    const folder = path.join(closed, '.cdc', 'server');
    const { progress, said } = warnings();
    const server = await start(flavor, folder, { progress });
    expect(said).toEqual([expect.stringContaining(`may not enter ${closed}`)]);
    expect(server.dataDir.startsWith(base)).toBe(false);
    await query(server, 'CREATE DATABASE kept');
    await stopPrivateServer({ folder, progress: silent });

    const copy = path.join(base, 'copy');
    await copyFolder(folder, copy);
    const refused = await failure(startPrivateServer({ folder: copy, findBinary: neverNeeded, progress: silent }));
    expect(refused.code).toBe('server.copied');

    const again = await start(flavor, folder);
    expect(await query(again, "SHOW DATABASES LIKE 'kept'")).toHaveLength(1);
    await removePrivateServer({ folder, progress: silent });
    await expect(stat(server.dataDir)).rejects.toThrow(/ENOENT/);
    await expect(stat(folder)).rejects.toThrow(/ENOENT/);
  });

  it('says so when its folder cannot be made', async () => {
    await writeFile(path.join(base, 'file'), '');
    const error = await failure(start(flavor, path.join(base, 'file', 'server')));
    folders.pop();
    expect(error.code).toBe('server.folder');
    expect(error.message).toContain(path.join(base, 'file', 'server'));
  });

  it('makes its data directory again when the first try was killed half-way', async () => {
    const folder = path.join(base, 'server');
    await mkdir(path.join(folder, 'data.unfinished', 'mysql'), { recursive: true });
    await writeFile(path.join(folder, 'start.lock'), '999999999');
    const server = await start(flavor, folder);
    expect(await query(server, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(await readdir(folder)).not.toContain('data.unfinished');
  });

  it('ends when the command is interrupted before the server answers', async () => {
    const folder = path.join(base, 'server');
    const interrupt = new AbortController();
    const progress: Progress = { ...silent, update: (text) => text.startsWith('starting') && interrupt.abort() };
    const error = await failure(start(flavor, folder, { signal: interrupt.signal, progress }));
    expect(error.code).toBe('cancelled');
    const { pid } = JSON.parse(await readFile(path.join(folder, 'server.json'), 'utf8'));
    expect(await waitUntilGone(pid, 30_000)).toBe(true);
    // What was made by then is used: the next start needs no cleaning up.
    const server = await start(flavor, folder);
    expect(await query(server, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });
});

describe('a folder without a private server', () => {
  it('is absent, stops as already stopped, and is removed without complaint', async () => {
    const folder = path.join(base, 'nothing');
    expect(await privateServerState(folder)).toEqual({ state: 'absent' });
    expect(await stopPrivateServer({ folder, progress: silent })).toEqual({ stopped: false });
    await removePrivateServer({ folder, progress: silent });
  });
});

function neverNeeded(): Promise<never> {
  return Promise.reject(new Error('the recorded binary should have been used'));
}

async function copyFolder(from: string, to: string): Promise<void> {
  await promisify(execFile)('cp', ['-a', from, to]);
}
