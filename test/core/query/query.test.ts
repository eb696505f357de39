import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { addColumns } from '../../../src/core/delta/schema.ts';
import { describeLake, queryLake } from '../../../src/core/query/query.ts';
import { commit, createTable, openTestLake, type TestLake, writeRows } from '../../support/lake.ts';

const query = async (lake: TestLake, sql: string) =>
  queryLake({ lake: lake.store, sql, memoryLimit: '256MB', tempDirectory: join(lake.path, '..', '.spill') });

const ID = { lake: 'id', delta: 'integer' } as const;

describe('a query over the lake', () => {
  it('gives values exactly: what a JSON number cannot hold is text', async () => {
    const lake = await openTestLake();
    const columns = [
      ID,
      { lake: 'big', delta: 'long' },
      { lake: 'unsigned', delta: 'decimal(20,0)' },
      { lake: 'price', delta: 'decimal(10,2)' },
      { lake: 'ratio', delta: 'double' },
      { lake: 'day', delta: 'date' },
      { lake: 'at', delta: 'timestamp' },
      { lake: 'bytes', delta: 'binary' },
      { lake: 'yes', delta: 'boolean' },
      { lake: 'name', delta: 'string' },
    ] as const;
    const select = `SELECT 1::INT AS id, 9223372036854775807 AS big, 18446744073709551615::DECIMAL(20,0) AS unsigned,
      12.50::DECIMAL(10,2) AS price, 0.1::DOUBLE AS ratio, DATE '1581-12-31' AS day,
      TIMESTAMPTZ '1899-12-31 23:59:59.000001+00' AS at, '\\xCA\\xFE'::BLOB AS bytes, true AS yes, 'é"' AS name`;
    await writeRows(lake, await createTable(lake, columns), select, columns);
    const { columns: shown, rows } = await query(lake, 'SELECT *, NULL AS nothing, [1, 2] AS list FROM shop.orders');
    expect(shown.map(({ name }) => name)).toEqual([...columns.map(({ lake: name }) => name), 'nothing', 'list']);
    expect(rows).toEqual([
      [
        1,
        9223372036854775807n,
        18446744073709551615n,
        '12.50',
        0.1,
        '1581-12-31',
        '1899-12-31T23:59:59.000001Z',
        'cafe',
        true,
        'é"',
        null,
        [1, 2],
      ],
    ]);
  });

  it('sees the newest version alone', async () => {
    const lake = await openTestLake();
    const first = await writeRows(lake, await createTable(lake, [ID]), 'SELECT 1::INT AS id', [ID]);
    await writeRows(lake, first, 'SELECT 2::INT AS id', [ID], { replace: true });
    expect((await query(lake, 'SELECT id FROM shop.orders')).rows).toEqual([[2]]);
  });

  it('gives NULL where a file is older than a column, and reads a table without any file', async () => {
    const lake = await openTestLake();
    const empty = await createTable(lake, [ID]);
    expect((await query(lake, 'SELECT * FROM shop.orders')).rows).toEqual([]);
    const before = await writeRows(lake, empty, 'SELECT 1::INT AS id', [ID]);
    const note = { lake: 'note', delta: 'string' } as const;
    const schemaString = addColumns(before.metaData.schemaString, [note]);
    const after = await commit(lake, before, [{ metaData: { ...before.metaData, schemaString } }]);
    expect((await query(lake, 'SELECT * FROM shop.orders')).rows).toEqual([[1, null]]);
    await writeRows(lake, after, `SELECT 2::INT AS id, 'new' AS note`, [ID, note]);
    expect((await query(lake, 'SELECT * FROM shop.orders ORDER BY id')).rows).toEqual([
      [1, null],
      [2, 'new'],
    ]);
  });

  it.each([
    'DROP VIEW shop.orders',
    'CREATE TABLE x (a INT)',
    "COPY (SELECT 1) TO 'x.csv'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO 'x.csv'",
    "ATTACH 'x.db'",
    'SET threads = 1',
    'INSTALL httpfs',
    'SELECT 1; SELECT 2',
    '',
  ])('refuses %j before it runs', async (sql) => {
    const lake = await openTestLake();
    await createTable(lake, [ID]);
    await expect(query(lake, sql)).rejects.toMatchObject({ code: 'query.not-a-select' });
  });

  it('that names no table of the lake says which there are', async () => {
    const lake = await openTestLake();
    await expect(query(lake, 'SELECT * FROM shop.orders')).rejects.toMatchObject({
      code: 'query.failed',
      hint: 'the lake is empty: `cdc replicate` or `cdc merge` fills it',
    });
    await createTable(lake, [ID]);
    await expect(query(lake, 'SELECT * FROM shop.ordres')).rejects.toMatchObject({
      message: 'running the query: the lake has no table shop.ordres (did you mean shop.orders?)',
      hint: 'its tables are shop.orders',
    });
  });

  it('that the engine refuses says why', async () => {
    const lake = await openTestLake();
    await createTable(lake, [ID]);
    await expect(query(lake, 'SELEC 1')).rejects.toMatchObject({
      message: 'running the query: Parser Error: syntax error at or near "SELEC"',
    });
    await expect(query(lake, 'SELECT idd FROM shop.orders')).rejects.toMatchObject({
      code: 'query.failed',
      message: expect.stringContaining('"idd" not found'),
    });
  });
});

describe('the tables of a lake', () => {
  it('are listed with version, rows, files and bytes', async () => {
    const lake = await openTestLake();
    const options = { lake: lake.store, memoryLimit: '256MB', tempDirectory: join(lake.path, '..', '.spill') };
    expect(await describeLake(options)).toEqual([]);
    await writeRows(lake, await createTable(lake, [ID]), 'SELECT unnest([1, 2, 3])::INT AS id', [ID]);
    expect(await describeLake(options)).toEqual([
      { schema: 'shop', table: 'orders', version: 1, rows: 3, files: 1, bytes: expect.any(Number) },
    ]);
  });
});
