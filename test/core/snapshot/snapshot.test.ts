import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { connectSource, type SourceAddress } from '../../../src/core/binlog/connection.ts';
import type { LoadFile } from '../../../src/core/change-file/load-record.ts';
import { CancelledError } from '../../../src/core/errors.ts';
import { silent } from '../../../src/core/progress.ts';
import { openSnapshot, type Snapshot } from '../../../src/core/snapshot/snapshot.ts';
import { openLocalStore } from '../../../src/core/store/local.ts';
import type { Store } from '../../../src/core/store/store.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';
import { type Line, linesOf, parseLines, readBinlog, type SeenEvent } from '../binlog/support.ts';

describeOnServers('a full load', (flavor) => {
  let server: TestServer;
  let admin: Connection;
  let address: SourceAddress;
  beforeAll(async () => {
    server = await startTestServer(flavor);
    address = { host: server.host, port: server.port, ...server.cdc };
    admin = await connectSource({ ...address, ...server.admin });
    await admin.query("CREATE USER 'few'@'%' IDENTIFIED BY 'few-Password-1'");
  });
  beforeEach(async () => {
    await admin.query('DROP DATABASE IF EXISTS shop');
    await admin.query('CREATE DATABASE shop');
    await admin.query('USE shop');
  });
  afterAll(async () => {
    admin?.destroy();
    await server?.stop();
  });

  async function open(tables: string[], options: { as?: SourceAddress; signal?: AbortSignal } = {}): Promise<Snapshot> {
    const snapshot = await openSnapshot({
      connect: () => connectSource(options.as ?? address),
      tables: tables.map((table) => ({ name: { schema: 'shop', table }, zeroDates: 'null' })),
      progress: silent,
      signal: options.signal,
    });
    onTestFinished(() => snapshot.close());
    return snapshot;
  }

  async function staging(): Promise<Store> {
    return openLocalStore(await temporaryFolder());
  }

  function load(snapshot: Snapshot, store: Store, index = 0, maxFileBytes = 1 << 30): Promise<LoadFile[]> {
    const table = snapshot.tables[index]!;
    return snapshot.loadTable({ definition: table.define(1n), staging: store, maxFileBytes, progress: silent });
  }

  async function linesIn(store: Store, files: LoadFile[]): Promise<Line[]> {
    const lines: Line[] = [];
    for (const { key } of files) {
      const text = await readFile(join(store.location, key), 'utf8');
      lines.push(...parseLines(text.slice(text.indexOf('\n') + 1)));
    }
    return lines;
  }

  test('writes a header, the snapshot’s time, and leaves the number empty', async () => {
    await admin.query('CREATE TABLE persons (id INT PRIMARY KEY, `full,name` VARCHAR(20))');
    await admin.query("INSERT INTO persons VALUES (2, 'b'), (1, NULL), (3, '')");
    const store = await staging();
    const snapshot = await open(['persons']);
    const files = await load(snapshot, store);
    expect(files).toEqual([{ key: 'shop/persons/LOAD00000001.csv', size: expect.any(Number), rows: 3 }]);
    const text = await readFile(join(store.location, files[0]!.key), 'utf8');
    const at = snapshot.takenAt.toISOString().replace('T', ' ').replace('Z', '000');
    expect(text).toBe(`Op,cdc_ts,id,"full,name",cdc_seq\nI,${at},1,\\N,\nI,${at},2,b,\nI,${at},3,,\n`);
    expect(files[0]!.size).toBe(Buffer.byteLength(text));
  });

  test('an empty table is no file', async () => {
    await admin.query('CREATE TABLE nothing (id INT PRIMARY KEY)');
    const store = await staging();
    expect(await load(await open(['nothing']), store)).toEqual([]);
    expect(await store.list('shop/')).toEqual([]);
  });

  test('begins a new file at the size asked for, never within a row, and numbers go on over epochs', async () => {
    await admin.query('CREATE TABLE big (id INT PRIMARY KEY, t VARCHAR(100))');
    await admin.query(`INSERT INTO big SELECT n, REPEAT('x', 50) FROM (${numbers(1000)}) AS s`);
    const store = await staging();
    const snapshot = await open(['big']);
    const files = await load(snapshot, store, 0, 10_000);
    expect(files.length).toBeGreaterThan(5);
    expect(files.map(({ rows }) => rows).reduce((a, b) => a + b)).toBe(1000);
    expect(files.map(({ key }) => key.slice(-6, -4))).toEqual(
      files.map((_, i) => (i + 1).toString(16).toUpperCase().padStart(2, '0')),
    );
    const lines = await linesIn(store, files);
    expect(lines.map(({ fields }) => Number(fields[0]))).toEqual(Array.from({ length: 1000 }, (_, i) => i + 1));
    const again = await load(snapshot, store);
    expect(again[0]!.key).toBe(`shop/big/LOAD${(files.length + 1).toString(16).toUpperCase().padStart(8, '0')}.csv`);
  });

  test('a row that came by load is byte-equal to the row that came by the binlog', async () => {
    await admin.query(`CREATE TABLE types (id INT PRIMARY KEY, ti TINYINT, tiu TINYINT UNSIGNED, si SMALLINT, mi MEDIUMINT UNSIGNED,
      z INT(8) ZEROFILL, bi BIGINT, biu BIGINT UNSIGNED, y YEAR, b1 BIT(1), b9 BIT(9), de DECIMAL(30,10), dz DECIMAL(8,2) ZEROFILL,
      f FLOAT, f2 FLOAT(7,2), d DOUBLE, d2 DOUBLE(12,3), da DATE, dt DATETIME(6), ts TIMESTAMP(2) NULL, tm TIME(3), c CHAR(9), v VARCHAR(99),
      l VARCHAR(99) CHARACTER SET latin1, bn BINARY(5), vb VARBINARY(20), tx MEDIUMTEXT, bl LONGBLOB, e ENUM('a','b,c','d"e'), s SET('x','y','z'), j JSON)`);
    const from = await positionNow();
    await admin.query("SET SESSION sql_mode = ''");
    const rows = [
      `0, -128, 255, -1, 16777215, 42, -9223372036854775808, 18446744073709551615, 0, b'1', b'100000001', -1.5, 1.5, 1.1, 1.1, 0.1, 1.5, '2024-02-29', '2024-01-01 00:00:00.000001', '1970-01-01 00:00:01', '-838:59:59', 'pad  ', 'ñ😀', 'ÿé', x'4100', x'00ff', 'a"b', x'0d0a2c22', 'b,c', 'x,z', '{"a": [1, 2.50, null, "é"]}'`,
      `1, 0, 0, 0, 0, 0, 0, 0, 1999, b'0', 0, 0, 0, 3.4e38, 12345.68, 1e300, -0.001, '0000-00-00', '0000-00-00 00:00:00', 0, '00:00:00', '', '\\\\N', '\\\\\\\\N', '', '', '\\r\\n', '', 'bad', '', '[]'`,
      `2, ${Array.from({ length: 30 }, () => 'NULL').join(', ')}`,
      `3, 1, 2, 3, 4, 123456789, 6, 7, 2155, b'1', b'111111111', 99999999999999999999.9999999999, 999999.99, 16777216, -1.5, 5e-324, 123456789.123, '9999-12-31', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07.99', '838:59:59', ' lead', 'a\\nb', '"', x'0000000000', x'', REPEAT('long,', 70000), REPEAT(x'00', 70000), 'd"e', 'x', '{"big": 9007199254740993, "t": true}'`,
      `5, 0, 0, 0, 0, 0, 0, 0, 1901, b'0', 0, -0.0, 0, -1e0 * 0e0, -0.0, -1e0 * 0e0, -1e0 * 0e0, '2000-00-00', '2000-00-10 00:00:00', '2001-09-09 01:46:40', '-00:00:00.001', 'x', 'N', 'x', 'abc', 'abc', '', '', 'a', 'y', '-0.0'`,
      `4, 1, 2, 3, 4, 5, 6, 7, 1901, b'1', 1, 0.0000000001, 0.01, 0.000001, 0.01, 1e15, 100, '1000-01-01', '2024-06-30 23:59:59.5', '2001-09-09 01:46:40', '12:34:56.789', 'x', 'N', 'x', 'abc', 'abc', '', '', 'a', 'y', '"text"'`,
    ];
    for (const row of rows) await admin.query(`INSERT INTO types VALUES (${row})`);
    const until = await positionNow();
    const snapshot = await open(['types']);
    expect(snapshot.position).toEqual(until);
    const store = await staging();
    const loaded = await linesIn(store, await load(snapshot, store));
    const events = await readBinlog({ server, from, until, definitions: [snapshot.tables[0]!.define(1n)] });
    const captured = linesOf(events);
    expect(captured).toHaveLength(rows.length);
    const byId = (lines: Line[]) => lines.map(({ fields }) => fields).sort((a, b) => Number(a[0]) - Number(b[0]));
    expect(byId(loaded)).toEqual(byId(captured));
  });

  test('generated and invisible columns come by both ways, and MySQL’s invisible primary key', async () => {
    const create = `(a INT, b VARCHAR(20), kept INT AS (a + 1) STORED, virt VARCHAR(30) AS (CONCAT(b, '!')) VIRTUAL, hidden INT ${
      flavor === 'mysql' ? 'DEFAULT 7 INVISIBLE' : 'INVISIBLE DEFAULT 7'
    }`;
    if (flavor === 'mysql') {
      await admin.query('SET SESSION sql_generate_invisible_primary_key = ON');
      await admin.query(`CREATE TABLE g ${create})`);
      await admin.query('SET SESSION sql_generate_invisible_primary_key = OFF');
    } else await admin.query(`CREATE TABLE g ${create}, PRIMARY KEY (a))`);
    const from = await positionNow();
    await admin.query("INSERT INTO g (a, b) VALUES (1, 'x'), (2, NULL)");
    const until = await positionNow();
    const snapshot = await open(['g']);
    const definition = snapshot.tables[0]!.define(1n);
    expect(definition.key).toEqual([flavor === 'mysql' ? 'my_row_id' : 'a']);
    expect(definition.columns.filter(({ generated }) => generated).map(({ name }) => name)).toEqual(['kept', 'virt']);
    expect(definition.columns.filter(({ invisible }) => invisible).map(({ name }) => name)).toEqual(
      flavor === 'mysql' ? ['my_row_id', 'hidden'] : ['hidden'],
    );
    const store = await staging();
    const loaded = await linesIn(store, await load(snapshot, store));
    const captured = linesOf(await readBinlog({ server, from, until, definitions: [definition] }));
    expect(captured).toHaveLength(2);
    expect(loaded.map(({ fields }) => fields)).toEqual(captured.map(({ fields }) => fields));
  });

  test('stands at exactly one position, over all tables, while writers write', { timeout: 120_000 }, async () => {
    await admin.query('CREATE TABLE a (id INT PRIMARY KEY, balance INT NOT NULL)');
    await admin.query('CREATE TABLE b (id INT PRIMARY KEY, balance INT NOT NULL)');
    for (const table of ['a', 'b']) await admin.query(`INSERT INTO ${table} SELECT n, 1000 FROM (${numbers(50)}) AS s`);
    const stop = new AbortController();
    const writers = [1, 2, 3].map((seed) => write(seed, stop.signal));
    const store = await staging();
    const taken: { snapshot: Snapshot; rows: Map<string, string>[] }[] = [];
    for (let round = 0; round < 4; round++) {
      const snapshot = await open(['a', 'b']);
      const rows = [];
      for (const index of [0, 1]) rows.push(asMap(await linesIn(store, await load(snapshot, store, index))));
      taken.push({ snapshot, rows });
    }
    stop.abort();
    const written = await Promise.all(writers);
    expect(Math.min(...written)).toBeGreaterThan(0);
    const until = await positionNow();
    for (const { snapshot, rows } of taken) {
      const sum = rows.flatMap((map) => [...map.values()]).reduce((total, value) => total + Number(value), 0);
      expect(sum).toBe(100_000);
      const definitions = snapshot.tables.map((table) => table.define(1n));
      const events = await readBinlog({ server, from: snapshot.position, until, definitions });
      const state = rows.map((map) => new Map(map));
      for (const event of events) replay(event, state);
      for (const [index, table] of ['a', 'b'].entries()) expect(state[index]).toEqual(new Map(await selectAll(table)));
    }
  });

  test('locks nothing when it has been opened, and holds up no DDL of a table that it is not reading', async () => {
    await admin.query('CREATE TABLE t (id INT PRIMARY KEY)');
    await admin.query('INSERT INTO t VALUES (1)');
    await open(['t']);
    const other = await connectSource({ ...address, ...server.admin });
    onTestFinished(() => other.destroy());
    await other.query('SET SESSION lock_wait_timeout = 1');
    await other.query('INSERT INTO shop.t VALUES (2)');
    // The cdc user of MariaDB may not switch its binlog off, so its metadata locks stay until the load ends.
    if (flavor === 'mysql') await other.query('ALTER TABLE shop.t ADD COLUMN c INT');
    else {
      const snapshot = await open(['t'], { as: { ...address, ...server.admin } });
      expect(snapshot.tables).toHaveLength(1);
    }
  });

  test.each([
    'ALTER TABLE t ADD COLUMN c INT',
    'ALTER TABLE t DROP COLUMN v',
    'ALTER TABLE t RENAME COLUMN v TO w',
    'TRUNCATE TABLE t',
    'DROP TABLE t',
    'RENAME TABLE t TO u',
  ])('notices %s that comes after it was taken', async (ddl) => {
    await admin.query('CREATE TABLE t (id INT PRIMARY KEY, v INT)');
    await admin.query('INSERT INTO t VALUES (1, 1)');
    const snapshot = await open(['t'], { as: { ...address, ...server.admin } });
    await admin.query(ddl);
    const store = await staging();
    await expect(load(snapshot, store)).rejects.toMatchObject({
      code: 'snapshot.table-changed',
      hint: expect.stringContaining('again'),
    });
    expect(await store.list('shop/')).toEqual([]);
  });

  test('does without RELOAD where it may lock the tables', async () => {
    await admin.query('CREATE TABLE t (id INT PRIMARY KEY)');
    await admin.query("REVOKE ALL PRIVILEGES, GRANT OPTION FROM 'few'@'%'");
    await admin.query("GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'few'@'%'");
    await admin.query("GRANT LOCK TABLES ON shop.* TO 'few'@'%'");
    const few = { ...address, user: 'few', password: 'few-Password-1' };
    const snapshot = await open(['t'], { as: few });
    expect(snapshot.position).toEqual(await positionNow());
    if (flavor === 'mariadb') return;
    await admin.query("REVOKE LOCK TABLES ON shop.* FROM 'few'@'%'");
    await expect(open(['t'], { as: few })).rejects.toMatchObject({ code: 'grant.snapshot' });
  });

  test('waits for XA transactions in doubt, and gives up with what is in the way', { timeout: 60_000 }, async () => {
    await admin.query('CREATE TABLE t (id INT PRIMARY KEY)');
    const other = await connectSource({ ...address, ...server.admin });
    onTestFinished(() => other.destroy());
    await other.query("XA START 'x'");
    await other.query('INSERT INTO shop.t VALUES (1)');
    await other.query("XA END 'x'");
    await other.query("XA PREPARE 'x'");
    const messages: string[] = [];
    const opening = openSnapshot({
      connect: () => connectSource(address),
      tables: [{ name: { schema: 'shop', table: 't' }, zeroDates: 'null' }],
      progress: { ...silent, update: (text) => void messages.push(text) },
    });
    await expect.poll(() => messages.length, { timeout: 30_000 }).toBeGreaterThan(0);
    await other.query("XA COMMIT 'x'");
    const snapshot = await opening;
    onTestFinished(() => snapshot.close());
    expect(messages[0]).toMatch(/XA|lock/);
    const store = await staging();
    expect(await load(snapshot, store)).toMatchObject([{ rows: 1 }]);
    if (flavor === 'mariadb') return;
    await admin.query("GRANT SELECT, RELOAD, REPLICATION CLIENT ON *.* TO 'few'@'%'");
    const few = { ...address, user: 'few', password: 'few-Password-1' };
    await expect(open(['t'], { as: few })).rejects.toMatchObject({ code: 'grant.xa-recover' });
  });

  test.runIf(flavor === 'mysql')(
    'waits for a long query without holding up writers for long',
    { timeout: 60_000 },
    async () => {
      await admin.query('CREATE TABLE t (id INT PRIMARY KEY)');
      const other = await connectSource({ ...address, ...server.admin });
      const writer = await connectSource({ ...address, ...server.admin });
      onTestFinished(() => {
        other.destroy();
        writer.destroy();
      });
      await other.query('LOCK TABLES shop.t WRITE');
      const messages: string[] = [];
      const opening = openSnapshot({
        connect: () => connectSource(address),
        tables: [{ name: { schema: 'shop', table: 't' }, zeroDates: 'null' }],
        progress: { ...silent, update: (text) => void messages.push(text) },
      });
      await expect.poll(() => messages.length, { timeout: 30_000 }).toBeGreaterThan(0);
      expect(messages[0]).toContain('lock');
      // Between two attempts nothing is locked.
      await writer.query('CREATE TABLE shop.u (id INT PRIMARY KEY)');
      await other.query('UNLOCK TABLES');
      const snapshot = await opening;
      onTestFinished(() => snapshot.close());
      expect(snapshot.tables).toHaveLength(1);
    },
  );

  test('is given up at once when it is cancelled, leaving no file behind', async () => {
    await admin.query('CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(500))');
    await admin.query(`INSERT INTO t SELECT n, REPEAT('x', 500) FROM (${numbers(1000)}) AS s`);
    await admin.query('INSERT INTO t SELECT id + 100000, v FROM t');
    const store = await staging();
    const snapshot = await open(['t']);
    const stop = new AbortController();
    const definition = snapshot.tables[0]!.define(1n);
    const publish = store.publish.bind(store);
    let published = 0;
    store.publish = async (...args) => {
      published++;
      if (published === 2) stop.abort();
      return publish(...args);
    };
    const loading = snapshot.loadTable({
      definition,
      staging: store,
      maxFileBytes: 20_000,
      progress: silent,
      signal: stop.signal,
    });
    await expect(loading).rejects.toBeInstanceOf(CancelledError);
    expect(published).toBe(2);
    // Two files are published, and count for nothing without a record; the one that was open is gone.
    const left = await readdir(store.location, { recursive: true });
    expect(left.filter((name) => name.endsWith('.csv')).sort()).toEqual([
      'shop/t/LOAD00000001.csv',
      'shop/t/LOAD00000002.csv',
    ]);
    await expect(open(['t'], { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(CancelledError);
  });

  test('says what failed when staging cannot be written', async () => {
    await admin.query('CREATE TABLE t (id INT PRIMARY KEY)');
    await admin.query('INSERT INTO t VALUES (1)');
    const store = await staging();
    const snapshot = await open(['t']);
    store.scratchPath = async () => '/nowhere/at/all/LOAD00000001.csv';
    await expect(load(snapshot, store)).rejects.toMatchObject({
      code: 'store.write',
      message: expect.stringContaining('LOAD00000001.csv'),
    });
  });

  test('knows the server', async () => {
    await admin.query('CREATE TABLE t (id INT PRIMARY KEY)');
    const snapshot = await open(['t']);
    expect(snapshot.server).toMatchObject({ flavor, serverId: 1 });
    expect(snapshot.server.uuid === undefined).toBe(flavor === 'mariadb');
    expect(snapshot.position.gtid).toMatch(flavor === 'mariadb' ? /^0-1-\d+$/ : /^[0-9a-f-]{36}:1-\d+$/);
  });

  /** Moves money between rows of both tables, and makes and removes rows, in transactions. */
  async function write(seed: number, signal: AbortSignal): Promise<number> {
    const connection = await connectSource({ ...address, ...server.admin, database: 'shop' });
    let done = 0;
    try {
      while (!signal.aborted) {
        const amount = (seed * 7 + done * 13) % 50;
        const id = 1 + ((seed * 17 + done * 5) % 50);
        try {
          await connection.query('START TRANSACTION');
          await connection.query(`UPDATE a SET balance = balance - ${amount} WHERE id = ${id}`);
          await connection.query(`INSERT INTO b VALUES (${seed * 100_000 + done}, ${amount})`);
          if (done > 5) {
            await connection.query(
              `UPDATE b SET balance = balance + (SELECT x FROM (SELECT balance AS x FROM b WHERE id = ${seed * 100_000 + done - 5}) AS s) WHERE id = ${id}`,
            );
            await connection.query(`DELETE FROM b WHERE id = ${seed * 100_000 + done - 5}`);
          }
          await connection.query('COMMIT');
        } catch (error) {
          // A deadlock among the writers: their transaction is undone.
          if (!/[Dd]eadlock/.test(String(error))) throw error;
        }
        done++;
      }
    } finally {
      connection.destroy();
    }
    return done;
  }

  async function selectAll(table: string): Promise<[string, string][]> {
    const [rows] = (await admin.query(`SELECT id, balance FROM ${table}`)) as unknown as [
      { id: string; balance: string }[],
    ];
    return rows.map(({ id, balance }) => [id, balance]);
  }

  async function positionNow() {
    const [[row]] = (await admin.query('SHOW MASTER STATUS')) as unknown as [Record<string, string>[]];
    const [[gtid]] = (await admin.query(
      flavor === 'mariadb' ? 'SELECT @@global.gtid_binlog_pos AS gtid' : 'SELECT @@global.gtid_executed AS gtid',
    )) as unknown as [{ gtid: string }[]];
    return { file: row!.File!, offset: Number(row!.Position), gtid: gtid!.gtid.replace(/\s/g, '') };
  }
});

function asMap(lines: Line[]): Map<string, string> {
  return new Map(lines.map(({ fields }) => [fields[0]!, fields[1]!]));
}

/** Applies an event's changes to the tables a and b. */
function replay(event: SeenEvent, state: Map<string, string>[]): void {
  if (event.kind !== 'rows') return;
  const table = state[event.table.table === 'a' ? 0 : 1]!;
  for (const { op, fields } of parseLines(event.lines)) {
    if (op === 'D') table.delete(fields[0]!);
    else table.set(fields[0]!, fields[1]!);
  }
}

/** A SELECT of the numbers from 1 to `count` as `n`. */
function numbers(count: number): string {
  const digit =
    '(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)';
  return `SELECT n FROM (SELECT 1 + a.d + 10 * b.d + 100 * c.d AS n FROM ${digit} a, ${digit} b, ${digit} c) AS s WHERE n <= ${count} ORDER BY n`;
}
