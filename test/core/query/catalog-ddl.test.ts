import { describe, expect, it } from 'vitest';
import type { TableName } from '../../../src/core/change.ts';
import { tableFolder } from '../../../src/core/change-file/layout.ts';
import { type CatalogEngine, catalogStatements } from '../../../src/core/query/catalog-ddl.ts';
import { AWKWARD_NAMES, lakeOf, openTestLake } from '../../support/lake.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { hasDeltaReader, runDuckdbSql } from '../../support/python.ts';

async function bucketWith(tables: readonly TableName[]): Promise<MemoryStore> {
  const lake = new MemoryStore("s3://bucket/it's");
  for (const table of tables) await lake.put(`${tableFolder(table)}_delta_log/${'0'.repeat(20)}.json`, '{}');
  return lake;
}

const sqlOf = async (lake: Parameters<typeof catalogStatements>[0], engine: CatalogEngine) =>
  (await catalogStatements(lake, engine)).map(({ sql }) => sql);

const withDuckdb = await hasDeltaReader();

describe('the statements that show the lake to another engine', () => {
  it('make databases and external tables for Athena, under names that its catalog takes', async () => {
    const lake = await bucketWith(AWKWARD_NAMES);
    expect(await sqlOf(lake, 'athena')).toEqual([
      'CREATE DATABASE IF NOT EXISTS `shop_1`;',
      'CREATE DATABASE IF NOT EXISTS `select`;',
      "CREATE EXTERNAL TABLE IF NOT EXISTS `shop_1`.`it_s` LOCATION 's3://bucket/it\\'s/Shop-1/it\\'s/' TBLPROPERTIES ('table_type' = 'DELTA');",
      "CREATE EXTERNAL TABLE IF NOT EXISTS `shop_1`.`order` LOCATION 's3://bucket/it\\'s/Shop-1/order/' TBLPROPERTIES ('table_type' = 'DELTA');",
      "CREATE EXTERNAL TABLE IF NOT EXISTS `select`.`a__b` LOCATION 's3://bucket/it\\'s/select/a%22%60b/' TBLPROPERTIES ('table_type' = 'DELTA');",
      "CREATE EXTERNAL TABLE IF NOT EXISTS `select`.`a_b_2` LOCATION 's3://bucket/it\\'s/select/a-b/' TBLPROPERTIES ('table_type' = 'DELTA');",
      "CREATE EXTERNAL TABLE IF NOT EXISTS `select`.`a_b` LOCATION 's3://bucket/it\\'s/select/a_b/' TBLPROPERTIES ('table_type' = 'DELTA');",
    ]);
  });

  it('register the tables for Trino, a folder as a URL', async () => {
    const trino = await sqlOf(await bucketWith(AWKWARD_NAMES.slice(0, 2)), 'trino');
    expect(trino).toEqual([
      'CREATE SCHEMA IF NOT EXISTS "shop_1";',
      "CALL system.register_table(schema_name => 'shop_1', table_name => 'it_s', table_location => 's3://bucket/it''s/Shop-1/it''s/');",
      "CALL system.register_table(schema_name => 'shop_1', table_name => 'order', table_location => 's3://bucket/it''s/Shop-1/order/');",
    ]);
    const folder = new MemoryStore('/srv/lake');
    await folder.put(`shop/orders/_delta_log/${'0'.repeat(20)}.json`, '{}');
    expect((await sqlOf(folder, 'trino')).at(-1)).toContain("table_location => 'file:///srv/lake/shop/orders/'");
  });

  it('leave out a table whose first commit is not there', async () => {
    const lake = await bucketWith([]);
    await lake.put('shop/orders/_delta_log/_last_checkpoint.tmp', '{}');
    expect(await catalogStatements(lake, 'athena')).toEqual([]);
  });

  it('are refused for Athena when the lake is a folder', async () => {
    const { store } = await openTestLake();
    await expect(catalogStatements(store, 'athena')).rejects.toThrow(/^query: Athena reads buckets/);
  });

  it.runIf(withDuckdb)(
    'run in DuckDB, twice, under the names that `cdc query` has',
    async () => {
      const tables = AWKWARD_NAMES.slice(0, 4);
      const ddl = await sqlOf(await lakeOf(tables), 'duckdb');
      const select = tables.map(({ schema, table }) => `SELECT id FROM "${schema}"."${table}"`);
      const rows = await runDuckdbSql(...ddl, ...ddl, `${select.join(' UNION ALL ')} ORDER BY id`);
      expect(rows).toEqual([[0], [1], [2], [3]]);
    },
    60_000,
  );
});
