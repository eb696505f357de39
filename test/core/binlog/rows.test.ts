import type { Connection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { BinlogPosition } from '../../../src/core/position.ts';
import type { TableDefinition } from '../../../src/core/table-definition.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';
import { connectAdmin, definitionOf, endOfBinlog, linesOf, readBinlog } from './support.ts';

describeOnServers('rows as changes', (flavor) => {
  let server: TestServer;
  let admin: Connection;
  let from: BinlogPosition;

  beforeAll(async () => {
    server = await startTestServer(flavor);
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    admin = await connectAdmin(server);
    await admin.query('DROP DATABASE IF EXISTS r; CREATE DATABASE r DEFAULT CHARSET utf8mb4; USE r');
  });
  afterEach(() => admin?.end());

  const create = async (columns: string, key?: string[]): Promise<TableDefinition> => {
    await admin.query(`CREATE TABLE t (${columns})`);
    from = await endOfBinlog(admin);
    return definitionOf(admin, 'r', 't', key);
  };
  const changes = async (definition: TableDefinition) =>
    linesOf(await readBinlog({ server, from, until: await endOfBinlog(admin), definitions: [definition] })).map(
      ({ op, fields }) => [op, ...fields].map((field) => field ?? 'NULL').join(' '),
    );
  const failure = async (definition: TableDefinition) =>
    changes(definition).then(
      (lines) => ({ code: 'none', message: lines.join() }),
      (error: { code: string; message: string }) => error,
    );

  it('splits an update that changes the key into D and I with two numbers', async () => {
    const definition = await create('id int primary key, v int');
    await admin.query('INSERT INTO t VALUES (1, 10), (2, 20); UPDATE t SET id = id + 10, v = v + 1 ORDER BY id');
    await admin.query('UPDATE t SET v = 0 ORDER BY id');
    expect(await changes(definition)).toEqual([
      'I 1 10',
      'I 2 20',
      'D 1 10',
      'I 11 11',
      'D 2 20',
      'I 12 21',
      'U 11 0',
      'U 12 0',
    ]);
  });

  it('numbers what a key change becomes without a gap', async () => {
    const definition = await create('id int primary key');
    await admin.query('INSERT INTO t VALUES (1); UPDATE t SET id = 2; DELETE FROM t');
    const events = await readBinlog({ server, from, until: await endOfBinlog(admin), definitions: [definition] });
    expect(linesOf(events).map(({ op, seq }) => op + Number(seq.slice(-15)))).toEqual(['I1', 'D2', 'I3', 'D4']);
    expect(linesOf(events).every(({ seq }) => seq.length === 35)).toBe(true);
  });

  it('calls a key changed when only its bytes differ, not its collation', async () => {
    const definition = await create('k varchar(20) COLLATE utf8mb4_general_ci primary key, v int');
    await admin.query(
      "INSERT INTO t VALUES ('a', 1); UPDATE t SET k = 'A'; UPDATE t SET k = 'á'; UPDATE t SET k = 'á ', v = 2",
    );
    expect(await changes(definition)).toEqual(['I a 1', 'D a 1', 'I A 1', 'D A 1', 'I á 1', 'D á 1', 'I á  2']);
  });

  it('compares every column of a key that stands anywhere in the row', async () => {
    const definition = await create(
      'a varchar(10), b int not null, c datetime(3) not null, d text, primary key (c, b)',
    );
    await admin.query(`INSERT INTO t VALUES ('x', 1, '2024-01-01', 'long text'), (NULL, 2, '2024-01-01', NULL);
      UPDATE t SET a = 'other', d = NULL ORDER BY b; UPDATE t SET b = 5 WHERE b = 1; UPDATE t SET c = '2024-01-01 00:00:00.001' WHERE b = 2`);
    expect((await changes(definition)).slice(2)).toEqual([
      'U other 1 2024-01-01 00:00:00.000 NULL',
      'U other 2 2024-01-01 00:00:00.000 NULL',
      'D other 1 2024-01-01 00:00:00.000 NULL',
      'I other 5 2024-01-01 00:00:00.000 NULL',
      'D other 2 2024-01-01 00:00:00.000 NULL',
      'I other 2 2024-01-01 00:00:00.001 NULL',
    ]);
  });

  it('goes by the key of the definition where it is not the primary key', async () => {
    const definition = await create('id int primary key, code char(3) not null unique', ['code']);
    await admin.query("INSERT INTO t VALUES (1, 'abc'); UPDATE t SET id = 2; UPDATE t SET code = 'abd'");
    expect(await changes(definition)).toEqual(['I 1 abc', 'U 2 abc', 'D 2 abc', 'I 2 abd']);
  });

  it('leaves updates whole in a table without a key', async () => {
    const definition = await create('id int, v int');
    await admin.query('INSERT INTO t VALUES (1, 1); UPDATE t SET id = 2');
    const lines = await changes({
      ...definition,
      columns: definition.columns.filter(({ name }) => name !== 'my_row_id'),
    });
    expect(lines).toEqual(['I 1 1', 'U 2 1']);
  });

  it('reads generated and invisible columns: stored and virtual ones stand in the row', async () => {
    const definition = await create(
      'id int primary key, twice int as (id * 2) virtual, thrice int as (id * 3) stored, hidden int invisible default 7, last int',
    );
    await admin.query('INSERT INTO t (id, last) VALUES (1, 2); UPDATE t SET last = 3; DELETE FROM t');
    expect(await changes(definition)).toEqual(['I 1 2 3 7 2', 'U 1 2 3 7 3', 'D 1 2 3 7 3']);
  });

  it.runIf(flavor === 'mysql')('leaves out the columns that MySQL hides behind a functional index', async () => {
    const definition = await create('id int primary key, v varchar(10), key k ((lower(v)))');
    await admin.query("INSERT INTO t VALUES (1, 'ABC')");
    expect(await changes(definition)).toEqual(['I 1 ABC']);
  });

  it('reads a table of many columns with NULLs all over', async () => {
    const columns = Array.from({ length: 300 }, (_, i) => `c${i} ${['int', 'varchar(70)', 'decimal(9,3)'][i % 3]}`);
    const definition = await create(`id int primary key, ${columns.join(', ')}`);
    const values = columns.map((_, i) => (i % 5 === 0 ? 'NULL' : i % 3 === 1 ? `'v${i}'` : `${i}`));
    await admin.query(`INSERT INTO t VALUES (1, ${values.join(', ')})`);
    expect(await changes(definition)).toEqual([
      `I 1 ${columns.map((_, i) => (i % 5 === 0 ? 'NULL' : i % 3 === 1 ? `v${i}` : i % 3 === 2 ? `${i}.000` : i)).join(' ')}`,
    ]);
  });

  it.each([
    ['another number of columns', 'ALTER TABLE t ADD COLUMN extra int', /3 columns, the definition 2/],
    ['another type', 'ALTER TABLE t MODIFY v bigint', /column v is int/],
    ['another scale', 'ALTER TABLE t MODIFY v decimal(10,1)', /column v/],
  ])('refuses a table map with %s than the definition', async (_, ddl, why) => {
    const definition = await create('id int primary key, v int');
    await admin.query(`${ddl}; INSERT INTO t (id) VALUES (1)`);
    expect(await failure(definition)).toMatchObject({ code: 'table.mismatch', message: expect.stringMatching(why) });
  });

  it('refuses other digits, labels and lengths that the text depends on', async () => {
    for (const [before, after] of [
      ['decimal(10,2)', 'decimal(10,3)'],
      ['datetime(3)', 'datetime(6)'],
      ['binary(4)', 'binary(5)'],
      ['bit(4)', 'bit(5)'],
    ]) {
      await admin.query('DROP TABLE IF EXISTS t');
      const definition = await create(`id int primary key, v ${before}`);
      await admin.query(`ALTER TABLE t MODIFY v ${after}; INSERT INTO t (id) VALUES (1)`);
      expect(await failure(definition)).toMatchObject({ code: 'table.mismatch' });
    }
    await admin.query('DROP TABLE t');
    const definition = await create("id int primary key, v enum('a','b')");
    await admin.query("ALTER TABLE t MODIFY v enum('a','b','c'); INSERT INTO t VALUES (1, 'c')");
    expect(await failure(definition)).toMatchObject({ code: 'table.mismatch' });
  });

  it('checks names, labels, signedness and character sets where the server logs full row metadata', async () => {
    await admin.query('SET GLOBAL binlog_row_metadata = FULL');
    try {
      const definition = await create(
        "id int unsigned primary key, v varchar(10) CHARACTER SET latin1, e enum('ä','b') CHARACTER SET latin1, s set('x','y'), n int, y year, b varbinary(5), j json",
      );
      await admin.query("INSERT INTO t (id, v, e, s, n, y) VALUES (1, 'ö', 'ä', 'x,y', -1, 2000)");
      expect((await changes(definition))[0]).toMatch(/^I 1 ö ä x,y -1 2000 /);
      const otherwise = (name: string, change: object) => ({
        ...definition,
        columns: definition.columns.map((column) => (column.name === name ? { ...column, ...change } : column)),
      });
      expect(await failure(otherwise('n', { name: 'm' }))).toMatchObject({
        message: expect.stringMatching(/column m is called n/),
      });
      expect(await failure(otherwise('n', { type: 'int unsigned' }))).toMatchObject({
        message: expect.stringMatching(/signed in the binlog/),
      });
      expect(await failure(otherwise('id', { type: 'int' }))).toMatchObject({
        message: expect.stringMatching(/unsigned in the binlog/),
      });
      expect(await failure(otherwise('v', { charset: 'utf8mb4' }))).toMatchObject({
        message: expect.stringMatching(/latin1 in the binlog/),
      });
      expect(await failure(otherwise('e', { type: "enum('b','ä')" }))).toMatchObject({
        message: expect.stringMatching(/column e has other labels/),
      });
      expect(await failure(otherwise('s', { type: "set('x','z')" }))).toMatchObject({
        message: expect.stringMatching(/column s has other labels/),
      });
    } finally {
      await admin.query('SET GLOBAL binlog_row_metadata = DEFAULT');
    }
  });

  it('refuses a type or character set that it cannot read, naming the column', async () => {
    const good = await create('id int primary key, p varchar(20) CHARACTER SET cp1251');
    await admin.query("INSERT INTO t VALUES (1, 'ж')");
    expect(await failure(good)).toMatchObject({
      code: 'type.unsupported',
      message: expect.stringMatching(/r\.t: column p: character set cp1251/),
    });
  });

  it.runIf(flavor === 'mariadb')('refuses times in the format from before MySQL 5.6', async () => {
    const definition = await create('id int primary key, at datetime');
    await admin.query('SET GLOBAL mysql56_temporal_format = OFF');
    try {
      await admin.query("ALTER TABLE t MODIFY at datetime, FORCE; INSERT INTO t VALUES (1, '2024-01-01')");
      expect(await failure(definition)).toMatchObject({
        code: 'type.unsupported',
        message: expect.stringMatching(/column at: .*before MySQL 5\.6/),
      });
    } finally {
      await admin.query('SET GLOBAL mysql56_temporal_format = ON');
    }
  });

  it.runIf(flavor === 'mariadb')('refuses the hidden columns of a system-versioned table', async () => {
    const definition = await create('id int primary key, v int');
    await admin.query('ALTER TABLE t ADD SYSTEM VERSIONING; INSERT INTO t VALUES (1, 1)');
    expect(await failure(definition)).toMatchObject({ code: 'table.mismatch' });
  });
});
