import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CloudWatch } from '@aws-sdk/client-cloudwatch';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { rightsNeeded } from '../../../../src/core/pipeline/aws/rights.ts';
import { type AwsLogLine, type LogSource, logsOnAws } from '../../../../src/core/pipeline/aws-run/logs.ts';
import { reloadOnAws, tablesToReload } from '../../../../src/core/pipeline/aws-run/reload.ts';
import { replicateOnAws } from '../../../../src/core/pipeline/aws-run/replicate.ts';
import { RUN_RIGHTS } from '../../../../src/core/pipeline/aws-run/run-rights.ts';
import { startOnAws } from '../../../../src/core/pipeline/aws-run/start.ts';
import { isUnwellOnAws, statusOnAws } from '../../../../src/core/pipeline/aws-run/status.ts';
import { stopOnAws } from '../../../../src/core/pipeline/aws-run/stop.ts';
import { triggerOnAws } from '../../../../src/core/pipeline/aws-run/trigger.ts';
import type { AwsCall } from '../../../support/aws/call-faults.mjs';
import { seenUntil } from '../../../support/aws/clients.ts';
import { type AwsEmulator, REGION } from '../../../support/aws/emulator.ts';
import { findBadRequests } from '../../../support/aws/request-oracle.ts';
import { ensureLambdaBundled } from '../../../support/build.ts';
import type { TestServer } from '../../../support/servers.ts';
import { temporaryFolder } from '../../../support/temp-folder.ts';
import {
  alterAnswers,
  eachInItsWorld,
  hasWorld,
  makeMerge,
  NODE_MODULES,
  testConfig,
  type World,
  watchCalls,
} from './world.ts';

const FILE = 'shop/orders/20261123-101530123.csv';

describe.skipIf(!(await hasWorld()))('a pipeline on AWS with its merge', () => {
  let aws: AwsEmulator;
  let server: TestServer;
  let world: World;
  beforeAll(ensureLambdaBundled);
  eachInItsWorld(
    (place) => {
      ({ aws, server, world } = place);
    },
    { nodeModules: NODE_MODULES },
  );
  beforeEach(async () => {
    await makeMerge(world);
  });

  const replicate = (fullLoad = true, ongoing = true) =>
    replicateOnAws({ ...world.run, request: { fullLoad, ongoing }, wait: true });
  const runs = async () => {
    const { JobRuns } = await world.clients.glue.getJobRuns({ JobName: world.run.names.job });
    return (JobRuns ?? []).map(({ JobRunState }) => JobRunState);
  };
  const trigger = async (file = FILE) => {
    await world.staging.put(FILE, 'Op,id\n');
    return triggerOnAws({ ...world.run, staging: world.staging, file, wait: true });
  };

  test('a load is merged when its tables are complete, by one run that is waited for', async () => {
    const report = await replicate();
    expect(report.merge).toEqual({ run: expect.any(String), seconds: expect.any(Number) });
    expect(await runs()).toEqual(['SUCCEEDED']);
    await replicate();
    expect(await runs()).toHaveLength(1);
  });

  test('a merge that fails makes the load a failure, with the words of the job', async () => {
    await world.clients.glue.updateJob({
      JobName: world.run.names.job,
      JobUpdate: {
        Role: 'arn:aws:iam::123456789012:role/shop-glue',
        Command: { Name: 'glueetl', ScriptLocation: 's3://x/y', PythonVersion: '3' },
        DefaultArguments: { '--emulator-fail': 'no such bucket' },
      },
    });
    await expect(replicate()).rejects.toMatchObject({
      code: 'merge.failed',
      message: expect.stringContaining('no such bucket'),
    });
    const report = await statusOnAws(world.run);
    const failed = { state: 'FAILED', error: expect.stringContaining('no such bucket') };
    expect(report.aws.merge).toMatchObject(failed);
    expect(report.aws.merges).toMatchObject([failed]);
    expect(isUnwellOnAws(report)).toBe(true);
  });

  test('trigger: the function itself is called with the event of the file, and its run followed to the end', async () => {
    expect(await trigger()).toEqual({
      store: 's3://shop-staging',
      key: FILE,
      file: '20261123-101530123.csv',
      run: expect.any(String),
      state: 'SUCCEEDED',
      seconds: expect.any(Number),
      reason: null,
      tables: [],
    });
    expect(await trigger(`s3://shop-staging/${FILE}`)).toMatchObject({ key: FILE, state: 'SUCCEEDED' });
    expect(await runs()).toEqual(['SUCCEEDED', 'SUCCEEDED']);
  });

  test('trigger: a file that is not there, or is none, is refused before anything is called', async () => {
    const calls = watchCalls();
    for (const file of ['shop/orders/20261123-101530124.csv', 'shop/orders/notes.txt', '_cdc/dms.json'])
      await expect(trigger(file)).rejects.toMatchObject({ code: 'file.missing' });
    expect(calls.count('Invoke')).toBe(0);
  });

  test('trigger: a run that has not begun will see the file, so no other is started', async () => {
    await aws.setTransition('glue::job_run', { progression: 'time', seconds: 600 });
    await world.clients.glue.startJobRun({ JobName: world.run.names.job });
    expect(await trigger()).toMatchObject({ run: null, reason: expect.stringContaining('has not begun yet') });
    expect(await runs()).toEqual(['STARTING']);
  });

  test('trigger: while a run works, the function throws its event back, and trigger names the run', async () => {
    const { glue } = world.clients;
    const JobName = world.run.names.job;
    const { JobRunId = '' } = await glue.startJobRun({ JobName });
    await seenUntil('RUNNING', async () => (await glue.getJobRun({ JobName, RunId: JobRunId })).JobRun?.JobRunState);
    await aws.setTransition('glue::job_run', { progression: 'time', seconds: 600 });
    expect(await trigger()).toMatchObject({ run: JobRunId, state: 'busy' });
    const report = await statusOnAws(world.run);
    // Which is no error: S3 brings it again.
    expect(report.aws.function.last_error).toBeNull();
  });

  test('a file in staging wakes the job by itself, once', async () => {
    const { clients, run } = world;
    const { Configuration } = await clients.lambda.getFunction({ FunctionName: run.names.function });
    await clients.lambda.addPermission({
      FunctionName: run.names.function,
      StatementId: 's3',
      Action: 'lambda:InvokeFunction',
      Principal: 's3.amazonaws.com',
      SourceArn: `arn:aws:s3:::${run.names.stagingBucket}`,
    });
    await clients.s3.putBucketNotificationConfiguration({
      Bucket: run.names.stagingBucket,
      NotificationConfiguration: {
        LambdaFunctionConfigurations: [
          { LambdaFunctionArn: Configuration?.FunctionArn ?? '', Events: ['s3:ObjectCreated:*'] },
        ],
      },
    });
    const put = (Key: string) => clients.s3.putObject({ Bucket: run.names.stagingBucket, Key, Body: 'x' });
    await put('_cdc/dms.json');
    await put('shop/odd name & 100%+/20261123-101530123.csv');
    const lines = await logLines('lambda', (all) => all.filter(({ text }) => text.includes('"level"')).length >= 2);
    expect(lines.filter(({ text }) => text.includes('started the job'))).toEqual([
      expect.objectContaining({ text: expect.stringContaining('shop/odd name & 100%+/20261123-101530123.csv') }),
    ]);
    expect(await runs()).toHaveLength(1);
  });

  test('reload: in the task that loads and follows, and the merge takes it up', async () => {
    await replicate();
    const tables = await tablesToReload(world.run, ['shop.ord%']);
    expect(tables).toEqual([{ schema: 'shop', table: 'orders' }]);
    const calls = watchCalls();
    expect(await reloadOnAws({ ...world.run, tables })).toEqual({
      tables: ['shop.orders'],
      merge: { run: expect.any(String), seconds: expect.any(Number) },
    });
    expect(calls.calls.find(({ operation }) => operation === 'ReloadTables')?.input).toMatchObject({
      TablesToReload: [{ SchemaName: 'shop', TableName: 'orders' }],
    });
    await expect(tablesToReload(world.run, ['shop.nothing'])).rejects.toMatchObject({ code: 'table.not-followed' });
  });

  test('reload: beside a task that only follows, by a task of its own that is gone afterwards', async () => {
    await replicate(true, false);
    await replicate(false, true);
    const calls = watchCalls();
    await reloadOnAws({ ...world.run, tables: [{ schema: 'shop', table: 'orders' }] });
    const [made] = calls.calls.filter(({ operation }) => operation === 'CreateReplicationTask');
    expect(made?.input).toMatchObject({ ReplicationTaskIdentifier: 'shop-reload', MigrationType: 'full-load' });
    expect(made?.input.TableMappings).not.toContain('persons');
    expect((await aws.alive())['dms:task']).toEqual(['eu-west-1:shop-cdc', 'eu-west-1:shop-full-load']);
  });

  test('reload: of a pipeline that stands still is refused', async () => {
    await replicate();
    await stopOnAws({ ...world.run, all: false });
    await expect(reloadOnAws({ ...world.run, tables: [{ schema: 'shop', table: 'orders' }] })).rejects.toMatchObject({
      code: 'task.stopped',
      hint: expect.stringContaining('cdc start'),
    });
  });

  test('status: before, while and after', async () => {
    const before = await statusOnAws(world.run);
    expect(before).toMatchObject({
      target: 'aws',
      worker: { state: 'not running', pid: null },
      server: 'available',
      tables: [],
      aws: { tasks: [], connections: { source: 'not tested' }, function: { state: 'Active', last_error: null } },
    });
    await replicate();
    const running = await statusOnAws(world.run);
    expect(running).toMatchObject({
      slots: { capture: 'dms', merge: 'glue', store: 's3://shop-staging/, s3://shop-lake/' },
      worker: { state: 'running' },
      tables: [
        { schema: 'shop', table: 'orders', state: 'following', error: null, pending_files: null },
        { schema: 'shop', table: 'persons', state: 'following' },
      ],
      aws: {
        replication_instance: 'available',
        connections: { source: 'successful', target: 'successful' },
        tasks: [{ name: 'shop-full-load-and-cdc', kind: 'full-load-and-cdc', state: 'running', percent: 100 }],
        merge: { state: 'SUCCEEDED', error: null },
        sweep: 'activated',
        cost: { daily_usd: 1.53 },
      },
    });
    expect(isUnwellOnAws(running)).toBe(false);

    await stopOnAws({ ...world.run, all: false });
    const stopped = await statusOnAws(world.run);
    expect(stopped).toMatchObject({
      worker: { state: 'stopped' },
      server: 'stopped',
      tables: [{ state: 'idle' }, { state: 'idle' }],
      aws: { tasks: [{ reason: 'NORMAL' }], sweep: 'deactivated', cost: { daily_usd: 0.65 } },
    });
    expect(isUnwellOnAws(stopped)).toBe(true);
  });

  test('status: how far the task is behind, as DMS measures it', async () => {
    await replicate();
    expect((await statusOnAws(world.run)).aws.latency).toBeNull();
    const { ReplicationTasks } = await world.clients.dms.describeReplicationTasks({});
    const cloudwatch = new CloudWatch({
      endpoint: aws.url,
      region: REGION,
      credentials: { accessKeyId: 'testing', secretAccessKey: 'testing' },
    });
    for (const [MetricName, Value] of [
      ['CDCLatencySource', 2],
      ['CDCLatencyTarget', 7],
    ] as const)
      await cloudwatch.putMetricData({
        Namespace: 'AWS/DMS',
        MetricData: [
          {
            MetricName,
            Value,
            Timestamp: new Date(world.clock.now() - 60_000),
            Dimensions: [
              { Name: 'ReplicationInstanceIdentifier', Value: 'shop-dms' },
              {
                Name: 'ReplicationTaskIdentifier',
                Value: ReplicationTasks?.[0]?.ReplicationTaskArn?.split(':').pop() ?? '',
              },
            ],
          },
        ],
      });
    const report = await statusOnAws(world.run);
    expect(report.aws.latency).toEqual({ source_seconds: 2, target_seconds: 7 });
    expect(report.tables[0]).toMatchObject({ state: 'following', lag_seconds: 7 });
  });

  test('status: of a pipeline of which nothing is there', async () => {
    await aws.reset();
    const report = await statusOnAws(world.run);
    expect(report).toMatchObject({
      worker: { state: 'not running' },
      server: 'absent',
      aws: { database: 'absent', replication_instance: 'absent', function: { state: 'absent' }, merge: null },
    });
  });

  test('status: a task that failed, a table that DMS stopped', async () => {
    await replicate();
    alterAnswers<{ TableStatistics?: { TableName?: string; TableState?: string }[] }>(
      'DescribeTableStatistics',
      (answer) => {
        for (const table of answer.TableStatistics ?? [])
          if (table.TableName === 'orders') table.TableState = 'Table error';
        return answer;
      },
    );
    await aws.control({ task_fail: 'Last Error disk full' });
    const report = await statusOnAws(world.run);
    expect(report.worker).toMatchObject({ state: 'failed', error: { code: 'task.failed' } });
    expect(report.worker.error?.message).toContain('disk full');
    expect(report.tables[0]).toMatchObject({ state: 'stopped', error: { hint: 'cdc reload shop.orders' } });
    expect(isUnwellOnAws(report)).toBe(true);
  });

  test('every request is one that AWS knows, and the rights that are asked for are those that are used, and no other', async () => {
    const { calls, uninstall } = watchCalls();
    const start = () => startOnAws({ ...world.run, wait: true, makeInstance: async () => {} });
    await server.query('FLUSH BINARY LOGS');
    await replicate();
    await statusOnAws(world.run);
    await reloadOnAws({ ...world.run, tables: [{ schema: 'shop', table: 'orders' }] });
    await trigger();
    for await (const line of logsOnAws({ ...world.run, since: new Date(0), follow: false }))
      expect(line.text).not.toBe('');
    await stopOnAws({ ...world.run, all: false });
    world.run.config = testConfig('dms: { full_load_tasks: 2 }\n');
    await start();
    await stopOnAws({ ...world.run, all: true });
    uninstall();
    const used = new Set(calls.flatMap(rightsOf));
    const looking = new Set(rightsNeeded([]));
    expect([...used].filter((right) => !looking.has(right)).sort()).toEqual([...RUN_RIGHTS].sort());

    // And Amazon's own model of its APIs finds nothing wrong with what was sent.
    const file = join(await temporaryFolder(), 'calls.jsonl');
    await writeFile(file, calls.map((call) => `${JSON.stringify({ pid: process.pid, ...call })}\n`).join(''));
    const { checked, findings } = await findBadRequests(file);
    expect(findings).toEqual([]);
    expect(checked).toBeGreaterThan(50);
  });

  test('logs: of all four, in one stream by time', async () => {
    await trigger();
    const { logs } = world.clients;
    for (const [group, stream, text] of [
      [world.run.names.logGroup.dms, 'dms-task-T', 'task started'],
      ['/aws/rds/instance/shop-db/error', 'shop-db.0', 'ready for connections'],
    ] as const) {
      await logs.createLogGroup({ logGroupName: group });
      await logs.createLogStream({ logGroupName: group, logStreamName: stream });
      await logs.putLogEvents({
        logGroupName: group,
        logStreamName: stream,
        logEvents: [{ timestamp: Date.now(), message: text }],
      });
    }
    const lines = await logLines(undefined, (all) => new Set(all.map(({ from }) => from)).size >= 3);
    expect(lines.map(({ time }) => time)).toEqual(lines.map(({ time }) => time).sort());
    expect(lines).toContainEqual(expect.objectContaining({ from: 'dms', text: 'task started' }));
    expect(lines).toContainEqual(expect.objectContaining({ from: 'rds', text: 'ready for connections' }));
    expect(await logLines('rds', () => true)).toHaveLength(1);
  });

  /** Logs come a moment after what they tell of. */
  async function logLines(
    source: LogSource | undefined,
    isAll: (lines: AwsLogLine[]) => boolean,
  ): Promise<AwsLogLine[]> {
    for (let tries = 0; ; tries++) {
      const lines: AwsLogLine[] = [];
      const options = { ...world.run, since: new Date(0), follow: false, ...(source && { sources: [source] }) };
      for await (const line of logsOnAws(options)) lines.push(line);
      if (isAll(lines) || tries > 200) return lines;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
});

function rightsOf({ service, operation, input }: AwsCall): string[] {
  const action = service === 'lambda' && operation === 'Invoke' ? 'InvokeFunction' : operation;
  return [`${service}:${action}`, ...(service === 'dms' && 'Tags' in input ? ['dms:AddTagsToResource'] : [])];
}
