/** What comes after the guide's walk on an emulated account whose replication task really moves data, by the built command line. */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { hasAwsEmulator } from '../support/aws/emulator.ts';
import { GuideAccount } from '../support/aws/guide-account.ts';

const SQL = join(import.meta.dirname, '../../sql');

const canRun = !('reason' in inject('testServers').mysql) && (await hasAwsEmulator());

describe.skipIf(!canRun)('a pipeline on an emulated account that goes on', () => {
  let account: GuideAccount;

  beforeAll(async () => {
    account = await GuideAccount.start({ spark: false });
  });
  afterAll(async () => {
    await account?.stop();
  });

  const merge = async () => (await account.json('merge', '--engine', 'local')).tables;
  const rowsAreRight = async () => {
    const { lake, source } = await account.bothRows();
    expect(lake).toEqual(source);
  };

  it('after `stop --all`, with a new instance and a new task, from exactly there', { timeout: 600_000 }, async () => {
    await account.ok('init', '--yes');
    await account.ok('load', join(SQL, 'persons.sql'));
    await account.json('replicate');
    await merge();
    await account.ok('load', join(SQL, 'changes.sql'));
    await account.followed({ inserts: 3, updates: 2, deletes: 1 });
    expect(await account.json('stop', '--all')).toMatchObject({
      tasks: [{ state: 'deleted' }],
      database: 'stopped',
      replication_instance: 'deleted',
    });
    expect(await account.json('start')).toMatchObject({
      database: 'started',
      replication_instance: 'made',
      task: { state: 'started', loaded: [] },
    });
    await account.ok('load', '-e', "UPDATE ahmad_schema.Persons SET City = 'Boston' WHERE PersonId = 131");
    await account.followed({ inserts: 0, updates: 1, deletes: 0 });
    // The six before the stop and the one after the start: nothing is lost, and nothing comes twice.
    expect(await merge()).toMatchObject([{ changes: 7, deleted: 1 }]);
    await rowsAreRight();
  });

  it('after large values have outgrown what the task was told', { timeout: 600_000 }, async () => {
    await account.ok('load', '-e', 'ALTER TABLE ahmad_schema.Persons ADD Letter LONGTEXT');
    await account.ok('replicate');
    await account.ok('load', '-e', "UPDATE ahmad_schema.Persons SET Letter = REPEAT('a', 40000) WHERE PersonId = 7");
    await account.followed({ inserts: 0, updates: 2, deletes: 0 });
    // DMS has cut it to 32 KB, and said so in its log alone.
    const refused = await account.cdc('merge', '--engine', 'local');
    expect(refused.stderr).toContain('column Letter: as long as the longest that DMS writes (LobMaxSize 32 KB)');
    expect(refused.code).toBe(1);
    await account.ok('replicate');
    await account.ok('reload', 'ahmad_schema.Persons', '--yes');
    await merge();
    await rowsAreRight();
    const sql = 'SELECT length(Letter) AS n FROM ahmad_schema.Persons WHERE PersonId = 7';
    expect(await account.json('query', sql)).toEqual([{ n: 40000 }]);
  });
});
