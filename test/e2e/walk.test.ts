/** The guide's walk, and what happens to a pipeline in use, through the built command line; the lake is compared with the source by outsiders. */

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { filesJson, mergeJson, planJson, statusJson, verifyJson } from '../support/cli-json.ts';
import { PipelineFolder } from '../support/pipeline-folder.ts';
import { purgeBinlog } from '../support/purge-binlog.ts';
import { hasDeltaReader, readDeltaTable } from '../support/python.ts';
import { describeOnServers, startTestServer, type TestServer } from '../support/servers.ts';
import { temporaryFolder } from '../support/temp-folder.ts';

const run = promisify(execFile);
const sqlFile = (name: string) => fileURLToPath(new URL(`../../sql/${name}`, import.meta.url));

/** The guide's change file (its section 8), to the byte. */
const SIX_LINES = `U,7,ABC XYZ,Phoenix
I,130,Alica Bing,New York
I,131,Malinda Bing,Detroit
I,132,Chandler Bing,Portland
U,8,ABC XYZ,Denver
D,10,Jack Hicks,Houston
`;
const PERSONS = 'ahmad_schema.Persons';
const MINUTES = 60_000;

describeOnServers('the walk of the guide', (flavor) => {
  it('goes through all its sections with a private server', { timeout: 5 * MINUTES }, async () => {
    const folder = await PipelineFolder.make({ isOpen: true });

    // 3 to 5: what would be made, made, and made already.
    expect(await folder.ok('init', '--dry-run', '--tables', 'ahmad_schema.%')).toMatch(/^STEP .*\nconfig +create /);
    expect(await readdir(folder.path)).toEqual([]);
    await folder.configure(`name: walk\nsource: { flavor: ${flavor} }\ntables: ['ahmad_schema.%']\n`);
    expect(planJson.parse(await folder.json('plan'))).toMatchObject({
      steps: [
        { id: 'config', action: 'none', exists: true },
        { id: 'server', action: 'create', exists: false },
        { id: 'staging', action: 'create', exists: false },
        { id: 'lake', action: 'create', exists: false },
      ],
      monthly_cost_usd: 0,
      hourly_cost_usd: 0,
    });
    expect((await folder.cdc('plan', '--exit-code')).code).toBe(3);
    await folder.ok('init');
    expect(await folder.ok('init')).toBe('already made\n');
    expect((await folder.cdc('plan', '--exit-code')).code).toBe(0);
    const passwords = Object.values(await credentials(folder)).map(({ password }) => password);

    // 6: the dump.
    expect(await folder.ok('load', sqlFile('persons.sql'))).toMatch(/^ran 5 statements \(/);
    expect(await folder.ok('check')).toBe('nothing stands in the way\n');

    // 7: full load.
    expect(await folder.ok('replicate', '--full-load')).toBe('loaded 1 table\n');
    expect(filesJson.parse(await folder.json('files')).files).toMatchObject([
      { file: 'ahmad_schema/Persons/LOAD00000001.csv', kind: 'load', rows: 129, state: 'merged', version: 0 },
    ]);

    // 8: ongoing, captured only; the six statements give the guide's file.
    await folder.ok('replicate', '--ongoing', '--no-merge');
    await folder.ok('load', sqlFile('changes.sql'));
    const first = await folder.changeFile(PERSONS, 1);
    expect(await folder.ok('show', first)).toBe(SIX_LINES);
    expect(await folder.ok('show', join('staging', first))).toBe(SIX_LINES);
    const shown = (await folder.ok('show', first, '--json'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(shown[0]).toEqual({
      op: 'U',
      ts: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/),
      number: '0001000000000000001',
      columns: { PersonId: '7', FullName: 'ABC XYZ', City: 'Phoenix' },
    });

    // 10: a later file is given, the earlier one comes first and it says so; given again it is merged already.
    await folder.ok('load', '-e', `UPDATE ${PERSONS} SET City = 'Chicago' WHERE PersonId = 130`);
    const second = await folder.changeFile(PERSONS, 2);
    expect(filesJson.parse(await folder.json('files', '--pending')).files).toMatchObject([
      {
        file: first,
        kind: 'changes',
        rows: 6,
        first: '0001000000000000001',
        last: '0001000000000000006',
        state: 'pending',
        version: null,
      },
      { file: second, kind: 'changes', rows: 1, first: '0001000000000000007', state: 'pending' },
    ]);
    const waiting = await folder.untilStatus(({ tables }) => tables[0]?.pending_files === 2);
    expect(waiting.tables).toMatchObject([
      {
        schema: 'ahmad_schema',
        table: 'Persons',
        state: 'following',
        position: null,
        rows: 129,
        version: 0,
        quarantined: 0,
        error: null,
      },
    ]);
    expect(waiting.tables[0]?.lag_seconds).toBeGreaterThan(0);
    const merged = await folder.cdc('merge', second, '--json');
    expect(merged.stderr).toContain(`1 earlier pending file of ${PERSONS} came first\n`);
    expect(mergeJson.parse(JSON.parse(merged.stdout))).toMatchObject({
      tables: [
        {
          schema: 'ahmad_schema',
          table: 'Persons',
          files: 2,
          changes: 7,
          inserted: 3,
          updated: 2,
          deleted: 1,
          version: 1,
        },
      ],
    });
    expect(await folder.ok('merge', first)).toBe('already merged: nothing is pending\n');
    expect(await folder.json('query', `SELECT * FROM ${PERSONS} WHERE PersonId IN (7, 8, 10, 130) ORDER BY 1`)).toEqual(
      [
        { PersonId: 7, FullName: 'ABC XYZ', City: 'Phoenix' },
        { PersonId: 8, FullName: 'ABC XYZ', City: 'Denver' },
        { PersonId: 130, FullName: 'Alica Bing', City: 'Chicago' },
      ],
    );

    // 11: the trigger by hand.
    await folder.ok('load', '-e', `UPDATE ${PERSONS} SET City = 'Boston' WHERE PersonId = 131`);
    const third = await folder.changeFile(PERSONS, 3);
    expect(folder.plain(await folder.ok('trigger', third)).replace(/in [\d.]+ s/, 'in T')).toBe(
      `store   …/staging\nkey     ${third}\nfile    ${third.split('/').at(-1)}\nresult  0 inserted, 1 updated, 0 deleted: version 2 in T\n`,
    );
    expect(await folder.ok('trigger', third)).toContain('result  already merged: version 2\n');

    // 12 and 13: whenever a file arrives, in this terminal.
    const watch = await folder.start('merge', '--watch');
    await folder.ok('load', '-e', `INSERT INTO ${PERSONS} VALUES (133, 'Joey Tribbiani', 'Queens')`);
    while (!watch.stdout.includes('version 3')) await once(watch.process.stdout ?? expect.fail(), 'data');
    watch.process.kill('SIGINT');
    const watched = await watch.ended;
    expect(watched.code).toBe(130);
    expect(watched.stdout).toMatch(/^ahmad_schema\.Persons: 1 change of 1 file in version 3 \([\d.]+ s\)\n$/);

    // 9: stop, and start again from exactly there, now with a worker that merges.
    expect(await folder.ok('stop')).toBe('stopped the worker\nstopped the private server\n');
    expect(await folder.ok('stop')).toBe('already stopped: the worker\nalready stopped: the private server\n');
    await folder.fails(['verify'], {
      code: 1,
      says: 'cdc: connecting to the private server: it is stopped\n→ cdc start',
    });
    expect(await folder.ok('start', '--dry-run')).toMatch(/^would start the private server\n/);
    expect(folder.plain(await folder.ok('start'))).toMatch(
      /^started the private server\nreplicating 1 table from \S+ \(pid N\)\n$/,
    );
    expect(folder.plain(await folder.ok('start'))).toBe(
      'already running: the private server\nalready replicating (pid N)\n',
    );
    await folder.ok('stop', '--worker');
    await folder.ok('replicate');
    await folder.ok('load', '-e', `DELETE FROM ${PERSONS} WHERE PersonId = 133`);
    expect(verifyJson.parse(await folder.json('verify'))).toMatchObject({
      tables: [
        {
          schema: 'ahmad_schema',
          table: 'Persons',
          source_rows: 131,
          lake_rows: 131,
          missing: 0,
          extra: 0,
          different: 0,
          keys: [],
        },
      ],
      equal: true,
    });
    expect(statusJson.parse(await folder.json('status'))).toMatchObject({
      target: 'local',
      slots: { source: 'private server', capture: 'cdc', merge: 'local' },
      worker: { state: 'following' },
      tables: [{ state: 'following', lag_seconds: 0, pending_files: 0, rows: 131, error: null }],
    });
    expect((await folder.cdc('status', '--exit-code')).code).toBe(0);

    // The private server is killed under the worker, which waits for it.
    process.kill(Number(await readFile(join(folder.path, '.cdc/server/run/mysqld.pid'), 'utf8')), 'SIGKILL');
    await folder.untilStatus(({ worker }) => worker.state === 'reconnecting');
    expect(folder.plain(await folder.ok('start'))).toBe('started the private server\nalready replicating (pid N)\n');
    await folder.ok('load', '-e', `UPDATE ${PERSONS} SET City = 'Austin' WHERE PersonId = 1`);
    await folder.ok('verify');

    // A copy of the stopped folder carries on; so does the first, once the copy is gone.
    await folder.ok('stop');
    const copy = new PipelineFolder(join(await temporaryFolder(), 'copy'), { secrets: passwords });
    await run('cp', ['-a', folder.path, copy.path]);
    await chmod(join(copy.path, '..'), 0o755);
    copy.endsWithTest();
    await copy.ok('start');
    await copy.ok('load', '-e', `UPDATE ${PERSONS} SET City = 'Reno' WHERE PersonId = 2`);
    await copy.ok('verify');
    expect(await copy.json('query', `SELECT City FROM ${PERSONS} WHERE PersonId = 2`)).toEqual([{ City: 'Reno' }]);
    await expectLakeEquals(copy, PERSONS, await connectPrivate(copy));
    expect(await copy.ok('destroy', '--yes', '--delete-lake')).toContain('removed the private server');
    expect(await readdir(copy.path)).toEqual(['cdc.yaml']);
    await folder.ok('start');
    await folder.ok('verify');

    // The end.
    expect(await folder.ok('destroy', '--yes')).toMatch(/left .*lake: it holds rows; --delete-lake removes it\n/);
    expect(await folder.json('query', `SELECT count(*) AS n FROM ${PERSONS}`)).toEqual([{ n: 131 }]);
    await folder.fails(['start'], {
      code: 1,
      says: 'cdc: connecting to the private server: there is none yet\n→ cdc init',
    });
    await folder.ok('destroy', '--yes', '--delete-lake');
    expect(await readdir(folder.path)).toEqual(['cdc.yaml']);
  });
});

describeOnServers("a pipeline on a server of one's own", (flavor) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer(flavor);
  });
  afterAll(() => server?.stop());

  const MIRRORS = ['shop.orders', 'shop.items', 'shop.coupons'];

  it('goes on through what happens to its source, and is equal to it', { timeout: 5 * MINUTES }, async () => {
    await server.query(
      'CREATE DATABASE shop',
      'CREATE TABLE shop.orders (id INT PRIMARY KEY, name VARCHAR(40), qty INT, price DECIMAL(10,2), at DATETIME(3))',
      "INSERT INTO shop.orders VALUES (1, 'one', 1, 1.50, '2024-02-29 12:00:00.123'), (2, NULL, NULL, NULL, NULL), (3, 'drei \\\\N, \"quoted\"', -3, 0, NULL)",
      'CREATE TABLE shop.coupons (code VARCHAR(20) NOT NULL, rate INT, UNIQUE KEY (code))',
      "INSERT INTO shop.coupons VALUES ('A', 1), ('b', 2)",
      'CREATE TABLE shop.visits (page VARCHAR(20))',
      "INSERT INTO shop.visits VALUES ('home')",
      'CREATE TABLE shop.tmp_1 (id INT PRIMARY KEY)',
    );
    const config = (more = '', tables = "'shop.%'") => `name: shop
source: 'mysql://cdc@127.0.0.1:${server.port}'
tables: [${tables}, { table: shop.visits, mode: append }, { table: shop.coupons, key: [code] }]
exclude: ['shop.tmp%']
${more}`;
    const folder = await PipelineFolder.make({
      config: config(),
      env: { CDC_SOURCE_PASSWORD: server.cdc.password },
      secrets: [server.cdc.password, server.admin.password],
    });
    const stopped = async (table: string) => {
      const status = await folder.untilStatus(({ tables }) => find(tables, table)?.state === 'stopped');
      return find(status.tables, table)?.error;
    };

    await folder.ok('init');
    expect(await folder.ok('check')).toBe('nothing stands in the way\n');
    expect(folder.plain(await folder.ok('replicate'))).toMatch(/^replicating 3 tables from \S+ \(pid N\)\n$/);
    expect((await folder.status()).tables.map(({ table, rows }) => [table, rows])).toEqual([
      ['coupons', 2],
      ['orders', 3],
      ['visits', 1],
    ]);

    // A table that is created while it runs begins with it; an excluded one does not.
    await server.query(
      'CREATE TABLE shop.items (id INT PRIMARY KEY, name TEXT)',
      "INSERT INTO shop.items VALUES (1, 'new'), (2, 'newer')",
      'CREATE TABLE shop.tmp_2 (id INT PRIMARY KEY)',
      "INSERT INTO shop.visits VALUES ('cart'), ('home')",
      "UPDATE shop.coupons SET rate = 9 WHERE code = 'A'",
      "DELETE FROM shop.coupons WHERE code = 'b'",
    );
    await folder.untilStatus(({ tables }) => find(tables, 'shop.items')?.rows === 2);

    // A new nullable column reaches the lake; TRUNCATE empties it.
    await server.query(
      'ALTER TABLE shop.orders ADD COLUMN note VARCHAR(20)',
      "INSERT INTO shop.orders (id, note) VALUES (4, 'noted')",
      'TRUNCATE TABLE shop.items',
      "INSERT INTO shop.items VALUES (3, 'after')",
    );
    await folder.ok('verify');
    expect(await folder.json('query', 'SELECT id, note FROM shop.orders WHERE id IN (1, 4) ORDER BY id')).toEqual([
      { id: 1, note: null },
      { id: 4, note: 'noted' },
    ]);
    for (const table of MIRRORS) await expectLakeEquals(folder, table, await server.connect());

    // What cannot be followed exactly stops its table alone, and says how to go on.
    await server.query(
      'ALTER TABLE shop.orders ADD COLUMN state INT NOT NULL DEFAULT 5',
      'UPDATE shop.orders SET qty = 7 WHERE id = 1',
      "INSERT INTO shop.items VALUES (4, 'meanwhile')",
    );
    expect(await stopped('shop.orders')).toMatchObject({ code: 'schema.changed', hint: 'cdc reload shop.orders' });
    expect((await folder.cdc('status', '--exit-code')).code).toBe(3);
    await folder.untilStatus(({ tables }) => find(tables, 'shop.items')?.rows === 2);
    expect(await folder.ok('reload', 'shop.orders', '--yes')).toBe('reloaded shop.orders\n');
    expect((await folder.cdc('status', '--exit-code')).code).toBe(0);
    await folder.ok('verify');

    // The server restarts under the worker.
    await server.kill9();
    await folder.untilStatus(({ worker }) => worker.state === 'reconnecting');
    await server.restart();
    await server.query("INSERT INTO shop.orders (id, name) VALUES (5, 'after the restart')");
    await folder.untilStatus(({ worker }) => worker.state === 'following');
    await folder.ok('verify');

    // A table is taken out of cdc.yaml and put in again.
    await folder.ok('stop');
    await folder.configure(config('  # without items\n', "'shop.orders'"));
    expect(await folder.ok('replicate', '--dry-run')).toContain('would stop following shop.items\n');
    const removed = await folder.cdc('replicate');
    expect(removed.stderr).toContain(
      'warning: shop.items is no longer asked for: it is not followed any more, its lake table stays\n',
    );
    await server.query("INSERT INTO shop.items VALUES (5, 'not followed')");
    await folder.ok('verify');
    expect(await folder.json('query', 'SELECT count(*) AS n FROM shop.items')).toEqual([{ n: 2 }]);
    await folder.ok('stop');
    await folder.configure(config());
    expect(await folder.ok('replicate', '--dry-run')).toContain('would load shop.items\n');
    await folder.ok('replicate');
    await folder.ok('verify');
    expect(await folder.json('query', 'SELECT count(*) AS n FROM shop.items')).toEqual([{ n: 3 }]);

    // A row that does not fit: by default nothing of the table is applied; with quarantine it waits there.
    await folder.ok('stop');
    await folder.ok('replicate', '--no-merge');
    const before = (await folder.changeFiles('shop.orders')).length;
    await server.query('UPDATE shop.orders SET qty = 70001 WHERE id = 1; UPDATE shop.orders SET qty = 4 WHERE id = 4');
    const file = join(folder.path, 'staging', await folder.changeFile('shop.orders', before + 1));
    await folder.ok('stop');
    await writeFile(`${file}.new`, (await readFile(file, 'utf8')).replace(',70001,', ',many,'));
    await rename(`${file}.new`, file);
    const unfit = await folder.cdc('merge');
    expect(unfit.code).toBe(1);
    expect(folder.plain(unfit.stderr)).toMatch(
      /warning: merging shop\.orders: .*\/shop\/orders\/.*\.csv, line 2, column qty: "many" is no int/,
    );
    await folder.configure(config('merge: { unfit: quarantine }\n'));
    expect(await folder.ok('merge')).toMatch(/^TABLE .*QUARANTINED.*\nshop\.orders .* 1 /);
    expect(find((await folder.status()).tables, 'shop.orders')).toMatchObject({ quarantined: 1 });
    const verdict = await folder.cdc('verify', '--json');
    expect(verdict.code).toBe(3);
    expect(find(verifyJson.parse(JSON.parse(verdict.stdout)).tables, 'shop.orders')).toMatchObject({
      missing: 0,
      extra: 0,
      different: 1,
      keys: [{ kind: 'different', key: ['1'] }],
    });

    // The binlog is gone: nothing is skipped; replicate loads again.
    await server.query('FLUSH BINARY LOGS', "UPDATE shop.items SET name = 'unseen' WHERE id = 3", 'FLUSH BINARY LOGS');
    await purgeBinlog(server);
    const purged = await folder.cdc('start');
    expect(purged).toMatchObject({ code: 1, stdout: '' });
    expect(purged.stderr).toMatch(
      /cdc: following the binlog from \S+:\d+: the server does not have this file any more, .*\n→ cdc replicate {3}# loads the tables again\n$/,
    );
    expect((await folder.status()).worker).toMatchObject({
      state: 'failed',
      pid: null,
      error: { code: 'position.purged' },
    });
    expect(folder.plain(await folder.ok('replicate'))).toMatch(/^replicating 4 tables from /);
    expect(verifyJson.parse(await folder.json('verify'))).toMatchObject({ equal: true });

    // Read by outsiders, row by row; the history has each change once.
    for (const table of MIRRORS) await expectLakeEquals(folder, table, await server.connect());
    const visits = await folder.json('query', "SELECT _op, page FROM shop.visits WHERE _op <> 'L' ORDER BY _seq");
    expect(visits).toEqual([
      { _op: 'I', page: 'cart' },
      { _op: 'I', page: 'home' },
    ]);
    await folder.ok('destroy', '--yes', '--delete-lake');
    expect(await readdir(folder.path)).toEqual(['cdc.yaml']);
    expect((await server.query('SELECT count(*) AS n FROM shop.orders'))[0]).toEqual({ n: 5 });
  });
});

function find<Row extends { schema: string; table: string }>(tables: Row[], name: string): Row | undefined {
  return tables.find(({ schema, table }) => `${schema}.${table}` === name);
}

const accounts = z.record(z.string(), z.object({ user: z.string(), password: z.string() }));

async function credentials(folder: PipelineFolder) {
  return accounts.parse(JSON.parse(await readFile(join(folder.path, '.cdc/server/credentials.json'), 'utf8')));
}

async function connectPrivate(folder: PipelineFolder): Promise<Connection> {
  const record = JSON.parse(await readFile(join(folder.path, '.cdc/server/server.json'), 'utf8'));
  return createConnection({ host: '127.0.0.1', port: record.port, ...(await credentials(folder)).admin });
}

/** By delta-rs and by DuckDB, each value as text; ends the connection. */
async function expectLakeEquals(folder: PipelineFolder, table: string, source: Connection): Promise<void> {
  const [schema = '', name = ''] = table.split('.');
  const [columns] = await source.query<RowDataPacket[]>(
    'SELECT column_name AS name FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position',
    [schema, name],
  );
  const names = columns.map((column) => String(column.name));
  const texts = names.map((column) => `CAST(\`${column}\` AS CHAR) AS \`${column}\``);
  const [rows] = await source.query<RowDataPacket[]>(`SELECT ${texts.join(', ')} FROM ${schema}.${name}`);
  await source.end();
  const expected = rows.map((row) => textOf(names, row)).sort();
  const duckdb = z
    .array(z.record(z.string(), z.unknown()))
    .parse(
      await folder.json(
        'query',
        `SELECT ${names.map((column) => `"${column}"::VARCHAR AS "${column}"`).join(', ')} FROM ${table}`,
      ),
    );
  expect(duckdb.map((row) => textOf(names, row)).sort(), `${table} by DuckDB`).toEqual(expected);
  if (!(await hasDeltaReader())) return;
  const delta = await readDeltaTable(join(folder.path, 'lake', schema, name));
  expect(delta.map((row) => textOf(names, row)).sort(), `${table} by delta-rs`).toEqual(expected);
}

/** One text for a row; times of all readers without trailing zeros of their fraction. */
function textOf(names: readonly string[], row: Record<string, unknown>): string {
  const plain = (value: unknown) =>
    typeof value === 'string' && /^\d{4}-\d\d-\d\d /.test(value)
      ? value
          .replace(/(\.\d*?)0+$/, '$1')
          .replace(/\.$/, '')
          .replace(/\+00$/, '')
      : value;
  return JSON.stringify(names.map((name) => (row[name] == null ? null : String(plain(row[name])))));
}
