/** A Python process with scripts/glue/cdc_merge in it, which answers the tests' questions. It needs the standard library only; boto3 where a store is on S3. */

import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { CdcError } from '../../src/core/errors.ts';

export const CHILD_SCRIPT = fileURLToPath(new URL('./cdc_merge_child.py', import.meta.url));

/** False on a machine without Python 3.9 or newer, which skips the tests that need it; throws under CI=true. */
export function hasPlainPython(): boolean {
  try {
    execFileSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    if (process.env.CI === 'true') throw error;
    process.stderr.write('the planner of the Glue job is not tested: it runs where python3 is 3.9 or newer\n');
    return false;
  }
}

const reply = z.object({
  id: z.number(),
  result: z.unknown().optional(),
  failure: z.object({ code: z.string(), message: z.string(), hint: z.string().nullable() }).optional(),
  error: z.string().optional(),
});

export interface CdcMergeChild {
  pid: number;
  /** Throws the CdcError that Python raised; any other of its exceptions as an Error. */
  ask(op: string, question: Record<string, unknown>): Promise<unknown>;
  /** Ends when it has answered. */
  stop(): Promise<void>;
}

export function startCdcMergeChild(python = 'python3', environment: NodeJS.ProcessEnv = process.env): CdcMergeChild {
  const child: ChildProcessWithoutNullStreams = spawn(python, [CHILD_SCRIPT], {
    stdio: 'pipe',
    env: { ...environment, PYTHONDONTWRITEBYTECODE: '1' },
  });
  const waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  let complaint = '';
  let questions = 0;
  child.stderr.on('data', (chunk) => {
    complaint = `${complaint}${chunk}`.slice(-4000);
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { id, result, failure, error } = reply.parse(JSON.parse(line));
    const asked = waiting.get(id);
    waiting.delete(id);
    if (failure !== undefined)
      asked?.reject(new CdcError(failure.code, failure.message, failure.hint === null ? {} : { hint: failure.hint }));
    else if (error !== undefined) asked?.reject(new Error(error));
    else asked?.resolve(result);
  });
  const ended = new Promise<void>((resolve) => {
    child.on('close', (code) => {
      for (const { reject } of waiting.values()) reject(new Error(`cdc_merge_child.py ended (${code}): ${complaint}`));
      resolve();
    });
  });
  return {
    pid: child.pid ?? 0,
    ask(op, question) {
      const id = ++questions;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        child.stdin.write(`${JSON.stringify({ id, op, ...question })}\n`);
      });
    },
    async stop() {
      child.stdin.end();
      await ended;
    },
  };
}
