import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { connectSource } from '../../../src/core/binlog/connection.ts';
import { readDefinition, readTables } from '../../../src/core/source/read-definition.ts';
import { definitionFromJson, definitionToJson } from '../../../src/core/table-definition.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';

describeOnServers('reading definitions', (flavor) => {
  let server: TestServer;
  let admin: Connection;
  /** May SELECT and little else, as in production. */
  let cdc: Connection;
  beforeAll(async () => {
    server = await startTestServer(flavor);
    const address = { host: server.host, port: server.port };
    admin = await connectSource({ ...address, ...server.admin });
    cdc = await connectSource({ ...address, ...server.cdc });
  });
  beforeEach(async () => {
    await admin.query('DROP DATABASE IF EXISTS shop');
    await admin.query('CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_bin');
    await admin.query('USE shop');
  });
  afterAll(async () => {
    admin?.destroy();
    cdc?.destroy();
    await server?.stop();
  });

  const read = (table: string, keyOverride?: string[]) =>
    readDefinition(cdc, { schema: 'shop', table }, { number: 1_000_000_000_000_007n, zeroDates: 'null', keyOverride });

  test('has the columns in order with everything that counts, and goes through JSON unchanged', async () => {
    await admin.query(`CREATE TABLE t (
      b INT UNSIGNED NOT NULL, \`a;b\` VARCHAR(20) CHARACTER SET latin1 DEFAULT 'x', e ENUM('A','it''s') NOT NULL DEFAULT 'A',
      d DECIMAL(10,2), n TEXT, g INT AS (b + 1) VIRTUAL, PRIMARY KEY (e, b), UNIQUE (d))`);
    const definition = await read('t');
    expect(definition).toMatchObject({
      schema: 'shop',
      table: 't',
      number: 1_000_000_000_000_007n,
      key: ['e', 'b'],
      charset: 'utf8mb4',
      collation: 'utf8mb4_bin',
      columns: [
        {
          name: 'b',
          type: expect.stringMatching(/^int(\(10\))? unsigned$/),
          nullable: false,
          default: null,
          delta: 'long',
        },
        { name: 'a;b', type: 'varchar(20)', nullable: true, charset: 'latin1', lake: 'a_b', delta: 'string' },
        { name: 'e', type: "enum('A','it''s')", nullable: false, charset: 'utf8mb4', collation: 'utf8mb4_bin' },
        { name: 'd', type: 'decimal(10,2)', default: null, delta: 'decimal(10,2)' },
        { name: 'n', type: 'text', default: null },
        { name: 'g', generated: true },
      ],
    });
    expect(definition.keyIndex).toBeUndefined();
    const json: unknown = JSON.parse(JSON.stringify(definitionToJson(definition)));
    expect(definitionFromJson.parse(json)).toEqual(definition);
  });

  test('a chosen key is the unique index over just its columns, in the index’s order and the table’s spelling', async () => {
    await admin.query(
      'CREATE TABLE t (id INT, a INT NOT NULL, b INT NOT NULL, c INT, PRIMARY KEY (id), UNIQUE KEY two (b, a), UNIQUE KEY one (c))',
    );
    const definition = await read('t', ['A', 'b']);
    expect(definition).toMatchObject({ key: ['b', 'a'], keyIndex: 'two' });
    const json: unknown = JSON.parse(JSON.stringify(definitionToJson(definition)));
    expect(definitionFromJson.parse(json)).toEqual(definition);
    expect(await read('t', ['id'])).toMatchObject({ key: ['id'] });
    for (const key of [['a'], ['c'], ['a', 'b', 'c'], []])
      await expect(read('t', key)).rejects.toMatchObject({ code: 'key.unfit' });
  });

  test('names that differ only in case are two tables', async () => {
    await admin.query('CREATE TABLE orders (id INT PRIMARY KEY)');
    await admin.query('CREATE TABLE Orders (other INT PRIMARY KEY)');
    expect((await read('orders')).columns.map(({ name }) => name)).toEqual(['id']);
    expect((await read('Orders')).columns.map(({ name }) => name)).toEqual(['other']);
  });

  test('names with quotes, backslashes and wildcards are only names', async () => {
    const name = "a'b\\c`d%_e";
    await admin.query(`CREATE TABLE \`${name.replaceAll('`', '``')}\` (\`k'\\\`\`\` INT PRIMARY KEY)`);
    expect(await read(name)).toMatchObject({ table: name, key: ["k'\\`"] });
    await expect(read("a'b\\c`d%%e")).rejects.toMatchObject({ code: 'table.missing' });
  });

  test('a type that is not followed is refused with the column’s name', async () => {
    await admin.query('CREATE TABLE t (id INT PRIMARY KEY, place GEOMETRY)');
    await expect(read('t')).rejects.toMatchObject({
      code: 'type.unsupported',
      message: expect.stringContaining('column place'),
    });
  });

  test('a table that is not there is said so', async () => {
    await expect(read('nobody')).rejects.toMatchObject({
      code: 'table.missing',
      message: expect.stringContaining('shop.nobody'),
    });
  });

  test('lists base tables that fit, by name, and none of the server’s own', async () => {
    await admin.query('DROP DATABASE IF EXISTS other_shop');
    await admin.query('CREATE DATABASE other_shop');
    for (const table of ['shop.b', 'shop.a', 'shop.tmp_1', 'shop.tmpx1', 'other_shop.a'])
      await admin.query(`CREATE TABLE ${table} (id INT PRIMARY KEY)`);
    await admin.query('CREATE VIEW shop.v AS SELECT * FROM shop.a');
    const list = async (tables: string[], exclude: string[] = []) =>
      (await readTables(cdc, { tables, exclude })).map(({ schema, table }) => `${schema}.${table}`);
    expect(await list(['%.%'])).toEqual(['other_shop.a', 'shop.a', 'shop.b', 'shop.tmp_1', 'shop.tmpx1']);
    expect(await list(['shop.%'], ['shop.tmp[_]%'])).toEqual(['shop.a', 'shop.b', 'shop.tmpx1']);
    expect(await list(['Shop.%'])).toEqual([]);
    await admin.query('DROP DATABASE other_shop');
  });
});
