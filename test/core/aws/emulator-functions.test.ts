import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AwsClients, awsClients, seenUntil } from '../../support/aws/clients.ts';
import { ACCOUNT, type AwsEmulator, hasAwsEmulator, startAwsEmulator } from '../../support/aws/emulator.ts';
import { makeFunction, makeRole, STAGING, zipOf } from '../../support/aws/stack.ts';

/** Puts what it was called with into the bucket `seen`, under a key of its own. */
const REPORTER = `
import { S3Client, PutObjectCommand } from '@aws-sdk/client-s3';
export const handler = async (event, context) => {
  console.log('called with', JSON.stringify(event).slice(0, 100));
  for (const { eventName, s3 } of event.Records) {
    const Body = JSON.stringify({ eventName, ...s3, stack: process.env.STACK, name: context.functionName });
    await new S3Client({ forcePathStyle: true }).send(
      new PutObjectCommand({ Bucket: 'seen', Key: s3.object.sequencer, Body }),
    );
  }
};
`;
const ECHO = `
export const handler = async (event, context) => {
  console.log('got', JSON.stringify(event));
  if (event.fail) throw new TypeError('as asked');
  if (event.sleep) await new Promise((resolve) => setTimeout(resolve, event.sleep));
  return { event, stack: process.env.STACK, left: context.getRemainingTimeInMillis() > 0 };
};
`;
const NODE_MODULES = new URL('../../../node_modules', import.meta.url).pathname;

describe.skipIf(!(await hasAwsEmulator()))('code in the emulated AWS account', () => {
  let aws: AwsEmulator;
  let clients: AwsClients;
  beforeAll(async () => {
    aws = await startAwsEmulator({ nodeModules: NODE_MODULES, glueCommand: 'python3' });
    clients = awsClients(aws);
  });
  afterAll(() => aws?.stop());
  beforeEach(() => aws.reset());

  async function invoke(name: string, event: unknown) {
    const reply = await clients.lambda.invoke({
      FunctionName: name,
      Payload: JSON.stringify(event),
      LogType: 'Tail',
    });
    return {
      error: reply.FunctionError,
      answer: JSON.parse(Buffer.from(reply.Payload ?? []).toString()),
      log: Buffer.from(reply.LogResult ?? '', 'base64').toString(),
    };
  }

  it('runs functions of Node, with their environment, and logs what they say', async () => {
    await makeFunction(clients, { name: 'echo', files: { 'index.mjs': ECHO } });
    const { error, answer, log } = await invoke('echo', { a: 'ž' });
    expect({ error, answer }).toEqual({ error: undefined, answer: { event: { a: 'ž' }, stack: 'p', left: true } });
    expect(log).toContain('got {"a":"ž"}');
    const { events } = await clients.logs.filterLogEvents({ logGroupName: '/aws/lambda/echo' });
    expect(events?.map(({ message }) => message).join('\n')).toContain('got {"a":"ž"}');
  });

  it('runs functions of Python', async () => {
    const text = 'def handler(event, context):\n    return {"event": event, "name": context.function_name}\n';
    await makeFunction(clients, { name: 'snake', runtime: 'python3.13', files: { 'index.py': text } });
    expect(await invoke('snake', { a: 1 })).toMatchObject({ answer: { event: { a: 1 }, name: 'snake' } });
  });

  it('reports a function that throws, that runs out of time, or that is not there', async () => {
    await makeFunction(clients, { name: 'echo', files: { 'index.mjs': ECHO }, timeout: 1 });
    expect(await invoke('echo', { fail: true })).toMatchObject({
      error: 'Unhandled',
      answer: { errorType: 'TypeError', errorMessage: 'as asked' },
    });
    expect(await invoke('echo', { sleep: 60_000 })).toMatchObject({
      error: 'Unhandled',
      answer: { errorType: 'Sandbox.Timedout', errorMessage: expect.stringContaining('timed out after 1.00 seconds') },
    });
    await makeFunction(clients, { name: 'lost', files: { 'other.mjs': ECHO } });
    expect(await invoke('lost', {})).toMatchObject({ answer: { errorType: 'Runtime.ImportModuleError' } });
  });

  it('runs the new code after an update', async () => {
    await makeFunction(clients, { name: 'echo', files: { 'index.mjs': ECHO } });
    const ZipFile = await zipOf({ 'index.mjs': 'export const handler = () => "new";' });
    await clients.lambda.updateFunctionCode({ FunctionName: 'echo', ZipFile });
    const updated = async () =>
      (await clients.lambda.getFunctionConfiguration({ FunctionName: 'echo' })).LastUpdateStatus;
    await seenUntil('Successful', updated);
    expect((await invoke('echo', {})).answer).toBe('new');
  });

  it('tells a function of new objects that its filter lets through, with encoded keys', async () => {
    const { s3, lambda } = clients;
    for (const Bucket of [STAGING, 'seen']) await s3.createBucket({ Bucket });
    const LambdaFunctionArn = await makeFunction(clients, { name: 'tell', files: { 'index.mjs': REPORTER } });
    await lambda.addPermission({
      FunctionName: 'tell',
      StatementId: 's3',
      Action: 'lambda:InvokeFunction',
      Principal: 's3.amazonaws.com',
      SourceArn: `arn:aws:s3:::${STAGING}`,
      SourceAccount: ACCOUNT,
    });
    const FilterRules = [
      { Name: 'prefix' as const, Value: 'raw/' },
      { Name: 'suffix' as const, Value: '.csv' },
    ];
    const Events = ['s3:ObjectCreated:*' as const];
    await s3.putBucketNotificationConfiguration({
      Bucket: STAGING,
      NotificationConfiguration: {
        LambdaFunctionConfigurations: [{ Id: 'p', LambdaFunctionArn, Events, Filter: { Key: { FilterRules } } }],
      },
    });
    const read = await s3.getBucketNotificationConfiguration({ Bucket: STAGING });
    expect(read.LambdaFunctionConfigurations).toMatchObject([{ Id: 'p', LambdaFunctionArn, Events }]);
    for (const Key of ['other/no.csv', 'raw/no.txt', 'raw/shop/LOAD 1+ž.csv'])
      await s3.putObject({ Bucket: STAGING, Key, Body: 'abc' });
    await seenUntil('1', async () => String((await s3.listObjectsV2({ Bucket: 'seen' })).KeyCount));
    const { Contents } = await s3.listObjectsV2({ Bucket: 'seen' });
    const { Body } = await s3.getObject({ Bucket: 'seen', Key: Contents?.[0]?.Key });
    const told = JSON.parse((await Body?.transformToString()) ?? '');
    expect(told).toMatchObject({
      eventName: 'ObjectCreated:Put',
      configurationId: 'p',
      bucket: { name: STAGING, arn: `arn:aws:s3:::${STAGING}` },
      object: { key: 'raw/shop/LOAD+1%2B%C5%BE.csv', size: 3, eTag: expect.any(String) },
      stack: 'p',
      name: 'tell',
    });
    expect(decodeURIComponent(told.object.key.replaceAll('+', ' '))).toBe('raw/shop/LOAD 1+ž.csv');
  });

  it('runs scripts of Glue, whose exit code is the end of the run', async () => {
    const { glue, s3, logs } = clients;
    await s3.createBucket({ Bucket: STAGING });
    const Role = await makeRole(clients, 'p-glue', 'glue.amazonaws.com');
    const script =
      'import os, sys\nprint(sys.argv[1:], os.environ["AWS_REGION"])\nsys.exit("--fail" in sys.argv and "failed as asked")\n';
    await s3.putObject({ Bucket: STAGING, Key: 'merge.py', Body: script });
    const Command = { Name: 'glueetl', ScriptLocation: `s3://${STAGING}/merge.py` };
    await glue.createJob({ Name: 'p', Role, Command, DefaultArguments: { '--lake': 's3://lake' } });
    const run = async (args: Record<string, string>, end: string) => {
      const { JobRunId = '' } = await glue.startJobRun({ JobName: 'p', Arguments: args });
      const get = async () => (await glue.getJobRun({ JobName: 'p', RunId: JobRunId })).JobRun;
      await seenUntil(end, async () => (await get())?.JobRunState);
      const { events } = await logs.getLogEvents({ logGroupName: '/aws-glue/jobs/output', logStreamName: JobRunId });
      return { output: events?.[0]?.message, error: (await get())?.ErrorMessage };
    };
    expect(await run({ '--table': 'orders' }, 'SUCCEEDED')).toEqual({
      output: expect.stringMatching(
        /^\['--JOB_NAME', 'p', '--JOB_RUN_ID', 'jr_[0-9a-f]+', '--lake', 's3:\/\/lake', '--table', 'orders'\] eu-west-1$/,
      ),
      error: undefined,
    });
    expect(await run({ '--fail': 'yes' }, 'FAILED')).toMatchObject({ error: 'failed as asked' });
  });
});
