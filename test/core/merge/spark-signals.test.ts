/** The job of Spark while one of its requests to S3 is held back: nobody else gets the table while something of it may still commit. */

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { putDmsEpoch } from '../../../src/core/change-file/dms-epoch.ts';
import { definitionKey, tableFolder } from '../../../src/core/change-file/layout.ts';
import { changeNumber } from '../../../src/core/change-number.ts';
import { openEngine } from '../../../src/core/engine/engine.ts';
import { mergeTable } from '../../../src/core/merge/merge-table.ts';
import { definitionToJson } from '../../../src/core/table-definition.ts';
import { TestBucket } from '../../support/aws/bucket.ts';
import { dmsSequence, putDialect, putDmsChanges } from '../../support/aws/dms-writer.ts';
import { type AwsEmulator, hasAwsEmulator, startAwsEmulator } from '../../support/aws/emulator.ts';
import { daySample, repeatable } from '../../support/day-sample.ts';
import { HoldingProxy, type Passing } from '../../support/holding-proxy.ts';
import { hasDeltaReader } from '../../support/python.ts';
import { askOnly } from '../../support/s3-environment.ts';
import { type SparkJob, startSparkJob } from '../../support/spark-job.ts';
import { hasSpark } from '../../support/spark-parts.ts';
import { StagedTable, TABLE } from '../../support/staged-table.ts';
import { inBucket } from '../../support/table-place.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

const isThere = (await hasSpark()) && (await hasDeltaReader()) && (await hasAwsEmulator());

const commitOf = (version: number) => `/_delta_log/${String(version).padStart(20, '0')}.json`;
const writes = (version: number) => (one: Passing) => one.method === 'PUT' && one.path.includes(commitOf(version));
const releasesLease = ({ method, path, body }: Passing) =>
  method === 'PUT' && path.includes('/_cdc/lease/') && body.includes('"state":"released"');

describe.runIf(isThere)('a job of Spark of which one request is held', () => {
  let aws: AwsEmulator;
  let bucket: TestBucket;
  let proxy: HoldingProxy;
  beforeAll(async () => {
    aws = await startAwsEmulator();
    askOnly(aws.url);
    bucket = await TestBucket.make(aws, 'shop-data');
    proxy = await HoldingProxy.start(aws.url);
  }, 120_000);
  afterAll(async () => {
    vi.unstubAllEnvs();
    await proxy?.stop();
    await aws?.stop();
  });

  /** Version 0 is in the lake; a load under another key waits, so that Spark alters the table (version 1) before it replaces it. */
  async function reloadUnderAnotherKey() {
    const root = await temporaryFolder();
    const engine = await openEngine({ tempDirectory: `${root}/.tmp-engine`, threads: 1 });
    onTestFinished(() => engine.close());
    const place = inBucket(bucket, root);
    const table = new StagedTable(root, place.stores('signals'));
    const options = { ...table.options(engine), appId: 'cdc/shop/shop.orders' };
    const load = async (number: bigint, key: string[]) => {
      const definition = table.define(number, 'id int not null, name varchar(50) not null, qty int', key);
      await table.putDefinition(definition);
      await table.putLoad(definition, [['1', 'a', '5']], { number });
    };
    await load(changeNumber(1, 0), ['id']);
    await mergeTable(options);
    await load(changeNumber(2, 0), ['id', 'name']);
    const job = await startSparkJob(table, { pythonFirst: true, env: { AWS_ENDPOINT_URL: proxy.url } });
    return { job, table, options, rows: () => place.read(table.lake, TABLE) };
  }

  const arrives = async (held: Promise<unknown>, { ended }: SparkJob) =>
    await Promise.race([held, ended.then(({ stderr }) => Promise.reject(new Error(stderr)))]);
  /** While its request is held; Hadoop's client gives that up by itself after some minutes. */
  const endOf = async ({ ended }: SparkJob) =>
    await Promise.race([ended, sleep(90_000).then(() => Promise.reject(new Error('it goes on and waits')))]);
  const released = () => {
    const seen = { released: false };
    proxy.onRequest = (passing) => {
      seen.released ||= releasesLease(passing);
    };
    return seen;
  };

  /** Version 1 sets the properties, version 2 replaces the rows. */
  async function endsInOrder(version: 1 | 2): Promise<void> {
    const seen = released();
    const commit = proxy.holdNext(writes(version));
    const { job, options, rows } = await reloadUnderAnotherKey();
    await arrives(commit.held, job);
    job.process.kill('SIGTERM');
    // Long enough for whoever does not wait; a release must not come however long this is.
    await sleep(3000);
    expect(seen.released).toBe(false);
    commit.letGo();
    expect((await job.ended).stderr).toContain('interrupted by SIGTERM');
    expect(seen.released).toBe(true);
    // What was under way is there, and nothing after it was begun.
    const changes = version === 1 ? 1 : 0;
    expect(await mergeTable({ ...options, leaseWaitMs: 0 })).toMatchObject({ version: 2, changes });
    expect(await rows()).toEqual([{ id: 1, name: 'a', qty: 5 }]);
  }

  async function endsAtOnce(): Promise<void> {
    const seen = released();
    const read = proxy.holdNext(({ method, path }) => method === 'GET' && path.includes('LOAD00000002.csv'));
    const { job, options } = await reloadUnderAnotherKey();
    await arrives(read.held, job);
    job.process.kill('SIGTERM');
    expect((await endOf(job)).stderr).toContain('interrupted by SIGTERM');
    read.letGo();
    expect(seen.released).toBe(true);
    expect(await mergeTable({ ...options, leaseWaitMs: 0 })).toMatchObject({ version: 1, changes: 1 });
  }

  /** Spark's own read of a change file of DMS, before there is anything to merge. */
  async function endsWhileItLooks(): Promise<void> {
    const root = await temporaryFolder();
    const table = new StagedTable(root, inBucket(bucket, root).stores('looks'));
    const definition = table.define(1n);
    await putDialect(table.staging);
    await table.staging.put(definitionKey(TABLE, 1n), JSON.stringify(definitionToJson(definition)));
    await putDmsEpoch(table.staging, {
      ...TABLE,
      kind: 'start',
      state: 'complete',
      task: 't',
      caches: false,
      started: new Date(),
      definition: 1n,
    });
    const named = new Date(Date.now() + 1000);
    const change = { op: 'I' as const, row: ['1', 'a', null], sequence: dmsSequence(named, 1) };
    const key = await putDmsChanges(table.staging, definition, [change], { named });
    // Its first line and its end are read by the script itself.
    let reads = 0;
    const read = proxy.holdNext(({ method, path }) => method === 'GET' && path.includes(key) && ++reads > 2);
    const job = await startSparkJob(table, { pythonFirst: true, env: { AWS_ENDPOINT_URL: proxy.url } });
    await arrives(read.held, job);
    job.process.kill('SIGTERM');
    expect((await endOf(job)).stderr).toContain('interrupted by SIGTERM');
    read.letGo();
  }

  async function plansAgain(): Promise<void> {
    // Delta looks whether the version is there before it writes it.
    const look = proxy.holdNext(({ path }) => path.includes(commitOf(1)));
    const { job, table, rows } = await reloadUnderAnotherKey();
    await arrives(look.held, job);
    const log = `${tableFolder(TABLE)}_delta_log/`;
    const first = (await table.lake.get(`${log}${'0'.repeat(20)}.json`)).toString().split('\n');
    const meta = first.find((line) => line.startsWith('{"metaData"')) ?? '';
    const other = meta.replace('"configuration":{', '"configuration":{"some.thing":"else",');
    expect(other).not.toBe(meta);
    const operation = { timestamp: Date.now(), operation: 'SET TBLPROPERTIES', operationParameters: {} };
    await table.lake.put(`${log}${'0'.repeat(19)}1.json`, `${JSON.stringify({ commitInfo: operation })}\n${other}\n`);
    look.letGo();
    const { code, stderr, report } = await job.ended;
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    expect(report).toMatchObject({ tables: [{ changes: 1, version: 3 }] });
    expect(await rows()).toEqual([{ id: 1, name: 'a', qty: 5 }]);
  }

  const TESTS = [
    ['on SIGTERM while it sets properties keeps its lease until that has ended', () => endsInOrder(1)],
    ['on SIGTERM while it replaces the rows keeps its lease until that has ended', () => endsInOrder(2)],
    ['on SIGTERM while it waits for S3 itself ends at once', endsAtOnce],
    ['on SIGTERM while it looks through a file of DMS ends at once', endsWhileItLooks],
    ['when somebody else alters the table while it does plans again', plansAgain],
  ] as const;
  it.each(daySample(TESTS, 1))(
    '%s',
    async (name, run) => {
      repeatable('test/core/merge/spark-signals.test.ts', name);
      await run();
    },
    240_000,
  );
});
