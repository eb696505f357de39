import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CdcError } from '../../../../src/core/errors.ts';
import { type AwsCall, type FaultKind, type FiredFault, installCallFaults } from '../../../support/aws/call-faults.mjs';
import { comparableSettings, firstDifference } from '../../../support/aws/comparable-settings.ts';
import { hasAwsEmulator } from '../../../support/aws/emulator.ts';
import { appendResult } from '../../../support/proof-result.ts';
import { type Account, newPipeline, type Pipeline, startAccount } from './account.ts';

/**
 * One call of init or destroy goes wrong, by its number. `npm run proof -- aws` takes every call (or each N-th), this a
 * sample of them.
 */
const every = Number(process.env.CDC_PROOF_EVERY ?? 0);
const SAMPLE = { init: { 'lost-reply': 117, abort: 163 }, destroy: { 'lost-reply': 44, abort: 71 } } as const;

interface Outcome {
  phase: 'init' | 'destroy';
  kind: FaultKind;
  call: number;
  /** Whether there was a call of that number. */
  met: boolean;
  operation: string;
  failure?: string;
}

describe.skipIf(!(await hasAwsEmulator()))('a call that goes wrong', () => {
  let account: Account;
  beforeAll(async () => {
    account = await startAccount();
  });
  afterAll(() => account.stop());
  beforeEach(() => account.empty());

  async function dump(): Promise<unknown> {
    return comparableSettings(await account.emulator.settings());
  }

  for (const phase of ['init', 'destroy'] as const)
    for (const kind of ['lost-reply', 'abort'] as const) {
      const calls = every > 0 ? Number.MAX_SAFE_INTEGER : 1;
      it(`of ${phase} (${kind}) changes nothing of how it ends`, { timeout: 7_200_000 }, async () => {
        const clean = await cleanRun(phase);
        const outcomes: Outcome[] = [];
        for (let at = 0; at < calls; at++) {
          const outcome = await strike(phase, kind, every > 0 ? 1 + at * every : SAMPLE[phase][kind], clean.dump);
          // Parallel steps look more or less often; a tenth may be missing at the end, and no more.
          if (!outcome.met && every > 0 && outcome.call > clean.calls * 0.9) break;
          outcomes.push(outcome);
          appendResult(outcome);
        }
        expect(outcomes.filter(({ failure }) => failure !== undefined)).toEqual([]);
        expect(outcomes.filter(({ met }) => !met)).toEqual([]);
      });
    }

  async function cleanRun(phase: 'init' | 'destroy'): Promise<{ calls: number; dump: unknown }> {
    await account.empty();
    const pipeline = await newPipeline(account);
    if (phase === 'destroy') await pipeline.init();
    const { calls } = await watched(undefined, () => (phase === 'init' ? pipeline.init() : pipeline.destroy()));
    return { calls: calls.length, dump: await dump() };
  }

  async function strike(
    phase: 'init' | 'destroy',
    kind: 'lost-reply' | 'abort',
    call: number,
    wanted: unknown,
  ): Promise<Outcome> {
    await account.empty();
    const pipeline = await newPipeline(account);
    const work = (): Promise<unknown> => (phase === 'init' ? pipeline.init() : pipeline.destroy());
    if (phase === 'destroy') await pipeline.init();
    const { fired, error } = await watched({ kind, call }, work);
    const [first] = fired;
    const outcome = {
      phase,
      kind,
      call,
      met: first !== undefined,
      operation: first === undefined ? '' : `${first.service}:${first.operation}`,
    };
    const failure = first === undefined ? undefined : await whatIsWrong(pipeline, { phase, kind, error, wanted, work });
    return { ...outcome, ...(failure === undefined ? {} : { failure }) };
  }

  /** The SDK makes good for a lost reply; a network that is gone ends the command, and the next one goes on. */
  async function whatIsWrong(
    pipeline: Pipeline,
    run: { phase: string; kind: FaultKind; error: unknown; wanted: unknown; work: () => Promise<unknown> },
  ): Promise<string | undefined> {
    const code = run.error instanceof CdcError ? run.error.code : run.error === undefined ? '' : String(run.error);
    if (code !== '' && !(run.kind === 'abort' && code === 'aws.unreachable')) return `it ended with ${code}`;
    try {
      await run.work();
      const difference = firstDifference(await dump(), run.wanted);
      if (difference !== undefined) return `the account differs from a clean run's: ${difference}`;
      if (run.phase === 'init') {
        const left = (await pipeline.look()).steps.filter(({ action }) => action !== 'none');
        if (left.length > 0) return `left to do: ${left.map(({ id }) => id).join()}`;
      }
      return undefined;
    } catch (error) {
      return `the next run ended with ${String(error)}`;
    }
  }

  async function watched(fault: { kind: FaultKind; call: number } | undefined, work: () => Promise<unknown>) {
    const calls: AwsCall[] = [];
    const fired: FiredFault[] = [];
    const { uninstall } = installCallFaults({
      faults: fault === undefined ? [] : [fault],
      onCall: (call) => void calls.push(call),
      onFault: (one) => void fired.push(one),
    });
    try {
      await work();
      return { calls, fired, error: undefined };
    } catch (error) {
      return { calls, fired, error };
    } finally {
      uninstall();
    }
  }
});
