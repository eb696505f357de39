import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CdcError } from '../../../../src/core/errors.ts';
import { replicateOnAws } from '../../../../src/core/pipeline/aws-run/replicate.ts';
import { startOnAws } from '../../../../src/core/pipeline/aws-run/start.ts';
import { stopOnAws } from '../../../../src/core/pipeline/aws-run/stop.ts';
import type { AwsCall, FaultKind } from '../../../support/aws/call-faults.mjs';
import { failOperation } from '../../../support/aws/calls.ts';
import { comparableSettings, firstDifference } from '../../../support/aws/comparable-settings.ts';
import { type AwsEmulator, startAwsEmulator } from '../../../support/aws/emulator.ts';
import { appendResult } from '../../../support/proof-result.ts';
import { startTestServer, type TestServer } from '../../../support/servers.ts';
import { hasWorld, makeWorld, type World, watchCalls } from './world.ts';

/** `npm run proof -- aws` takes every call of every flow (or each N-th), this those that change something. */
const every = Number(process.env.CDC_PROOF_EVERY ?? 0);
const ALL = every > 0;

const replicate = ({ run }: World) =>
  replicateOnAws({ ...run, request: { fullLoad: true, ongoing: true }, wait: true });
const stop = ({ run }: World) => stopOnAws({ ...run, all: false });
const stopAll = ({ run }: World) => stopOnAws({ ...run, all: true });
const start = ({ run, makeInstance }: World) => startOnAws({ ...run, wait: true, makeInstance });

interface Flow {
  before: ((world: World) => Promise<unknown>)[];
  work: (world: World) => Promise<unknown>;
}
const FLOWS: Record<string, Flow> = {
  replicate: { before: [], work: replicate },
  stop: { before: [replicate], work: stop },
  'stop --all': { before: [replicate], work: stopAll },
  start: { before: [replicate, stop], work: start },
  'start after stop --all': { before: [replicate, stopAll], work: start },
};

describe.skipIf(!(await hasWorld()))('when calls go wrong', () => {
  let aws: AwsEmulator;
  let server: TestServer;
  beforeAll(async () => {
    [aws, server] = await Promise.all([startAwsEmulator(), startTestServer('mysql')]);
    // The emulated checkpoint names the second file.
    await server.query('FLUSH BINARY LOGS');
  });
  afterAll(async () => {
    await Promise.all([aws?.stop(), server?.stop()]);
  });

  async function worldBefore({ before }: Flow): Promise<World> {
    await aws.reset();
    const world = await makeWorld(aws, server);
    for (const step of before) await step(world);
    return world;
  }

  const clean = new Map<Flow, ReturnType<typeof cleanRun>>();
  const cleanRunOf = (flow: Flow) => {
    const known = clean.get(flow) ?? cleanRun(flow);
    clean.set(flow, known);
    return known;
  };

  const settings = async (): Promise<unknown> => comparableSettings(await aws.settings());

  /** The calls of a flow in which nothing goes wrong, as `dms:StartReplicationTask` and how often it was met, and what it leaves. */
  async function cleanRun(flow: Flow): Promise<{ calls: [operation: string, times: number][]; left: unknown }> {
    const world = await worldBefore(flow);
    const watched = watchCalls();
    await flow.work(world);
    watched.uninstall();
    const met = new Map<string, number>();
    const calls = watched.calls.flatMap((call): [string, number][] => {
      // The tests' own way to make an instance is no part of it.
      if (/ReplicationInstance$/.test(call.operation) && call.operation.startsWith('Create')) return [];
      const name = nameOf(call);
      met.set(name, (met.get(name) ?? 0) + 1);
      return [[name, met.get(name) ?? 0]];
    });
    return { calls, left: await settings() };
  }

  const isChange = (name: string) => !/:(Describe|List|Get|Filter)/.test(name);

  // `stop` and `start` are in the others, but for resuming.
  const chosen = Object.entries(FLOWS).filter(([name]) => ALL || !['stop', 'start'].includes(name));
  describe.each(chosen)('%s', (phase, flow) => {
    test('a reply lost at each call that changes something changes nothing', async () => {
      const { calls, left } = await cleanRunOf(flow);
      const changes = calls.filter(([name]) => isChange(name));
      expect(changes.length).toBeGreaterThan(0);
      const world = await worldBefore(flow);
      const { fired, uninstall } = watchCalls(
        ...changes.map(([name, time]) => failOperation(name, 'lost-reply', time)),
      );
      await flow.work(world);
      uninstall();
      expect(fired.sort()).toEqual(changes.map(([name]) => `lost-reply ${name}`).sort());
      expect(await settings()).toEqual(left);
    });

    test('cut off at each call that changes something, it goes on where it was', async () => {
      const { calls, left } = await cleanRunOf(flow);
      const world = await worldBefore(flow);
      const changes = new Set(calls.map(([name]) => name).filter(isChange));
      const met = new Set<string>();
      for (const name of changes) {
        for (const kind of ['abort', 'lost-for-good'] as const) {
          const { calls: made, fired, uninstall } = watchCalls(failOperation(name, kind));
          const outcome = await flow.work(world).catch((error: unknown) => error);
          uninstall();
          for (const call of made) met.add(nameOf(call));
          // What an earlier attempt has done is not asked for again.
          if (made.some((call) => nameOf(call) === name)) {
            expect(fired.length, name).toBeGreaterThan(0);
            expect(outcome, name).toMatchObject({ code: 'aws.unreachable' });
          }
        }
      }
      expect([...changes].filter((name) => !met.has(name))).toEqual([]);
      await flow.work(world);
      expect(await settings()).toEqual(left);
    });

    test.runIf(ALL)('every call, lost or cut off', { timeout: 7_200_000 }, async () => {
      const { calls, left } = await cleanRunOf(flow);
      const failed: object[] = [];
      for (const [index, [operation, time]] of calls.entries()) {
        if (index % every !== 0) continue;
        for (const kind of ['lost-reply', 'abort'] satisfies FaultKind[]) {
          const world = await worldBefore(flow);
          const { fired, uninstall } = watchCalls(failOperation(operation, kind, time));
          const error = await flow.work(world).catch((thrown: unknown) => thrown);
          uninstall();
          const failure = await whatIsWrong(world, { kind, error, left });
          const outcome = {
            phase,
            kind,
            call: index + 1,
            met: fired.length > 0,
            operation,
            ...(failure === undefined ? {} : { failure }),
          };
          appendResult(outcome);
          if (failure !== undefined || !outcome.met) failed.push(outcome);
        }
      }
      expect(failed).toEqual([]);
    });

    /** The SDK makes good for a lost reply; a network that is gone ends the command, and the next one goes on. */
    async function whatIsWrong(
      world: World,
      { kind, error, left }: { kind: FaultKind; error: unknown; left: unknown },
    ): Promise<string | undefined> {
      if (kind === 'abort') {
        const code = error instanceof CdcError ? error.code : String(error);
        if (code !== 'aws.unreachable') return `it ended with ${code}`;
        const again = await flow.work(world).catch((thrown: unknown) => thrown);
        if (again instanceof Error) return `the next one ended with ${again.message}`;
      } else if (error instanceof Error) return `it ended with ${error.message}`;
      const difference = firstDifference(await settings(), left);
      return difference === undefined ? undefined : `the account differs from a clean run's: ${difference}`;
    }
  });
});

function nameOf({ service, operation }: AwsCall): string {
  return `${service}:${operation}`;
}
