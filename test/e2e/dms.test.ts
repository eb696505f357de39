/** A real server followed by a stand-in of DMS: its files merged by the built command line give the source, as our own capture's do. */

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { openLocalStore } from '../../src/core/store/local.ts';
import type { TableDefinition } from '../../src/core/table-definition.ts';
import { recordDefinition, recordedLoad } from '../support/aws/dms-records.ts';
import { DmsStandIn } from '../support/aws/dms-stand-in.ts';
import { filesJson, verifyJson } from '../support/cli-json.ts';
import { PipelineFolder } from '../support/pipeline-folder.ts';
import { readDeltaTable } from '../support/python.ts';
import { describeOnServers, startTestServer, type TestServer } from '../support/servers.ts';

const PATIENCE_MS = 60_000;
const TABLES = ['people', 'types'].map((table) => ({ schema: 'shop', table }));

const TYPES = [
  'Id BIGINT UNSIGNED PRIMARY KEY',
  'T TINYINT, B1 BIT(1), F FLOAT, D DOUBLE, Dc DECIMAL(20,6), U BIGINT UNSIGNED, Y YEAR',
  'Da DATE, Dt DATETIME, Dt6 DATETIME(6), Ts TIMESTAMP NULL, Ti TIME, Ti3 TIME(3)',
  "C CHAR(5), V VARCHAR(50), Tx TEXT, Bi BINARY(4), Vb VARBINARY(10), Bl BLOB, E ENUM('a','b,c'), S SET('x','y'), J JSON",
];
const ROWS = [
  `1, -1, 1, 1.17549435e-38, -5e-324, -0.000001, 18446744073709551615, 1901, '1000-01-01', '1000-01-01 00:00:00', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07', '-838:59:59', '00:00:00.010', 'ab', ' x ', 'a,"b"\\n', 0x00, 0x00FF, 0xDEADBEEF, 'b,c', 'x,y', '{"a": [1, null]}'`,
  `2, 127, 0, 0.1, 1e300, 123456789.120000, 0, 2155, '9999-12-31', '2024-05-28 19:51:40', '2024-05-28 19:51:41.120000', '1970-01-01 00:00:01', '00:00:00', '12:34:56.100', '', '', '\\\\N', 0x01020304, '', '', 'a', '', '"NULL"'`,
  `3, ${Array.from({ length: 22 }, () => 'NULL').join(', ')}`,
];

describeOnServers('files as DMS writes them', (flavor) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer(flavor);
  });
  afterAll(async () => {
    await server?.stop();
  });

  it(`of a ${flavor} give the same lake tables as our own capture's, and the source, through restarts that repeat`, {
    timeout: 180_000,
  }, async () => {
    await server.query(
      'DROP DATABASE IF EXISTS shop',
      'CREATE DATABASE shop',
      'CREATE TABLE shop.people (id INT PRIMARY KEY, name VARCHAR(50) NOT NULL, city VARCHAR(50))',
      `INSERT INTO shop.people VALUES (1, 'Ann', NULL), (2, '', 'NULL'), (3, 'Cy', '')`,
      `CREATE TABLE shop.types (${TYPES.join(', ')})`,
      `INSERT INTO shop.types VALUES ${ROWS.map((row) => `(${row})`).join(', ')}`,
    );
    const make = async (more: string) => {
      const folder = await PipelineFolder.make({ env: { CDC_SOURCE_PASSWORD: server.cdc.password } });
      const source = `mysql://${server.cdc.user}@${server.host}:${server.port}`;
      await folder.configure(`name: dms\nsource: ${source}\ntables: ['shop.%']\n${more}`);
      await folder.ok('init', '--yes');
      return folder;
    };
    const own = await make('capture: { max_delay: 100ms }\n');
    const dms = await make('');
    await own.ok('replicate');
    const to = openLocalStore(join(dms.path, 'staging'));
    const from = openLocalStore(join(own.path, 'staging'));
    const onDefinition = async (definition: TableDefinition) => {
      await recordDefinition(to, definition);
    };
    const task = new DmsStandIn({ from, to, onDefinition });
    for (const table of TABLES) await recordedLoad(task, { from, to, table, rowsPerFile: 2 });
    await dms.ok('merge');

    const follow = async (least: number) => {
      for (const until = Date.now() + PATIENCE_MS; Date.now() < until; await sleep(200)) {
        let files = 0;
        for (const table of TABLES) files += (await task.follow(table)).files;
        least -= files;
        if (least <= 0) return;
      }
      throw new Error('the capture writes nothing');
    };
    await server.query(
      `UPDATE shop.people SET city = 'Rome' WHERE id = 1`,
      `UPDATE shop.people SET id = 20 WHERE id = 2`,
      ...ROWS.map((row) => `REPLACE INTO shop.types VALUES (${row.replace(/^(\d)/, '1$1')})`),
      `UPDATE shop.types SET V = 'changed' WHERE Id = 3`,
    );
    await follow(2);
    await dms.ok('merge');
    task.restart(2, TABLES);
    await server.query(`INSERT INTO shop.people VALUES (4, 'Di', 'x')`, `DELETE FROM shop.people WHERE id = 3`);
    await server.query('ALTER TABLE shop.people ADD COLUMN age INT');
    await server.query(`UPDATE shop.people SET age = 40, id = 40 WHERE id = 4`, 'UPDATE shop.types SET T = 1');
    await follow(2);
    await sleep(1000);
    await follow(0);
    await own.ok('stop');
    await follow(0);
    await dms.ok('merge');

    const merged = z.object({ tables: z.array(z.object({ table: z.string(), files: z.number() })) });
    expect(merged.parse(await dms.json('merge')).tables).toMatchObject([{ files: 0 }, { files: 0 }]);
    const files = filesJson.parse(await dms.json('files')).files;
    expect(new Set(files.map(({ state }) => state))).toEqual(new Set(['merged']));
    await own.ok('merge');
    expect(verifyJson.parse(await own.json('verify'))).toMatchObject({ equal: true });
    expect(verifyJson.parse(await dms.json('verify'))).toMatchObject({ equal: true, tables: [{}, {}] });
    for (const { table } of TABLES) {
      const rows = async (folder: PipelineFolder) => {
        const found = await readDeltaTable(join(folder.path, 'lake/shop', table));
        return found.sort((a, b) => Number(a.id ?? a.Id) - Number(b.id ?? b.Id));
      };
      expect(await rows(dms)).toEqual(await rows(own));
    }
    // No file will ever tell of it.
    await server.query('SET SESSION sql_log_bin = 0', `UPDATE shop.people SET city = 'Oslo' WHERE id = 1`);
    const wrong = await dms.cdc('verify', '--settle', '1s', '--json');
    expect({ code: wrong.code, ...JSON.parse(wrong.stdout) }).toMatchObject({
      code: 3,
      equal: false,
      tables: [{ different: 1, settle_seconds: 1, keys: [{ kind: 'different', key: ['1'] }] }, { different: 0 }],
    });
  });
});
