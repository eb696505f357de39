import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { awsClients } from '../support/aws/clients.ts';
import { type AwsEmulator, hasAwsEmulator, startAwsEmulator } from '../support/aws/emulator.ts';
import { makeRole } from '../support/aws/stack.ts';
import { runCli } from '../support/command-line.ts';
import { askOnly } from '../support/s3-environment.ts';
import { temporaryFolder } from '../support/temp-folder.ts';

const BUCKET = 'shop-abcd-staging';
const JOB = 'shop-abcd-merge';
const REPORT = `{"tables":[{"schema":"shop","table":"orders","files":2,"changes":3,"inserted":3,"updated":0,"deleted":0,"quarantined":0,"version":1,"seconds":1}],"engine":"spark"}`;

describe.skipIf(!(await hasAwsEmulator()))('cdc merge --watch on target aws', () => {
  let aws: AwsEmulator;
  beforeAll(async () => {
    aws = await startAwsEmulator({ glueCommand: 'python3' });
    askOnly(aws.url);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await aws?.stop();
  });

  it('starts a run of the Glue job for the files that are there, without any function, and says that one under way ends by itself', async () => {
    const clients = awsClients(aws);
    const put = (Key: string, Body: string) => clients.s3.putObject({ Bucket: BUCKET, Key, Body });
    await clients.s3.createBucket({ Bucket: BUCKET, CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' } });
    await put('merge.py', `print('''${REPORT}''')`);
    await clients.glue.createJob({
      Name: JOB,
      Role: await makeRole(clients, 'shop-glue', 'glue.amazonaws.com'),
      Command: { Name: 'glueetl', ScriptLocation: `s3://${BUCKET}/merge.py`, PythonVersion: '3' },
      DefaultArguments: { '--custom-logGroup-prefix': `/aws-glue/${JOB}` },
    });
    await put('_cdc/tables/shop/orders/1.json', '{}');
    await put('shop/orders/20261122-101530001.csv', 'x');
    await put('shop/orders/20261122-101530002.csv', 'x');

    const cwd = await temporaryFolder();
    await writeFile(join(cwd, 'cdc.yaml'), 'name: shop-abcd\ntarget: aws\naws: { region: eu-west-1 }\n');
    const interrupt = new AbortController();
    let printed = '';
    const onStdout = (text: string) => {
      printed += text;
    };
    const variables = { AWS_ENDPOINT_URL: aws.url };
    const watching = runCli(['merge', '--watch'], { cwd, variables, signal: interrupt.signal, onStdout });
    const stopped = watching.then(({ stderr }) => Promise.reject(new Error(stderr)));
    await Promise.race([stopped, vi.waitUntil(() => printed !== '', { timeout: 60_000 })]);
    expect(printed).toBe('shop.orders: 3 changes of 2 files in version 1 (1.00 s)\n');

    await put('merge.py', 'import time; time.sleep(60)');
    await put('shop/orders/20261122-101530003.csv', 'x');
    const runs = async () => (await clients.glue.getJobRuns({ JobName: JOB })).JobRuns ?? [];
    await vi.waitUntil(async () => (await runs()).length === 2, { timeout: 30_000 });
    interrupt.abort();
    const { code, stderr } = await watching;
    expect(code).toBe(130);
    expect(stderr).toContain('the run that is under way ends by itself');
    stopped.catch(() => undefined);
    const [last] = await runs();
    await clients.glue.batchStopJobRun({ JobName: JOB, JobRunIds: [last?.Id ?? ''] });
  }, 120_000);
});
