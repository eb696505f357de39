/**
 * Waiting for AWS around one plain Describe. The SDK's own waiters are not used: they take an expired token for "not yet" and
 * say so only when their time is over.
 */

import { CdcError, throwIfCancelled } from '../errors.ts';
import type { Clock } from './clock.ts';

export interface WaitOptions<T> {
  /** `the database shop to become available`. */
  what: string;
  /** Errors of it end the wait. */
  look: () => Promise<T>;
  /** Throws when what is seen will never become right. */
  isReady: (seen: T) => boolean;
  /** What is seen, for the message when time is over. */
  describe: (seen: T) => string;
  everySeconds: number;
  /** After this it gives up; what AWS is doing goes on. */
  boundSeconds: number;
  onLook?: ((seen: T) => void) | undefined;
}

interface Patience {
  clock: Clock;
  signal: AbortSignal | undefined;
}

export async function waitFor<T>({ clock, signal }: Patience, options: WaitOptions<T>): Promise<T> {
  const started = clock.now();
  for (;;) {
    throwIfCancelled(signal);
    const seen = await options.look();
    if (options.isReady(seen)) return seen;
    options.onLook?.(seen);
    if (clock.now() - started >= options.boundSeconds * 1000)
      throw new CdcError(
        'aws.timeout',
        `waiting for ${options.what}: after ${Math.round(options.boundSeconds / 60)} minutes it is still ${options.describe(seen)}`,
        { hint: 'the same command again goes on waiting' },
      );
    await clock.sleep(options.everySeconds * 1000, signal);
  }
}

/** IAM, S3 and the like know a new thing only after a while: repeats while the error says so, at most `boundSeconds`. */
export async function repeatWhile<T>(
  { clock, signal }: Patience,
  options: { isTooEarly: (error: CdcError) => boolean; boundSeconds: number; everySeconds?: number },
  attempt: () => Promise<T>,
): Promise<T> {
  const started = clock.now();
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const isOver = clock.now() - started >= options.boundSeconds * 1000;
      if (isOver || !(error instanceof CdcError) || !options.isTooEarly(error)) throw error;
    }
    await clock.sleep((options.everySeconds ?? 3) * 1000, signal);
  }
}
