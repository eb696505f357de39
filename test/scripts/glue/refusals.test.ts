import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { definitionKey, tableFolder } from '../../../src/core/change-file/layout.ts';
import { readNumberRange } from '../../../src/core/change-file/number-range.ts';
import { changeNumber } from '../../../src/core/change-number.ts';
import { readSnapshot } from '../../../src/core/delta/snapshot.ts';
import { openEngine } from '../../../src/core/engine/engine.ts';
import { planKey } from '../../../src/core/merge/ledger.ts';
import { type MergeTableOptions, mergeTable } from '../../../src/core/merge/merge-table.ts';
import { type CdcMergeChild, hasPlainPython, startCdcMergeChild } from '../../support/cdc-merge-child.ts';
import { StagedTable, TABLE } from '../../support/staged-table.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

const number = (count: number) => changeNumber(1, count);
const APP_ID = 'test/shop.orders';

/** What stands in the way of a table that has been merged once, in which both engines must say the same. */
const REFUSALS: Record<
  string,
  {
    code: string;
    arrange(table: StagedTable): Promise<unknown>;
    options?: Partial<MergeTableOptions>;
    python?: Record<string, unknown>;
    /** What a parser says of a text is its own affair. */
    upTo?: string;
  }
> = {
  'a mirror that is to be a history': {
    code: 'table.mode-changed',
    arrange: (table) => table.putChanges(table.define(0n), [upsert(2)]),
    options: { mode: 'append' },
    python: { mode: 'append' },
  },
  'a lake table of another pipeline': {
    code: 'lake.foreign',
    arrange: (table) => table.putLoad(table.define(number(9)), [], { number: number(9) }),
    options: { appId: 'test/other' },
    python: { app_id: 'test/other' },
  },
  'a gap that has been there for too long': {
    code: 'merge.gap',
    arrange: (table) => table.putChanges(table.define(0n), [upsert(3)]),
    options: { gapWaitMs: -60_000 },
    python: { gap_wait_seconds: -60 },
  },
  'a plan that is gone': {
    code: 'ledger.missing',
    arrange: (table) => table.lake.delete(planKey(TABLE, 1)),
  },
  'a plan that is none': {
    code: 'ledger.corrupt',
    arrange: (table) => table.lake.put(planKey(TABLE, 1), '{"format":1}'),
    upTo: 'is not a plan (',
  },
  'a definition that is none': {
    code: 'definition.corrupt',
    arrange: (table) => table.staging.put(definitionKey(TABLE, number(5)), '{'),
    upTo: 'it is not a table definition (',
  },
  'the record of a load that is none': {
    code: 'load.corrupt',
    arrange: (table) => table.staging.put('_cdc/loads/shop/orders/0001000000000000005.json', '[]'),
    upTo: 'it is not the record of a load (',
  },
  'an epoch of DMS that is none': {
    code: 'epoch.corrupt',
    arrange: (table) => table.staging.put('_cdc/dms/shop/orders/20261122-100000000.json', '{}'),
    upTo: 'it is no epoch of a table (',
  },
  'a load file of another length': {
    code: 'input.changed',
    arrange: async (table) => {
      await table.putLoad(table.define(number(9)), [['1', 'a', null]], { number: number(9) });
      await table.staging.put(`${tableFolder(TABLE)}LOAD00000002.csv`, 'cut');
    },
  },
  'a change file of another table': {
    code: 'file.header',
    arrange: (table) =>
      table.putChanges(table.define(0n, 'id int not null, other int'), [{ ...upsert(2), values: ['1', '2'] }]),
  },
  'a column of another type': {
    code: 'schema.unsupported',
    arrange: async (table) => {
      const wider = table.define(number(2), 'id int not null, name varchar(50), qty bigint');
      await table.putDefinition(wider);
      await table.putChanges(wider, [upsert(3)]);
    },
  },
  'a file that is none of the table': {
    code: 'file.unknown',
    arrange: async () => undefined,
    options: { upTo: 'shop/orders/nothing.csv' },
    python: { up_to: 'shop/orders/nothing.csv' },
  },
  'a load file that no record lists': {
    code: 'load.unpublished',
    arrange: (table) => table.staging.put('shop/orders/LOAD00000009.csv', ''),
    options: { upTo: 'shop/orders/LOAD00000009.csv' },
    python: { up_to: 'shop/orders/LOAD00000009.csv' },
  },
  'a lease that somebody holds': {
    code: 'lease.held',
    arrange: async (table) => {
      await table.putChanges(table.define(0n), [upsert(2)]);
      const holder = {
        host: 'elsewhere',
        pid: 1,
        engine: 'spark',
        since: 'then',
        run_id: 'a run',
        lease_id: 'a lease',
      };
      const body = JSON.stringify({ format: 1, state: 'held', ...holder });
      await table.lake.put('shop/orders/_cdc/lease/00000000000000000100.json', body);
    },
    options: { leaseWaitMs: 0 },
    python: { lease_wait_seconds: 0 },
  },
};

describe.skipIf(!hasPlainPython())('what the Python planner refuses', () => {
  let child: CdcMergeChild;
  beforeAll(() => {
    child = startCdcMergeChild();
  });
  afterAll(() => child.stop());

  const merged = async () => {
    const root = await temporaryFolder();
    const engine = await openEngine({ tempDirectory: join(root, '.tmp-engine'), threads: 1 });
    onTestFinished(() => engine.close());
    const table = new StagedTable(root);
    const definition = table.define(0n);
    await table.putDefinition(definition);
    await table.putLoad(definition, [['1', 'a', null]], { number: number(0) });
    await table.putChanges(definition, [upsert(1)]);
    await mergeTable({ ...table.options(engine), appId: APP_ID });
    const now = await readSnapshot({ store: table.lake, folder: tableFolder(TABLE), engine });
    const snapshot = now && {
      version: now.version,
      schema_string: now.metaData.schemaString,
      configuration: now.metaData.configuration,
      txns: Object.fromEntries([...now.txns].map(([app, { version }]) => [app, Number(version)])),
    };
    const merge = async (more: Record<string, unknown> = {}) =>
      await child.ask('merge', {
        staging: table.staging.location,
        lake: table.lake.location,
        ...TABLE,
        app_id: APP_ID,
        snapshot,
        ...more,
      });
    return { table, engine, merge };
  };

  it.each(Object.entries(REFUSALS))('%s: in the words of the local engine', async (_name, refusal) => {
    const { code, arrange, options = {}, python = {}, upTo } = refusal;
    const { table, engine, merge } = await merged();
    await arrange(table);
    const failure = await mergeTable({ ...table.options(engine), appId: APP_ID, ...options }).catch((error) => error);
    expect(failure).toMatchObject({ code });
    const cut = (text: string) => (upTo === undefined ? text : text.slice(0, text.indexOf(upTo) + upTo.length));
    const { error } = (await merge(python)) as { error: { code: string; message: string; hint: string | null } };
    expect(error && { ...error, message: cut(error.message) }).toEqual({
      code,
      message: cut(failure.message),
      hint: failure.hint ?? null,
    });
    if (upTo !== undefined) expect(error.message).toContain(upTo);
  });

  it.each([0, 5000, 70_000])(
    'a change file that shrank to %s bytes since it was listed: in the words of the local engine',
    async (size) => {
      const { table } = await merged();
      const key = 'shop/orders/20990101-000000000.csv';
      const row = (name: string) => `I,t,1,${name},2,${'1'.padStart(35, '0')}\n`;
      const body = `Op,cdc_ts,id,name,amount,cdc_seq\n${row('a')}${row('x'.repeat(99_000))}`;
      await table.staging.put(key, body.slice(0, size));
      const failure = await readNumberRange(table.staging, key, body.length).catch((error) => error);
      expect(failure).toMatchObject({ code: 'input.changed' });
      const question = { location: table.staging.location, key, size: body.length };
      await expect(child.ask('number_range', question)).rejects.toMatchObject({ ...failure, message: failure.message });
    },
  );

  it.each([
    [
      'An error occurred while calling o304.collectToPython.\n: org.apache.spark.SparkException: Job aborted due to stage failure\n\tat a.B(B.scala:1)\nCaused by: java.io.IOException: later\n\tat c.D\nCaused by: java.net.ConnectException: Connection refused\n\tat e.F',
      'org.apache.spark.SparkException: Job aborted due to stage failure (java.net.ConnectException: Connection refused)',
    ],
    ['[DELTA_X] It says this: x.\n\nJVM stacktrace:\nat a.B', '[DELTA_X] It says this: x.'],
    ['', 'Exception'],
  ])('a failure of Spark is told with what is at the bottom of it: %j', async (text, says) => {
    expect(await child.ask('say_failure', { text })).toBe(says);
  });
});

function upsert(count: number) {
  return { op: 'U' as const, number: number(count), values: ['1', 'x', '2'] };
}
