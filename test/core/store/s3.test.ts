import { randomUUID } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { withLease } from '../../../src/core/store/lease.ts';
import { openS3Store } from '../../../src/core/store/s3.ts';
import { PART_BYTES } from '../../../src/core/store/s3-write.ts';
import type { Store } from '../../../src/core/store/store.ts';
import { awsClients } from '../../support/aws/clients.ts';
import { type AwsEmulator, hasAwsEmulator, startAwsEmulator } from '../../support/aws/emulator.ts';
import { type Asked, FakeS3, type Mishap } from '../../support/fake-s3.ts';
import { askOnly } from '../../support/s3-environment.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';
import { describeStoreContract } from './store-contract.ts';

/** A store under a prefix of its own. */
async function openEmpty(bucket: string, more: { cacheFolder?: string; prefix?: string } = {}): Promise<Store> {
  const { cacheFolder = await temporaryFolder(), prefix = `pipelines/${randomUUID()}` } = more;
  return openS3Store({ bucket, prefix }, { cacheFolder });
}

const hasEmulator = await hasAwsEmulator();

describe.skipIf(!hasEmulator)('S3, emulated', () => {
  let aws: AwsEmulator;
  beforeAll(async () => {
    aws = await startAwsEmulator();
    const { s3 } = awsClients(aws);
    await s3.createBucket({ Bucket: 'lake', CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' } });
    askOnly(aws.url);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await aws.stop();
  });

  describeStoreContract('S3', () => openEmpty('lake'));

  it('keeps to its prefix, and takes the whole bucket without one', async () => {
    const inside = await openEmpty('lake', { prefix: 'deep/prefix' });
    await inside.put('a/b', 'x');
    const whole = await openEmpty('lake', { prefix: '' });
    expect((await whole.get('deep/prefix/a/b')).toString()).toBe('x');
    expect(await inside.list('')).toMatchObject([{ key: 'a/b', size: 1 }]);
    expect(inside.location).toBe('s3://lake/deep/prefix');
  });

  it('moves a file of several parts up and down whole', async () => {
    const store = await openEmpty('lake');
    const body = Buffer.alloc(2 * PART_BYTES + 12_345, 'a lake of bytes ');
    const path = await store.scratchPath('large.bin');
    await writeFile(path, body);
    expect(await store.publish(path, 'large.bin')).toBe(true);
    const elsewhere = await openEmpty('lake', { prefix: store.location.replace('s3://lake/', '') });
    expect((await readFile(await elsewhere.materialise('large.bin'))).equals(body)).toBe(true);
    const again = await store.scratchPath('large.bin');
    await writeFile(again, body);
    expect(await store.publish(again, 'large.bin')).toBe(false);
    expect((await awsClients(aws).s3.listMultipartUploads({ Bucket: 'lake' })).Uploads ?? []).toEqual([]);
  });

  it('names the bucket that is not there, and how to make it', async () => {
    const store = await openEmpty('no-such-bucket');
    await expect(store.list('')).rejects.toMatchObject({
      code: 'store.no-bucket',
      hint: 'aws s3 mb s3://no-such-bucket   # with target aws: cdc init',
    });
    await expect(store.putIfAbsent('x', 'y')).rejects.toMatchObject({ code: 'store.no-bucket' });
  });
});

describe('S3 on a bad day', () => {
  let fake: FakeS3;
  beforeAll(async () => {
    fake = await FakeS3.start();
    askOnly(fake.url);
  });
  afterEach(() => {
    fake.mishap = () => undefined;
    fake.listsLateMs = 0;
    fake.asked.length = 0;
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await fake.stop();
  });

  const writes = ({ method }: Asked) => method === 'PUT' || method === 'POST' || method === 'DELETE';
  /** The first request that fits meets it, and no other. */
  const once = (mishap: Mishap, fits: (asked: Asked) => boolean) => {
    let isDue = true;
    fake.mishap = (asked) => {
      if (!isDue || !fits(asked)) return undefined;
      isDue = false;
      return mishap;
    };
  };

  describe('that lists late, loses replies, answers 409 and 503', () => {
    describeStoreContract('such an S3', async () => {
      fake.listsLateMs = 40;
      const kinds: Mishap[] = ['lost-reply', '503', 'done-503', 'lost-request', '409'];
      let count = 0;
      // Every fourth write, each kind in its turn; conflicts only where there is a condition, as from S3.
      fake.mishap = (asked) => {
        if (asked.method === 'GET' && !asked.query.has('list-type')) return ++count % 5 === 0 ? 'cut' : undefined;
        if (!writes(asked) || ++count % 4 !== 0) return undefined;
        const kind = kinds[(count / 4) % kinds.length];
        return kind === '409' && asked.method === 'DELETE' ? '503' : kind;
      };
      return openEmpty('lake');
    });
  });

  for (const mishap of ['lost-reply', 'done-503'] as const)
    it(`counts a write as its own that was done although the answer was ${mishap}`, async () => {
      const store = await openEmpty('lake');
      once(mishap, writes);
      expect(await store.putIfAbsent('commit', 'mine')).toBe(true);
      const tag = (await store.tagOf('commit')) ?? '';
      once(mishap, writes);
      expect(await store.putIfMatch('commit', 'mine again', tag)).toBe(true);
      expect((await store.get('commit')).toString()).toBe('mine again');
    });

  it('does not take the same bytes of somebody else for its own when an answer was lost', async () => {
    const store = await openEmpty('lake');
    await store.putIfAbsent('commit', 'the same');
    once('lost-request', writes);
    expect(await store.putIfAbsent('commit', 'the same')).toBe(false);
  });

  it('tries a conflict again until one of the writers is through', async () => {
    const store = await openEmpty('lake');
    let conflicts = 3;
    fake.mishap = (asked) => (writes(asked) && conflicts-- > 0 ? '409' : undefined);
    expect(await store.putIfAbsent('commit', 'mine')).toBe(true);
    expect(conflicts).toBe(-1);
  });

  it('gives up an upload that fails, and leaves no parts behind', async () => {
    const store = await openEmpty('lake');
    const path = await store.scratchPath('large');
    await writeFile(path, Buffer.alloc(PART_BYTES + 1));
    fake.mishap = ({ query }) => (query.get('partNumber') === '2' ? 'lost-request' : undefined);
    await expect(store.publish(path, 'large')).rejects.toMatchObject({ code: 'store.unreachable' });
    expect(fake.uploads).toBe(0);
    expect(await store.stat('large')).toBeUndefined();
    // The file is still there for another try.
    once('lost-reply', ({ method, query }) => method === 'POST' && query.has('uploadId'));
    expect(await store.publish(path, 'large')).toBe(true);
    expect((await store.stat('large'))?.size).toBe(PART_BYTES + 1);
  });

  it('clears away uploads that a killed process left', async () => {
    const store = await openEmpty('lake');
    const path = await store.scratchPath('large');
    await writeFile(path, Buffer.alloc(PART_BYTES + 1));
    const key = `shop/orders/part-${randomUUID()}.zstd.parquet`;
    const stop = () => {
      fake.mishap = ({ method }) => (method === 'DELETE' ? 'lost-request' : undefined);
      throw new Error('killed');
    };
    await expect(store.publish(path, key, stop)).rejects.toThrow('killed');
    await writeFile(path, Buffer.alloc(PART_BYTES + 1));
    await expect(store.publish(path, 'of somebody else', stop)).rejects.toThrow('killed');
    expect(fake.uploads).toBe(2);
    fake.mishap = () => undefined;
    expect(await store.sweep()).toBe(1);
    expect(fake.uploads).toBe(1);
  });

  it('says that nothing answers, with the cure, when S3 is away', async () => {
    const store = await openEmpty('lake');
    fake.mishap = () => 'lost-request';
    await expect(store.putIfAbsent('x', 'y')).rejects.toMatchObject({ code: 'store.unreachable' });
  });

  it('lets one of two lease holders in although listings are late', async () => {
    const store = await openEmpty('lake');
    fake.listsLateMs = 150;
    let holders = 0;
    const work = async () => {
      expect(++holders).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 20));
      holders--;
    };
    const request = { store, folder: '_cdc/lease/', engine: 'cdc' as const };
    const one = async (): Promise<string> =>
      withLease(request, async () => {
        await work();
        return 'held';
      }).catch((error: unknown) => (error as { code: string }).code);
    const ends = await Promise.all([one(), one(), one()]);
    expect(ends).toContain('held');
    expect(ends.filter((end) => end !== 'held' && end !== 'lease.held')).toEqual([]);
  });

  describe('copies on this machine', () => {
    const downloads = () =>
      fake.asked.filter(({ method, query }) => method === 'GET' && !query.has('list-type')).length;
    const dataFile = () => `part-${randomUUID()}.zstd.parquet`;

    it('are fetched once, also when several ask at once, and by another process never', async () => {
      const cacheFolder = await temporaryFolder();
      const prefix = randomUUID();
      const store = await openEmpty('lake', { cacheFolder, prefix });
      const key = dataFile();
      await store.put(key, 'rows');
      const paths = await Promise.all(Array.from({ length: 8 }, () => store.materialise(key)));
      expect(new Set(paths).size).toBe(1);
      expect(downloads()).toBe(1);
      const other = await openEmpty('lake', { cacheFolder, prefix });
      expect((await readFile(await other.materialise(key))).toString()).toBe('rows');
      expect(downloads()).toBe(1);
    });

    it('are what was published here, without a download', async () => {
      const store = await openEmpty('lake');
      const path = await store.scratchPath('x.csv');
      await writeFile(path, 'a,b\n');
      await store.publish(path, '20261122-101530001.csv');
      expect((await readFile(await store.materialise('20261122-101530001.csv'))).toString()).toBe('a,b\n');
      expect(downloads()).toBe(0);
    });

    it('follow a file whose name is used again, as DMS does for a load', async () => {
      const store = await openEmpty('lake');
      await store.put('LOAD00000001.csv', 'old');
      const old = await store.materialise('LOAD00000001.csv');
      await store.put('LOAD00000001.csv', 'new');
      expect((await readFile(await store.materialise('LOAD00000001.csv'))).toString()).toBe('new');
      expect((await readFile(old)).toString()).toBe('old');
    });

    it('are whole although the transfer breaks off', async () => {
      const store = await openEmpty('lake');
      const key = dataFile();
      const body = Buffer.alloc(300_000, 'rows ');
      await store.put(key, body);
      once('cut', ({ method }) => method === 'GET');
      expect((await readFile(await store.materialise(key))).equals(body)).toBe(true);
      expect(downloads()).toBe(2);
    });

    it('leave room: the least recently used go, what is in use stays', async () => {
      const cacheFolder = await temporaryFolder();
      const options = { cacheFolder, cacheBytes: 250 };
      const store = openS3Store({ bucket: 'lake', prefix: randomUUID() }, { ...options, cacheInUseMs: 0 });
      const [first, second, third] = [dataFile(), dataFile(), dataFile()];
      for (const key of [first, second, third]) await store.put(key, Buffer.alloc(100));
      await store.materialise(first);
      await store.materialise(second);
      await new Promise((resolve) => setTimeout(resolve, 20));
      await store.materialise(first);
      const path = await store.materialise(third);
      expect((await stat(path)).size).toBe(100);
      const there = (await readdir(cacheFolder)).filter((name) => name.endsWith('.parquet'));
      expect(there.map((name) => name.slice(33)).sort()).toEqual([first, third].sort());
      const careful = openS3Store({ bucket: 'lake', prefix: randomUUID() }, options);
      await careful.put(second, Buffer.alloc(100));
      await careful.materialise(second);
      expect((await readdir(cacheFolder)).filter((name) => name.endsWith('.parquet'))).toHaveLength(3);
      expect(await readdir(join(cacheFolder, 'scratch'))).toEqual([]);
    });
  });
});
