import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { CdcError } from '../../../src/core/errors.ts';
import {
  acquireLease,
  describeLease,
  type LeaseClock,
  type LeaseRequest,
  withLease,
} from '../../../src/core/store/lease.ts';
import { highestGeneration, leaseKey } from '../../../src/core/store/lease-file.ts';
import { openLocalStore } from '../../../src/core/store/local.ts';
import { isGone, ownIdentity, type ProcessIdentity, startOf } from '../../../src/core/store/process-identity.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

const FOLDER = 'shop/orders/_cdc/lease/';
/** A process of another machine: nobody here can tell whether it lives. */
const ELSEWHERE: ProcessIdentity = { host: 'elsewhere', pid: 1 };

/** Time and timers that stand still until told. */
class TestClock implements LeaseClock {
  time: number;
  readonly #calls = new Set<() => void>();

  constructor(store: MemoryStore) {
    this.time = store.time;
  }

  now(): number {
    return this.time;
  }

  every(_milliseconds: number, call: () => void): () => void {
    this.#calls.add(call);
    return () => this.#calls.delete(call);
  }

  fire(): void {
    for (const call of this.#calls) call();
  }

  get timers(): number {
    return this.#calls.size;
  }
}

function setUp() {
  const store = new MemoryStore();
  const clock = new TestClock(store);
  const pass = (seconds: number) => {
    store.time += seconds * 1000;
    clock.time += seconds * 1000;
  };
  const acquire = (options: Partial<LeaseRequest> = {}) =>
    acquireLease({ store, folder: FOLDER, engine: 'cdc', clock, ...options });
  const generations = async () => (await store.list(FOLDER)).map(({ key }) => Number(key.slice(FOLDER.length, -5)));
  return { store, clock, pass, acquire, generations };
}

describe('a lease', () => {
  it('is held by one: a second holder is refused with the name of the first', async () => {
    const { acquire, store } = setUp();
    const lease = await acquire({ runId: 'first' });
    await expect(acquire()).rejects.toMatchObject({
      code: 'lease.held',
      message: expect.stringContaining(`cdc on ${hostname()} (pid ${process.pid}) since 2026-11-23T12:00:00.000Z`),
    });
    expect(await describeLease(store, FOLDER)).toMatchObject({
      state: 'held',
      holder: { runId: 'first', engine: 'cdc' },
    });
    await lease.assertHeld();
  });

  it('is free at once after its release, which stays as the highest generation', async () => {
    const { acquire, store, generations, clock } = setUp();
    const first = await acquire();
    await first.release();
    expect(await describeLease(store, FOLDER)).toEqual({ state: 'free' });
    expect(await generations()).toEqual([2]);
    expect(clock.timers).toBe(0);
    const second = await acquire();
    expect(second.generation).toBe(3);
    expect(await generations()).toEqual([3]);
    await second.assertHeld();
  });

  it('renews itself with the next generation and takes the lower ones away', async () => {
    const { acquire, clock, pass, generations } = setUp();
    const lease = await acquire();
    for (let turn = 0; turn < 20; turn++) {
      pass(10);
      clock.fire();
      await lease.assertHeld();
    }
    expect(lease.generation).toBe(21);
    expect(await generations()).toEqual([21]);
    await expect(acquire()).rejects.toMatchObject({ code: 'lease.held' });
  });

  it('of another machine is free a minute after its last sign of life, by the clock of the store', async () => {
    const { acquire, store, clock, pass } = setUp();
    const dead = await acquire({ identity: ELSEWHERE });
    pass(59);
    clock.time += 1_000_000;
    await expect(acquire()).rejects.toMatchObject({ code: 'lease.held' });
    pass(1);
    expect(await describeLease(store, FOLDER)).toEqual({ state: 'free' });
    await acquire();
    await expect(dead.assertHeld()).rejects.toMatchObject({ code: 'lease.lost' });
  });

  it('of Spark is never free by time, only when it is taken over', async () => {
    const { acquire, pass } = setUp();
    const spark = await acquire({ engine: 'spark', identity: ELSEWHERE });
    pass(100_000);
    await expect(acquire()).rejects.toMatchObject({ code: 'lease.held', hint: expect.stringContaining('--take-over') });
    const taken = await acquire({ takeOver: true });
    await taken.assertHeld();
    await expect(spark.assertHeld()).rejects.toMatchObject({ code: 'lease.lost' });
  });

  it('that was suspended and replaced notices before it writes, although its next number is free again', async () => {
    const { acquire, pass, generations } = setUp();
    const suspended = await acquire({ identity: ELSEWHERE });
    pass(61);
    const next = await acquire();
    for (let turn = 0; turn < 3; turn++) {
      pass(21);
      await next.assertHeld();
    }
    expect(await generations()).toEqual([5]);
    await expect(suspended.assertHeld()).rejects.toMatchObject({ code: 'lease.lost' });
    expect(suspended.lost.aborted).toBe(true);
    await suspended.release();
    await next.assertHeld();
    expect(await generations()).toContain(5);
    await next.release();
    await acquire();
  });

  it('that was suspended and not replaced goes on, after a sign of life', async () => {
    const { acquire, store, pass } = setUp();
    const lease = await acquire({ identity: ELSEWHERE });
    pass(600);
    await lease.assertHeld();
    expect(lease.generation).toBe(2);
    expect(await describeLease(store, FOLDER)).toMatchObject({ state: 'held', renewed: new Date(store.time) });
  });

  it('tells its holder by a signal when a renewal finds another one', async () => {
    const { acquire, clock } = setUp();
    const lease = await acquire();
    await acquire({ takeOver: true });
    clock.fire();
    await once(lease.lost, 'abort');
    await expect(lease.assertHeld()).rejects.toMatchObject({ code: 'lease.lost' });
  });

  it('is given up when the store has not answered for longer than others wait', async () => {
    const { acquire, store, clock, pass } = setUp();
    const lease = await acquire();
    store.putIfAbsent = async () => {
      throw new CdcError('store.failed', 'writing: the network is down');
    };
    pass(20);
    clock.fire();
    await new Promise(setImmediate);
    expect(lease.lost.aborted).toBe(false);
    pass(30);
    clock.fire();
    await once(lease.lost, 'abort');
  });

  it('goes to exactly one of many who want it at the same time, again and again', async () => {
    const store = openLocalStore(await temporaryFolder());
    for (let round = 0; round < 10; round++) {
      const attempts = await Promise.allSettled(
        Array.from({ length: 6 }, () => acquireLease({ store, folder: FOLDER, engine: 'cdc' })),
      );
      const won = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []));
      expect(won).toHaveLength(1);
      await won[0]?.assertHeld();
      await won[0]?.release();
    }
    expect(await store.list(FOLDER)).toHaveLength(1);
  });

  it('counts a put of its own whose reply was lost as its own', async () => {
    const { store, acquire } = setUp();
    const putIfAbsent = store.putIfAbsent.bind(store);
    store.putIfAbsent = async (key, body) => (await putIfAbsent(key, body)) && false;
    const lease = await acquire();
    await lease.assertHeld();
    await lease.release();
    expect(await describeLease(store, FOLDER)).toEqual({ state: 'free' });
  });

  it('that cannot be read is never taken for free', async () => {
    const { store, acquire, pass } = setUp();
    await store.put(leaseKey(FOLDER, 4), '{"format":2');
    pass(100_000);
    await expect(acquire()).rejects.toMatchObject({ code: 'lease.held' });
    expect((await acquire({ takeOver: true })).generation).toBe(5);
  });

  it('is released when the work it guards fails', async () => {
    const { store, clock } = setUp();
    const work = withLease({ store, folder: FOLDER, engine: 'cdc', clock }, async () => {
      throw new Error('work');
    });
    await expect(work).rejects.toThrow('work');
    expect(await highestGeneration(store, FOLDER)).toMatchObject({ state: 'released' });
  });
});

describe('the process that holds a lease', () => {
  it('is seen to be gone at once when it was killed on this machine', async () => {
    const { acquire } = setUp();
    const child = await sleeper();
    const identity = { ...(await ownIdentity()), pid: child.pid ?? 0, started: await startOf(child.pid ?? 0) };
    await acquire({ identity });
    await expect(acquire()).rejects.toMatchObject({ code: 'lease.held' });
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    await acquire();
  });

  it('is gone when its pid belongs to another process, or its machine was started anew', async () => {
    const own = await ownIdentity();
    expect(await isGone(own)).toBe(false);
    expect(await isGone({ ...own, started: '1' })).toBe(true);
    expect(await isGone({ ...own, boot: 'another' })).toBe(own.boot !== undefined);
  });

  it('is never called gone by another host, machine or pid namespace', async () => {
    const own = await ownIdentity();
    expect(await isGone({ ...own, pid: 999_999_999, host: 'elsewhere' })).toBe(false);
    expect(await isGone({ ...own, pid: 999_999_999, machine: 'another container' })).toBe(false);
    expect(await isGone({ ...own, pid: 999_999_999 })).toBe(true);
  });
});

async function sleeper(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', 'console.log("up"); setInterval(() => {}, 1000)'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
  return child;
}
