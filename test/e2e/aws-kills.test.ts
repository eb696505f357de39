/** kill -9 of the built command line while it makes, runs and removes a pipeline on AWS: the same command again ends where it would have. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type AwsCalls, failCall, recordCalls } from '../support/aws/calls.ts';
import { comparableSettings } from '../support/aws/comparable-settings.ts';
import { type AwsEmulator, hasAwsEmulator, startAwsEmulator } from '../support/aws/emulator.ts';
import { makeCertificates, type TestCertificates } from '../support/certificates.ts';
import { type CdcResult, runCdc } from '../support/cli.ts';
import { appendResult } from '../support/proof-result.ts';
import { startTestServer, type TestServer } from '../support/servers.ts';
import { randomFrom } from './kills/random.ts';

const PHASES = {
  init: ['init', '--yes'],
  replicate: ['replicate'],
  stop: ['stop'],
  start: ['start'],
  destroy: ['destroy', '--delete-lake', '--yes'],
} as const;
type Phase = keyof typeof PHASES;
const ALL = Object.keys(PHASES).filter((phase): phase is Phase => phase in PHASES);

/** `npm run proof -- aws` sets these: four seeds, each with a kill in every phase. */
const SEEDS = process.env.CDC_PROOF_SEEDS;
const isWhole = SEEDS !== undefined;
const seeds = SEEDS === undefined ? [20_261_124] : SEEDS.split(',').map(Number);
const phases: readonly Phase[] = isWhole ? ALL : ['init', 'destroy'];

interface Walk {
  /** Calls of each phase, and the account after it. */
  calls: Map<Phase, number>;
  left: Map<Phase, unknown>;
}

const canRun = !('reason' in inject('testServers').mysql) && (await hasAwsEmulator());

describe.skipIf(!canRun)('kill -9 of the command line on AWS', () => {
  let certificates: TestCertificates;
  let server: TestServer;
  let aws: AwsEmulator;
  let clean: Walk;

  beforeAll(async () => {
    certificates = await makeCertificates();
    server = await startTestServer('mysql', { extraArgs: certificates.serverArgs });
    aws = await startAwsEmulator({ rds: server, realConnect: true });
    clean = await walk(async (phase, cdc) => expectDone(await cdc(phase)));
  }, 300_000);
  afterAll(async () => {
    await aws?.stop();
    await server?.stop();
    await certificates?.remove();
  });

  for (const seed of seeds)
    it(`leaves the account as if nobody had killed it (seed ${seed})`, { timeout: 900_000 }, async () => {
      const random = randomFrom(seed);
      const outcomes: { phase: Phase; kind: string; call: number; operation: string; met: boolean }[] = [];
      const found = await walk(async (phase, cdc) => {
        // Calls run in parallel, and looks are repeated by the clock: the last tenth may not come.
        const call = 1 + random.integer(Math.ceil((clean.calls.get(phase) ?? 0) * 0.9));
        const kind = random.pick(['kill', 'kill-after'] as const);
        const calls = await recordCalls(failCall(call, kind));
        try {
          const killed = await cdc(phase, calls);
          const [fired] = await calls.fired();
          const operation = fired === undefined ? '' : `${fired.service}:${fired.operation}`;
          outcomes.push({ phase, kind, call, operation, met: killed.signal === 'SIGKILL' && fired !== undefined });
        } finally {
          await calls.remove();
        }
        expectDone(await cdc(phase));
      });
      const results = outcomes.map((outcome) => {
        const isSame = JSON.stringify(found.left.get(outcome.phase)) === JSON.stringify(clean.left.get(outcome.phase));
        return { ...outcome, seed, ...(isSame ? {} : { failure: 'the account differs from the clean run' }) };
      });
      for (const one of results) appendResult({ ...one, phase: `kill -9 of ${one.phase}` });
      expect(outcomes.filter(({ met }) => !met)).toEqual([]);
      for (const phase of phases) expect(found.left.get(phase), phase).toEqual(clean.left.get(phase));
    });

  /** A pipeline from nothing to nothing; what runs each phase is the caller's. */
  async function walk(
    run: (phase: Phase, cdc: (phase: Phase, calls?: AwsCalls) => Promise<CdcResult>) => Promise<void>,
  ): Promise<Walk> {
    await aws.reset();
    const folder = await mkdtemp(join(tmpdir(), 'cdc-aws-kills-'));
    const walked: Walk = { calls: new Map(), left: new Map() };
    const counted = await recordCalls();
    const cdc = async (phase: Phase, calls: AwsCalls = counted): Promise<CdcResult> =>
      runCdc([...PHASES[phase]], { cwd: folder, env: { ...aws.env, ...calls.env } });
    try {
      await writeFile(
        join(folder, 'cdc.yaml'),
        `name: kill-abcd\ntarget: aws\nsource: { rds: { operator: 203.0.113.7/32 }, tls: { ca: '${certificates.caFile}' } }\ntables: ['shop.%']\n`,
      );
      for (const phase of phases) {
        const before = (await counted.calls()).length;
        await run(phase, cdc);
        walked.calls.set(phase, (await counted.calls()).length - before);
        walked.left.set(phase, comparableSettings(await aws.settings()));
        if (phase === 'init' && isWhole) {
          const sql =
            'CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY); INSERT INTO shop.orders VALUES (1); FLUSH BINARY LOGS';
          expectDone(await runCdc(['load', '-e', sql, '--yes'], { cwd: folder, env: aws.env }));
          await aws.control({ tables: [['shop', 'orders']] });
        }
      }
      return walked;
    } finally {
      await counted.remove();
      await rm(folder, { recursive: true, force: true });
    }
  }
});

function expectDone(result: CdcResult): void {
  expect(result, result.stderr).toMatchObject({ code: 0, signal: null });
}
