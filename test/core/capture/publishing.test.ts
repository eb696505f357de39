import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { capture } from '../../../src/core/capture/capture.ts';
import { type Checkpoint, CheckpointWriter } from '../../../src/core/capture/checkpoint.ts';
import { CAPTURE_LEASE } from '../../../src/core/change-file/layout.ts';
import { readChanges } from '../../../src/core/change-file/read.ts';
import { numberInRun, parseChangeNumber } from '../../../src/core/change-number.ts';
import { loadTables } from '../../../src/core/pipeline/load-tables.ts';
import { silent } from '../../../src/core/progress.ts';
import { acquireLease } from '../../../src/core/store/lease.ts';
import { openLocalStore } from '../../../src/core/store/local.ts';
import type { Store } from '../../../src/core/store/store.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

const TABLES = ['one', 'two'].map((table) => ({ schema: 'shop', table }));

describeOnServers('publishing', (flavor) => {
  let server: TestServer;
  let folder: Store;

  beforeAll(async () => {
    server = await startTestServer(flavor);
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    await server.query(
      'DROP DATABASE IF EXISTS shop',
      'CREATE DATABASE shop',
      'CREATE TABLE shop.one (id INT PRIMARY KEY)',
      'CREATE TABLE shop.two (id INT PRIMARY KEY)',
    );
    folder = openLocalStore(await temporaryFolder());
  });

  /** Loads the empty tables, makes the changes, and captures up to `end` (or to where the changes end). */
  async function captureChanges(
    changes: string[],
    options: {
      staging?: Store;
      maxFileBytes?: number;
      maxDelayMs?: number;
      end?(): Record<string, unknown> | undefined;
      onRetry?(): void;
    },
  ): Promise<void> {
    const address = { host: server.host, port: server.port, ...server.cdc };
    const lease = await acquireLease({ store: folder, folder: CAPTURE_LEASE, engine: 'cdc' });
    const { writer } = await CheckpointWriter.open(folder);
    const stop = new AbortController();
    const shared = { writer, progress: silent, serverId: 4711, signal: stop.signal };
    const checkpoint: Checkpoint = await loadTables({
      ...shared,
      source: address,
      staging: folder,
      tables: TABLES.map((name) => ({ name, zeroDates: 'null' })),
      checkpoint: undefined,
      lease,
      merge: false,
      ledgerRun: async () => 0,
      maxFileBytes: 64e6,
    });
    await server.query(...changes);
    const [now] = await server.query('SHOW MASTER STATUS');
    const end = options.end ?? (() => now);
    const failsafe = setTimeout(() => stop.abort(), 30_000);
    try {
      await capture({
        ...shared,
        source: async () => address,
        staging: options.staging ?? folder,
        checkpoint,
        lease,
        limits: { maxFileBytes: options.maxFileBytes ?? 64e6, maxDelayMs: options.maxDelayMs ?? 50 },
        truncate: 'apply',
        acceptCascades: false,
        matches: () => true,
        onPublished() {},
        onChanged() {},
        onStopped() {},
        onNewTable() {},
        onCheckpoint({ position }) {
          const wanted = end();
          if (position.file === wanted?.File && position.offset >= Number(wanted?.Position)) stop.abort();
        },
        onFollowing() {},
        onRetry: () => options.onRetry?.(),
        onLag() {},
      });
    } finally {
      clearTimeout(failsafe);
      await lease.release();
    }
  }

  /** The changes of each change file. */
  async function files(table: string): Promise<string[][]> {
    const read: string[][] = [];
    for (const { key } of await folder.list(`shop/${table}/2`)) {
      const lines: string[] = [];
      for await (const { seq = '', op, values } of readChanges(folder, key))
        lines.push(`${numberInRun(parseChangeNumber(seq))} ${op} ${values.join(' ')}`);
      read.push(lines);
    }
    return read;
  }

  it('never splits a transaction, however large it grows and long it takes', async () => {
    const rows = Array.from({ length: 60_000 }, (_, index) => `(${index + 1})`).join(', ');
    const changes = ['BEGIN', `INSERT INTO shop.one VALUES ${rows}`, 'INSERT INTO shop.two VALUES (1)', 'COMMIT'];
    await captureChanges(changes, { maxFileBytes: 1000, maxDelayMs: 1 });
    expect((await files('one')).map((lines) => lines.length)).toEqual([60_000]);
    expect(await files('two')).toEqual([['1 I 1']]);
  });

  it('loses nothing when the connection is lost while the files of a transaction are published', async () => {
    let onRetry = () => {};
    const retried = new Promise<void>((resolve) => {
      onRetry = resolve;
    });
    let end: Record<string, unknown> | undefined;
    let publications = 0;
    const staging = withPublish(folder, async () => {
      if (++publications > 1) return;
      await endDump(server);
      // Capture tries again only when it is done with this; if it does not wait for it, it does so now.
      await Promise.race([retried, sleep(2000)]);
      await server.query('INSERT INTO shop.one VALUES (2)', 'INSERT INTO shop.two VALUES (2)');
      [end] = await server.query('SHOW MASTER STATUS');
    });
    const changes = ['BEGIN', 'INSERT INTO shop.one VALUES (1)', 'INSERT INTO shop.two VALUES (1)', 'COMMIT'];
    await captureChanges(changes, { staging, end: () => end, onRetry: () => onRetry() });
    for (const table of ['one', 'two'])
      expect([...new Set((await files(table)).flat())].sort()).toEqual(['1 I 1', '2 I 2']);
  });
});

/** The store, with something that happens before each file becomes visible. */
function withPublish(store: Store, before: () => Promise<void>): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name === 'publish')
        return async (...args: Parameters<Store['publish']>) => {
          await before();
          return target.publish(...args);
        };
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

async function endDump(server: TestServer): Promise<void> {
  const rows = await server.query("SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'");
  for (const { id } of rows) await server.query(`KILL ${id}`);
}
