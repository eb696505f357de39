import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectSource } from '../../../src/core/binlog/connection.ts';
import { parseColumnType } from '../../../src/core/column-type.ts';
import { applyDdl } from '../../../src/core/source/apply-ddl.ts';
import { parseDdl } from '../../../src/core/source/ddl.ts';
import { readDefinition } from '../../../src/core/source/read-definition.ts';
import { readServer } from '../../../src/core/source/server.ts';
import { type SqlDialect, sqlDialect } from '../../../src/core/source/sql-tokens.ts';
import { defineTable, type TableDefinition } from '../../../src/core/table-definition.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';

const CREATE = `(id INT NOT NULL, name VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_bin, note TEXT, amount DECIMAL(10,2) NOT NULL DEFAULT 1,
  parent INT, kind ENUM('a','b') NOT NULL, PRIMARY KEY (id), KEY by_name (name)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci`;

/** What is predicted must be what the server says of the table afterwards. */
const FOLLOWED: [alter: string, effect: 'nothing' | 'change', added: string[]][] = [
  ['ADD COLUMN c INT', 'change', ['c']],
  ['ADD c INT NULL DEFAULT NULL FIRST', 'change', ['c']],
  ['ADD COLUMN `c x` BIGINT UNSIGNED AFTER `id`', 'change', ['c x']],
  ['ADD c INT AFTER id, ADD d INT AFTER c, ADD e INT FIRST, ADD f INT', 'change', ['c', 'd', 'e', 'f']],
  ['ADD (c INT, d VARCHAR(5), KEY (c))', 'change', ['c', 'd']],
  ['ADD COLUMN (c INT)', 'change', ['c']],
  ['ADD c VARCHAR(30)', 'change', ['c']],
  ['ADD c TEXT CHARACTER SET latin1', 'change', ['c']],
  ['ADD c VARCHAR(30) COLLATE utf8mb4_bin', 'change', ['c']],
  ['ADD c VARCHAR(30) CHARSET utf8mb4 COLLATE utf8mb4_bin NULL COMMENT "it\'s, a comment"', 'change', ['c']],
  ['ADD c VARCHAR(30) CHARACTER SET binary', 'change', ['c']],
  ['ADD c TEXT COLLATE binary', 'change', ['c']],
  ["ADD c ENUM('x','it''s', \"d\\\"q\") , ADD d SET('p','q ')", 'change', ['c', 'd']],
  [
    'ADD c BOOL, ADD d INTEGER, ADD e INT2, ADD f MIDDLEINT UNSIGNED, ADD g INT(5) ZEROFILL',
    'change',
    ['c', 'd', 'e', 'f', 'g'],
  ],
  ['ADD c DEC, ADD d NUMERIC(8), ADD e FIXED(9, 3), ADD f DECIMAL(5,2) UNSIGNED', 'change', ['c', 'd', 'e', 'f']],
  [
    'ADD c FLOAT, ADD d FLOAT(30), ADD e REAL, ADD f DOUBLE PRECISION, ADD g FLOAT(7,2)',
    'change',
    ['c', 'd', 'e', 'f', 'g'],
  ],
  [
    'ADD c DATE, ADD d DATETIME(3), ADD e TIME(6), ADD f TIMESTAMP NULL, ADD g YEAR(4), ADD h DATETIME(0)',
    'change',
    ['c', 'd', 'e', 'f', 'g', 'h'],
  ],
  ['ADD c TIMESTAMP(2) NULL ON UPDATE CURRENT_TIMESTAMP(2)', 'change', ['c']],
  ['ADD c BIT, ADD d BIT(9), ADD e BINARY, ADD f VARBINARY(9), ADD g LONGBLOB', 'change', ['c', 'd', 'e', 'f', 'g']],
  [
    'ADD c CHAR, ADD d CHARACTER VARYING(9), ADD e NCHAR(3), ADD f NATIONAL VARCHAR(4), ADD g LONG',
    'change',
    ['c', 'd', 'e', 'f', 'g'],
  ],
  ['ADD c JSON', 'change', ['c']],
  ['ADD c INT UNIQUE, ADD d INT CHECK (d > 0)', 'change', ['c', 'd']],
  ['ADD c VARCHAR(9), DEFAULT CHARSET = latin1 COLLATE latin1_swedish_ci', 'change', ['c']],
  ['ADD c INT, ADD INDEX (c), ALGORITHM=INPLACE, LOCK=NONE', 'change', ['c']],
  ['ADD c INT PARTITION BY HASH (id) PARTITIONS 2', 'change', ['c']],
  ['MODIFY note TEXT FIRST', 'change', []],
  ['MODIFY COLUMN amount DECIMAL(10,2) NOT NULL AFTER id, ADD c INT AFTER amount', 'change', ['c']],
  ['CHANGE parent parent INT AFTER kind', 'change', []],
  ['COLLATE utf8mb4_bin', 'change', []],
  ["MODIFY amount DECIMAL(10,2) NOT NULL DEFAULT 7 COMMENT 'x'", 'nothing', []],
  ["MODIFY name VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_bin DEFAULT 'a'", 'nothing', []],
  ["MODIFY note TEXT COMMENT 'x'", 'nothing', []],
  ['MODIFY id INT', 'nothing', []],
  ["MODIFY kind ENUM('a', 'b') NOT NULL", 'nothing', []],
  ['ALTER COLUMN amount SET DEFAULT 5, ALTER name DROP DEFAULT', 'nothing', []],
  ["COMMENT = 'ADD COLUMN x INT', AUTO_INCREMENT = 5 ROW_FORMAT=DYNAMIC", 'nothing', []],
  ['ADD UNIQUE KEY u (name), DROP INDEX by_name', 'nothing', []],
  ['ADD FULLTEXT KEY (note), ADD CONSTRAINT positive CHECK (amount > 0)', 'nothing', []],
  ['ADD CONSTRAINT self FOREIGN KEY (parent) REFERENCES self (id) ON DELETE RESTRICT', 'nothing', []],
  ['DISABLE KEYS', 'nothing', []],
  ['ENABLE KEYS, FORCE', 'nothing', []],
  ['ENGINE=InnoDB', 'nothing', []],
  ['ORDER BY name, amount DESC, id', 'nothing', []],
  ['RENAME INDEX by_name TO named', 'nothing', []],
  ['PARTITION BY RANGE (id) (PARTITION a VALUES LESS THAN (10), PARTITION b VALUES LESS THAN (20))', 'nothing', []],
];

describeOnServers('DDL, predicted and done', (flavor) => {
  let server: TestServer;
  let connection: Connection;
  let dialect: SqlDialect;
  beforeAll(async () => {
    server = await startTestServer(flavor);
    connection = await connectSource({ host: server.host, port: server.port, ...server.admin });
    const { version } = await readServer(connection);
    dialect = sqlDialect({ flavor, version, explicitTimestamps: true });
    await connection.query('CREATE DATABASE shop');
    await connection.query('SET NAMES utf8mb4');
  });
  afterAll(async () => {
    connection?.destroy();
    await server?.stop();
  });

  /** Runs it on the server, and gives what was predicted beside what is. */
  async function alter(sql: string, create = CREATE) {
    await connection.query('DROP TABLE IF EXISTS shop.self');
    await connection.query(`CREATE TABLE shop.self ${create}`);
    const read = () => readDefinition(connection, { schema: 'shop', table: 'self' }, { number: 5n, zeroDates: 'null' });
    const before = await read();
    const effect = applyDdl(before, parseDdl(sql, 'shop', dialect));
    await connection.query('USE shop');
    await connection.query(sql);
    return { before, effect, after: await read() };
  }

  /** Widths of integers differ between servers and mean nothing; the default collation of a character set is the server's. */
  const shape = ({ columns, charset }: TableDefinition, without: (name: string) => boolean = () => false) => ({
    charset,
    columns: columns.map(({ name, type, nullable, charset, collation, delta, lake }) => {
      const parsed = parseColumnType(type);
      return {
        name,
        type: parsed?.text === 'integer' ? { ...parsed, length: undefined } : parsed,
        nullable,
        charset,
        collation: without(name) ? undefined : collation,
        delta,
        lake,
      };
    }),
  });

  test.each(FOLLOWED)('ALTER TABLE self %s', async (clauses, expected, added) => {
    const { before, effect, after } = await alter(`ALTER TABLE self ${clauses}`);
    expect(effect).toMatchObject({ effect: expected });
    if (effect.effect === 'stop') return;
    const predicted = effect.effect === 'change' ? effect.definition : before;
    if (effect.effect === 'change') expect(effect.added.map((column) => column.name)).toEqual(added);
    // A collation that is not written is not predicted; it is never a wrong one.
    const unknown = new Set(
      predicted.columns.filter(({ collation }) => collation === undefined).map(({ name }) => name),
    );
    const without = (name: string) => unknown.has(name);
    expect(shape(predicted, without)).toEqual(shape(after, without));
    expect(predicted.number).toBe(5n);
  });

  test('CREATE INDEX and DROP INDEX are nothing', async () => {
    for (const sql of ['CREATE INDEX i ON self (amount)', 'DROP INDEX by_name ON self'])
      expect((await alter(sql)).effect).toEqual({ effect: 'nothing' });
  });

  test('CREATE TABLE IF NOT EXISTS of a table that is there is nothing', async () => {
    const { before, effect, after } = await alter('CREATE TABLE IF NOT EXISTS self (x INT)');
    expect(effect).toEqual({ effect: 'nothing' });
    expect(after).toEqual(before);
  });

  test.runIf(flavor === 'mariadb')('MariaDB adds a column IF NOT EXISTS', async () => {
    expect((await alter('ALTER TABLE self ADD COLUMN IF NOT EXISTS name INT')).effect).toEqual({ effect: 'nothing' });
    expect((await alter('ALTER TABLE self DROP COLUMN IF EXISTS nobody')).effect).toEqual({ effect: 'nothing' });
    const { effect, after } = await alter('ALTER TABLE self ADD COLUMN IF NOT EXISTS c INT');
    expect(effect).toMatchObject({ effect: 'change', added: [{ name: 'c' }] });
    expect(after.columns.at(-1)?.name).toBe('c');
  });
});

describe('DDL that stops a table', () => {
  const definition = defineTable(
    { schema: 'shop', table: 't' },
    {
      number: 1n,
      columns: [
        { name: 'id', type: 'int', nullable: false, default: null },
        {
          name: 'name',
          type: 'varchar(20)',
          nullable: true,
          default: null,
          charset: 'utf8mb4',
          collation: 'utf8mb4_bin',
        },
        { name: 'twice', type: 'int', nullable: true, default: null, generated: true },
      ],
      key: ['id'],
      charset: 'utf8mb4',
      collation: 'utf8mb4_bin',
      zeroDates: 'null',
    },
  );
  const apply = (sql: string, session?: Partial<SqlDialect>, options = {}, table = definition) =>
    applyDdl(table, parseDdl(sql, 'shop', session), options);

  test.each([
    ['ADD c INT NOT NULL', 'implicit default'],
    ['ADD c INT DEFAULT 5', 'get its default'],
    ["ADD c VARCHAR(9) DEFAULT ''", 'get its default'],
    ['ADD c INT DEFAULT (RAND() * 10)', 'get its default'],
    ['ADD c INT AUTO_INCREMENT UNIQUE', 'numbers the rows'],
    ['ADD c INT KEY', 'primary key'],
    ['ADD c INT GENERATED ALWAYS AS (id * 2) STORED', 'generated'],
    ['ADD c INT AS (id * 2)', 'generated'],
    ['ADD c INT INVISIBLE', 'invisible'],
    ['ADD c GEOMETRY', 'geometry is not supported'],
    ['ADD c POINT SRID 4326', 'point is not supported'],
    ['ADD c INET6', 'inet6 is not supported'],
    ['ADD c SERIAL', 'not supported'],
    ['ADD c VARCHAR(9) CHARACTER SET ucs2', 'ucs2 is not supported'],
    ['ADD c VARCHAR(9) COMPRESSED', 'COMPRESSED'],
    ['ADD c TEXT(100)', 'length'],
    ['ADD c CHAR(5) BINARY', 'BINARY'],
    ['ADD c TIMESTAMP', 'explicit_defaults_for_timestamp'],
    ['ADD name INT', 'already'],
    ['ADD c INT AFTER nobody', 'AFTER'],
    ['ADD c INT REFERENCES p (id) ON DELETE CASCADE', 'CASCADE'],
    ['ADD c INT, DROP COLUMN name', 'drops a column'],
    ['DROP name', 'drops a column'],
    ['DROP COLUMN name', 'drops a column'],
    ['RENAME COLUMN name TO title', 'renames a column'],
    ['CHANGE name title VARCHAR(20)', 'renames column name'],
    ['MODIFY name VARCHAR(30)', 'changes type'],
    ['MODIFY name VARCHAR(20) NOT NULL', 'NOT NULL'],
    ['MODIFY name VARCHAR(20) CHARACTER SET latin1', 'character set'],
    ['MODIFY id BIGINT', 'changes type'],
    ['MODIFY id INT UNSIGNED', 'changes type'],
    ['MODIFY nobody INT', 'not known'],
    ['MODIFY twice INT AFTER id', 'generated'],
    ['CONVERT TO CHARACTER SET latin1', 'character set'],
    ['DROP PRIMARY KEY, ADD PRIMARY KEY (name)', 'primary key'],
    ['ADD CONSTRAINT x PRIMARY KEY (id)', 'primary key'],
    ['DROP CONSTRAINT `PRIMARY`', 'primary key'],
    ['ADD FOREIGN KEY (id) REFERENCES p (id) ON UPDATE CASCADE', 'CASCADE'],
    ['ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES p (id) ON DELETE SET NULL', 'SET NULL'],
    ['ENGINE = MyISAM', 'MyISAM'],
    ['DROP PARTITION p0', 'rows'],
    ['TRUNCATE PARTITION p0', 'rows'],
    ['EXCHANGE PARTITION p0 WITH TABLE u', 'rows'],
    ['IMPORT TABLESPACE', 'rows'],
    ['CONVERT TABLE u TO PARTITION p9', 'rows'],
    ['RENAME TO u', 'renames the table'],
    ['RENAME u', 'renames the table'],
    ['ADD SYSTEM VERSIONING', 'versioned'],
    ['FROBNICATE', 'not understood'],
    ['ADD c INT FROBNICATE', 'not understood'],
  ])('ALTER TABLE t %s', (clauses, reason) => {
    const effect = apply(`ALTER TABLE t ${clauses}`);
    expect(effect).toEqual({ effect: 'stop', reason: expect.stringMatching(reason) });
    expect(effect).toHaveProperty('reason', expect.stringContaining('cdc reload shop.t'));
  });

  test.each([
    ['DROP TABLE t', 'dropped'],
    ['DROP TABLE a, t', 'dropped'],
    ['DROP DATABASE shop', 'dropped'],
    ['CREATE TABLE t (a INT)', 'anew'],
    ['CREATE OR REPLACE TABLE t (a INT)', 'anew'],
    ['RENAME TABLE t TO u', 'renamed'],
    ['RENAME TABLE u TO t', 'renamed'],
    ['ALTER TABLE u RENAME t', 'renames'],
    ['ALTER IGNORE TABLE t ADD UNIQUE (name)', 'IGNORE'],
    ['TRUNCATE TABLE t', 'truncated'],
    ['DROP INDEX `PRIMARY` ON t', 'primary key'],
    ['INSERT INTO t VALUES (1)', 'row events'],
    ['UPDATE t, u SET t.a = 1', 'row events'],
    ['SOMETHING NEW', 'not understood'],
  ])('%s', (sql, reason) => {
    expect(apply(sql)).toEqual({ effect: 'stop', reason: expect.stringMatching(reason) });
  });

  test.each([
    'DROP TABLE u',
    'ALTER TABLE u DROP c',
    'TRUNCATE x.t',
    'DROP TEMPORARY TABLE t',
    'CREATE VIEW t2 AS SELECT 1',
    'INSERT INTO u SELECT * FROM t',
  ])('%s concerns other tables', (sql) => {
    expect(apply(sql)).toEqual({ effect: 'nothing' });
  });

  test('a cascade that is accepted is nothing', () => {
    const sql = 'ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES p (id) ON DELETE CASCADE';
    expect(apply(sql, {}, { acceptCascades: true })).toEqual({ effect: 'nothing' });
  });

  test('the index behind a chosen key must stay', () => {
    const chosen = { ...definition, keyIndex: 'by_name' };
    expect(apply('ALTER TABLE t DROP KEY By_Name', {}, {}, chosen)).toMatchObject({ effect: 'stop' });
    expect(apply('ALTER TABLE t DROP KEY other', {}, {}, chosen)).toEqual({ effect: 'nothing' });
  });

  test('type names under another sql_mode are not guessed', () => {
    const oracle = { flavor: 'mariadb', otherTypes: true } as const;
    expect(apply('ALTER TABLE t ADD c DATE', oracle)).toMatchObject({ effect: 'stop' });
    const real = apply('ALTER TABLE t ADD c REAL', { realAsFloat: true });
    expect(real).toMatchObject({ effect: 'change', added: [{ type: 'float', delta: 'float' }] });
  });

  test('a column that is added takes a lake name that is free and leaves the others theirs', () => {
    const clashing = defineTable(definition, {
      ...definition,
      columns: [{ name: 'a b', type: 'int', nullable: true, default: null }],
      key: [],
    });
    expect(apply('ALTER TABLE t ADD a_b INT FIRST', {}, {}, clashing)).toMatchObject({
      effect: 'change',
      definition: {
        columns: [
          { name: 'a_b', lake: 'a_b_2' },
          { name: 'a b', lake: 'a_b' },
        ],
      },
    });
  });
});
