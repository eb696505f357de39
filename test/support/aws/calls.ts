/** The AWS calls of a built command line: what it sent, which of them are to go wrong, and whether one did. */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { AwsCall, Fault, FaultKind, FiredFault } from './call-faults.mjs';

export type { AwsCall, Fault, FaultKind, FiredFault } from './call-faults.mjs';

const PRELOAD = new URL('./preload.mjs', import.meta.url).href;

export interface AwsCalls {
  /** For the command line, on top of the emulator's. */
  readonly env: Record<string, string>;
  /** One JSON a line: what checkRequests reads. */
  readonly file: string;
  /** Every call so far, in order. */
  calls(): Promise<AwsCall[]>;
  /** Every time a fault struck: a test whose fault did not fire shows nothing. */
  fired(): Promise<FiredFault[]>;
  remove(): Promise<void>;
}

/** The n-th call of the process, from 1. */
export function failCall(call: number, kind: FaultKind): Fault {
  return { call, kind };
}

/** The n-th call of an operation (`rds:CreateDBInstance`): of calls in parallel the number is not the same each time. */
export function failOperation(operation: string, kind: FaultKind, call = 1): Fault {
  return { operation, kind, call };
}

/** Several processes may share one recording: theirs are the calls of each, numbered from 1 in each. */
export async function recordCalls(...faults: Fault[]): Promise<AwsCalls> {
  const folder = await mkdtemp(join(tmpdir(), 'cdc-test-calls-'));
  const file = join(folder, 'calls.jsonl');
  const entries = async () => {
    const text = await readFile(file, 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => entry.parse(JSON.parse(line)));
  };
  return {
    file,
    env: {
      NODE_OPTIONS: `--import=${PRELOAD}`,
      CDC_TEST_AWS_CALLS: file,
      CDC_TEST_AWS_FAULTS: JSON.stringify(faults),
    },
    calls: async () => (await entries()).flatMap((line) => ('fault' in line ? [] : [line])),
    fired: async () =>
      (await entries()).flatMap((line) => {
        if (!('fault' in line)) return [];
        const { fault: kind, call, service, operation, attempt } = line;
        return [{ kind, call, service, operation, attempt }];
      }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

const where = { pid: z.number(), call: z.number(), service: z.string(), operation: z.string() };
const kind = z.custom<FaultKind>((value) => typeof value === 'string');
const entry = z.union([
  z.object({ ...where, fault: kind, attempt: z.number() }),
  z.object({ ...where, input: z.record(z.string(), z.unknown()) }),
]);
