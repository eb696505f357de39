import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { capture } from '../../../src/core/capture/capture.ts';
import { CheckpointWriter } from '../../../src/core/capture/checkpoint.ts';
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

describeOnServers('a connection lost while files are published', (flavor) => {
  it('loses none of the changes that were on their way into files', async () => {
    const server = await startTestServer(flavor);
    try {
      await server.query(
        'CREATE DATABASE shop',
        'CREATE TABLE shop.one (id INT PRIMARY KEY)',
        'CREATE TABLE shop.two (id INT PRIMARY KEY)',
      );
      const address = { host: server.host, port: server.port, ...server.cdc };
      const plain = openLocalStore(await temporaryFolder());
      const lease = await acquireLease({ store: plain, folder: CAPTURE_LEASE, engine: 'cdc' });
      const { writer } = await CheckpointWriter.open(plain);
      const shared = { writer, signal: new AbortController().signal, progress: silent, serverId: 4711 };
      const checkpoint = await loadTables({
        ...shared,
        source: address,
        staging: plain,
        tables: TABLES.map((name) => ({ name, zeroDates: 'null' })),
        checkpoint: undefined,
        leaseGeneration: lease.generation,
        merge: false,
        ledgerRun: async () => 0,
        maxFileBytes: 64e6,
      });

      const stop = new AbortController();
      const failsafe = setTimeout(() => stop.abort(), 30_000);
      let end: Record<string, unknown> | undefined;
      let onRetry = () => {};
      const retried = new Promise<void>((resolve) => {
        onRetry = resolve;
      });
      let publications = 0;
      const staging = withPublish(plain, async () => {
        if (++publications > 1) return;
        await endDump(server);
        // Capture tries again only when it is done with this; if it does not wait for it, it does so now.
        await Promise.race([retried, sleep(2000)]);
        await server.query('INSERT INTO shop.one VALUES (2)', 'INSERT INTO shop.two VALUES (2)');
        [end] = await server.query('SHOW MASTER STATUS');
      });
      await server.query('BEGIN', 'INSERT INTO shop.one VALUES (1)', 'INSERT INTO shop.two VALUES (1)', 'COMMIT');
      await capture({
        ...shared,
        source: async () => address,
        staging,
        checkpoint,
        lease,
        limits: { maxFileBytes: 64e6, maxDelayMs: 50 },
        truncate: 'apply',
        matches: () => true,
        onPublished() {},
        onChanged() {},
        onStopped() {},
        onNewTable() {},
        onCheckpoint({ position }) {
          if (position.file === end?.File && position.offset >= Number(end?.Position)) stop.abort();
        },
        onFollowing() {},
        onRetry: () => onRetry(),
        onLag() {},
        signal: stop.signal,
      });
      clearTimeout(failsafe);
      await lease.release();
      const captured = await Promise.all(TABLES.map(({ table }) => numbersAndKeys(plain, table)));
      expect(captured).toEqual([
        ['1 I 1', '2 I 2'],
        ['1 I 1', '2 I 2'],
      ]);
    } finally {
      await server.stop();
    }
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

async function numbersAndKeys(staging: Store, table: string): Promise<string[]> {
  const lines = new Set<string>();
  for (const { key } of await staging.list(`shop/${table}/2`))
    for await (const { seq = '', op, values } of readChanges(staging, key))
      lines.add(`${numberInRun(parseChangeNumber(seq))} ${op} ${values.join(' ')}`);
  return [...lines].sort();
}
