/** A file lands in the bucket, S3's event starts the function's zip, that starts the Glue job, which is the script under PySpark. */

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openLocalStore } from '../../src/core/store/local.ts';
import { type AwsClients, awsClients } from '../support/aws/clients.ts';
import { type AwsEmulator, hasAwsEmulator, startAwsEmulator } from '../support/aws/emulator.ts';
import { makeCertificates, type TestCertificates } from '../support/certificates.ts';
import { type CdcResult, runCdc } from '../support/cli.ts';
import { mergeCases, stageRound } from '../support/merge-cases.ts';
import { hasDeltaReader, readDeltaTable } from '../support/python.ts';
import { startTestServer, type TestServer } from '../support/servers.ts';
import { hasSpark, sparkParts } from '../support/spark-parts.ts';

const NODE_MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));
const STAGING = 'guide-abcd-staging';
const LAKE = 'guide-abcd-lake';
const JOB = 'guide-abcd-merge';
const CHANGES = 'shop/persons/20261122-101530001.csv';

const canRun =
  !('reason' in inject('testServers').mysql) &&
  (await hasAwsEmulator()) &&
  (await hasDeltaReader()) &&
  (await hasSpark());

describe.skipIf(!canRun)('the merge on an emulated account', () => {
  let certificates: TestCertificates;
  let server: TestServer;
  let aws: AwsEmulator;
  let clients: AwsClients;
  let folder: string;

  beforeAll(async () => {
    const { python, jars, env } = await sparkParts(true);
    const paths = await Promise.all(
      jars.map(async (jar) =>
        (await readdir(jar)).filter((name) => name.endsWith('.jar')).map((name) => join(jar, name)),
      ),
    );
    certificates = await makeCertificates();
    server = await startTestServer('mysql', { extraArgs: certificates.serverArgs });
    aws = await startAwsEmulator({
      rds: server,
      realConnect: true,
      nodeModules: NODE_MODULES,
      glueCommand: python,
      glueEnvironment: {
        ...env,
        PYSPARK_SUBMIT_ARGS: `--master local[2] --conf spark.ui.enabled=false --jars ${paths.flat().join()} pyspark-shell`,
      },
    });
    clients = awsClients(aws);
    folder = await mkdtemp(join(tmpdir(), 'cdc-aws-glue-'));
    await writeFile(
      join(folder, 'cdc.yaml'),
      `name: guide-abcd\ntarget: aws\nsource: { rds: { operator: 203.0.113.7/32 }, tls: { ca: '${certificates.caFile}' } }\ntables: ['shop.%']\n`,
    );
  }, 600_000);
  afterAll(async () => {
    await aws?.stop();
    await server?.stop();
    await certificates?.remove();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  const cdc = (...words: string[]): Promise<CdcResult> => runCdc(words, { cwd: folder, env: aws.env });
  const put = async (key: string) =>
    clients.s3.putObject({ Bucket: STAGING, Key: key, Body: await readFile(join(folder, 'staged', key)) });

  /** The states of all runs, once none is under way and there are so many. */
  async function runs(count: number): Promise<string[]> {
    for (;;) {
      const { JobRuns = [] } = await clients.glue.getJobRuns({ JobName: JOB });
      const states = JobRuns.map(({ JobRunState }) => String(JobRunState));
      if (states.length >= count && states.every((state) => !['STARTING', 'RUNNING'].includes(state))) return states;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  /** By delta-rs, from a copy of the bucket. */
  async function rowsOf(table: string) {
    const copy = join(folder, 'copy');
    const { Contents = [] } = await clients.s3.listObjectsV2({ Bucket: LAKE });
    for (const { Key = '' } of Contents) {
      const { Body } = await clients.s3.getObject({ Bucket: LAKE, Key });
      await mkdir(dirname(join(copy, Key)), { recursive: true });
      await writeFile(join(copy, Key), (await Body?.transformToByteArray()) ?? '');
    }
    return (await readDeltaTable(join(copy, table))).sort((a, b) => Number(a.PersonId) - Number(b.PersonId));
  }

  it('is woken by the files themselves, and the rows are right', { timeout: 600_000 }, async () => {
    expect(await cdc('init', '--yes')).toMatchObject({ code: 0 });
    const guide = mergeCases().find(({ name }) => name === 'guide');
    if (guide === undefined) throw new Error('there is no case of that name');
    const staged = openLocalStore(join(folder, 'staged'));
    await stageRound(staged, guide, 0);
    for (const { key } of await staged.list('_cdc/')) await put(key);
    await put('shop/persons/LOAD00000001.csv');
    expect(await runs(1)).toEqual(['SUCCEEDED']);
    expect(await rowsOf('shop/persons')).toHaveLength(3);

    await stageRound(staged, guide, 1);
    await put(CHANGES);
    expect(await runs(2)).toEqual(['SUCCEEDED', 'SUCCEEDED']);
    expect(await rowsOf('shop/persons')).toEqual(guide.expected.rows);

    const status = await cdc('status', '--json');
    expect(JSON.parse(status.stdout).aws.merges).toMatchObject([{ state: 'SUCCEEDED' }, { state: 'SUCCEEDED' }]);
    const logs = await cdc('logs', '--json', '--lines', '1000');
    expect(logs.stdout).toContain('6 changes; 3 rows inserted, 2 updated, 1 deleted');

    expect(await cdc('destroy', '--delete-lake', '--yes')).toMatchObject({ code: 0 });
    expect(await aws.alive()).toEqual({ 'iam:role': ['aws:dms-cloudwatch-logs-role', 'aws:dms-vpc-role'] });
  });
});
