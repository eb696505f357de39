import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { CheckpointWriter } from '../../../src/core/capture/checkpoint.ts';
import type { TableName } from '../../../src/core/change.ts';
import { CAPTURE_LEASE, loadRecordFolder } from '../../../src/core/change-file/layout.ts';
import { readLoadRecords } from '../../../src/core/change-file/load-record.ts';
import { runOf } from '../../../src/core/change-number.ts';
import { onCrashPoint } from '../../../src/core/crash-point.ts';
import type { Pipeline } from '../../../src/core/pipeline/pipeline.ts';
import { forgetTables } from '../../../src/core/pipeline/replicate.ts';
import type { WorkerRequest } from '../../../src/core/pipeline/worker.ts';
import { acquireLease, describeLease } from '../../../src/core/store/lease.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';
import { ALL, checkpointOf, entryOf, lakeRows, startWorker, type TestWorker, testPipeline } from './support.ts';

const PERSONS: TableName = { schema: 'shop', table: 'persons' };
const ONGOING: WorkerRequest = { fullLoad: false, ongoing: true, merge: true };

describeOnServers('a worker in trouble', (flavor) => {
  let server: TestServer;
  let pipeline: Pipeline;
  beforeAll(async () => {
    server = await startTestServer(flavor);
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    await server.query(
      'DROP DATABASE IF EXISTS shop',
      'CREATE DATABASE shop',
      'CREATE TABLE shop.persons (id INT PRIMARY KEY, name VARCHAR(50))',
      "INSERT INTO shop.persons VALUES (1, 'Ann'), (2, 'Bob')",
    );
    pipeline = await testPipeline(server);
  });

  const until = async (worker: TestWorker, rows: string[], table = PERSONS) => {
    await worker.until(async () => JSON.stringify(await lakeRows(pipeline, table)) === JSON.stringify(rows));
  };
  const loadAndStop = async () => {
    const worker = await startWorker(pipeline);
    await worker.following();
    await worker.stop();
  };
  const runs = async () => (await readLoadRecords(pipeline.staging, PERSONS)).map(({ number }) => runOf(number));

  it('loads again, once it is asked to, where the source began its binlog anew', async () => {
    await loadAndStop();
    await server.query('RESET MASTER', "INSERT INTO shop.persons VALUES (3, 'Cid')");
    await expect((await startWorker(pipeline, ONGOING)).ended).rejects.toMatchObject({
      code: expect.stringMatching(/^position\./),
    });
    expect((await checkpointOf(pipeline)).broken).toBeDefined();
    await (await startWorker(pipeline)).following();
    expect(await lakeRows(pipeline, PERSONS)).toEqual(['1 Ann', '2 Bob', '3 Cid']);
  });

  it('loads again where the binlog holds what cannot be followed', async () => {
    const worker = await startWorker(pipeline);
    await worker.following();
    await server.query(
      "XA START 'x'",
      "INSERT INTO shop.persons VALUES (3, 'Cid')",
      "XA END 'x'",
      "XA PREPARE 'x'",
      "XA COMMIT 'x'",
    );
    await expect(worker.ended).rejects.toMatchObject({ code: 'event.unsupported' });
    const again = await startWorker(pipeline);
    await again.following();
    await server.query('DELETE FROM shop.persons WHERE id = 1');
    await until(again, ['2 Bob', '3 Cid']);
    expect(await runs()).toEqual([1, 2]);
  });

  it('loads again on another server, and says so', async () => {
    await loadAndStop();
    const { writer, current } = await CheckpointWriter.open(pipeline.staging);
    if (current === undefined) throw new Error('nothing loaded');
    // MariaDB has no uuid: there the binlog file tells.
    const other = { file: current.position.file, created: 1 };
    const elsewhere =
      flavor === 'mysql'
        ? { server: { ...current.server, uuid: 'another' } }
        : { binlogFile: other, lastEvent: undefined };
    await writer.write({ ...current, ...elsewhere });
    if (flavor === 'mariadb')
      await expect((await startWorker(pipeline, ONGOING)).ended).rejects.toMatchObject({
        code: 'position.other-history',
      });
    const worker = await startWorker(pipeline);
    await worker.following();
    if (flavor === 'mysql') expect(worker.warnings.join()).toContain('another server');
    expect(await runs()).toEqual([1, 2]);
  });

  it('refuses to go on after a load that was killed, and loads anew without its leftovers when it is asked to', async () => {
    const broken = new Error('killed');
    onCrashPoint((point) => {
      if (point === 'load.file-published') throw broken;
    });
    onTestFinished(() => onCrashPoint(undefined));
    await expect((await startWorker(pipeline)).ended).rejects.toThrow('killed');
    onCrashPoint(undefined);
    const worker = await startWorker(pipeline, { ...ONGOING });
    await worker.until(({ state }) => state === 'following');
    expect(worker.warnings.join()).toContain('not loaded, so not followed: shop.persons');
    await server.query("INSERT INTO shop.persons VALUES (3, 'Cid')");
    await worker.stop();
    expect(await pipeline.staging.list('shop/persons/2')).toEqual([]);
    await (await startWorker(pipeline)).following();
    expect(await lakeRows(pipeline, PERSONS)).toEqual(['1 Ann', '2 Bob', '3 Cid']);
    expect(await runs()).toEqual([2]);
    expect(await pipeline.staging.list('shop/persons/LOAD')).toHaveLength(1);
  });

  it('reloads over changes of the old run that are not merged, and over those that are published late', async () => {
    const first = await startWorker(pipeline, { ...ALL, merge: false });
    await first.following();
    await server.query("INSERT INTO shop.persons VALUES (3, 'Cid')");
    await first.until(async () => (await entryOf(pipeline, PERSONS))?.number === 1);
    await first.stop();
    const [old] = await pipeline.staging.list('shop/persons/2');
    if (old === undefined) throw new Error('nothing captured');
    await server.query('DELETE FROM shop.persons WHERE id = 3');
    const { writer, current } = await CheckpointWriter.open(pipeline.staging);
    if (current !== undefined) await writer.write(forgetTables(current, [PERSONS]));
    expect((await entryOf(pipeline, PERSONS))?.loaded).toBe(false);
    const second = await startWorker(pipeline);
    await second.following();
    expect(await lakeRows(pipeline, PERSONS)).toEqual(['1 Ann', '2 Bob']);
    await pipeline.staging.put('shop/persons/20991231-000000000.csv', await pipeline.staging.get(old.key));
    await server.query("INSERT INTO shop.persons VALUES (4, 'Dan')");
    await until(second, ['1 Ann', '2 Bob', '4 Dan']);
  });

  it('follows a table on when another one comes whose name differs in case alone, and refuses that one', async () => {
    const worker = await startWorker(pipeline);
    await worker.following();
    await server.query('CREATE TABLE shop.PERSONS (id INT PRIMARY KEY)', "INSERT INTO shop.persons VALUES (3, 'Cid')");
    await until(worker, ['1 Ann', '2 Bob', '3 Cid']);
    await worker.until(() => worker.warnings.join().includes('left out shop.PERSONS'));
    await server.query("INSERT INTO shop.persons VALUES (4, 'Dan')");
    await until(worker, ['1 Ann', '2 Bob', '3 Cid', '4 Dan']);
  });

  it('ends when somebody else took its lease, and leaves that alone', async () => {
    const worker = await startWorker(pipeline);
    await worker.following();
    const request = { store: pipeline.staging, folder: CAPTURE_LEASE, engine: 'cdc', takeOver: true } as const;
    const lease = await acquireLease(request);
    await server.query("INSERT INTO shop.persons VALUES (3, 'Cid')");
    await expect(worker.ended).rejects.toMatchObject({ code: 'lease.lost' });
    await lease.assertHeld();
    await lease.release();
  });

  it('stops within a load, and within a large transaction, and releases its leases', async () => {
    await server.query(
      'CREATE TABLE shop.many (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(200))',
      "INSERT INTO shop.many (text) VALUES (REPEAT('x', 200))",
      ...Array.from({ length: 16 }, () => 'INSERT INTO shop.many (text) SELECT text FROM shop.many'),
    );
    const loading = await startWorker(pipeline);
    await loading.until(({ state }) => state === 'loading');
    await loading.stop();
    expect((await describeLease(pipeline.staging, CAPTURE_LEASE)).state).toBe('free');
    const following = await startWorker(pipeline);
    await following.following();
    let rows = 0;
    onTestFinished(() => onCrashPoint(undefined));
    const reached = new Promise<void>((resolve) =>
      onCrashPoint((point) => {
        if (point === 'capture.file-open' && ++rows === 50) resolve();
      }),
    );
    await server.query("UPDATE shop.many SET text = 'y'");
    await reached;
    await following.stop();
    expect((await describeLease(pipeline.staging, CAPTURE_LEASE)).state).toBe('free');
    expect((await describeLease(pipeline.lake, 'shop/many/_cdc/lease/')).state).toBe('free');
    expect(await entryOf(pipeline, { schema: 'shop', table: 'many' })).toMatchObject({ number: 0 });
    onCrashPoint(undefined);
    const again = await startWorker(pipeline);
    await again.until(
      async () => (await lakeRows(pipeline, { schema: 'shop', table: 'many' }, 'DISTINCT text'))?.join() === 'y',
    );
  });

  it('refuses a position behind the place where capture stands, and one within a transaction', async () => {
    const [before] = await server.query('SHOW MASTER STATUS');
    await server.query("INSERT INTO shop.persons VALUES (3, 'Cid')");
    await loadAndStop();
    await server.query(
      'CREATE TABLE shop.orders (id INT PRIMARY KEY)',
      'BEGIN',
      'INSERT INTO shop.orders VALUES (1)',
      'COMMIT',
    );
    const at = { file: String(before?.File), offset: Number(before?.Position) };
    await expect((await startWorker(pipeline, { ...ONGOING, from: at })).ended).rejects.toMatchObject({
      code: 'position.passed',
    });
    const events = await server.query(`SHOW BINLOG EVENTS IN '${at.file}' FROM ${at.offset}`);
    const rows = events.findLast(({ Event_type }) => /write_rows/i.test(String(Event_type)));
    const within = { file: at.file, offset: Number(rows?.Pos) };
    await expect((await startWorker(pipeline, { ...ONGOING, from: within })).ended).rejects.toMatchObject({
      code: 'position.invalid',
    });
    expect(await pipeline.staging.list(loadRecordFolder({ schema: 'shop', table: 'orders' }))).toEqual([]);
  });
});
