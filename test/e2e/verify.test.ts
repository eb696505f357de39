/** `cdc verify` through the built command line: a copy that is not equal is said to be so, row by row. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCdc } from '../support/cli.ts';
import { describeOnServers, startTestServer, type TestServer } from '../support/servers.ts';

describeOnServers('cdc verify', (flavor) => {
  let server: TestServer;
  let folder: string;
  const cdc = (...args: string[]) => runCdc(args, { cwd: folder, env: { CDC_SOURCE_PASSWORD: server.cdc.password } });

  beforeAll(async () => {
    server = await startTestServer(flavor);
    folder = await mkdtemp(join(tmpdir(), 'cdc-verify-'));
    await server.query(
      'CREATE DATABASE shop',
      'CREATE TABLE shop.items (id INT PRIMARY KEY, name VARCHAR(20))',
      "INSERT INTO shop.items VALUES (1, 'one'), (2, 'two'), (3, 'three')",
    );
    const source = `mysql://${server.cdc.user}@${server.host}:${server.port}`;
    await writeFile(join(folder, 'cdc.yaml'), `name: verify\nsource: '${source}'\ntables: ['shop.%']\n`);
    expect(await cdc('init', '--yes')).toMatchObject({ code: 0 });
    expect(await cdc('replicate', '--full-load', '--foreground')).toMatchObject({ code: 0 });
  });
  afterAll(async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('finds a copy equal', async () => {
    const result = await cdc('verify');
    expect(result.stdout).toContain('shop.items: 3 rows, 0 missing, 0 extra, 0 different');
    expect(result.code).toBe(0);
  });

  it('names the rows that are missing, extra and different', async () => {
    // No worker runs: nobody brings these into the lake.
    await server.query(
      "INSERT INTO shop.items VALUES (4, 'four')",
      'DELETE FROM shop.items WHERE id = 1',
      "UPDATE shop.items SET name = 'TWO' WHERE id = 2",
    );
    const result = await cdc('verify', '--table', 'shop.items', '--json');
    expect(result.code).toBe(3);
    expect(JSON.parse(result.stdout)).toMatchObject({
      equal: false,
      tables: [
        {
          table: 'items',
          source_rows: 3,
          lake_rows: 3,
          missing: 1,
          extra: 1,
          different: 1,
          keys: expect.arrayContaining([
            { kind: 'missing', key: ['4'] },
            { kind: 'extra', key: ['1'] },
            { kind: 'different', key: ['2'] },
          ]),
        },
      ],
    });
  });
});
