import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type AwsClients, awsClients } from '../support/aws/clients.ts';
import { type AwsEmulator, hasAwsEmulator, startAwsEmulator } from '../support/aws/emulator.ts';
import { makeRole } from '../support/aws/stack.ts';
import { runCli } from '../support/command-line.ts';
import { askOnly } from '../support/s3-environment.ts';
import { temporaryFolder } from '../support/temp-folder.ts';

const BUCKET = 'shop-data';
const FILE = 'shop/orders/20261122-101530001.csv';
const TABLE = { schema: 'shop', table: 'orders', files: 1, changes: 3, inserted: 3, updated: 0, deleted: 0 };
const REPORT = JSON.stringify({ tables: [{ ...TABLE, quarantined: 0, version: 1, seconds: 1 }], engine: 'spark' });

/** The job belongs to another pipeline; what its runs do is what the script in its bucket does. */
describe.skipIf(!(await hasAwsEmulator()))('cdc merge --engine glue with target local', () => {
  let aws: AwsEmulator;
  let clients: AwsClients;
  beforeAll(async () => {
    aws = await startAwsEmulator({ glueCommand: 'python3' });
    askOnly(aws.url);
    clients = awsClients(aws);
    const put = (Key: string, Body: string) => clients.s3.putObject({ Bucket: BUCKET, Key, Body });
    await clients.s3.createBucket({ Bucket: BUCKET, CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' } });
    await put('code/merge_changes-1.py', `print('''${REPORT}''')`);
    await put(`staging/${FILE}`, 'Op,id\n');
    await put('staging/_cdc/tables/shop/orders/1.json', '{}');
    const role = await makeRole(clients, 'shop-glue', 'glue.amazonaws.com');
    const job = (Name: string, script: string) =>
      clients.glue.createJob({
        Name,
        Role: role,
        Command: { Name: 'glueetl', ScriptLocation: `s3://${BUCKET}/code/${script}`, PythonVersion: '3' },
        DefaultArguments: {
          '--custom-logGroup-prefix': '/aws-glue/others',
          '--extra-py-files': `s3://${BUCKET}/code/merge_changes-1.py`,
          '--staging': 's3://others/staging',
          '--lake': 's3://others/lake',
          '--pipeline': 'others',
          '--unfit': 'fail',
          '--append': '["shop.%"]',
        },
      });
    await job('others-merge', 'merge_changes-1.py');
    await job('report', 'report.py');
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await aws?.stop();
  });

  async function merge(job: string, ...words: string[]) {
    const cwd = await temporaryFolder();
    const lines = [
      'name: shop',
      'source: mysql://cdc@127.0.0.1:1',
      'aws: { region: eu-west-1 }',
      `staging: s3://${BUCKET}/staging`,
      `lake: s3://${BUCKET}/lake`,
      `merge: { engine: glue, glue_job: ${job}, unfit: quarantine }`,
    ];
    await writeFile(join(cwd, 'cdc.yaml'), `${lines.join('\n')}\n`);
    return await runCli(['merge', ...words], { cwd, variables: { AWS_ENDPOINT_URL: aws.url } });
  }

  it('starts a run of the job that cdc.yaml names, for this pipeline and nothing of its own, and shows its report', async () => {
    const { code, stdout, stderr } = await merge('others-merge', FILE);
    expect(stderr).not.toContain('warning');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/shop\.orders +1 +3 +3 +0 +0 +1 /)]);
    const { JobRuns } = await clients.glue.getJobRuns({ JobName: 'others-merge' });
    expect(JobRuns?.map(({ Arguments }) => Arguments)).toEqual([
      {
        '--custom-logGroup-prefix': '/aws-glue/others',
        '--extra-py-files': `s3://${BUCKET}/code/merge_changes-1.py`,
        '--staging': `s3://${BUCKET}/staging`,
        '--lake': `s3://${BUCKET}/lake`,
        '--pipeline': 'shop',
        '--unfit': 'quarantine',
        '--append': '[]',
        '--file': FILE,
      },
    ]);
  }, 60_000);

  it.each([
    ['nobodys', [], 'merging on Glue by the job nobodys: there is none in account'],
    ['report', [], `its script is s3://${BUCKET}/code/report.py, and not merge_changes.py of cdc`],
    ['others-merge', ['shop/orders/20261122-101530009.csv'], 'holds no change file of that name'],
    ['others-merge', ['--load-complete'], '--load-complete is for an engine on this machine'],
  ])('by the job %s, with %j, is refused with its reason, and nothing is started', async (job, words, message) => {
    const runs = async () => (await clients.glue.getJobRuns({ JobName: 'others-merge' })).JobRuns?.length;
    const before = await runs();
    const { code, stdout, stderr } = await merge(job, ...words);
    expect([code === 0, stdout]).toEqual([false, '']);
    expect(stderr).toContain(message);
    expect(await runs()).toBe(before);
  });

  it('--dry-run starts nothing', async () => {
    expect(await merge('others-merge', '--dry-run')).toMatchObject({
      code: 0,
      stdout: 'would start a run of the Glue job\n',
    });
  });
});
