/** What `npm test` takes of a matrix that `npm run proof` runs whole: others each day, so that all have their turn. */

import { onTestFailed } from 'vitest';

/** `npm run proof` sets it: then the matrix is whole. */
const isWhole = process.env.CDC_PROOF_SEEDS !== undefined;

/** The day, counted in UTC. */
const DAY = Math.floor(Date.now() / 86_400_000);

/** So many of them, the next ones each day; or all. */
export function daySample<T>(all: readonly T[], count: number): T[] {
  if (isWhole) return [...all];
  const first = (DAY * count) % all.length;
  return [...all, ...all].slice(first, first + Math.min(count, all.length));
}

/** For the test that runs: when it fails, how to run it again on any day. */
export function repeatable(file: string, name: string, seed = 1): void {
  onTestFailed(() => {
    process.stderr.write(`today's sample failed; again: CDC_PROOF_SEEDS=${seed} npx vitest run ${file} -t '${name}'\n`);
  });
}
