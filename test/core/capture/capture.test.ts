import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { readLoadRecords } from '../../../src/core/change-file/load-record.ts';
import { numberInRun } from '../../../src/core/change-number.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';
import { CaptureBench, PERSONS } from './support.ts';

describeOnServers('capture', (flavor) => {
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
      'CREATE TABLE shop.persons (id INT PRIMARY KEY, name VARCHAR(50), city VARCHAR(50))',
      "INSERT INTO shop.persons VALUES (1, 'Ann', 'Phoenix'), (2, 'Bob', 'Denver')",
    );
  });

  it('numbers the changes after the load from 1, each in its place', async () => {
    await bench.load([PERSONS]);
    await server.query(
      "UPDATE shop.persons SET name = 'Ann B' WHERE id = 1",
      "INSERT INTO shop.persons VALUES (3, 'Cid', NULL)",
      'UPDATE shop.persons SET id = 20 WHERE id = 2',
      'DELETE FROM shop.persons WHERE id = 3',
    );
    await bench.captureAll();
    expect(await bench.changes()).toEqual([
      '1:1 U 1 Ann B Phoenix',
      '1:2 I 3 Cid NULL',
      '1:3 D 2 Bob Denver',
      '1:4 I 20 Bob Denver',
      '1:5 D 3 Cid NULL',
    ]);
  });

  it('gives the same numbers to changes that are captured again', async () => {
    const loaded = await bench.load([PERSONS]);
    await server.query("INSERT INTO shop.persons VALUES (3, 'Cid', 'Boston'), (4, 'Dan', 'Boston')");
    await bench.captureAll();
    const once = await bench.changes();
    await bench.captureAll({ from: loaded });
    expect(await bench.changes()).toEqual([...once, ...once]);
  });

  it('goes on from its checkpoint after a stop, without a gap or a repetition', async () => {
    await bench.load([PERSONS]);
    await server.query("INSERT INTO shop.persons VALUES (3, 'Cid', 'Boston')");
    await bench.captureAll();
    await server.query("INSERT INTO shop.persons VALUES (4, 'Dan', 'Boston')");
    await bench.captureAll();
    expect(await bench.changes()).toEqual(['1:1 I 3 Cid Boston', '1:2 I 4 Dan Boston']);
  });

  it('leaves out of a table loaded later what the load has already', async () => {
    await server.query('CREATE TABLE shop.orders (id INT PRIMARY KEY)');
    await bench.load([PERSONS]);
    await server.query(
      'INSERT INTO shop.orders VALUES (1)',
      "INSERT INTO shop.persons VALUES (3, 'Cid', 'Boston')",
      'FLUSH BINARY LOGS',
    );
    await bench.load([{ schema: 'shop', table: 'orders' }]);
    await server.query('INSERT INTO shop.orders VALUES (2)');
    await bench.captureAll();
    expect(await bench.changes()).toEqual(['1:1 I 3 Cid Boston']);
    expect(await bench.changes({ schema: 'shop', table: 'orders' })).toEqual(['1:1 I 2']);
  });

  it('gives a truncation a number and an epoch without files', async () => {
    await bench.load([PERSONS]);
    await server.query(
      "INSERT INTO shop.persons VALUES (3, 'Cid', 'Boston')",
      'TRUNCATE shop.persons',
      "INSERT INTO shop.persons VALUES (4, 'Dan', 'Boston')",
    );
    await bench.captureAll();
    expect(await bench.changes()).toEqual(['1:1 I 3 Cid Boston', '1:3 I 4 Dan Boston']);
    const records = await readLoadRecords(bench.staging, PERSONS);
    expect(records.map((record) => [record.kind, numberInRun(record.number)])).toEqual([
      ['load', 0],
      ['truncate', 2],
    ]);
  });

  it('stops the table at a truncation when it is told to', async () => {
    await bench.load([PERSONS]);
    await server.query('TRUNCATE shop.persons', "INSERT INTO shop.persons VALUES (4, 'Dan', 'Boston')");
    const { stopped } = await bench.captureAll({ truncate: 'stop' });
    expect(stopped).toEqual(['persons: table.truncated']);
    expect(await bench.changes()).toEqual([]);
  });

  it('begins a new definition where a column is added, and numbers it', async () => {
    await bench.load([PERSONS]);
    await server.query(
      "INSERT INTO shop.persons VALUES (3, 'Cid', 'Boston')",
      'ALTER TABLE shop.persons ADD COLUMN age INT',
      "INSERT INTO shop.persons VALUES (4, 'Dan', 'Boston', 40)",
    );
    await bench.captureAll();
    expect(await bench.changes()).toEqual(['1:1 I 3 Cid Boston', '1:3 I 4 Dan Boston 40']);
  });

  it.each([
    ['ALTER TABLE shop.persons DROP COLUMN city', 'schema.changed'],
    ['ALTER TABLE shop.persons MODIFY name INT', 'schema.changed'],
    ['RENAME TABLE shop.persons TO shop.people', 'table.renamed'],
    ['DROP TABLE shop.persons', 'table.dropped'],
    ['DROP DATABASE shop', 'table.dropped'],
  ])('stops the table at %s, and keeps what came before', async (sql, code) => {
    await bench.load([PERSONS]);
    await server.query(
      'DELETE FROM shop.persons WHERE id = 1',
      'DELETE FROM shop.persons WHERE id = 2',
      "INSERT INTO shop.persons VALUES (7, '1', 'Boston')",
      sql,
    );
    const { stopped, checkpoint } = await bench.captureAll();
    expect(stopped).toEqual([`persons: ${code}`]);
    expect(await bench.changes()).toHaveLength(3);
    expect(checkpoint.tables['shop.persons']?.stopped?.hint).toBe('cdc reload shop.persons');
  });

  it.runIf(flavor === 'mariadb')('leaves out rows that were logged and then rolled back', async () => {
    await bench.load([PERSONS]);
    const connection = await server.connect();
    await connection.query("INSERT INTO shop.persons VALUES (3, 'Cid', 'Boston')");
    // A temporary table within makes MariaDB log the transaction, and its rollback behind it.
    await connection.query(
      "START TRANSACTION; INSERT INTO shop.persons VALUES (4, 'Dan', 'Boston'); CREATE TEMPORARY TABLE shop.t (i INT); ROLLBACK",
    );
    await connection.query("INSERT INTO shop.persons VALUES (5, 'Eve', 'Boston')");
    await connection.end();
    await bench.captureAll();
    expect(await bench.changes()).toEqual(['1:1 I 3 Cid Boston', '1:2 I 5 Eve Boston']);
  });

  it('tells of a table that is created while it runs', async () => {
    await bench.load([PERSONS]);
    await server.query('CREATE TABLE shop.fresh (id INT PRIMARY KEY)');
    expect((await bench.captureAll()).newTables).toEqual(['fresh']);
  });

  it('refuses to go on when the binlog at the checkpoint is another one', async () => {
    await bench.load([PERSONS]);
    await server.query("INSERT INTO shop.persons VALUES (3, 'Cid', 'Boston')");
    const { checkpoint } = await bench.captureAll();
    const { lastEvent } = checkpoint;
    if (lastEvent === undefined) throw new Error('no last event');
    const forged = { ...checkpoint, lastEvent: { ...lastEvent, checksum: lastEvent.checksum ^ 1 } };
    await expect(bench.captureAll({ from: forged })).rejects.toMatchObject({ code: 'position.other-history' });
  });

  it('survives a kill -9 of the server: nothing twice, nothing lost', async () => {
    await bench.load([PERSONS]);
    await server.query("INSERT INTO shop.persons VALUES (3, 'Cid', 'Boston')");
    await bench.captureAll();
    await server.kill9();
    await server.restart();
    await server.query("INSERT INTO shop.persons VALUES (4, 'Dan', 'Boston')");
    await bench.captureAll();
    expect(await bench.changes()).toEqual(['1:1 I 3 Cid Boston', '1:2 I 4 Dan Boston']);
    expect((await bench.checkpoint())?.tables['shop.persons']?.number).toBe(2);
  });
});
