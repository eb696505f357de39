import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { mergeLease } from '../../../src/core/change-file/layout.ts';
import { changeNumber } from '../../../src/core/change-number.ts';
import { parseConfig } from '../../../src/core/config.ts';
import { withEngine } from '../../../src/core/engine/engine.ts';
import { mergeTable } from '../../../src/core/merge/merge-table.ts';
import { openPipeline } from '../../../src/core/pipeline/pipeline.ts';
import { silent } from '../../../src/core/progress.ts';
import { formatLease, leaseKey } from '../../../src/core/store/lease-file.ts';
import { failOperation } from '../../support/aws/calls.ts';
import { type AwsClients, awsClients, seenUntil } from '../../support/aws/clients.ts';
import { type AwsEmulator, hasAwsEmulator, startAwsEmulator } from '../../support/aws/emulator.ts';
import { makeRole } from '../../support/aws/stack.ts';
import { askOnly } from '../../support/s3-environment.ts';
import { StagedTable, TABLE } from '../../support/staged-table.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';
import { watchCalls } from './aws-run/world.ts';

const JOB = 'shop-merge';
const BUCKET = 'shop-code';

describe.skipIf(!(await hasAwsEmulator()))('the lease of a Glue run, before a merge on this machine', () => {
  let aws: AwsEmulator;
  let clients: AwsClients;
  beforeAll(async () => {
    aws = await startAwsEmulator({ glueCommand: 'python3' });
    clients = awsClients(aws);
    askOnly(aws.url);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await aws?.stop();
  });
  beforeEach(async () => {
    await aws.reset();
    await clients.s3.createBucket({ Bucket: BUCKET, CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' } });
    await clients.glue.createJob({
      Name: JOB,
      Role: await makeRole(clients, 'shop-glue', 'glue.amazonaws.com'),
      Command: { Name: 'glueetl', ScriptLocation: `s3://${BUCKET}/merge.py`, PythonVersion: '3' },
    });
  });

  /** A run of a script, in the state that it comes to. */
  async function run(script: string, state: string): Promise<string> {
    await clients.s3.putObject({ Bucket: BUCKET, Key: 'merge.py', Body: script });
    const { JobRunId: RunId = '' } = await clients.glue.startJobRun({ JobName: JOB });
    if (state === 'STOPPED') await clients.glue.batchStopJobRun({ JobName: JOB, JobRunIds: [RunId] });
    await seenUntil(state, async () => (await clients.glue.getJobRun({ JobName: JOB, RunId })).JobRun?.JobRunState);
    return RunId;
  }

  /** One pending load of one row, under a lease that this run holds. */
  async function heldBy(runId: string) {
    const folder = await temporaryFolder();
    const pipeline = openPipeline(
      parseConfig({ file: join(folder, 'cdc.yaml'), text: 'name: shop\nsource: mysql://cdc@127.0.0.1:1\n' }),
      {},
    );
    const table = new StagedTable(folder, pipeline);
    const definition = table.define(changeNumber(1, 0));
    await table.putDefinition(definition);
    await table.putLoad(definition, [['1', 'a', '5']], { number: changeNumber(1, 0) });
    const since = new Date().toISOString();
    const holder = {
      engine: 'spark',
      host: 'ip-172-31-0-1',
      pid: 7,
      runId,
      leaseId: 'lease',
      since,
      job: JOB,
    } as const;
    await table.lake.put(leaseKey(mergeLease(TABLE), 4), formatLease('held', holder));
    return (leaseWaitMs = 0) =>
      withEngine(pipeline.engineOptions, (engine) =>
        mergeTable({ ...pipeline.mergeOf(TABLE), engine, leaseWaitMs, progress: silent }),
      );
  }

  test.each([
    ['SUCCEEDED', 'pass'],
    ['FAILED', 'raise SystemExit(1)'],
    ['STOPPED', 'import time; time.sleep(60)'],
  ])('is free when Glue says %s', async (state, script) => {
    const merge = await heldBy(await run(script, state));
    expect(await merge()).toMatchObject({ inserted: 1, version: 0 });
  });

  test('is held while it runs, whose error says which run it is and how to end it; and Glue is not asked all the time', async () => {
    const id = await run('import time; time.sleep(60)', 'RUNNING');
    const merge = await heldBy(id);
    const calls = watchCalls();
    await expect(merge(1000)).rejects.toMatchObject({
      code: 'lease.held',
      message: expect.stringMatching(
        new RegExp(`held by spark, run ${id} of the Glue job ${JOB}, .*Glue says RUNNING`),
      ),
      hint: `wait until it is over, or stop it: aws glue batch-stop-job-run --job-name ${JOB} --job-run-ids ${id}`,
    });
    expect(calls.count('GetJobRun')).toBe(1);
    await clients.glue.batchStopJobRun({ JobName: JOB, JobRunIds: [id] });
  });

  test('is held when Glue does not know the run, or does not say', async () => {
    const merge = await heldBy('jr_of_another_account');
    await expect(merge()).rejects.toMatchObject({
      code: 'lease.held',
      message: expect.stringMatching(/Glue knows no such run in account \d+, eu-west-1/),
      hint: expect.stringContaining('cdc merge --take-over'),
    });
    const denied = await heldBy(await run('pass', 'SUCCEEDED'));
    watchCalls(failOperation('glue:GetJobRun', 'denied'));
    await expect(denied()).rejects.toMatchObject({
      code: 'lease.held',
      message: expect.stringContaining('glue:GetJobRun'),
      hint: expect.stringMatching(/right.*or, when that run is over: cdc merge --take-over/s),
    });
  });
});
