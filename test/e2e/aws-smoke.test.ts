import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { type AwsEmulator, HURRIED, hasAwsEmulator, startAwsEmulator } from '../support/aws/emulator.ts';
import { ensureBuilt } from '../support/build.ts';
import { makeCertificates, type TestCertificates } from '../support/certificates.ts';
import { startTestServer, type TestServer } from '../support/servers.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/aws-smoke.mjs', import.meta.url));
const canRun = !('reason' in inject('testServers').mysql) && (await hasAwsEmulator());
/** The account's, which nobody deletes. */
const SHARED = { 'iam:role': ['aws:dms-cloudwatch-logs-role', 'aws:dms-vpc-role'] };

describe.skipIf(!canRun)('the smoke test for a real account, on an emulated one', () => {
  let certificates: TestCertificates;
  let server: TestServer;
  let aws: AwsEmulator;

  beforeAll(async () => {
    await ensureBuilt();
    certificates = await makeCertificates();
    server = await startTestServer('mysql', { extraArgs: certificates.serverArgs });
    aws = await startAwsEmulator({ rds: server, realConnect: true });
  });
  afterAll(async () => {
    await aws?.stop();
    await server?.stop();
    await certificates?.remove();
  });
  beforeEach(async () => {
    await aws.reset();
    await aws.control({ tables: [['ahmad_schema', 'Persons']] });
    await server.query('DROP DATABASE IF EXISTS ahmad_schema', 'FLUSH BINARY LOGS');
  });

  function smoke() {
    const yaml = `source: { rds: { operator: 203.0.113.7/32 }, tls: { ca: '${certificates.caFile}' } }`;
    const { PATH, HOME, TMPDIR } = process.env;
    const child = spawn(process.execPath, [SCRIPT, '--region', 'eu-west-1', '--yes', '--wait', '0', '--yaml', yaml], {
      env: { PATH, HOME, TMPDIR, NO_COLOR: '1', ...aws.env, ...HURRIED },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    return { child, ended, stdout: () => stdout, stderr: () => stderr };
  }

  it('walks through all of it, says what it has seen, and leaves nothing', { timeout: 600_000 }, async () => {
    const { ended, stdout, stderr } = smoke();
    expect(await ended, stderr()).toBe(0);
    const report = JSON.parse(stdout());
    expect(report).toMatchObject({
      ok: true,
      region: 'eu-west-1',
      seen: {
        init_is_stable: true,
        connections: { source: 'successful', target: 'successful' },
        remaining: [expect.objectContaining({ why: expect.stringContaining('shares') })],
        destroy_is_stable: true,
      },
    });
    expect(report.steps.map(({ step }: { step: string }) => step)).toEqual(
      expect.arrayContaining(['init', 'load', 'replicate', 'merge', 'stop', 'start', 'destroy']),
    );
    expect(await aws.alive()).toEqual(SHARED);
  });

  it('removes what was made when it is interrupted in the middle', { timeout: 300_000 }, async () => {
    const { child, ended, stderr } = smoke();
    await untilMade(child);
    child.kill('SIGINT');
    expect(await ended, stderr()).toBe(130);
    expect(stderr()).toContain('interrupted: what was made is removed now');
    const { 'iam:role': roles = [], ...others } = await aws.alive();
    expect(others).toEqual({});
    expect(roles.filter((role) => !SHARED['iam:role'].includes(role))).toEqual([]);
  });

  async function untilMade(child: ChildProcess): Promise<void> {
    while (child.exitCode === null && (await aws.alive()).rds === undefined)
      await new Promise((resolve) => setTimeout(resolve, 50));
  }
});
