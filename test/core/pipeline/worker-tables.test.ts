import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { TableName } from '../../../src/core/change.ts';
import type { Pipeline } from '../../../src/core/pipeline/pipeline.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';
import { ALL, entryOf, lakeRows, startWorker, type TestWorker, testPipeline } from './support.ts';

const PERSONS: TableName = { schema: 'shop', table: 'persons' };
const ORDERS: TableName = { schema: 'shop', table: 'orders' };

describeOnServers('the tables of a worker', (flavor) => {
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

  it.each([
    ['created', 'CREATE TABLE shop.orders (id INT PRIMARY KEY)', 'INSERT INTO shop.orders VALUES (7)'],
    ['filled by a SELECT', 'CREATE TABLE shop.orders (PRIMARY KEY (id)) SELECT 7 AS id', 'DO 0'],
    [
      'renamed into view',
      'CREATE TABLE shop2.orders (id INT PRIMARY KEY)',
      'RENAME TABLE shop2.orders TO shop.orders',
      'INSERT INTO shop.orders VALUES (7)',
    ],
  ])('takes in a table that is %s while it runs, whatever it was asked for', async (_, ...sql) => {
    await server.query('CREATE DATABASE IF NOT EXISTS shop2');
    const pipeline = await testPipeline(server);
    await (await startWorker(pipeline, { ...ALL, ongoing: false })).ended;
    const worker = await startWorker(pipeline, { ...ALL, fullLoad: false });
    await worker.following();
    await server.query(...sql);
    await until(worker, pipeline, ORDERS, ['7']);
    await server.query("INSERT INTO shop.persons VALUES (3, 'Cid')", 'INSERT INTO shop.orders VALUES (8)');
    await until(worker, pipeline, PERSONS, ['1 Ann', '2 Bob', '3 Cid']);
    await until(worker, pipeline, ORDERS, ['7', '8']);
  });

  it('takes a table out that is no longer asked for, merges what it had, and loads it anew when it is asked for again', async () => {
    const both = await testPipeline(server);
    const first = await startWorker(both, { ...ALL, merge: false });
    await first.following();
    await server.query("INSERT INTO shop.persons VALUES (3, 'Cid')");
    await first.until(async () => (await entryOf(both, PERSONS))?.number === 1);
    await first.stop();
    await server.query('CREATE TABLE shop.orders (id INT PRIMARY KEY)');
    const { folder } = both.config;
    const orders = await testPipeline(server, { folder, tables: ['shop.orders'] });
    const second = await startWorker(orders);
    await second.following();
    await until(second, orders, PERSONS, ['1 Ann', '2 Bob', '3 Cid']);
    expect(second.warnings.join()).toContain('shop.persons is no longer asked for');
    await server.query('DELETE FROM shop.persons WHERE id = 1');
    await second.stop();
    const third = await startWorker(await testPipeline(server, { folder }));
    await third.following();
    expect(await persons(both)).toEqual(['2 Bob', '3 Cid']);
    expect((await entryOf(both, PERSONS))?.run).toBe(2);
  });

  it('stops a table that was dropped while nobody looked, after the changes before', async () => {
    await server.query('CREATE TABLE shop.orders (id INT PRIMARY KEY)');
    const pipeline = await testPipeline(server);
    const first = await startWorker(pipeline);
    await first.following();
    await first.stop();
    await server.query("INSERT INTO shop.persons VALUES (3, 'Cid')", 'DROP TABLE shop.persons');
    const second = await startWorker(pipeline);
    await second.until(({ tables }) => tables['shop.persons']?.stopped?.code === 'table.dropped');
    await until(second, pipeline, PERSONS, ['1 Ann', '2 Bob', '3 Cid']);
  });

  it('goes on by the rules of the load when cdc.yaml has others, and says so', async () => {
    await server.query('ALTER TABLE shop.persons ADD UNIQUE by_name (name, id), MODIFY name VARCHAR(50) NOT NULL');
    const before = await testPipeline(server, { yaml: 'merge: { zero_dates: text }' });
    const first = await startWorker(before);
    await first.following();
    await first.stop();
    const { folder } = before.config;
    const rules = ['{ table: shop.persons, key: [name, id] }'];
    const second = await startWorker(await testPipeline(server, { folder, rules }));
    await second.following();
    expect(second.warnings).toEqual([
      'shop.persons: `merge.zero_dates` and its `key:` in cdc.yaml changed since it was loaded, and counts from the next load: cdc reload shop.persons',
    ]);
    await second.stop();
    const third = await startWorker(await testPipeline(server, { folder, yaml: 'merge: { zero_dates: text }' }));
    await third.following();
    expect(third.warnings).toEqual([]);
  });
});
