/** A clock whose sleeps pass at once: waits of minutes take no time, and tests see how long they would have been. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../../src/core/aws/clock.ts';
import { throwIfCancelled } from '../../../src/core/errors.ts';

export interface FakeClock extends Clock {
  /** Milliseconds of every sleep so far. */
  readonly slept: readonly number[];
}

export function fakeClock(): FakeClock {
  const slept: number[] = [];
  let now = 0;
  return {
    slept,
    now: () => now,
    async sleep(milliseconds, signal) {
      throwIfCancelled(signal);
      slept.push(milliseconds);
      now += milliseconds;
      await nextTurn();
      throwIfCancelled(signal);
    },
  };
}
