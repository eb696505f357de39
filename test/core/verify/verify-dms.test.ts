import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { putDmsEpoch } from '../../../src/core/change-file/dms-epoch.ts';
import { definitionKey } from '../../../src/core/change-file/layout.ts';
import { parseColumnList } from '../../../src/core/merge/loose-columns.ts';
import type { Pipeline } from '../../../src/core/pipeline/pipeline.ts';
import { type DmsVerify, verifyPipeline } from '../../../src/core/pipeline/verify-pipeline.ts';
import { defineTable, definitionToJson, type TableDefinition } from '../../../src/core/table-definition.ts';
import { isEqual, type TableVerdict } from '../../../src/core/verify/verdict.ts';
import {
  type DmsChange,
  type DmsRow,
  dmsSequence,
  putDialect,
  putDmsChanges,
  putDmsLoad,
} from '../../support/aws/dms-writer.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';
import { testPipeline } from '../pipeline/support.ts';

const NAME = { schema: 'shop', table: 'persons' };
const COLUMNS = 'id int not null, code varchar(20) not null, day datetime(3) not null, name varchar(50)';
const KEY = ['id', 'code', 'day'];
const DAY = '2024-02-29 23:59:59.999';
const ROWS: DmsRow[] = [
  ['1', "it's", DAY, 'Ann'],
  ['2', 'b', DAY, null],
  ['3', '', DAY, 'Cid'],
];

describeOnServers('verify of a table that DMS writes', (flavor) => {
  let server: TestServer;
  let counter = 0;
  beforeAll(async () => {
    server = await startTestServer(flavor);
  });
  afterAll(() => server?.stop());
  beforeEach(() =>
    server.query(
      'DROP DATABASE IF EXISTS shop',
      'CREATE DATABASE shop',
      `CREATE TABLE shop.persons (${COLUMNS}, PRIMARY KEY (id, code, day))`,
      `INSERT INTO shop.persons VALUES (1, 'it''s', '${DAY}', 'Ann'), (2, 'b', '${DAY}', NULL), (3, '', '${DAY}', 'Cid')`,
    ),
  );

  async function loaded(): Promise<{ pipeline: Pipeline; definition: TableDefinition }> {
    const pipeline = await testPipeline(server, { yaml: '' });
    const { staging } = pipeline;
    const columns = parseColumnList(COLUMNS);
    const definition = defineTable(NAME, { number: 0n, columns, key: KEY, zeroDates: 'null' });
    await staging.put(definitionKey(NAME, 0n), JSON.stringify(definitionToJson(definition)));
    await putDialect(staging);
    await putDmsLoad(staging, definition, ROWS);
    const started = new Date(Date.now() - 60_000);
    const epoch = { ...NAME, kind: 'load' as const, task: 'a task', caches: true, definition: 0n, started };
    await putDmsEpoch(staging, { ...epoch, state: 'complete', rows: ROWS.length });
    return { pipeline, definition };
  }
  const put = async (pipeline: Pipeline, definition: TableDefinition, ...changes: Omit<DmsChange, 'sequence'>[]) => {
    const now = new Date();
    const numbered = changes.map((change) => ({ ...change, sequence: dmsSequence(now, ++counter) }));
    await putDmsChanges(pipeline.staging, definition, numbered, { named: now });
  };
  async function verify(pipeline: Pipeline, dms: Partial<DmsVerify>): Promise<TableVerdict> {
    const signal = new AbortController().signal;
    const progress = { update() {}, done() {}, detail() {}, warn() {} };
    const [verdict, ...rest] = await verifyPipeline({ pipeline, only: [], dms, progress, signal });
    if (verdict === undefined || rest.length > 0) throw new Error('one table is followed');
    return verdict;
  }

  it('merges what is pending and finds the copy equal without waiting for anything', async () => {
    const { pipeline, definition } = await loaded();
    await server.query("UPDATE shop.persons SET name = 'Bob' WHERE id = 2");
    await put(pipeline, definition, { op: 'U', row: ['2', 'b', DAY, 'Bob'] });
    expect(await verify(pipeline, { settleMs: 3_600_000 })).toEqual({
      ...NAME,
      source_rows: 3,
      lake_rows: 3,
      ...{ missing: 0, extra: 0, different: 0, unsettled: 0, quarantined: 0, keys: [], error: null },
      settle_seconds: 3600,
    });
  });

  it('waits for the file of a change that was committed before, and takes no row on its way for a wrong one', async () => {
    const { pipeline, definition } = await loaded();
    await server.query("UPDATE shop.persons SET name = 'Bob' WHERE id = 2", 'DELETE FROM shop.persons WHERE id = 3');
    const verdict = verify(pipeline, { settleMs: 3_600_000 });
    await sleep(1000);
    await put(pipeline, definition, { op: 'U', row: ['2', 'b', DAY, 'Bob'] });
    await sleep(1500);
    await put(pipeline, definition, { op: 'D', row: ['3', '', DAY, 'Cid'] });
    expect(await verdict).toMatchObject({ source_rows: 2, missing: 0, extra: 0, different: 0, unsettled: 0 });
  });

  it('names the rows that stay missing, extra and different, and those that are still written it does not judge', async () => {
    const { pipeline } = await loaded();
    await server.query(
      "UPDATE shop.persons SET name = 'Ada' WHERE id = 1",
      `INSERT INTO shop.persons VALUES (4, '"', '${DAY}', 'Dan')`,
      'DELETE FROM shop.persons WHERE id = 3',
    );
    let isOver = false;
    const writer = await server.connect();
    const writing = (async () => {
      for (let at = 0; !isOver; at++) {
        await writer.query(`UPDATE shop.persons SET name = 'step ${at}' WHERE id = 2`);
        await sleep(50);
      }
    })();
    try {
      const verdict = await verify(pipeline, { settleMs: 1500 });
      const day = '2024-02-29 23:59:59.999+00';
      expect(verdict).toMatchObject({
        ...{ source_rows: 3, lake_rows: 3, missing: 1, extra: 1, different: 1, unsettled: 1 },
        keys: [
          { kind: 'different', key: ['1', "it's", day] },
          { kind: 'extra', key: ['3', '', day] },
          { kind: 'missing', key: ['4', '"', day] },
        ],
      });
      expect(isEqual(verdict)).toBe(false);
    } finally {
      isOver = true;
      await writing;
      writer.destroy();
    }
  });

  it('leaves the merge to whoever does it elsewhere, and only where something is pending', async () => {
    const { pipeline, definition } = await loaded();
    let merges = 0;
    const mergeElsewhere = async () => {
      merges++;
      await verify(pipeline, { settleMs: 0 });
    };
    await verify(pipeline, { mergeElsewhere });
    expect(merges).toBe(1);
    await verify(pipeline, { mergeElsewhere });
    expect(merges).toBe(1);
    await put(pipeline, definition, { op: 'D', row: ['3', '', DAY, 'Cid'] });
    await server.query('DELETE FROM shop.persons WHERE id = 3');
    expect(await verify(pipeline, { mergeElsewhere })).toMatchObject({ lake_rows: 2, extra: 0 });
    expect(merges).toBe(2);
  });

  it('reads again the rows alone that differed, of any key', async () => {
    const { pipeline } = await loaded();
    await server.query("UPDATE shop.persons SET name = 'Ada' WHERE id = 1", 'SET GLOBAL log_output = "TABLE"');
    await server.query('TRUNCATE mysql.general_log', 'SET GLOBAL general_log = 1');
    try {
      expect(await verify(pipeline, { settleMs: 100 })).toMatchObject({ different: 1 });
    } finally {
      await server.query('SET GLOBAL general_log = 0');
    }
    const log = await server.connect();
    const [rows] = await log.query(
      "SELECT CONVERT(argument USING utf8mb4) AS q FROM mysql.general_log WHERE argument LIKE 'SELECT `id`%'",
    );
    log.destroy();
    expect(JSON.stringify(rows)).toContain(
      "WHERE (`id`, `code`, `day`) IN ((1, _utf8mb4 x'69742773', '2024-02-29 23:59:59.999000'))",
    );
  });
});
