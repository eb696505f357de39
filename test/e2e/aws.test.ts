/** The guide on an emulated account whose replication task really moves data, merged from this machine: no Spark is needed. */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { hasAwsEmulator } from '../support/aws/emulator.ts';
import { GuideAccount } from '../support/aws/guide-account.ts';

const SQL = join(import.meta.dirname, '../../sql');

const canRun = !('reason' in inject('testServers').mysql) && (await hasAwsEmulator());

describe.skipIf(!canRun)('the guide on an emulated account, by the built command line', () => {
  let account: GuideAccount;

  beforeAll(async () => {
    account = await GuideAccount.start({ spark: false });
  });
  afterAll(async () => {
    await account?.stop();
  });

  const rowsAreRight = async () => {
    const { lake, source } = await account.bothRows();
    expect(lake).toEqual(source);
  };

  it('plans, makes, fills, replicates, repeats after a stop, reloads and removes a pipeline, and leaves nothing', {
    timeout: 600_000,
  }, async () => {
    const { aws } = account;
    expect((await account.json('plan')).steps.length).toBeGreaterThan(10);
    expect(Object.keys(await aws.alive())).toEqual([]);

    await account.ok('init', '--yes');
    expect(await account.ok('init', '--yes')).toBe('already made\n');
    await account.ok('load', join(SQL, 'persons.sql'));
    // Nobody waits for the load: the merge asks DMS.
    expect(await account.json('replicate', '--no-wait')).toMatchObject({ state: 'started', merge: null, left_out: [] });
    await account.shows({ state: 'following' });
    await account.ok('merge', '--engine', 'local');
    await rowsAreRight();
    expect(await account.ok('replicate')).toContain('already replicating');

    await account.ok('load', join(SQL, 'changes.sql'));
    await account.followed({ inserts: 3, updates: 2, deletes: 1 });
    expect(await account.json('status')).toMatchObject({
      target: 'aws',
      aws: { database: 'available', tasks: [{ kind: 'full-load-and-cdc', state: 'running', percent: 100 }] },
      tables: [{ state: 'following', loaded_rows: 129, inserts: 3, updates: 2, deletes: 1, error: null }],
    });
    expect((await account.json('merge', '--engine', 'local')).tables).toMatchObject([{ changes: 6, deleted: 1 }]);
    await rowsAreRight();

    // A resumed task repeats: first half of its seven changes, with an older row of 7 than the table has; nobody sees it.
    await account.ok('load', '-e', "UPDATE ahmad_schema.Persons SET City = 'Rome' WHERE PersonId = 7");
    await account.followed({ inserts: 3, updates: 3, deletes: 1 });
    await account.ok('merge', '--engine', 'local');
    await aws.control({ task_repeats: 7 });
    await account.ok('stop');
    await account.ok('start');
    await account.unmergedFiles(1);
    const repeated = await account.json('merge', '--engine', 'local');
    expect(repeated.tables).toMatchObject([{ changes: 0 }]);
    await rowsAreRight();
    await account.ok('load', '-e', "UPDATE ahmad_schema.Persons SET City = 'Oslo' WHERE PersonId = 132");
    await account.followed({ inserts: 3, updates: 4, deletes: 1 });
    const again = await account.json('merge', '--engine', 'local');
    expect(again.tables).toMatchObject([{ files: 2, changes: 8 }]);
    await rowsAreRight();

    await account.ok(
      'load',
      '-e',
      'ALTER TABLE ahmad_schema.Persons ADD Age INT; UPDATE ahmad_schema.Persons SET Age = 40 WHERE PersonId = 1',
    );
    await account.followed({ inserts: 3, updates: 5, deletes: 1 });
    expect(await account.cdc('merge', '--engine', 'local')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('knows the column Age'),
    });
    await account.ok('replicate');
    await account.ok('merge', '--engine', 'local');
    expect(await account.json('query', 'SELECT Age FROM ahmad_schema.Persons WHERE PersonId = 1')).toEqual([
      { Age: 40 },
    ]);
    await rowsAreRight();
    // DMS counts DDL of every kind, and a TRUNCATE is in no file of it: who has looked is written down.
    const unverified = { state: 'unverified', error: { code: 'table.unverified' } };
    await account.shows(unverified);
    expect(await account.json('verify')).toMatchObject({ equal: true, tables: [{ source_rows: 131, lake_rows: 131 }] });
    await account.shows({ state: 'following', error: null });
    await account.ok(
      'load',
      '-e',
      "TRUNCATE ahmad_schema.Persons; INSERT INTO ahmad_schema.Persons (PersonId, City) VALUES (1, 'Bonn')",
    );
    await account.shows(unverified);
    await account.ok('merge', '--engine', 'local');
    expect(await account.cdc('verify', '--settle', '1s')).toMatchObject({ code: 3 });
    await account.shows(unverified);
    await account.ok('reload', 'ahmad_schema.Persons', '--yes');
    await account.shows({ state: 'following', error: null, loaded_rows: 1 });
    await account.ok('merge', '--engine', 'local');
    await rowsAreRight();
    expect(await account.json('verify')).toMatchObject({ equal: true, tables: [{ source_rows: 1, lake_rows: 1 }] });

    expect(await account.cdc('destroy')).toMatchObject({ code: 2 });
    expect(await account.ok('destroy', '--delete-lake', '--yes')).toMatch(/\nnow \$0\.00\/day, was \$\d\.\d\d\n$/);
    await account.ok('destroy', '--delete-lake', '--yes');
    // The two roles are the account's, shared by every user of DMS.
    expect(await aws.alive()).toEqual({ 'iam:role': ['aws:dms-cloudwatch-logs-role', 'aws:dms-vpc-role'] });
  });
});
