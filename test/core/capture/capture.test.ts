import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { SourceAddress } from '../../../src/core/binlog/connection.ts';
import { capture } from '../../../src/core/capture/capture.ts';
import { type Checkpoint, CheckpointWriter, readCheckpoint } from '../../../src/core/capture/checkpoint.ts';
import type { TableName } from '../../../src/core/change.ts';
import { CAPTURE_LEASE } from '../../../src/core/change-file/layout.ts';
import { readLoadRecords } from '../../../src/core/change-file/load-record.ts';
import { readChanges } from '../../../src/core/change-file/read.ts';
import { numberInRun, parseChangeNumber, runOf } from '../../../src/core/change-number.ts';
import { loadTables } from '../../../src/core/pipeline/load-tables.ts';
import { silent } from '../../../src/core/progress.ts';
import { acquireLease } from '../../../src/core/store/lease.ts';
import { type LocalStore, openLocalStore } from '../../../src/core/store/local.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';

const PERSONS: TableName = { schema: 'shop', table: 'persons' };

describeOnServers('capture', (flavor) => {
  let server: TestServer;
  let folder: string;
  let staging: LocalStore;

  beforeAll(async () => {
    server = await startTestServer(flavor);
  });
  afterAll(() => server?.stop());

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cdc-capture-'));
    staging = openLocalStore(folder);
    await server.query(
      'DROP DATABASE IF EXISTS shop',
      'CREATE DATABASE shop',
      'CREATE TABLE shop.persons (id INT PRIMARY KEY, name VARCHAR(50), city VARCHAR(50))',
      "INSERT INTO shop.persons VALUES (1, 'Ann', 'Phoenix'), (2, 'Bob', 'Denver')",
    );
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const address = (): SourceAddress => ({ host: server.host, port: server.port, ...server.cdc });

  async function load(tables: TableName[]): Promise<Checkpoint> {
    const lease = await acquireLease({ store: staging, folder: CAPTURE_LEASE, engine: 'cdc' });
    const { writer, current } = await CheckpointWriter.open(staging);
    try {
      return await loadTables({
        source: address(),
        staging,
        tables: tables.map((name) => ({ name, zeroDates: 'null' })),
        checkpoint: current,
        writer,
        leaseGeneration: lease.generation,
        serverId: 4711,
        merge: true,
        ledgerRun: async () => 0,
        maxFileBytes: 64e6,
        signal: new AbortController().signal,
        progress: silent,
      });
    } finally {
      await lease.release();
    }
  }

  /** Captures from the checkpoint until the source's position is reached, and stops in good order. */
  async function captureAll(options: { from?: Checkpoint; maxDelayMs?: number; truncate?: 'apply' | 'stop' } = {}) {
    const stopped: string[] = [];
    const newTables: string[] = [];
    const lease = await acquireLease({ store: staging, folder: CAPTURE_LEASE, engine: 'cdc' });
    const { writer, current } = await CheckpointWriter.open(staging);
    const checkpoint = options.from ?? current;
    if (checkpoint === undefined) throw new Error('nothing loaded');
    const [end] = await server.query(flavor === 'mariadb' ? 'SHOW MASTER STATUS' : 'SHOW MASTER STATUS');
    const stop = new AbortController();
    const failsafe = setTimeout(() => stop.abort(), 20_000);
    try {
      const running = capture({
        source: async () => address(),
        serverId: 4711,
        staging,
        checkpoint,
        writer,
        lease,
        limits: { maxFileBytes: 64e6, maxDelayMs: options.maxDelayMs ?? 50 },
        truncate: options.truncate ?? 'apply',
        matches: () => true,
        onPublished() {},
        onChanged() {},
        onStopped: (table, reason) => stopped.push(`${table.table}: ${reason.code}`),
        onNewTable: (table) => newTables.push(table.table),
        onCheckpoint(written) {
          if (written.position.file === end?.File && written.position.offset >= Number(end.Position)) stop.abort();
        },
        onFollowing() {},
        onRetry() {},
        onLag() {},
        progress: silent,
        signal: stop.signal,
      });
      const last = await running;
      return { checkpoint: last, stopped, newTables };
    } finally {
      clearTimeout(failsafe);
      await lease.release();
    }
  }

  async function changes(table: TableName = PERSONS): Promise<string[]> {
    const files = (await staging.list(`${table.schema}/${table.table}/2`)).map(({ key }) => key);
    const lines: string[] = [];
    for (const key of files)
      for await (const row of readChanges(staging, key)) {
        const number = parseChangeNumber(row.seq ?? '');
        lines.push(
          [`${runOf(number)}:${numberInRun(number)}`, row.op, ...row.values.map((value) => value ?? 'NULL')].join(' '),
        );
      }
    return lines;
  }

  it('numbers the changes after the load from 1, each in its place', async () => {
    await load([PERSONS]);
    await server.query(
      "UPDATE shop.persons SET name = 'Ann B' WHERE id = 1",
      "INSERT INTO shop.persons VALUES (3, 'Cid', NULL)",
      'UPDATE shop.persons SET id = 20 WHERE id = 2',
      'DELETE FROM shop.persons WHERE id = 3',
    );
    await captureAll();
    expect(await changes()).toEqual([
      '1:1 U 1 Ann B Phoenix',
      '1:2 I 3 Cid NULL',
      '1:3 D 2 Bob Denver',
      '1:4 I 20 Bob Denver',
      '1:5 D 3 Cid NULL',
    ]);
  });

  it('gives the same numbers to changes that are captured again', async () => {
    const loaded = await load([PERSONS]);
    await server.query("INSERT INTO shop.persons VALUES (3, 'Cid', 'Boston'), (4, 'Dan', 'Boston')");
    await captureAll();
    const once = await changes();
    await captureAll({ from: loaded });
    expect(await changes()).toEqual([...once, ...once]);
  });

  it('goes on from its checkpoint after a stop, without a gap or a repetition', async () => {
    await load([PERSONS]);
    await server.query("INSERT INTO shop.persons VALUES (3, 'Cid', 'Boston')");
    await captureAll();
    await server.query("INSERT INTO shop.persons VALUES (4, 'Dan', 'Boston')");
    await captureAll();
    expect(await changes()).toEqual(['1:1 I 3 Cid Boston', '1:2 I 4 Dan Boston']);
  });

  it('leaves out of a table loaded later what the load has already', async () => {
    await server.query('CREATE TABLE shop.orders (id INT PRIMARY KEY)');
    await load([PERSONS]);
    await server.query(
      'INSERT INTO shop.orders VALUES (1)',
      "INSERT INTO shop.persons VALUES (3, 'Cid', 'Boston')",
      'FLUSH BINARY LOGS',
    );
    await load([{ schema: 'shop', table: 'orders' }]);
    await server.query('INSERT INTO shop.orders VALUES (2)');
    await captureAll();
    expect(await changes()).toEqual(['1:1 I 3 Cid Boston']);
    expect(await changes({ schema: 'shop', table: 'orders' })).toEqual(['1:1 I 2']);
  });

  it('gives a truncation a number and an epoch without files', async () => {
    await load([PERSONS]);
    await server.query(
      "INSERT INTO shop.persons VALUES (3, 'Cid', 'Boston')",
      'TRUNCATE shop.persons',
      "INSERT INTO shop.persons VALUES (4, 'Dan', 'Boston')",
    );
    await captureAll();
    expect(await changes()).toEqual(['1:1 I 3 Cid Boston', '1:3 I 4 Dan Boston']);
    const records = await readLoadRecords(staging, PERSONS);
    expect(records.map((record) => [record.kind, numberInRun(record.number)])).toEqual([
      ['load', 0],
      ['truncate', 2],
    ]);
  });

  it('stops the table at a truncation when it is told to', async () => {
    await load([PERSONS]);
    await server.query('TRUNCATE shop.persons', "INSERT INTO shop.persons VALUES (4, 'Dan', 'Boston')");
    const { stopped } = await captureAll({ truncate: 'stop' });
    expect(stopped).toEqual(['persons: table.truncated']);
    expect(await changes()).toEqual([]);
  });

  it('begins a new definition where a column is added, and numbers it', async () => {
    await load([PERSONS]);
    await server.query(
      "INSERT INTO shop.persons VALUES (3, 'Cid', 'Boston')",
      'ALTER TABLE shop.persons ADD COLUMN age INT',
      "INSERT INTO shop.persons VALUES (4, 'Dan', 'Boston', 40)",
    );
    await captureAll();
    expect(await changes()).toEqual(['1:1 I 3 Cid Boston', '1:3 I 4 Dan Boston 40']);
  });

  it.each([
    ['ALTER TABLE shop.persons DROP COLUMN city', 'schema.changed'],
    ['ALTER TABLE shop.persons MODIFY name INT', 'schema.changed'],
    ['RENAME TABLE shop.persons TO shop.people', 'table.renamed'],
    ['DROP TABLE shop.persons', 'table.dropped'],
    ['DROP DATABASE shop', 'table.dropped'],
  ])('stops the table at %s, and keeps what came before', async (sql, code) => {
    await load([PERSONS]);
    await server.query(
      'DELETE FROM shop.persons WHERE id = 1',
      'DELETE FROM shop.persons WHERE id = 2',
      "INSERT INTO shop.persons VALUES (7, '1', 'Boston')",
      sql,
    );
    const { stopped, checkpoint } = await captureAll();
    expect(stopped).toEqual([`persons: ${code}`]);
    expect(await changes()).toHaveLength(3);
    expect(checkpoint.tables['shop.persons']?.stopped?.hint).toBe('cdc reload shop.persons');
  });

  it.runIf(flavor === 'mariadb')('leaves out rows that were logged and then rolled back', async () => {
    await load([PERSONS]);
    const connection = await server.connect();
    await connection.query("INSERT INTO shop.persons VALUES (3, 'Cid', 'Boston')");
    // A temporary table within makes MariaDB log the transaction, and its rollback behind it.
    await connection.query(
      "START TRANSACTION; INSERT INTO shop.persons VALUES (4, 'Dan', 'Boston'); CREATE TEMPORARY TABLE shop.t (i INT); ROLLBACK",
    );
    await connection.query("INSERT INTO shop.persons VALUES (5, 'Eve', 'Boston')");
    await connection.end();
    await captureAll();
    expect(await changes()).toEqual(['1:1 I 3 Cid Boston', '1:2 I 5 Eve Boston']);
  });

  it('tells of a table that is created while it runs', async () => {
    await load([PERSONS]);
    await server.query('CREATE TABLE shop.fresh (id INT PRIMARY KEY)');
    expect((await captureAll()).newTables).toEqual(['fresh']);
  });

  it('refuses to go on when the binlog at the checkpoint is another one', async () => {
    await load([PERSONS]);
    await server.query("INSERT INTO shop.persons VALUES (3, 'Cid', 'Boston')");
    const { checkpoint } = await captureAll();
    const { lastEvent } = checkpoint;
    if (lastEvent === undefined) throw new Error('no last event');
    const forged = { ...checkpoint, lastEvent: { ...lastEvent, checksum: lastEvent.checksum ^ 1 } };
    await expect(captureAll({ from: forged })).rejects.toMatchObject({ code: 'position.other-history' });
  });

  it('survives a kill -9 of the server: nothing twice, nothing lost', async () => {
    await load([PERSONS]);
    await server.query("INSERT INTO shop.persons VALUES (3, 'Cid', 'Boston')");
    await captureAll();
    await server.kill9();
    await server.restart();
    await server.query("INSERT INTO shop.persons VALUES (4, 'Dan', 'Boston')");
    await captureAll();
    expect(await changes()).toEqual(['1:1 I 3 Cid Boston', '1:2 I 4 Dan Boston']);
    expect((await readCheckpoint(staging))?.tables['shop.persons']?.number).toBe(2);
  });
});
