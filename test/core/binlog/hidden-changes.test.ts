import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Connection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { BinlogPosition } from '../../../src/core/position.ts';
import type { TableDefinition } from '../../../src/core/table-definition.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';
import { connectAdmin, definitionOf, endOfBinlog, linesOf, readBinlog, type SeenEvent, selectText } from './support.ts';

/** Whatever could hide a change of a followed table must be said; what cannot must not stop anything. */
describeOnServers('changes that the binlog hides', (flavor) => {
  let server: TestServer;
  let admin: Connection;
  let from: BinlogPosition;
  let definitions: TableDefinition[];

  beforeAll(async () => {
    // Without GTIDs MySQL logs what it refuses with them.
    const extraArgs =
      flavor === 'mysql' ? ['--gtid-mode=OFF', '--enforce-gtid-consistency=OFF', '--secure-file-priv='] : [];
    server = await startTestServer(flavor, { extraArgs });
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    admin = await connectAdmin(server);
    await admin.query(`DROP DATABASE IF EXISTS h; CREATE DATABASE h; USE h;
      CREATE TABLE a (id int primary key, v varchar(2000), j json, t text);
      CREATE TABLE m (id int primary key) ENGINE = MyISAM;
      CREATE TABLE other (id int primary key, v varchar(2000), j json, t text)`);
    from = await endOfBinlog(admin);
    definitions = [await definitionOf(admin, 'h', 'a'), await definitionOf(admin, 'h', 'm')];
  });
  afterEach(() => admin?.end());

  const read = async (): Promise<SeenEvent[]> =>
    readBinlog({ server, from, until: await endOfBinlog(admin), definitions });
  const readCode = () =>
    read().then(
      () => undefined,
      (error: { code: string; message: string }) => error,
    );
  const unsupported = (events: SeenEvent[]) =>
    events.flatMap((event) => (event.kind === 'unsupported' ? [[event.what, event.table?.table]] : []));
  const statements = (events: SeenEvent[]) =>
    events.flatMap((event) => (event.kind === 'statement' ? [[event.sql, event.inTransaction]] : []));

  it.each(['MINIMAL', 'NOBLOB'])(
    'refuses a row of the %s image instead of taking what is not there for NULL',
    async (image) => {
      await admin.query("INSERT INTO a VALUES (1, 'x', '{}', 't')");
      from = await endOfBinlog(admin);
      await admin.query(`SET SESSION binlog_row_image = ${image}; UPDATE a SET v = 'y' WHERE id = 1`);
      expect(await readCode()).toMatchObject({
        code: 'row.partial-image',
        message: expect.stringMatching(/h\.a: a row lacks the column/),
      });
    },
  );

  it.runIf(flavor === 'mysql')('says an update of parts of JSON values, with the table', async () => {
    await admin.query(
      `INSERT INTO a VALUES (1, 'x', '{"k": "long enough to be worth a partial update"}', 't'); INSERT INTO other SELECT * FROM a`,
    );
    from = await endOfBinlog(admin);
    await admin.query(`SET SESSION binlog_row_value_options = PARTIAL_JSON;
      UPDATE other SET j = JSON_SET(j, '$.k', 'short'); UPDATE a SET j = JSON_SET(j, '$.k', 'short')`);
    expect(unsupported(await read())).toEqual([[expect.stringContaining('PARTIAL_JSON'), 'a']]);
  });

  it.runIf(flavor === 'mysql')('says a compressed transaction, whatever tables it changes', async () => {
    await admin.query(
      "SET SESSION binlog_transaction_compression = ON; INSERT INTO other VALUES (1, REPEAT('x', 1000), NULL, NULL)",
    );
    expect(unsupported(await read())).toEqual([[expect.stringContaining('compressed transaction'), undefined]]);
  });

  it.runIf(flavor === 'mariadb')('says compressed rows of a followed table, and any compressed statement', async () => {
    await admin.query('SET GLOBAL log_bin_compress = ON');
    try {
      await admin.query(
        "INSERT INTO other VALUES (1, REPEAT('x', 1000), NULL, NULL); INSERT INTO a VALUES (1, REPEAT('x', 1000), NULL, NULL)",
      );
      expect(unsupported(await read())).toEqual([[expect.stringContaining('compressed rows'), 'a']]);
      from = await endOfBinlog(admin);
      await admin.query(`CREATE TABLE compressed (id int COMMENT '${'c'.repeat(500)}')`);
      expect(unsupported(await read())).toEqual([[expect.stringContaining('compressed statement'), undefined]]);
    } finally {
      await admin.query('SET GLOBAL log_bin_compress = OFF');
    }
  });

  it('hands out data changes that were logged as statements', async () => {
    await admin.query("SET SESSION binlog_format = STATEMENT; INSERT INTO a VALUES (1, 'x', NULL, 't')");
    await admin.query("START TRANSACTION; UPDATE a SET v = 'it''s'; DELETE FROM a; COMMIT");
    await admin.query('INSERT INTO m VALUES (1)');
    const events = await read();
    expect(statements(events)).toEqual([
      ["INSERT INTO a VALUES (1, 'x', NULL, 't')", true],
      ["UPDATE a SET v = 'it''s'", true],
      ['DELETE FROM a', true],
      ['INSERT INTO m VALUES (1)', true],
    ]);
    expect(unsupported(events)).toEqual([]);
  });

  it('hands out LOAD DATA that was logged as a statement', async () => {
    const file = path.join(server.dataDir, 'rows.txt');
    await writeFile(file, '7\tseven\t\\N\t\\N\n');
    await admin.query(`SET SESSION binlog_format = STATEMENT; LOAD DATA INFILE '${file}' INTO TABLE a`);
    expect(statements(await read())).toEqual([[expect.stringMatching(/^LOAD DATA\s.*INTO TABLE `?a`?/s), true]]);
  });

  it('reads statements in the character set of their client, and says under which sql_mode they ran', async () => {
    // The server takes the same bytes for other letters.
    for (const charset of ['utf8mb4', 'latin1', 'cp1251', 'gbk', 'koi8r', 'latin2'])
      await admin.query(`SET NAMES ${charset}; CREATE TABLE \`${charset}_日é\` (id int)`);
    await admin.query(`SET NAMES utf8mb4; SET sql_mode = 'ANSI_QUOTES'; CREATE TABLE "quoted" (id int)`);
    const created = await selectText(
      admin,
      "SELECT table_name FROM information_schema.tables WHERE table_schema = 'h'",
    );
    const events = await read();
    const names = statements(events).map(([sql]) => /^CREATE TABLE [`"](.*)[`"] /.exec(String(sql))?.[1]);
    expect(names).toHaveLength(7);
    expect(created.map(([name]) => name)).toEqual(expect.arrayContaining(names));
    const modes = events.map((event) => (event.kind === 'statement' ? event.sqlMode & 4n : undefined));
    expect(modes).toEqual([0n, 0n, 0n, 0n, 0n, 0n, 4n]);
  });

  it('says rows of an XA transaction, and nothing of one that touches no followed table', async () => {
    await admin.query(
      `XA START 'x1','b',7; INSERT INTO other(id) VALUES (1); XA END 'x1','b',7; XA PREPARE 'x1','b',7`,
    );
    await admin.query(`XA COMMIT 'x1','b',7`);
    await admin.query(`XA START 'x2'; INSERT INTO other(id) VALUES (2); XA END 'x2'; XA COMMIT 'x2' ONE PHASE`);
    await admin.query(
      `XA START 'x3'; INSERT INTO other(id) VALUES (3); XA END 'x3'; XA PREPARE 'x3'; XA ROLLBACK 'x3'`,
    );
    const end = await endOfBinlog(admin);
    const harmless = await read();
    expect(unsupported(harmless)).toEqual([]);
    expect(harmless.at(-1)).toMatchObject({ kind: 'commit', position: { file: end.file, offset: end.offset } });

    await admin.query(`XA START 'x4'; INSERT INTO a(id) VALUES (4); XA END 'x4'; XA PREPARE 'x4'`);
    expect(unsupported(await read())).toEqual([['rows of an XA transaction', 'a']]);
    from = await endOfBinlog(admin);
    await admin.query(`XA COMMIT 'x4'`);
    expect(unsupported(await read())).toEqual([[expect.stringContaining('prepared earlier'), undefined]]);
  });

  it('takes an XA COMMIT at which reading begins for one that was handled', async () => {
    await admin.query(`XA START 'x5'; INSERT INTO other(id) VALUES (5); XA END 'x5'; XA PREPARE 'x5'; XA COMMIT 'x5'`);
    const last = (await read()).at(-1)!;
    if (last.kind !== 'commit') throw new Error('no commit');
    from = { ...last.position, file: last.mark.file, offset: last.mark.offset };
    expect(await read()).toEqual([last]);
  });

  it('gives no row of a transaction or statement that was rolled back before it was logged', async () => {
    await admin.query('START TRANSACTION; INSERT INTO a(id) VALUES (1); ROLLBACK');
    await admin.query(`START TRANSACTION; SAVEPOINT one; INSERT INTO a(id) VALUES (2); SAVEPOINT two;
      INSERT INTO a(id) VALUES (3); ROLLBACK TO two; RELEASE SAVEPOINT one; COMMIT`);
    await admin.query('INSERT INTO a(id) VALUES (5),(2)').catch(() => undefined);
    const events = await read();
    expect(linesOf(events).map(({ fields }) => fields[0])).toEqual(['2']);
    expect(unsupported(events)).toEqual([]);
  });

  it.runIf(flavor === 'mariadb')(
    'says when rows were logged and then rolled back (a temporary table within the transaction)',
    async () => {
      await admin.query('START TRANSACTION; INSERT INTO a(id) VALUES (1); CREATE TEMPORARY TABLE t1 (i int); ROLLBACK');
      const rolledBack = await read();
      expect(unsupported(rolledBack)).toEqual([]);
      expect(rolledBack.map(({ kind }) => kind)).toContain('rollback');
      from = await endOfBinlog(admin);
      await admin.query(
        'START TRANSACTION; INSERT INTO other(id) VALUES (1); CREATE TEMPORARY TABLE t2 (i int); ROLLBACK',
      );
      const events = await read();
      expect(unsupported(events)).toEqual([]);
      expect(events.at(-1)).toMatchObject({ kind: 'commit' });
    },
  );

  it('reads rows of a table without transactions', async () => {
    await admin.query('INSERT INTO m VALUES (1),(2); DELETE FROM m WHERE id = 1');
    const events = await read();
    expect(events.map(({ kind }) => kind)).toEqual(['begin', 'rows', 'commit', 'begin', 'rows', 'commit']);
    expect(linesOf(events).map(({ op, fields }) => op + fields[0])).toEqual(['I1', 'I2', 'D1']);
  });

  it('tells the statement within the transaction of CREATE TABLE … SELECT', async () => {
    await admin.query('INSERT INTO a(id) VALUES (1); CREATE TABLE copy SELECT id FROM a');
    const events = (await read()).slice(3);
    expect(events[0]).toMatchObject({ kind: 'begin' });
    expect(statements(events)).toEqual([[expect.stringMatching(/^CREATE TABLE `copy`/), true]]);
    expect(events.at(-1)).toMatchObject({ kind: 'commit' });
  });
});
