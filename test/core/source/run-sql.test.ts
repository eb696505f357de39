import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { connectSource, type SourceAddress } from '../../../src/core/binlog/connection.ts';
import { CancelledError } from '../../../src/core/errors.ts';
import { silent } from '../../../src/core/progress.ts';
import { runSql } from '../../../src/core/source/run-sql.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';

describeOnServers('running SQL', (flavor) => {
  let server: TestServer;
  let admin: Connection;
  let address: SourceAddress;
  beforeAll(async () => {
    server = await startTestServer(flavor);
    address = { host: server.host, port: server.port, ...server.admin };
    admin = await connectSource(address);
  });
  beforeEach(async () => {
    await admin.query('DROP DATABASE IF EXISTS shop');
  });
  afterAll(async () => {
    admin?.destroy();
    await server?.stop();
  });

  async function* pieces(text: string | Buffer, size = 1000): AsyncGenerator<Buffer> {
    const bytes = Buffer.isBuffer(text) ? text : Buffer.from(text);
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const run = (text: string | Buffer, signal?: AbortSignal) =>
    runSql({ address, input: pieces(text), progress: silent, signal });
  const rows = async (sql: string) => (await admin.query(sql))[0];

  const SHOP = 'CREATE DATABASE shop;\nUSE shop;\n';

  test('runs a dump as the dump tools write them', async () => {
    const report = await run(`/*M!999999\\- enable the sandbox mode */ 
-- MySQL dump 10.13  Distrib 8.0.31, for Linux (x86_64)
--
-- Host: localhost    Database: it's one
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!50503 SET NAMES utf8mb4 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
CREATE DATABASE /*!32312 IF NOT EXISTS*/ \`shop\` /*!40100 DEFAULT CHARACTER SET utf8mb4 */;

USE \`shop\`;
DROP TABLE IF EXISTS \`persons\`;
CREATE TABLE \`persons\` (
  \`PersonId\` int NOT NULL, -- the key; really
  \`FullName\` varchar(50) DEFAULT 'a;b',
  PRIMARY KEY (\`PersonId\`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
LOCK TABLES \`persons\` WRITE;
/*!40000 ALTER TABLE \`persons\` DISABLE KEYS */;
INSERT INTO \`persons\` VALUES (1,'O\\'Neil; it''s'),(2,'ñ語😀\\\\');
/*!40000 ALTER TABLE \`persons\` ENABLE KEYS */;
UNLOCK TABLES;
DELIMITER ;;
/*!50003 CREATE*/ /*!50003 TRIGGER \`up\` BEFORE INSERT ON \`persons\` FOR EACH ROW BEGIN
  SET NEW.FullName = UPPER(NEW.FullName);
END */;;
CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END;;
DELIMITER ;
CALL p();
INSERT INTO persons VALUES (3, 'x');
-- Dump completed`);
    expect(report.statements).toBe(16);
    expect(await rows('SELECT PersonId, FullName FROM shop.persons ORDER BY 1')).toEqual([
      { PersonId: '1', FullName: "O'Neil; it's" },
      { PersonId: '2', FullName: 'ñ語😀\\' },
      { PersonId: '3', FullName: 'X' },
    ]);
  });

  test('runs in the server’s own session settings, not in ours', async () => {
    await admin.query("SET GLOBAL sql_mode = 'ANSI_QUOTES', GLOBAL time_zone = '+05:00'");
    try {
      await run(`${SHOP}CREATE TABLE t AS SELECT @@session.sql_mode AS m, @@session.time_zone AS z;`);
      expect(await rows('SELECT * FROM shop.t')).toEqual([{ m: 'ANSI_QUOTES', z: '+05:00' }]);
    } finally {
      await admin.query("SET GLOBAL sql_mode = DEFAULT, GLOBAL time_zone = '+00:00'");
    }
  });

  test('follows a session that reads a backslash as itself', async () => {
    await run(
      `${SHOP}CREATE TABLE t (v VARCHAR(9));SET sql_mode = 'NO_BACKSLASH_ESCAPES';INSERT INTO t VALUES ('a\\');INSERT INTO t VALUES ('b');`,
    );
    expect(await rows('SELECT v FROM shop.t')).toEqual([{ v: 'a\\' }, { v: 'b' }]);
  });

  test('sends bytes that are no UTF-8 as they are', async () => {
    const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x80, 0x3b, 0x22]);
    await run(
      Buffer.concat([
        Buffer.from(`${SHOP}CREATE TABLE t (b BLOB);INSERT INTO t VALUES (_binary '`),
        bytes,
        Buffer.from("');"),
      ]),
    );
    expect(await rows('SELECT HEX(b) AS h FROM shop.t')).toEqual([{ h: bytes.toString('hex').toUpperCase() }]);
  });

  test('a statement beyond 16 MB passes when the server takes it', { timeout: 120_000 }, async () => {
    const size = 20 * 1024 * 1024;
    await run(
      `${SHOP}CREATE TABLE t (b LONGTEXT);INSERT INTO t VALUES ('${'x'.repeat(size)}');INSERT INTO t VALUES ('y');`,
    );
    expect(await rows('SELECT LENGTH(b) AS l FROM shop.t ORDER BY 1')).toEqual([{ l: '1' }, { l: `${size}` }]);
  });

  test('a statement larger than the server takes is refused before it is sent', async () => {
    const [[limit]] = (await admin.query('SELECT @@global.max_allowed_packet AS bytes')) as unknown as [
      { bytes: string }[],
    ];
    await admin.query('SET GLOBAL max_allowed_packet = 1048576');
    try {
      await expect(run(`${SHOP}\nSELECT '${'x'.repeat(1_100_000)}';`)).rejects.toMatchObject({
        code: 'sql.too-large',
        message: expect.stringMatching(/line 4: .*max_allowed_packet.*; 2 statements before it ran and stay/),
        hint: expect.stringContaining('max_allowed_packet'),
      });
    } finally {
      await admin.query(`SET GLOBAL max_allowed_packet = ${limit!.bytes}`);
    }
  });

  test('stops at the first statement that fails, naming line, beginning and what ran before', async () => {
    await expect(
      run(
        `${SHOP}CREATE TABLE t (id INT PRIMARY KEY);\n\nINSERT INTO\n  nobody VALUES ('secret');\nCREATE TABLE later (id INT);`,
      ),
    ).rejects.toMatchObject({
      code: 'sql.failed',
      message: expect.stringMatching(
        /line 5 \(INSERT INTO nobody VALUES \( …\): .*shop\.nobody.*; 3 statements before it ran and stay/,
      ),
    });
    expect(await rows("SELECT TABLE_NAME AS t FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop'")).toEqual([
      { t: 't' },
    ]);
  });

  test('never repeats what stands in strings', async () => {
    const failure = run("CREATE USER 'a'@'%' IDENTIFIED BY 'hunter2' NONSENSE OPTIONS HERE;").catch(
      (error: Error) => error,
    );
    const error = await failure;
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).toMatch(/line 1 \(CREATE USER …\)/);
  });

  test('says where a quote opens that does not end', async () => {
    await expect(run(`${SHOP}\nSELECT 'abc;\n`)).rejects.toMatchObject({
      code: 'sql.unfinished',
      message: expect.stringMatching(/line 4: a quote.*; 2 statements before it ran/),
    });
  });

  test.each(['gbk', 'sjis', 'big5'])('refuses text in %s, which cannot be cut safely', async (charset) => {
    await expect(run(`SET NAMES ${charset};SELECT 1;`)).rejects.toMatchObject({ code: 'sql.charset' });
  });

  test('refuses LOAD DATA LOCAL, and sends no file', async () => {
    await expect(
      run(`${SHOP}CREATE TABLE t (a TEXT);LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE t;`),
    ).rejects.toThrow();
    expect(await rows('SELECT * FROM shop.t')).toEqual([]);
  });

  test('a wrong password is told as that', async () => {
    const wrong = runSql({ address: { ...address, password: 'no' }, input: pieces('SELECT 1'), progress: silent });
    await expect(wrong).rejects.toMatchObject({ code: 'source.access-denied' });
  });

  test('ends at once when it is cancelled', async () => {
    const stop = new AbortController();
    const running = run('SELECT SLEEP(50);', stop.signal);
    setTimeout(() => stop.abort(), 50);
    await expect(running).rejects.toBeInstanceOf(CancelledError);
  });

  test('reads no more of a dump than it has run', async () => {
    let sent = 0;
    async function* endless() {
      for (;;) {
        sent++;
        yield Buffer.from('SELECT 1;\n');
        if (sent === 100) yield Buffer.from('SELECT nobody;\n');
      }
    }
    await expect(runSql({ address, input: endless(), progress: silent })).rejects.toThrow('line 101');
    expect(sent).toBeLessThan(110);
  });
});
