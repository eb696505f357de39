import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { reloadOnAws, tablesToReload } from '../../../../src/core/pipeline/aws-run/reload.ts';
import { replicateOnAws } from '../../../../src/core/pipeline/aws-run/replicate.ts';
import { openAwsRun } from '../../../../src/core/pipeline/aws-run/run.ts';
import { openStagingBucket } from '../../../../src/core/pipeline/aws-run/staging-bucket.ts';
import { startOnAws } from '../../../../src/core/pipeline/aws-run/start.ts';
import { isUnwellOnAws, statusOnAws } from '../../../../src/core/pipeline/aws-run/status.ts';
import { stopOnAws } from '../../../../src/core/pipeline/aws-run/stop.ts';
import { type Account, newPipeline, startAccount } from '../aws/account.ts';
import { hasWorld } from './world.ts';

/** What `init` makes and what runs on it, together: TLS, DMS's own user and the real staging bucket included. */
describe.skipIf(!(await hasWorld()))('a pipeline on AWS from init to destroy', () => {
  let account: Account;
  beforeAll(async () => {
    account = await startAccount();
  });
  afterAll(() => account?.stop());

  test('is replicated, reloaded, stopped to the last cent, started again, and leaves nothing', async () => {
    const pipeline = await newPipeline(account, "tables: ['shop.%']\n");
    const { context } = await pipeline.look();
    const { session, config } = context;
    const staging = openStagingBucket(session, config);
    const progress = { update() {}, done() {}, warn() {}, detail() {} };
    const run = openAwsRun({ session, config, staging, progress, sourcePassword: async () => '' });
    const start = () =>
      startOnAws({
        ...run,
        wait: true,
        makeInstance: async () => void (await pipeline.init({ only: 'replication-instance' })),
      });

    // What is paid for by the hour is not made before there is anything to start.
    await expect(start()).rejects.toMatchObject({ code: 'aws.not-made' });
    expect(await account.emulator.alive()).not.toHaveProperty('dms:rep');

    await pipeline.init();
    await account.query(
      'DROP DATABASE IF EXISTS shop',
      'CREATE DATABASE shop',
      'CREATE TABLE shop.orders (id INT PRIMARY KEY, note JSON)',
      `INSERT INTO shop.orders VALUES (1, '{"a":1}')`,
      // The emulated checkpoint names the second file.
      'FLUSH BINARY LOGS',
    );
    await account.emulator.control({ tables: [['shop', 'orders']] });

    const both = { fullLoad: true, ongoing: true };
    expect(await replicateOnAws({ ...run, request: both, wait: true })).toMatchObject({
      state: 'started',
      loaded: ['shop.orders'],
    });
    const status = await statusOnAws(run);
    expect(status).toMatchObject({
      worker: { state: 'running' },
      tables: [{ state: 'following' }],
      aws: { database: 'available', function: { state: 'Active', last_error: null } },
    });
    expect(isUnwellOnAws(status)).toBe(false);
    expect(await reloadOnAws({ ...run, tables: await tablesToReload(run, ['shop.orders']) })).toMatchObject({
      tables: ['shop.orders'],
    });

    expect(await stopOnAws({ ...run, all: true })).toMatchObject({
      database: 'stopped',
      replication_instance: 'deleted',
      cost: { now_usd_per_day: 0.1 },
    });
    expect(await start()).toMatchObject({
      database: 'started',
      replication_instance: 'made',
      task: { state: 'started', task: `${config.name}-cdc`, position: expect.stringContaining('checkpoint:V1#') },
    });
    expect(await stopOnAws({ ...run, all: false })).toMatchObject({ database: 'stopped' });
    expect(await start()).toMatchObject({ task: { state: 'started', task: `${config.name}-cdc` } });

    await pipeline.destroy({ deleteLake: true });
    // Roles of the whole account, which others may use.
    expect(await account.emulator.alive()).toEqual({ 'iam:role': [expect.any(String), expect.any(String)] });
  });
});
