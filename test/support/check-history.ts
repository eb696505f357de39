/** A random history of a seed as a test: its result is recorded, and a failing one is made smaller for as long as that is bearable. */

import { join } from 'node:path';
import fc from 'fast-check';
import { onTestFinished } from 'vitest';
import { type Engine, openEngine } from '../../src/core/engine/engine.ts';
import { recordResult } from './proof-result.ts';
import { temporaryFolder } from './temp-folder.ts';

/** How long a failing history is made smaller. */
const SHRINK_MS = 240_000;

export async function checkHistory<T>(
  about: Record<string, unknown>,
  { seed, history }: { seed: number; history: fc.Arbitrary<T> },
  /** `root`: a folder that no other attempt has. */
  check: (one: T, engine: Engine, root: string) => Promise<Record<string, unknown>>,
): Promise<void> {
  const root = await temporaryFolder();
  const engine = await openEngine({ tempDirectory: join(root, '.tmp-engine'), threads: 1 });
  onTestFinished(() => engine.close());
  let attempt = 0;
  let failedAt: number | undefined;
  let result: Record<string, unknown> | undefined;
  const property = fc.asyncProperty(history, async (one) => {
    if (failedAt !== undefined && Date.now() - failedAt > SHRINK_MS) return;
    try {
      result = await check(one, engine, join(root, String(++attempt)));
    } catch (error) {
      failedAt ??= Date.now();
      throw error;
    }
  });
  await recordResult(about, async () => {
    await fc.assert(property, { seed, numRuns: 1, unbiased: true });
    return result;
  });
}
