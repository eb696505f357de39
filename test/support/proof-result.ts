/** What a proof's file of results gets of one test: `npm run proof` names the file and sums up its lines. */

import { appendFileSync } from 'node:fs';

/** Runs the test's body; `about` and what it returns become a line, with its failure where it fails. */
export async function recordResult(
  about: Record<string, unknown>,
  work: () => Promise<Record<string, unknown> | undefined>,
): Promise<void> {
  const started = Date.now();
  let found: Record<string, unknown> | undefined;
  try {
    found = await work();
  } catch (error) {
    found = { failure: error instanceof Error ? error.message : String(error) };
    throw error;
  } finally {
    appendResult({ ...about, ...found, seconds: Math.round((Date.now() - started) / 1000) });
  }
}

/** Nothing outside of `npm run proof`. */
export function appendResult(line: object): void {
  const target = process.env.CDC_PROOF_RESULTS;
  if (target !== undefined) appendFileSync(target, `${JSON.stringify(line)}\n`);
}
