import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type AwsEmulator, hasAwsEmulator, startAwsEmulator } from '../support/aws/emulator.ts';
import { makeCertificates, type TestCertificates } from '../support/certificates.ts';
import { type CdcResult, runCdc } from '../support/cli.ts';
import { startTestServer, type TestServer } from '../support/servers.ts';

const canRun = !('reason' in inject('testServers').mysql) && (await hasAwsEmulator());

describe.skipIf(!canRun)('the guide on an emulated account, by the built command line', () => {
  let certificates: TestCertificates;
  let server: TestServer;
  let aws: AwsEmulator;
  let folder: string;

  beforeAll(async () => {
    certificates = await makeCertificates();
    server = await startTestServer('mysql', { extraArgs: certificates.serverArgs });
    aws = await startAwsEmulator({ rds: server, realConnect: true });
    folder = await mkdtemp(join(tmpdir(), 'cdc-aws-'));
    await writeFile(
      join(folder, 'cdc.yaml'),
      `name: guide-abcd\ntarget: aws\nsource: { rds: { operator: 203.0.113.7/32 }, tls: { ca: '${certificates.caFile}' } }\ntables: ['ahmad_schema.%']\n`,
    );
  });
  afterAll(async () => {
    await aws?.stop();
    await server?.stop();
    await certificates?.remove();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  const cdc = async (...words: string[]): Promise<CdcResult> => {
    const result = await runCdc(words, { cwd: folder, env: aws.env });
    expect(result.stderr).not.toContain('Warning');
    return result;
  };

  it('plans, makes, fills, replicates, stops, starts and removes a pipeline, and leaves nothing', {
    timeout: 600_000,
  }, async () => {
    const plan = await cdc('plan', '--json');
    expect(plan.code).toBe(0);
    expect(JSON.parse(plan.stdout).steps.length).toBeGreaterThan(10);
    expect(Object.keys(await aws.alive())).toEqual([]);

    expect(await cdc('init', '--yes')).toMatchObject({ code: 0 });
    expect(await cdc('init', '--yes')).toMatchObject({ code: 0, stdout: 'already made\n' });
    expect(await cdc('load', join(import.meta.dirname, '../../sql/persons.sql'))).toMatchObject({ code: 0 });
    await aws.control({ tables: [['ahmad_schema', 'Persons']] });

    expect(await cdc('replicate')).toMatchObject({ code: 0 });
    expect((await cdc('replicate')).stdout).toContain('already replicating');
    const status = await cdc('status', '--json');
    expect(JSON.parse(status.stdout)).toMatchObject({ target: 'aws', aws: { database: 'available' } });
    expect(await cdc('stop')).toMatchObject({ code: 0 });
    expect(await cdc('start')).toMatchObject({ code: 0 });

    expect(await cdc('destroy')).toMatchObject({ code: 2 });
    const gone = await cdc('destroy', '--delete-lake', '--yes');
    expect(gone).toMatchObject({ code: 0, stdout: expect.stringMatching(/\nnow \$0\.00\/day, was \$\d\.\d\d\n$/) });
    expect(await cdc('destroy', '--delete-lake', '--yes')).toMatchObject({ code: 0 });
    // The two roles are the account's, shared by every user of DMS.
    expect(await aws.alive()).toEqual({ 'iam:role': ['aws:dms-cloudwatch-logs-role', 'aws:dms-vpc-role'] });
  });
});
