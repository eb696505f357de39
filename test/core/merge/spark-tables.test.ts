import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tableFolder } from '../../../src/core/change-file/layout.ts';
import { changeNumber } from '../../../src/core/change-number.ts';
import { readSnapshot } from '../../../src/core/delta/snapshot.ts';
import { quotePaths } from '../../../src/core/engine/quote.ts';
import { mergeTable } from '../../../src/core/merge/merge-table.ts';
import { catalogStatements } from '../../../src/core/query/catalog-ddl.ts';
import { AWKWARD_NAMES, lakeOf } from '../../support/lake.ts';
import { describeDeltaTable, readDeltaTable } from '../../support/python.ts';
import { compileNothing, lookBySpark, mergeBySpark, runSparkSql } from '../../support/spark.ts';
import { hasSpark } from '../../support/spark-parts.ts';
import { stagedOrders } from '../../support/staged-orders.ts';
import { TABLE } from '../../support/staged-table.ts';

const isThere = await hasSpark();

if (isThere) compileNothing();

describe.runIf(isThere)('a table that Spark made', () => {
  it('has our properties, protocol 1/2 and nullable columns, so that every reader and the local engine can go on', async () => {
    const { path, options, change, load } = await stagedOrders();
    await load(['1', 'a', '5']);
    await mergeBySpark(options);
    expect(await describeDeltaTable(path, { apps: [options.appId] })).toMatchObject({
      properties: {
        'cdc.appId': options.appId,
        'cdc.key': '["id"]',
        'delta.logRetentionDuration': 'interval 1 day',
        'delta.deletedFileRetentionDuration': 'interval 1 day',
      },
      schema: { fields: [{ nullable: true }, { nullable: true }, { nullable: true }] },
      txn: { [options.appId]: 1 },
    });
    await change(1, 'U', '1', 'b', '6');
    expect(await mergeTable(options)).toMatchObject({ updated: 1, version: 2 });
    // What the other engine has merged is merged.
    expect(await mergeBySpark(options)).toMatchObject({ already: true, files: 0, version: 2 });
    expect(await readDeltaTable(path)).toEqual([{ id: 1, name: 'b', qty: 6 }]);
  }, 120_000);

  it('with deletion vectors is refused by the local engine by name, and merged by Spark', async () => {
    const { path, options, change, load } = await stagedOrders();
    await load(['1', 'a', '5'], ['2', 'b', '6'], ['3', 'c', '7']);
    await mergeBySpark(options);
    const name = `delta.\`file://${path}\``;
    await runSparkSql(
      `ALTER TABLE ${name} SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')`,
      `DELETE FROM ${name} WHERE id = 2`,
    );
    await change(1, 'U', '1', 'z', '1');
    await expect(mergeTable(options)).rejects.toMatchObject({
      code: 'lake.unsupported',
      message: expect.stringContaining('deletion vectors'),
    });
    expect(await mergeBySpark(options)).toMatchObject({ updated: 1, inserted: 0 });
    expect(await runSparkSql(`SELECT * FROM ${name} ORDER BY id`)).toEqual([
      { id: 1, name: 'z', qty: 1 },
      { id: 3, name: 'c', qty: 7 },
    ]);
  }, 120_000);

  it('has statistics of timestamps cut to milliseconds, and a key that lies above them is found all the same', async () => {
    const { path, options, change, load } = await stagedOrders('at datetime(6) not null, name varchar(9)', ['at']);
    await load(['2026-01-01 00:00:00.000001', 'a'], ['2026-01-01 10:00:00.123456', 'b']);
    await mergeBySpark(options);
    await change(1, 'U', '2026-01-01 10:00:00.123456', 'c');
    expect(await mergeTable(options)).toMatchObject({ updated: 1, inserted: 0 });
    expect((await readDeltaTable(path)).map(({ name }) => name).sort()).toEqual(['a', 'c']);
  }, 120_000);

  it('has few files, as small as its batches are, in zstd and with timestamps that are no INT96', async () => {
    const { path, options, table, definition, engine, change } = await stagedOrders(
      'id int not null, at datetime(6), name varchar(9)',
    );
    const files = async () => {
      const { files: live } = (await readSnapshot({ store: table.lake, folder: tableFolder(TABLE), engine })) ?? {};
      const paths = [...(live?.keys() ?? [])].map((name) => join(path, name));
      return await engine.withConnection(async (connection) => {
        const ask = (what: string, from: string) =>
          connection.rows(`SELECT DISTINCT ${what} FROM ${from}(${quotePaths(paths)}) ORDER BY ALL`);
        return {
          count: paths.length,
          codecs: (await ask('compression', 'parquet_metadata')).map(({ compression }) => compression),
          types: await ask('type, converted_type', `parquet_schema`),
        };
      });
    };
    const right = {
      count: 1,
      codecs: ['ZSTD'],
      types: expect.arrayContaining([{ type: 'INT64', converted_type: 'TIMESTAMP_MICROS' }]),
    };
    const at = '2026-01-01 10:00:00.123456';
    const rows = Array.from({ length: 60 }, (_, index) => [String(index), at, 'loaded']);
    // A load alone, and one with changes after it; and what a merge leaves.
    await table.putLoad(definition, rows, { number: changeNumber(1, 0), files: 6 });
    expect(await mergeBySpark(options)).toMatchObject({ inserted: 60 });
    expect(await files()).toEqual(right);
    await change(1, 'U', '1', at, 'changed');
    await change(2, 'I', '60', at, 'new');
    expect(await mergeBySpark(options)).toMatchObject({ inserted: 1, updated: 1 });
    expect(await files()).toEqual(right);
    await table.putLoad(definition, rows, { number: changeNumber(1, 2), files: 6 });
    await change(3, 'U', '1', at, 'changed');
    await change(4, 'D', '2', at, 'loaded');
    expect(await mergeBySpark(options)).toMatchObject({ version: 3, inserted: 0, updated: 59 });
    expect(await files()).toEqual(right);
  }, 120_000);

  it('and in which somebody has doubled a key, is refused by both engines in the same words when that key changes', async () => {
    const { path, options, change, load } = await stagedOrders();
    await load(['1', 'a', '5'], ['2', 'b', '6']);
    await mergeBySpark(options);
    await runSparkSql(`INSERT INTO delta.\`file://${path}\` VALUES (1, 'double', 0)`);
    await change(1, 'U', '2', 'c', '7');
    expect(await mergeBySpark(options)).toMatchObject({ updated: 1, inserted: 0 });
    await change(2, 'U', '1', 'd', '8');
    const refused = {
      code: 'lake.double-key',
      message: 'merging shop.orders: the lake table has rows with the same key',
    };
    await expect(mergeTable(options)).rejects.toMatchObject(refused);
    await expect(mergeBySpark(options)).rejects.toMatchObject(refused);
    expect(await readDeltaTable(path)).toHaveLength(3);
  }, 120_000);
});

describe.runIf(isThere)('how a table stands', () => {
  it('is read from the files of its log, whoever wrote its checkpoints, and is what Delta says', async () => {
    const { path, options, change, load } = await stagedOrders();
    const name = `delta.\`file://${path}\``;
    const log = join(path, '_delta_log');
    const same = async (version: number) => {
      const { plain, delta } = await lookBySpark(options);
      expect(plain).toEqual(delta);
      expect(plain).toMatchObject({ version, txns: { [options.appId]: expect.any(Number) } });
    };
    expect(await lookBySpark(options)).toEqual({ plain: null, delta: null });
    await load(['1', 'a', '5']);
    await mergeBySpark(options);
    await same(1);
    let number = 0;
    const mergeHere = async () => {
      await change(++number, 'U', '1', `name ${number}`, '5');
      await mergeTable(options);
    };
    while (number < 11) await mergeHere();
    expect(await readdir(log)).toContain('00000000000000000010.checkpoint.parquet');
    for (let version = 0; version < 10; version++) await rm(join(log, `${String(version).padStart(20, '0')}.json`));
    await same(12);
    // Somebody else's merges count for themselves; properties change.
    await runSparkSql(
      `ALTER TABLE ${name} SET TBLPROPERTIES ('delta.checkpointInterval' = '1', 'some.thing' = 'else')`,
      `SET spark.databricks.delta.checkpoint.partSize = 2`,
      `INSERT INTO ${name} VALUES (7, 'seven', 7), (8, 'eight', 8)`,
      `RESET spark.databricks.delta.checkpoint.partSize`,
    );
    expect((await readdir(log)).filter((file) => file.includes('14.checkpoint.')).length).toBeGreaterThan(1);
    await same(14);
    // Half of a checkpoint is none, and a hint that is gone is no loss.
    const [part = ''] = (await readdir(log)).filter((file) => file.includes('14.checkpoint.'));
    await rm(join(log, part));
    await rm(join(log, '_last_checkpoint'));
    await same(14);
    await mergeHere();
    await same(15);

    // With features other files may count than these: such a log is Delta's to read.
    await runSparkSql(`ALTER TABLE ${name} SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')`);
    const { plain, delta } = await lookBySpark(options);
    expect([plain, delta?.version]).toEqual([null, 16]);
  }, 300_000);
});

describe.runIf(isThere)('the lake in the catalog of Spark', () => {
  it('is there by what `query --ddl spark` prints, which may be run again', async () => {
    const statements = await catalogStatements(await lakeOf(AWKWARD_NAMES), 'spark');
    const ddl = statements.map(({ sql }) => sql.replace(/;$/, ''));
    const names = statements.filter(({ table }) => table !== null).map(({ name }) => name);
    const select = names.map((name) => `SELECT '${name}' AS name, id FROM \`${name.replace('.', '`.`')}\``);
    const rows = await runSparkSql(...ddl, ...ddl, `${select.join(' UNION ALL ')} ORDER BY id`);
    expect(rows.map(({ name, id }) => `${id} ${name}`)).toEqual([
      '0 shop_1.it_s',
      '1 shop_1.order',
      '2 select.a_b_2',
      '3 select.a_b',
      '4 select.a__b',
    ]);
  }, 120_000);
});
