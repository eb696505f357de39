import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Pipeline } from '../../../src/core/pipeline/pipeline.ts';
import { verifyPipeline } from '../../../src/core/pipeline/verify-pipeline.ts';
import { isEqual, type TableVerdict } from '../../../src/core/verify/verdict.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';
import { ALL, startWorker, testPipeline } from '../pipeline/support.ts';

describeOnServers('verify', (flavor) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer(flavor);
  });
  afterAll(() => server?.stop());
  beforeEach(() =>
    server.query(
      'DROP DATABASE IF EXISTS shop',
      'CREATE DATABASE shop',
      'CREATE TABLE shop.persons (id INT PRIMARY KEY, name VARCHAR(50))',
      "INSERT INTO shop.persons VALUES (1, 'Ann'), (2, 'Bob'), (3, 'Cid')",
    ),
  );

  async function verify(pipeline: Pipeline, warnings: string[] = []): Promise<TableVerdict[]> {
    const progress = { update() {}, done() {}, detail() {}, warn: (text: string) => warnings.push(text) };
    return await verifyPipeline({ pipeline, only: [], progress, signal: new AbortController().signal });
  }
  const loadOnce = async (pipeline: Pipeline) => {
    await (await startWorker(pipeline, { ...ALL, ongoing: false })).ended;
  };
  /** Changes that no replica hears of. */
  const behindTheBinlog = (...sql: string[]) => server.query('SET SESSION sql_log_bin = 0', ...sql);

  it('finds a copy equal, also of a table without rows', async () => {
    await server.query('CREATE TABLE shop.nothing (id INT PRIMARY KEY)');
    const pipeline = await testPipeline(server);
    await loadOnce(pipeline);
    const none = { missing: 0, extra: 0, different: 0, unsettled: 0, quarantined: 0, keys: [], error: null };
    expect(await verify(pipeline)).toEqual([
      { schema: 'shop', table: 'nothing', source_rows: 0, lake_rows: 0, ...none },
      { schema: 'shop', table: 'persons', source_rows: 3, lake_rows: 3, ...none },
    ]);
  });

  it('names the rows that are missing, extra and different, while a worker follows', async () => {
    const pipeline = await testPipeline(server);
    await (await startWorker(pipeline)).following();
    await behindTheBinlog(
      'DELETE FROM shop.persons WHERE id = 1',
      "UPDATE shop.persons SET name = 'Bea' WHERE id = 2",
      'UPDATE shop.persons SET name = NULL WHERE id = 3',
      "INSERT INTO shop.persons VALUES (4, 'Dan')",
    );
    const [verdict] = await verify(pipeline);
    expect(verdict).toMatchObject({
      source_rows: 3,
      lake_rows: 3,
      missing: 1,
      extra: 1,
      different: 2,
      keys: [
        { kind: 'extra', key: ['1'] },
        { kind: 'different', key: ['2'] },
        { kind: 'different', key: ['3'] },
        { kind: 'missing', key: ['4'] },
      ],
    });
  });

  it('finds a wrong row among rows that are written all the time, and no other', async () => {
    const pipeline = await testPipeline(server, { yaml: 'capture: { max_delay: 20ms }' });
    await (await startWorker(pipeline)).following();
    await behindTheBinlog("UPDATE shop.persons SET name = 'wrong' WHERE id = 3");
    const writer = await server.connect();
    let isWriting = true;
    const writing = writeUntil(writer, () => !isWriting);
    try {
      for (let round = 0; round < 3; round++) {
        const [verdict] = await verify(pipeline);
        expect(verdict?.keys).toEqual([{ kind: 'different', key: ['3'] }]);
        expect(verdict).toMatchObject({ missing: 0, extra: 0, different: 1 });
      }
      await server.query("UPDATE shop.persons SET name = 'right' WHERE id = 3");
      const [verdict] = await verify(pipeline);
      expect(verdict && isEqual(verdict)).toBe(true);
    } finally {
      isWriting = false;
      await writing;
      writer.destroy();
    }
  });

  it('says what is not merged because nobody captures', async () => {
    const pipeline = await testPipeline(server);
    await loadOnce(pipeline);
    await server.query("INSERT INTO shop.persons VALUES (4, 'Dan')");
    const warnings: string[] = [];
    const [verdict] = await verify(pipeline, warnings);
    expect(verdict).toMatchObject({ missing: 1, keys: [{ kind: 'missing', key: ['4'] }] });
    expect(warnings.join()).toContain('no worker runs');
  });

  it('tells keys of any type by their text', async () => {
    await server.query(
      `CREATE TABLE shop.odd (a VARCHAR(20) COLLATE utf8mb4_bin, b VARBINARY(4), c DATETIME(3), d DECIMAL(6,2), e BIGINT UNSIGNED,
        v INT, PRIMARY KEY (a, b, c, d, e))`,
      "INSERT INTO shop.odd VALUES ('it''s, \"a\"', 0x00FF, '2024-02-29 23:59:59.999', -0.5, 18446744073709551615, 1), ('', '', '1970-01-01', 0, 0, 1)",
    );
    const pipeline = await testPipeline(server, { tables: ['shop.odd'] });
    await loadOnce(pipeline);
    const [equal] = await verify(pipeline);
    expect(equal).toMatchObject({ source_rows: 2, missing: 0, extra: 0, different: 0 });
    await server.query('UPDATE shop.odd SET v = 2');
    const [verdict] = await verify(pipeline);
    expect(verdict?.keys).toEqual([
      { kind: 'different', key: ['', '', '1970-01-01 00:00:00+00', '0.00', '0'] },
      {
        kind: 'different',
        key: [`it's, "a"`, '\\x00\\xFF', '2024-02-29 23:59:59.999+00', '-0.50', '18446744073709551615'],
      },
    ]);
  });

  it('compares by the rules that the table was loaded under, whatever cdc.yaml says by now', async () => {
    await server.query(
      "SET SESSION sql_mode = ''",
      'CREATE TABLE shop.days (id INT NOT NULL UNIQUE, day DATE)',
      "INSERT INTO shop.days VALUES (1, '0000-00-00'), (2, '2024-01-01')",
    );
    const yaml = (zeroDates: string) => `merge: { zero_dates: ${zeroDates} }`;
    const rules = ['{ table: shop.days, key: [id] }'];
    const first = await testPipeline(server, { rules, yaml: yaml('text') });
    await loadOnce(first);
    const { folder } = first.config;
    const second = await testPipeline(server, { folder, yaml: yaml('null'), tables: ['shop.days'] });
    expect(await verify(second)).toMatchObject([{ table: 'days', source_rows: 2, different: 0, error: null }]);
  });

  it('counts a row that was set aside as missing, and says that it was set aside', async () => {
    await server.query(
      "SET SESSION sql_mode = ''",
      'CREATE TABLE shop.days (id INT PRIMARY KEY, day DATE)',
      "INSERT INTO shop.days VALUES (1, '0000-00-00'), (2, '2024-01-01')",
    );
    const yaml = 'merge: { unfit: quarantine, zero_dates: fail }';
    const pipeline = await testPipeline(server, { tables: ['shop.days'], yaml });
    await loadOnce(pipeline);
    expect(await verify(pipeline)).toMatchObject([
      { source_rows: 2, lake_rows: 1, missing: 1, quarantined: 1, keys: [{ kind: 'missing', key: ['1'] }] },
    ]);
  });

  it('does not take a value that fits no lake type for the NULL that the lake has', async () => {
    await server.query(
      "SET SESSION sql_mode = ''",
      'CREATE TABLE shop.days (id INT PRIMARY KEY, day DATE)',
      'INSERT INTO shop.days VALUES (1, NULL)',
    );
    const yaml = 'merge: { unfit: quarantine, zero_dates: fail }';
    const pipeline = await testPipeline(server, { tables: ['shop.days'], yaml });
    await loadOnce(pipeline);
    await server.query("SET SESSION sql_mode = ''", "UPDATE shop.days SET day = '0000-00-00'");
    expect(await verify(pipeline)).toMatchObject([{ different: 1, keys: [{ kind: 'different', key: ['1'] }] }]);
  });

  it('compares the others when a table is gone, or has columns that the lake cannot have', async () => {
    await server.query(
      'CREATE TABLE shop.gone (id INT PRIMARY KEY)',
      'CREATE TABLE shop.wider (id INT PRIMARY KEY, v INT)',
      'CREATE TABLE shop.longer (id INT PRIMARY KEY)',
      'INSERT INTO shop.longer VALUES (1)',
    );
    const pipeline = await testPipeline(server);
    await loadOnce(pipeline);
    await server.query(
      'DROP TABLE shop.gone',
      'ALTER TABLE shop.wider MODIFY v VARCHAR(20)',
      'ALTER TABLE shop.longer ADD COLUMN v INT NOT NULL DEFAULT 7',
    );
    const verdicts = new Map((await verify(pipeline)).map((verdict) => [verdict.table, verdict]));
    expect(verdicts.get('gone')).toMatchObject({ error: { code: 'table.missing' } });
    expect(verdicts.get('wider')).toMatchObject({ error: { code: 'verify.columns', hint: 'cdc reload shop.wider' } });
    expect(verdicts.get('longer')).toMatchObject({ different: 1, error: null });
    expect(verdicts.get('persons')).toMatchObject({ source_rows: 3, different: 0, error: null });
  });
});

/** One row toggles, one grows, others come and go: each in the lake now as it was, now as it will be. */
async function writeUntil(connection: Connection, isDone: () => boolean): Promise<void> {
  for (let at = 0; !isDone(); at++) {
    await connection.query(`UPDATE shop.persons SET name = IF(name = 'on', 'off', 'on') WHERE id = 1`);
    await connection.query(`UPDATE shop.persons SET name = 'step ${at}' WHERE id = 2`);
    await connection.query(`INSERT INTO shop.persons VALUES (${100 + at}, 'new')`);
    await connection.query(`DELETE FROM shop.persons WHERE id = ${90 + at}`);
    await sleep(5);
  }
}
