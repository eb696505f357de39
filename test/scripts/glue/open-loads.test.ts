import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { putDmsEpoch, readDmsEpochs } from '../../../src/core/change-file/dms-epoch.ts';
import { tableFolder } from '../../../src/core/change-file/layout.ts';
import { askDmsLoad } from '../../../src/core/pipeline/aws-run/ask-dms-load.ts';
import { replicateOnAws } from '../../../src/core/pipeline/aws-run/replicate.ts';
import { openLocalStore } from '../../../src/core/store/local.ts';
import type { Store } from '../../../src/core/store/store.ts';
import { hasWorld, makeWorld, type World, watchCalls } from '../../core/pipeline/aws-run/world.ts';
import { dmsSequence, putDialect, putDmsChanges, putDmsLoad } from '../../support/aws/dms-writer.ts';
import { type AwsEmulator, EMULATOR_PYTHON, startAwsEmulator } from '../../support/aws/emulator.ts';
import { makeRole, policy } from '../../support/aws/stack.ts';
import { type CdcMergeChild, startCdcMergeChild } from '../../support/cdc-merge-child.ts';
import { pythonOf } from '../../support/python-environment.ts';
import { mergeWithoutRows, mergeWithoutRowsInPython, type Patience, plansOf } from '../../support/rowless-merge.ts';
import { startTestServer, type TestServer } from '../../support/servers.ts';
import { StagedTable, TABLE } from '../../support/staged-table.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

const GLUE_ROLE = 'shop-glue';

describe.skipIf(!(await hasWorld()))('a load of DMS that nobody waits for, in both planners', () => {
  let aws: AwsEmulator;
  let server: TestServer;
  let child: CdcMergeChild;
  let world: World;
  let table: StagedTable;

  beforeAll(async () => {
    [aws, server] = await Promise.all([startAwsEmulator(), startTestServer('mysql')]);
    // As a run of the Glue job calls: with the rights of its role.
    child = startCdcMergeChild(await pythonOf(EMULATOR_PYTHON), {
      ...process.env,
      ...aws.env,
      AWS_ACCESS_KEY_ID: `glue.${GLUE_ROLE}`,
    });
  });
  afterAll(async () => {
    await child?.stop();
    await Promise.all([aws?.stop(), server?.stop()]);
  });
  beforeEach(async () => {
    await aws.reset();
    world = await makeWorld(aws, server);
    await aws.control({ statistics_page: 1 });
    table = new StagedTable(await temporaryFolder());
    await putDialect(table.staging);
  });

  const mayAsk = () =>
    makeRole(world.clients, GLUE_ROLE, 'glue.amazonaws.com', {
      actions: ['dms:DescribeTableStatistics'],
      resources: ['arn:aws:dms:*:*:task:*'],
    });
  const says = (statistics: Record<string, string | number | boolean>) =>
    aws.control({ statistics: { 'shop.orders': statistics } });
  const begin = (request = { fullLoad: true, ongoing: false }) =>
    replicateOnAws({ ...world.run, staging: table.staging, request, wait: false });
  const load = (rows: string[][]) =>
    putDmsLoad(table.staging, table.define(1n, 'id int not null, note varchar(50)'), rows);
  const epochOf = async (staging: Store) => (await readDmsEpochs(staging, TABLE)).at(-1);
  const asked = () => askDmsLoad(async () => ({ session: world.run.session, staging: table.staging }));

  /** By both, each on a staging of its own; they must agree on every word, plan and epoch. */
  const merge = async (patience: Patience = { run_seconds: 0 }) => {
    const copy = join(table.root, `copy ${Math.random()}`);
    await cp(table.staging.location, copy, { recursive: true, preserveTimestamps: true });
    const ours = { staging: table.staging, lake: table.lake, table: TABLE, appId: 'test' };
    const theirs = { ...ours, staging: openLocalStore(copy), lake: openLocalStore(join(copy, 'lake')) };
    const here = await mergeWithoutRows({ ...ours, askLoad: asked() }, undefined);
    const there = await mergeWithoutRowsInPython(child, theirs, undefined, { patience });
    expect(there.outcome).toEqual(here.outcome);
    expect(await plansOf(theirs.lake, TABLE)).toEqual(await plansOf(ours.lake, TABLE));
    expect(await epochOf(theirs.staging)).toEqual(await epochOf(ours.staging));
    return { ...here.outcome, epoch: await epochOf(ours.staging) };
  };

  it('is merged once DMS says that it is complete, and that is written down as replicate does', async () => {
    await mayAsk();
    await begin();
    await load([['1', 'a']]);
    await says({ TableState: 'Full load', FullLoadRows: 1 });
    const loading = { state: 'loading', task: 'shop-full-load', firstRun: true };
    expect(await merge()).toMatchObject({
      waiting: 'shop.orders: 1 file of DMS wait until its load is complete (DMS says: Full load)',
      epoch: loading,
    });
    // Of a task that never ran before, whatever it shows is of this load: a small one may leave no time.
    await says({ TableState: 'Table completed', FullLoadRows: 1 });
    expect(await merge()).toMatchObject({
      files: 1,
      waits: undefined,
      epoch: { ...loading, state: 'complete', rows: 1 },
    });
  });

  it('is merged with every file that is there when DMS says so, and as an empty table without any', async () => {
    await mayAsk();
    await begin();
    await says({ FullLoadRows: 0 });
    expect(await merge()).toMatchObject({ files: 0, epoch: { state: 'complete', rows: 0 } });
    expect(Object.keys(await plansOf(table.lake, TABLE))).toHaveLength(1);

    const folder = `${tableFolder(TABLE)}LOAD00000002.csv`;
    const epoch = await epochOf(table.staging);
    if (epoch === undefined) throw new Error('there is no epoch');
    const { rows: _, ...open } = epoch;
    await putDmsEpoch(table.staging, { ...open, state: 'loading' });
    await load([['1', 'a']]);
    const late = async () => {
      await table.staging.put(folder, (await table.staging.get(`${tableFolder(TABLE)}LOAD00000001.csv`)).toString());
    };
    const before = asked();
    const { outcome } = await mergeWithoutRows(
      {
        staging: table.staging,
        lake: openLocalStore(join(table.root, 'another lake')),
        table: TABLE,
        appId: 'test',
        async askLoad(one) {
          await late();
          return await before(one);
        },
      },
      undefined,
    );
    expect(outcome).toMatchObject({ files: 2 });
  });

  it('is not taken for complete by what DMS shows of an earlier load, of a broken one, or of rows that it lost', async () => {
    await mayAsk();
    await begin();
    await load([['1', 'a']]);
    const first = await epochOf(table.staging);
    if (first === undefined) throw new Error('there is no epoch');
    await putDmsEpoch(table.staging, { ...first, firstRun: undefined });
    const started = first.started.getTime() / 1000;
    const why = async (statistics: Record<string, string | number | boolean>) => {
      await says(statistics);
      const { waiting, epoch } = await merge();
      expect(epoch?.state).toBe('loading');
      return /\((.*)\)$/.exec(waiting ?? '')?.[1];
    };
    expect(await why({ FullLoadEndTime: started - 60 })).toBe('DMS shows an earlier load of it');
    expect(await why({})).toBe('DMS shows an earlier load of it');
    expect(await why({ TableState: 'Table error' })).toBe('DMS stopped it after an error (Table error)');
    expect(await why({ FullLoadErrorRows: 2, FullLoadEndTime: started + 60 })).toBe(
      '2 of its rows were not written (Table completed)',
    );
    expect(await why({ TableName: 'another' })).toBe('the replication task shop-full-load does not have it');
    // Of a reload DMS may count the rows of the loads before it too.
    await says({ FullLoadReloaded: true, FullLoadRows: 7, FullLoadEndTime: started + 60 });
    const { epoch } = await merge();
    expect(epoch).toMatchObject({ state: 'complete' });
    expect(epoch?.rows).toBeUndefined();
  });

  it('waits as before, and says why, where DMS cannot be asked', async () => {
    await begin();
    await load([['1', 'a']]);
    const run = { staging: table.staging, lake: table.lake, table: TABLE, appId: 'test' };
    const isDenied = async () => {
      const { outcome } = await mergeWithoutRowsInPython(child, run, undefined, { patience: {} });
      expect(outcome).toMatchObject({
        waits: 'loading',
        waiting: expect.stringMatching(/\(DMS could not be asked: .*shop-glue is not authorized to perform: dms:Desc/),
      });
    };
    await isDenied();
    // The right to ask about the tasks of another pipeline.
    await makeRole(world.clients, GLUE_ROLE, 'glue.amazonaws.com');
    const asks = { Effect: 'Allow', Action: 'dms:DescribeTableStatistics', Resource: '*' };
    const ofAnother = { ...asks, Condition: { StringEquals: { 'aws:ResourceTag/cdc:pipeline': 'another' } } };
    await world.clients.iam.putRolePolicy({
      RoleName: GLUE_ROLE,
      PolicyName: 'own',
      PolicyDocument: policy(ofAnother),
    });
    await isDenied();
    watchCalls({ kind: 'denied', operation: 'dms:DescribeTableStatistics' });
    const { outcome } = await mergeWithoutRows({ ...run, askLoad: asked() }, undefined);
    expect(outcome).toMatchObject({
      waits: 'loading',
      waiting: expect.stringContaining('dms:DescribeTableStatistics'),
    });
    expect(await epochOf(table.staging)).toMatchObject({ state: 'loading' });

    // Without a word from whoever began the load, nobody is asked.
    const epoch = await epochOf(table.staging);
    if (epoch === undefined) throw new Error('there is no epoch');
    await putDmsEpoch(table.staging, { ...epoch, taskArn: undefined });
    const unknown = await mergeWithoutRowsInPython(child, run, undefined, { patience: {} });
    expect(unknown.outcome.waiting).toBe('shop.orders: 1 file of DMS wait until its load is complete');
  });

  it('is asked about again by a run of the Glue job for a while, when its last file is young', async () => {
    await mayAsk();
    await begin();
    await load([['1', 'a']]);
    const named = new Date(Date.now() + 1000);
    const change = { op: 'U' as const, row: ['1', 'b'], sequence: dmsSequence(named, 1) };
    await putDmsChanges(table.staging, table.define(1n, 'id int not null, note varchar(50)'), [change], { named });
    await says({ TableState: 'Full load', times: 3 });
    const run = { staging: table.staging, lake: table.lake, table: TABLE, appId: 'test' };
    const once = await mergeWithoutRowsInPython(child, run, undefined, { patience: { file_seconds: 0 } });
    expect(once.outcome).toMatchObject({ waits: 'loading' });
    const patience = { every_seconds: 0.01, round_seconds: 0.02, run_seconds: 600 };
    const patient = await mergeWithoutRowsInPython(child, run, undefined, { patience });
    expect(patient.outcome).toMatchObject({ waits: undefined, files: 2 });
  });
});
