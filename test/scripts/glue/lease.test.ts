import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { mergeLease } from '../../../src/core/change-file/layout.ts';
import { acquireLease, describeLease } from '../../../src/core/store/lease.ts';
import { highestGeneration, leaseKey, listGenerations } from '../../../src/core/store/lease-file.ts';
import { openLocalStore } from '../../../src/core/store/local.ts';
import { ownIdentity } from '../../../src/core/store/process-identity.ts';
import type { Store } from '../../../src/core/store/store.ts';
import { type CdcMergeChild, CHILD_SCRIPT, hasPlainPython, startCdcMergeChild } from '../../support/cdc-merge-child.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

const TABLE = { schema: 'shop', table: 'orders' };
const FOLDER = mergeLease(TABLE);
const ELSEWHERE = { host: 'elsewhere', pid: 1 };
const acquired = z.object({ name: z.string(), generation: z.number() });
const used = z.object({ generation: z.number(), lost: z.boolean() });

describe.skipIf(!hasPlainPython())('a lease taken in Python', () => {
  let child: CdcMergeChild;
  beforeAll(() => {
    child = startCdcMergeChild();
  });
  afterAll(() => child.stop());

  const newStore = async () => openLocalStore(await temporaryFolder());
  const acquire = async (store: Store, more: Record<string, unknown> = {}) =>
    acquired.parse(await child.ask('acquire', { location: store.location, folder: FOLDER, ...more }));
  const use = async (name: string, act: 'assert_held' | 'release') =>
    used.parse(await child.ask('use_lease', { name, act }));

  it('keeps TypeScript out, and is free for it at once when released', async () => {
    const store = await newStore();
    const { name, generation } = await acquire(store);
    expect(generation).toBe(1);
    await expect(acquireLease({ store, folder: FOLDER, engine: 'cdc' })).rejects.toMatchObject({
      code: 'lease.held',
      message: expect.stringContaining(`it is held by spark on ${hostname()} (pid ${child.pid}) since `),
      hint: 'when that run is over: cdc merge --take-over',
    });
    await use(name, 'assert_held');
    await use(name, 'release');
    const mine = await acquireLease({ store, folder: FOLDER, engine: 'cdc' });
    expect(mine.generation).toBe(3);
    await mine.release();
  });

  it('is refused while TypeScript holds it, in the words that TypeScript has for it', async () => {
    const store = await newStore();
    const mine = await acquireLease({ store, folder: FOLDER, engine: 'cdc' });
    const refused = await acquireLease({ store, folder: FOLDER, engine: 'cdc' }).catch((error: unknown) => error);
    await expect(acquire(store)).rejects.toEqual(refused);
    await mine.release();
    expect((await acquire(store)).generation).toBe(3);
  });

  it('is written byte for byte as TypeScript writes it', async () => {
    const store = await newStore();
    const identity = await ownIdentity();
    const mine = await acquireLease({ store, folder: FOLDER, engine: 'spark', runId: 'a run', identity });
    const own = (await store.get(leaseKey(FOLDER, 1))).toString();
    await mine.release();
    await acquire(store, { identity, run_id: 'a run' });
    const theirs = (await store.get(leaseKey(FOLDER, 3))).toString();
    const plain = (text: string) => text.replace(/"(since|lease_id)":"[^"]*"/g, '"$1":"…"');
    expect(plain(theirs)).toBe(plain(own));
  });

  it('goes over by time from TypeScript to Python a minute after the last sign of life, and never from Spark', async () => {
    const store = await newStore();
    const long = new Date(Date.now() - 61_000);
    const age = async (generation: number) => utimes(join(store.location, leaseKey(FOLDER, generation)), long, long);
    await acquireLease({ store, folder: FOLDER, engine: 'cdc', identity: ELSEWHERE });
    await expect(acquire(store)).rejects.toMatchObject({ code: 'lease.held' });
    await age(1);
    await acquire(store, { identity: ELSEWHERE });
    await age(2);
    await expect(acquireLease({ store, folder: FOLDER, engine: 'cdc' })).rejects.toMatchObject({ code: 'lease.held' });
    await expect(acquire(store)).rejects.toMatchObject({ code: 'lease.held' });
    expect((await acquireLease({ store, folder: FOLDER, engine: 'cdc', takeOver: true })).generation).toBe(3);
  });

  it('of a Glue run names job and run, and is free when Glue says that the run is over', async () => {
    const store = await newStore();
    const run = { identity: ELSEWHERE, job: 'shop-merge', run_id: 'jr_1' };
    await acquire(store, run);
    await expect(acquireLease({ store, folder: FOLDER, engine: 'cdc' })).rejects.toMatchObject({
      message: expect.stringContaining('it is held by spark, run jr_1 of the Glue job shop-merge, since '),
    });
    await expect(acquire(store, { over: ['jr_2'] })).rejects.toMatchObject({
      message: expect.stringContaining('it is held by spark, run jr_1 of the Glue job shop-merge, since '),
    });
    expect((await acquire(store, { over: ['jr_1'] })).generation).toBe(2);
  });

  it('notices that it was taken over, and stays as it is', async () => {
    const store = await newStore();
    const { name } = await acquire(store);
    const mine = await acquireLease({ store, folder: FOLDER, engine: 'cdc', takeOver: true });
    await expect(use(name, 'assert_held')).rejects.toMatchObject({ code: 'lease.lost' });
    expect((await use(name, 'release')).lost).toBe(true);
    await mine.assertHeld();
  });

  it('renews itself with the next generation and takes the lower ones away', async () => {
    const store = await newStore();
    await child.ask('set_pace', { renew_every_seconds: 0.02 });
    onTestFinished(() => void child.ask('set_pace', { renew_every_seconds: 10 }));
    const { name } = await acquire(store);
    while (((await highestGeneration(store, FOLDER))?.generation ?? 0) < 5) await sleep(10);
    const { generation } = await use(name, 'release');
    await sleep(100);
    expect((await listGenerations(store, FOLDER)).map((one) => one.generation)).toEqual([generation]);
    expect(await describeLease(store, FOLDER)).toEqual({ state: 'free' });
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'is released on %s, once what could still commit is stopped',
    async (signal) => {
      const store = await newStore();
      const { holder, lines } = await hold(store);
      holder.kill(signal);
      await once(holder, 'close');
      expect(lines).toEqual(['held', 'work stopped']);
      expect(await highestGeneration(store, FOLDER)).toMatchObject({ state: 'released' });
    },
  );

  it('is free at once for both when its process was killed', async () => {
    const store = await newStore();
    const { holder } = await hold(store);
    holder.kill('SIGKILL');
    await once(holder, 'close');
    const mine = await acquireLease({ store, folder: FOLDER, engine: 'cdc' });
    await mine.release();
    const again = await hold(store);
    again.holder.kill('SIGKILL');
    await once(again.holder, 'close');
    await acquire(store);
  });

  it('goes to exactly one of Python and TypeScript who want it at the same time', async () => {
    const store = await newStore();
    for (let round = 0; round < 20; round++) {
      const [python, node] = await Promise.allSettled([
        acquire(store),
        sleep(round % 5).then(() => acquireLease({ store, folder: FOLDER, engine: 'cdc' })),
      ]);
      expect([python.status, node.status].sort()).toEqual(['fulfilled', 'rejected']);
      if (python.status === 'fulfilled') await use(python.value.name, 'release');
      if (node.status === 'fulfilled') await node.value.release();
    }
  });
});

/** A Python process that holds the lease until it is told otherwise. */
async function hold(store: Store): Promise<{ holder: ChildProcessWithoutNullStreams; lines: string[] }> {
  const args = [CHILD_SCRIPT, 'hold', store.location, TABLE.schema, TABLE.table];
  const holder = spawn('python3', args, { stdio: 'pipe', env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } });
  onTestFinished(() => void holder.kill('SIGKILL'));
  const lines: string[] = [];
  const reader = createInterface({ input: holder.stdout });
  reader.on('line', (line) => lines.push(line));
  await once(reader, 'line');
  return { holder, lines };
}
