/** Time, as waits and retries see it; tests bring their own. */

import { setTimeout as sleep } from 'node:timers/promises';
import { CancelledError } from '../errors.ts';

export interface Clock {
  /** Milliseconds. */
  now(): number;
  /** Throws CancelledError as soon as the signal fires. */
  sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(milliseconds, signal) {
    try {
      await sleep(milliseconds, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      if (signal?.aborted) throw new CancelledError();
      throw error;
    }
  },
};
