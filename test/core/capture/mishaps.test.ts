import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { CheckpointWriter } from '../../../src/core/capture/checkpoint.ts';
import type { TableName } from '../../../src/core/change.ts';
import { CHECKPOINT_KEY, definitionFolder, tableFolder } from '../../../src/core/change-file/layout.ts';
import { readLoadRecords } from '../../../src/core/change-file/load-record.ts';
import { onCrashPoint } from '../../../src/core/crash-point.ts';
import { CdcError } from '../../../src/core/errors.ts';
import type { Store } from '../../../src/core/store/store.ts';
import { purgeBinlog } from '../../support/purge-binlog.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';
import { CaptureBench, PERSONS } from './support.ts';

const ORDERS: TableName = { schema: 'shop', table: 'orders' };

/** The store, with another way to publish. */
function publishing(store: Store, publish: Store['publish']): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name === 'publish') return publish;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** Files that are not under their final names yet. */
async function scratchFiles(store: Store): Promise<string[]> {
  const folder = join(store.location, (await readdir(store.location)).find((name) => name.includes('scratch')) ?? '');
  return await readdir(folder);
}

describeOnServers('capture in trouble', (flavor) => {
  let server: TestServer;
  let bench: CaptureBench;

  beforeAll(async () => {
    server = await startTestServer(flavor);
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    bench = await CaptureBench.open(server);
    await server.query(
      'DROP DATABASE IF EXISTS shop',
      'CREATE DATABASE shop',
      'CREATE TABLE shop.persons (id INT PRIMARY KEY, name VARCHAR(50))',
      'CREATE TABLE shop.orders (id INT PRIMARY KEY)',
    );
  });

  it('goes on by itself when the disk was full, and leaves no scratch file behind', async () => {
    await bench.load([PERSONS]);
    await server.query("INSERT INTO shop.persons VALUES (1, 'Ann')");
    let tries = 0;
    const store = publishing(bench.staging, async (scratch, key, before) => {
      if (++tries <= 2) throw new CdcError('store.full', 'no space left');
      return await bench.staging.publish(scratch, key, before);
    });
    const { retries } = await bench.captureAll({ store });
    expect(retries.map(({ code }) => code)).toEqual(['store.full', 'store.full']);
    expect(await bench.changes()).toEqual(['1:1 I 1 Ann']);
    expect(await scratchFiles(bench.staging)).toEqual([]);
  });

  it('takes the next name when somebody else took its own', async () => {
    await bench.load([PERSONS]);
    await server.query("INSERT INTO shop.persons VALUES (1, 'Ann')");
    let taken = '';
    const store = publishing(bench.staging, async (scratch, key, before) => {
      if (taken === '') await bench.staging.put(key, '');
      taken ||= key;
      return await bench.staging.publish(scratch, key, before);
    });
    const { retries } = await bench.captureAll({ store });
    expect(retries.map(({ code }) => code)).toEqual(['capture.name-taken']);
    await bench.staging.delete(taken);
    expect(await bench.changes()).toEqual(['1:1 I 1 Ann']);
  });

  it('publishes, when it is stopped within a transaction, those before it and nothing of it', async () => {
    await bench.load([PERSONS]);
    await server.query(
      "INSERT INTO shop.persons VALUES (1, 'Ann')",
      'BEGIN',
      "INSERT INTO shop.persons VALUES (2, 'Bob')",
      "INSERT INTO shop.persons VALUES (3, 'Cid')",
      'COMMIT',
    );
    const stop = new AbortController();
    let rows = 0;
    onCrashPoint((point) => {
      if (point === 'capture.file-open' && ++rows === 2) stop.abort();
    });
    onTestFinished(() => onCrashPoint(undefined));
    await bench.captureAll({ signal: stop.signal, maxDelayMs: 60_000 });
    expect(await bench.changes()).toEqual(['1:1 I 1 Ann']);
    await bench.captureAll();
    expect(await bench.changes()).toEqual(['1:1 I 1 Ann', '1:2 I 2 Bob', '1:3 I 3 Cid']);
  });

  it('keeps, when a table stops within a transaction, the changes of those before it', async () => {
    await bench.load([PERSONS, ORDERS]);
    await server.query(
      "INSERT INTO shop.persons VALUES (1, 'Ann')",
      "SET SESSION binlog_format = 'STATEMENT'",
      'BEGIN',
      'INSERT INTO shop.orders VALUES (1)',
      "UPDATE shop.persons SET name = 'Bea'",
      'COMMIT',
      "SET SESSION binlog_format = 'ROW'",
      "INSERT INTO shop.persons VALUES (2, 'Bob')",
    );
    const { stopped, checkpoint } = await bench.captureAll({ maxDelayMs: 60_000 });
    expect(stopped.sort()).toEqual(['orders: statement.data-change', 'persons: statement.data-change']);
    expect(await bench.changes()).toEqual(['1:1 I 1 Ann']);
    const entry = checkpoint.tables['shop.persons'];
    expect(entry).toMatchObject({ number: 1, stoppedAt: expect.anything() });
    expect(entry?.stoppedAt?.offset).toBeLessThan(checkpoint.position.offset);
  });

  it('gives a truncation and a new definition that are captured again the same numbers and the same bytes', async () => {
    const loaded = await bench.load([PERSONS]);
    await server.query(
      "INSERT INTO shop.persons VALUES (1, 'Ann')",
      'ALTER TABLE shop.persons ADD COLUMN city VARCHAR(20)',
      'TRUNCATE shop.persons',
      "INSERT INTO shop.persons VALUES (2, 'Bob', 'Denver')",
    );
    const all = async () =>
      (await bench.staging.list('_cdc/')).map(({ key }) => key).filter((key) => !/lease/.test(key));
    await bench.captureAll();
    const [once, keys] = [await bench.changes(), await all()];
    expect(once).toEqual(['1:1 I 1 Ann', '1:4 I 2 Bob Denver']);
    const { stopped } = await bench.captureAll({ from: loaded });
    expect(stopped).toEqual([]);
    expect([await bench.changes(), await all()]).toEqual([[...once, ...once], keys]);
    expect((await readLoadRecords(bench.staging, PERSONS)).map(({ kind }) => kind)).toEqual(['load', 'truncate']);
  });

  it('refuses another history also when nothing was captured yet', async () => {
    const loaded = await bench.load([PERSONS]);
    const { binlogFile } = loaded;
    if (binlogFile === undefined) throw new Error('the load remembers no file');
    expect(binlogFile.file).toBe(loaded.position.file);
    const from = { ...loaded, binlogFile: { ...binlogFile, created: binlogFile.created - 1 } };
    await expect(bench.captureAll({ from })).rejects.toMatchObject({ code: 'position.other-history' });
  });

  it('names its files above whatever a killed session published, also when the clock went back', async () => {
    await bench.load([PERSONS]);
    const later = `${tableFolder(PERSONS)}20991231-235959998.csv`;
    await bench.staging.put(later, '');
    await server.query("INSERT INTO shop.persons VALUES (1, 'Ann')");
    await bench.captureAll();
    expect(await bench.files()).toEqual([later, `${tableFolder(PERSONS)}20991231-235959999.csv`]);
  });

  it('stops a table whose definition is gone, and follows the others', async () => {
    await bench.load([PERSONS, ORDERS]);
    await rm(join(bench.staging.location, definitionFolder(PERSONS)), { recursive: true });
    await server.query("INSERT INTO shop.persons VALUES (1, 'Ann')", 'INSERT INTO shop.orders VALUES (1)');
    const { stopped, checkpoint } = await bench.captureAll();
    expect(stopped).toEqual(['persons: definition.missing']);
    expect(await bench.changes(ORDERS)).toEqual(['1:1 I 1']);
    expect(checkpoint.tables['shop.persons']?.stopped?.code).toBe('definition.missing');
  });

  it('captures nothing of a table whose load was never finished', async () => {
    const loaded = await bench.load([PERSONS, ORDERS]);
    const { writer } = await CheckpointWriter.open(bench.staging);
    const orders = loaded.tables['shop.orders'];
    if (orders === undefined) throw new Error('not loaded');
    await writer.write({ ...loaded, tables: { ...loaded.tables, 'shop.orders': { ...orders, loaded: false } } });
    await server.query("INSERT INTO shop.persons VALUES (1, 'Ann')", 'INSERT INTO shop.orders VALUES (1)');
    await bench.captureAll();
    expect(await bench.files(ORDERS)).toEqual([]);
    expect(await bench.changes()).toEqual(['1:1 I 1 Ann']);
  });

  it('passes over a change of definition that the load of its table has already', async () => {
    await bench.load([PERSONS]);
    await server.query(
      "INSERT INTO shop.persons VALUES (1, 'Ann')",
      'INSERT INTO shop.orders VALUES (1)',
      'ALTER TABLE shop.orders ADD COLUMN city VARCHAR(20)',
      'TRUNCATE shop.orders',
      "INSERT INTO shop.orders VALUES (2, 'Denver')",
    );
    await bench.load([ORDERS]);
    await server.query("INSERT INTO shop.orders VALUES (3, 'Boston')", 'ALTER TABLE shop.orders ADD COLUMN age INT');
    const { stopped, checkpoint } = await bench.captureAll();
    expect(stopped).toEqual([]);
    expect(await bench.changes(ORDERS)).toEqual(['1:1 I 3 Boston']);
    expect(await bench.changes()).toEqual(['1:1 I 1 Ann']);
    expect(checkpoint.tables['shop.orders']).toMatchObject({ number: 2, definitionNumber: 2 });
  });

  it('goes on after so long an idle time that the file of its last event is purged', async () => {
    await bench.load([PERSONS]);
    await server.query("INSERT INTO shop.persons VALUES (1, 'Ann')");
    const { checkpoint: before } = await bench.captureAll();
    await server.query('FLUSH BINARY LOGS');
    const { checkpoint: idle } = await bench.captureAll();
    expect(idle.lastEvent).toEqual(before.lastEvent);
    expect(idle.position.file).not.toBe(before.position.file);
    await purgeBinlog(server);
    await server.query("INSERT INTO shop.persons VALUES (2, 'Bob')");
    await bench.captureAll();
    expect(await bench.changes()).toEqual(['1:1 I 1 Ann', '1:2 I 2 Bob']);
    // Without the last event the file itself is compared.
    const { binlogFile } = idle;
    const other = { ...idle, lastEvent: undefined, binlogFile: binlogFile && { ...binlogFile, created: 1 } };
    expect(binlogFile?.file).toBe(idle.position.file);
    await expect(bench.captureAll({ from: other })).rejects.toMatchObject({ code: 'position.other-history' });
  });

  it('tells of a table that comes with its rows', async () => {
    await bench.load([PERSONS]);
    await server.query('CREATE TABLE shop.filled (PRIMARY KEY (id)) SELECT 1 AS id');
    expect((await bench.captureAll()).newTables).toEqual(['filled']);
  });

  it.each([
    ['a dot', { schema: 'a.b', table: 'c.d' }],
    ['slashes and blanks', { schema: 'x y', table: '../o/p q' }],
    ['letters of another alphabet', { schema: 'größe', table: '表格' }],
    ['a name of ours', { schema: '_cdc', table: '_delta_log' }],
  ])('loads and follows a table with %s in its names', async (_, name) => {
    const sql = `\`${name.schema}\`.\`${name.table}\``;
    await server.query(`CREATE DATABASE IF NOT EXISTS \`${name.schema}\``, `CREATE TABLE ${sql} (id INT PRIMARY KEY)`);
    await bench.load([name]);
    await server.query(`INSERT INTO ${sql} VALUES (1)`, `TRUNCATE ${sql}`, `INSERT INTO ${sql} VALUES (2)`);
    const { stopped } = await bench.captureAll();
    expect(stopped).toEqual([]);
    expect(await bench.changes(name)).toEqual(['1:1 I 1', '1:3 I 2']);
    await server.query(`DROP DATABASE \`${name.schema}\``);
  });

  it('lets a worker that slept write no checkpoint over that of its successor', async () => {
    const loaded = await bench.load([PERSONS]);
    const { writer: sleeper } = await CheckpointWriter.open(bench.staging);
    await server.query("INSERT INTO shop.persons VALUES (1, 'Ann')");
    await bench.captureAll();
    const before = await bench.staging.get(CHECKPOINT_KEY);
    await expect(sleeper.write(loaded)).rejects.toMatchObject({ code: 'checkpoint.replaced' });
    expect(await bench.staging.get(CHECKPOINT_KEY)).toEqual(before);
  });
});
