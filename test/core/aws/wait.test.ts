import { describe, expect, it } from 'vitest';
import { repeatWhile, waitFor } from '../../../src/core/aws/wait.ts';
import { CancelledError, CdcError } from '../../../src/core/errors.ts';
import { fakeClock } from '../../support/aws/fake-clock.ts';

/** Looks at a thing that goes through these states, the last for ever. */
function states(...list: string[]) {
  let at = 0;
  const seen: string[] = [];
  return {
    seen,
    what: 'the database shop to become available',
    look: async () => list[Math.min(at++, list.length - 1)] ?? '',
    isReady: (state: string) => state === 'available',
    describe: (state: string) => state,
    onLook: (state: string) => void seen.push(state),
    everySeconds: 30,
    boundSeconds: 2400,
  };
}

describe('waiting for AWS', () => {
  it('looks at once, then every so often, until it is ready', async () => {
    const clock = fakeClock();
    const wait = states('creating', 'backing-up', 'available');
    expect(await waitFor({ clock, signal: undefined }, wait)).toBe('available');
    expect(clock.slept).toEqual([30_000, 30_000]);
    expect(wait.seen).toEqual(['creating', 'backing-up']);
  });

  it('does not sleep for what is ready', async () => {
    const clock = fakeClock();
    await waitFor({ clock, signal: undefined }, states('available'));
    expect(clock.slept).toEqual([]);
  });

  it('gives up at its bound, saying what it last saw', async () => {
    const clock = fakeClock();
    await expect(waitFor({ clock, signal: undefined }, states('creating'))).rejects.toMatchObject({
      code: 'aws.timeout',
      message: 'waiting for the database shop to become available: after 40 minutes it is still creating',
    });
    expect(clock.now()).toBe(2_400_000);
  });

  it('ends with the first error of a look: an expired token is not "not yet"', async () => {
    const clock = fakeClock();
    const expired = new CdcError('aws.credentials-expired', 'expired');
    let looks = 0;
    const look = async () => {
      if (++looks === 2) throw expired;
      return 'creating';
    };
    await expect(waitFor({ clock, signal: undefined }, { ...states(), look })).rejects.toBe(expired);
    expect(looks).toBe(2);
  });

  it('ends when the user aborts, in the middle of a sleep too', async () => {
    const abort = new AbortController();
    const clock = fakeClock();
    const wait = { ...states('creating'), onLook: () => abort.abort() };
    await expect(waitFor({ clock, signal: abort.signal }, wait)).rejects.toBeInstanceOf(CancelledError);
    expect(clock.slept.length).toBeLessThanOrEqual(1);
  });
});

describe('repeating what came too early', () => {
  const tooEarly = () => new CdcError('aws.not-yet', 'the role cannot be assumed');
  const isTooEarly = (error: CdcError) => error.code === 'aws.not-yet';

  it('goes on until it works', async () => {
    let attempts = 0;
    const attempt = async () => {
      if (++attempts < 4) throw tooEarly();
      return 'made';
    };
    expect(
      await repeatWhile({ clock: fakeClock(), signal: undefined }, { isTooEarly, boundSeconds: 120 }, attempt),
    ).toBe('made');
    expect(attempts).toBe(4);
  });

  it('throws the last error at its bound', async () => {
    const clock = fakeClock();
    const attempt = () => Promise.reject(tooEarly());
    await expect(
      repeatWhile({ clock, signal: undefined }, { isTooEarly, boundSeconds: 120 }, attempt),
    ).rejects.toMatchObject({ code: 'aws.not-yet' });
    expect(clock.now()).toBe(120_000);
  });

  it('throws anything else at once', async () => {
    const clock = fakeClock();
    const attempt = () => Promise.reject(new CdcError('aws.quota', 'full'));
    await expect(
      repeatWhile({ clock, signal: undefined }, { isTooEarly, boundSeconds: 120 }, attempt),
    ).rejects.toMatchObject({ code: 'aws.quota' });
    expect(clock.slept).toEqual([]);
  });
});
