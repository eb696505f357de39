import { describe, expect, it } from 'vitest';
import { runCli } from '../support/command-line.ts';
import { lakeOf } from '../support/lake.ts';

describe('query --ddl', () => {
  it('prints statements to paste, and above them the name of a table that is called otherwise there', async () => {
    const { location } = await lakeOf([
      { schema: 'shop', table: 'Orders' },
      { schema: 'shop', table: 'a-b' },
    ]);
    const place = `file://${location.replaceAll("'", "''")}/shop`;
    const { code, stdout } = await runCli(['query', '--ddl', 'trino', '--lake', location]);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `CREATE SCHEMA IF NOT EXISTS "shop";
CALL system.register_table(schema_name => 'shop', table_name => 'orders', table_location => '${place}/Orders/');
-- shop.a-b is called shop.a_b there
CALL system.register_table(schema_name => 'shop', table_name => 'a_b', table_location => '${place}/a-b/');
`,
    });
    const { stdout: json } = await runCli(['query', '--ddl', 'duckdb', '--lake', location, '--json']);
    expect(JSON.parse(json)).toMatchObject([
      { schema: 'shop', table: null, name: 'shop', sql: 'CREATE SCHEMA IF NOT EXISTS "shop";' },
      { schema: 'shop', table: 'Orders', name: 'shop.Orders' },
      { schema: 'shop', table: 'a-b', name: 'shop.a-b' },
    ]);
  });
});
