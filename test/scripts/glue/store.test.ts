import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { tableFolder } from '../../../src/core/change-file/layout.ts';
import { openLocalStore } from '../../../src/core/store/local.ts';
import { openS3Store } from '../../../src/core/store/s3.ts';
import { describeStoreContract } from '../../core/store/store-contract.ts';
import { awsClients } from '../../support/aws/clients.ts';
import { type AwsEmulator, EMULATOR_PYTHON, hasAwsEmulator, startAwsEmulator } from '../../support/aws/emulator.ts';
import { type CdcMergeChild, hasPlainPython, startCdcMergeChild } from '../../support/cdc-merge-child.ts';
import { type Asked, FakeS3, type Mishap } from '../../support/fake-s3.ts';
import { pythonOf } from '../../support/python-environment.ts';
import { PythonStore } from '../../support/python-store.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

const CLIENT = {
  AWS_REGION: 'eu-west-1',
  AWS_DEFAULT_REGION: 'eu-west-1',
  AWS_ACCESS_KEY_ID: 'testing',
  AWS_SECRET_ACCESS_KEY: 'testing',
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
};

describe.skipIf(!hasPlainPython())('the store of the Glue job', () => {
  let child: CdcMergeChild;
  beforeAll(() => {
    child = startCdcMergeChild();
  });
  afterAll(() => child.stop());

  const folder = async () => openLocalStore(await temporaryFolder());
  describeStoreContract('a folder, in Python', async () => new PythonStore(child, await folder()));
  describeStoreContract(
    'a folder without hard links, in Python',
    async () => new PythonStore(child, await folder(), { hard_links: false }),
  );

  it('lets one of a Python and a Node process put what is absent, key by key', async () => {
    const root = await temporaryFolder();
    const node = openLocalStore(root);
    const python = new PythonStore(child, node);
    const wins = { python: 0, node: 0 };
    // Milliseconds that Node waits, or Python where it is negative: whoever won gives the other a start, on any machine.
    let nodeWaits = 0;
    for (let number = 0; number < 150; number++) {
      const key = `race/${number}`;
      const [pythonWon, nodeWon] = await Promise.all([
        sleep(Math.max(0, -nodeWaits)).then(() => python.putIfAbsent(key, 'python '.repeat(2000))),
        sleep(Math.max(0, nodeWaits)).then(() => node.putIfAbsent(key, 'node '.repeat(2000))),
      ]);
      expect([pythonWon, nodeWon].filter(Boolean)).toHaveLength(1);
      expect((await node.get(key)).toString()).toBe((pythonWon ? 'python ' : 'node ').repeat(2000));
      wins[pythonWon ? 'python' : 'node']++;
      nodeWaits += pythonWon ? -1 : 1;
    }
    // Both were in it, or nothing was raced for.
    expect(Math.min(wins.python, wins.node), JSON.stringify(wins)).toBeGreaterThan(0);
    expect(await readdir(join(root, 'race'))).toHaveLength(150);
  });

  it.each(['shop', 'sh.op', '.hidden', '_cdc', 'Größe', 'a/b', 'a b', "it's", '100%', '😀', '_delta_log', '%2E'])(
    'finds the folder of a table in the schema %j where TypeScript does',
    async (schema) => {
      const root = await temporaryFolder();
      const staging = openLocalStore(root);
      const name = { schema, table: `t ${schema}` };
      await staging.put(`_cdc/tables/${tableFolder(name)}0000000000000000000.json`, '{}');
      expect(await child.ask('folders', { location: root })).toEqual([{ ...name, folder: tableFolder(name) }]);
    },
  );
});

const hasEmulator = await hasAwsEmulator();

describe.skipIf(!hasEmulator)('the store of the Glue job over S3', () => {
  let aws: AwsEmulator;
  let child: CdcMergeChild;
  beforeAll(async () => {
    aws = await startAwsEmulator();
    await awsClients(aws).s3.createBucket({
      Bucket: 'lake',
      CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' },
    });
    for (const [name, value] of Object.entries({ ...CLIENT, AWS_ENDPOINT_URL: aws.url })) vi.stubEnv(name, value);
    child = startCdcMergeChild(await pythonOf(EMULATOR_PYTHON));
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await child.stop();
    await aws.stop();
  });

  describeStoreContract('S3, in Python', async () => {
    const place = { bucket: 'lake', prefix: `pipelines/${randomUUID()}` };
    return new PythonStore(child, openS3Store(place, { cacheFolder: await temporaryFolder() }));
  });

  it('gives an object the tag and the time that TypeScript gives it', async () => {
    const place = { bucket: 'lake', prefix: 'one' };
    const twin = openS3Store(place, { cacheFolder: await temporaryFolder() });
    const store = new PythonStore(child, twin);
    await store.putIfAbsent('a/b', 'x');
    expect(await store.tagOf('a/b')).toBe(await twin.tagOf('a/b'));
    expect(await store.stat('a/b')).toEqual(await twin.stat('a/b'));
    expect(await store.list('')).toEqual(await twin.list(''));
  });

  it('names the bucket that is not there', async () => {
    const place = { bucket: 'no-such-bucket', prefix: '' };
    const store = new PythonStore(child, openS3Store(place, { cacheFolder: await temporaryFolder() }));
    await expect(store.list('')).rejects.toMatchObject({ code: 'store.no-bucket' });
  });
});

describe.skipIf(!hasEmulator)('the store of the Glue job over S3 on a bad day', () => {
  let fake: FakeS3;
  let child: CdcMergeChild;
  beforeAll(async () => {
    fake = await FakeS3.start();
    child = startCdcMergeChild(await pythonOf(EMULATOR_PYTHON), {
      ...process.env,
      ...CLIENT,
      AWS_ENDPOINT_URL: fake.url,
    });
    for (const [name, value] of Object.entries({ ...CLIENT, AWS_ENDPOINT_URL: fake.url })) vi.stubEnv(name, value);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await child.stop();
    await fake.stop();
  });

  const open = async () => {
    const place = { bucket: 'lake', prefix: randomUUID() };
    return new PythonStore(child, openS3Store(place, { cacheFolder: await temporaryFolder() }));
  };
  /** Mishaps of the next calls of a method, each used up once. */
  const happens = (method: string, ...mishaps: Mishap[]) => {
    fake.mishap = (asked: Asked) => (asked.method === method ? mishaps.shift() : undefined);
  };

  it.each<Mishap>(['lost-reply', 'lost-request', 'done-503', '503', '409'])(
    'puts what is absent once, whatever becomes of the answer: %s',
    async (mishap) => {
      const store = await open();
      happens('PUT', mishap);
      expect(await store.putIfAbsent('plan', 'mine')).toBe(true);
      happens('PUT', mishap);
      expect(await store.putIfAbsent('plan', 'mine')).toBe(false);
      const tag = (await store.tagOf('plan')) ?? '';
      happens('PUT', mishap);
      expect(await store.putIfMatch('plan', 'changed', tag)).toBe(true);
      happens('PUT', mishap);
      expect(await store.putIfMatch('plan', 'again', tag)).toBe(false);
      expect((await store.get('plan')).toString()).toBe('changed');
    },
  );

  it('reads a body again that breaks off, and asks again what was not answered', async () => {
    const store = await open();
    await store.put('a', 'x'.repeat(10_000));
    happens('GET', 'cut', '503', 'lost-reply');
    expect(await store.get('a')).toHaveLength(10_000);
    happens('HEAD', '503');
    expect(await store.stat('a')).toMatchObject({ size: 10_000 });
    happens('DELETE', 'lost-reply');
    await store.delete('a');
    expect(await store.stat('a')).toBeUndefined();
  });
});
