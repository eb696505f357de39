import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { TableName } from '../../../src/core/change.ts';
import { readLoadRecords } from '../../../src/core/change-file/load-record.ts';
import { runOf } from '../../../src/core/change-number.ts';
import type { Pipeline } from '../../../src/core/pipeline/pipeline.ts';
import { purgeBinlog } from '../../support/purge-binlog.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';
import { ALL, checkpointOf, entryOf, lakeRows, startWorker, type TestWorker, testPipeline } from './support.ts';

const PERSONS: TableName = { schema: 'shop', table: 'persons' };

describeOnServers('a worker', (flavor) => {
  let server: TestServer;
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
  });

  const persons = (pipeline: Pipeline) => lakeRows(pipeline, PERSONS);
  /** Waits until the lake has these rows. */
  const until = async (worker: TestWorker, pipeline: Pipeline, table: TableName, rows: string[]) => {
    await worker.until(async () => JSON.stringify(await lakeRows(pipeline, table)) === JSON.stringify(rows));
  };

  it('loads, follows and merges, and goes on after a stop', async () => {
    const pipeline = await testPipeline(server);
    const first = await startWorker(pipeline);
    await first.following();
    expect(await persons(pipeline)).toEqual(['1 Ann', '2 Bob']);
    await server.query("INSERT INTO shop.persons VALUES (3, 'Cid')", 'DELETE FROM shop.persons WHERE id = 1');
    await until(first, pipeline, PERSONS, ['2 Bob', '3 Cid']);
    await first.stop();
    await server.query("UPDATE shop.persons SET name = 'Bea' WHERE id = 2");
    const second = await startWorker(pipeline);
    await until(second, pipeline, PERSONS, ['2 Bea', '3 Cid']);
    expect((await entryOf(pipeline, PERSONS))?.run).toBe(1);
  });

  it('follows what was written between a full load alone and ongoing alone', async () => {
    const pipeline = await testPipeline(server);
    await (await startWorker(pipeline, { fullLoad: true, ongoing: false, merge: true })).ended;
    expect(await persons(pipeline)).toEqual(['1 Ann', '2 Bob']);
    await server.query("INSERT INTO shop.persons VALUES (3, 'Cid')");
    const worker = await startWorker(pipeline, { fullLoad: false, ongoing: true, merge: true });
    await until(worker, pipeline, PERSONS, ['1 Ann', '2 Bob', '3 Cid']);
  });

  it('refuses a second worker', async () => {
    const pipeline = await testPipeline(server);
    await (await startWorker(pipeline)).following();
    await expect((await startWorker(pipeline)).ended).rejects.toMatchObject({ code: 'lease.held' });
  });

  it('goes on when the server was killed and came back', async () => {
    const pipeline = await testPipeline(server);
    const worker = await startWorker(pipeline);
    await worker.following();
    await server.kill9();
    await worker.until(({ state }) => state === 'reconnecting');
    await server.restart();
    await server.query("INSERT INTO shop.persons VALUES (3, 'Cid')");
    await until(worker, pipeline, PERSONS, ['1 Ann', '2 Bob', '3 Cid']);
    expect(worker.state.state).toBe('following');
  });

  it('loads every table again when the binlog it needed was purged, once it is asked to', async () => {
    const pipeline = await testPipeline(server);
    const first = await startWorker(pipeline);
    await first.following();
    await first.stop();
    await server.query("INSERT INTO shop.persons VALUES (3, 'Cid')", 'FLUSH BINARY LOGS', 'FLUSH BINARY LOGS');
    await purgeBinlog(server);
    await expect((await startWorker(pipeline)).ended).rejects.toMatchObject({ code: 'position.purged' });
    expect((await checkpointOf(pipeline)).broken?.code).toBe('position.purged');
    await expect((await startWorker(pipeline, { ...ALL, fullLoad: false })).ended).rejects.toMatchObject({
      code: 'position.broken',
    });
    await (await startWorker(pipeline)).following();
    expect(await persons(pipeline)).toEqual(['1 Ann', '2 Bob', '3 Cid']);
    expect((await checkpointOf(pipeline)).broken).toBeUndefined();
    expect((await readLoadRecords(pipeline.staging, PERSONS)).map(({ number }) => runOf(number))).toEqual([1, 2]);
  });

  it('begins an empty table at the position it is given', async () => {
    const pipeline = await testPipeline(server);
    const request = { fullLoad: false, ongoing: true, merge: true, from: 'now' } as const;
    const worker = await startWorker(pipeline, request);
    await worker.following();
    await server.query("INSERT INTO shop.persons VALUES (3, 'Cid')");
    await until(worker, pipeline, PERSONS, ['3 Cid']);
  });
});
