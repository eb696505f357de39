/** The test files of a worker run in one process: each leaves it as it found it, so that none depends on the one before. */

import { afterAll, vi } from 'vitest';
import { onCrashPoint } from '../../src/core/crash-point.ts';

const before = { ...process.env };

// The first that is registered, and so the last that runs.
afterAll(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
  onCrashPoint(undefined);
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
  Object.assign(process.env, before);
  process.exitCode = undefined;
});
