/**
 * The whole guide on an emulated account with real parts inside: the dump in a real MySQL, a task that really loads and follows
 * it into the bucket, S3's events that start the function's zip, which starts the Glue job, which is the script under PySpark.
 */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { hasAwsEmulator } from '../support/aws/emulator.ts';
import { GuideAccount } from '../support/aws/guide-account.ts';
import { hasSpark } from '../support/spark-parts.ts';

const SQL = join(import.meta.dirname, '../../sql');

const canRun = !('reason' in inject('testServers').mysql) && (await hasAwsEmulator()) && (await hasSpark());

describe.skipIf(!canRun)('the whole guide on an emulated account', () => {
  let account: GuideAccount;

  beforeAll(async () => {
    account = await GuideAccount.start({ spark: true });
  }, 600_000);
  afterAll(async () => {
    await account?.stop();
  });

  it('loads, then follows, and every file that lands wakes the merge, until nothing of it is left', {
    timeout: 600_000,
  }, async () => {
    const { aws } = account;
    // In AWS an event that finds the job at work comes again after a minute.
    await aws.control({ event_retry_seconds: 2 });
    await account.ok('init', '--yes');
    await account.ok('load', join(SQL, 'persons.sql'));

    // Sections 7 and 12: a task that loads, for which nobody waits, and the event of its file; its run asks DMS, which calls
    // the table complete some looks later.
    await aws.control({ statistics: { 'ahmad_schema.Persons': { TableState: 'Full load', times: 3 } } });
    expect(await account.json('replicate', '--full-load', '--no-wait')).toMatchObject({
      state: 'started',
      merge: null,
    });
    await account.mergedByItself();
    expect((await account.bothRows()).lake).toHaveLength(129);
    expect(await account.runs(1)).toHaveLength(1);
    expect((await account.json('status')).aws.tasks).toMatchObject([{ kind: 'full-load', state: 'stopped' }]);

    // Sections 8 and 13: nobody merges but the events of the change files.
    expect(await account.json('replicate', '--ongoing')).toMatchObject({ state: 'started' });
    await account.ok('load', join(SQL, 'changes.sql'));
    await account.followed({ inserts: 3, updates: 2, deletes: 1 });
    await account.mergedByItself();

    const status = await account.json('status');
    expect(status).toMatchObject({
      worker: { state: 'running' },
      aws: { merge: { state: 'SUCCEEDED' }, function: { state: 'Active' } },
      tables: [{ table: 'Persons', state: 'following', inserts: 3, updates: 2, deletes: 1, error: null }],
    });
    const { files } = await account.json('files');
    expect(files[0]).toMatchObject({ kind: 'load' });
    expect(new Set(files.map(({ state }: { state: string }) => state))).toEqual(new Set(['merged']));
    const logs = await account.ok('logs', '--json', '--lines', '1000');
    const said = [...logs.matchAll(/changes; \d+ rows inserted, (\d+) updated, (\d+) deleted/g)];
    expect(said.map(([, updated, deleted]) => Number(updated) + Number(deleted)).reduce((a, b) => a + b)).toBe(3);

    // Section 9, and on from exactly there.
    await account.ok('stop');
    await account.ok('start');
    await account.ok('load', '-e', "UPDATE ahmad_schema.Persons SET City = 'Boston' WHERE PersonId = 131");
    await account.followed({ inserts: 3, updates: 3, deletes: 1 });
    await account.mergedByItself();

    await account.ok('destroy', '--delete-lake', '--yes');
    expect(await aws.alive()).toEqual({ 'iam:role': ['aws:dms-cloudwatch-logs-role', 'aws:dms-vpc-role'] });
  });
});
