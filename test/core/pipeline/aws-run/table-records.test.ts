import { describe, expect, test } from 'vitest';
import { readDefinitions } from '../../../../src/core/change-file/definitions.ts';
import { putDmsEpoch, readDmsEpochs } from '../../../../src/core/change-file/dms-epoch.ts';
import { changeNumber } from '../../../../src/core/change-number.ts';
import { reloadOnAws, tablesToReload } from '../../../../src/core/pipeline/aws-run/reload.ts';
import { replicateOnAws } from '../../../../src/core/pipeline/aws-run/replicate.ts';
import {
  recordComplete,
  recordDefinitions,
  recordLoads,
  tablesToLoad,
} from '../../../../src/core/pipeline/aws-run/table-records.ts';
import { defineTable, definitionToJson } from '../../../../src/core/table-definition.ts';
import type { AwsEmulator } from '../../../support/aws/emulator.ts';
import type { TestServer } from '../../../support/servers.ts';
import { table as statistics, task } from './tasks.ts';
import { alterAnswers, eachInItsWorld, hasWorld, testConfig, type World } from './world.ts';

const ORDERS = { schema: 'shop', table: 'orders' };
const PERSONS = { schema: 'shop', table: 'persons' };

describe.skipIf(!(await hasWorld()))('what replicate on AWS writes down for the merge', () => {
  let aws: AwsEmulator;
  let server: TestServer;
  let world: World;
  eachInItsWorld((place) => {
    ({ aws, server, world } = place);
  });

  const replicate = (request = { fullLoad: true, ongoing: true }, wait = true) =>
    replicateOnAws({ ...world.run, request, wait });
  const epochs = async (table = ORDERS) =>
    (await readDmsEpochs(world.staging, table)).map(({ kind, state, task, caches, lobKb }) => ({
      kind,
      state,
      task,
      caches,
      lobKb,
    }));
  const columns = async () =>
    (await readDefinitions(world.staging, ORDERS)).map((definition) => [
      definition.number,
      definition.columns.map(({ name }) => name).join(),
    ]);

  test('columns and key of every table, and a load that is complete when DMS says so', async () => {
    await replicate();
    expect(await readDefinitions(world.staging, ORDERS)).toMatchObject([
      { number: 1n, key: ['id'], columns: [{ name: 'id' }, { name: 'note', type: 'varchar(50)' }] },
    ]);
    const load = { kind: 'load', state: 'complete', task: 'shop-full-load-and-cdc', caches: true, lobKb: [32] };
    expect(await epochs()).toEqual([load]);
    expect(await epochs(PERSONS)).toEqual([load]);
  });

  test('a load that nobody waits for stays one in progress', async () => {
    await replicate(undefined, false);
    expect(await epochs()).toMatchObject([{ kind: 'load', state: 'loading' }]);
  });

  test('a column that was added since is a new definition, written down by the command repeated', async () => {
    await replicate();
    await server.query('ALTER TABLE shop.orders ADD COLUMN qty INT');
    expect(await replicate()).toMatchObject({ state: 'already' });
    await replicate();
    expect(await columns()).toEqual([
      [1n, 'id,note'],
      [2n, 'id,note,qty'],
    ]);
    expect(await epochs()).toHaveLength(1);
  });

  test('a table that is followed and was never loaded begins empty; one that was loaded goes on', async () => {
    await replicate({ fullLoad: true, ongoing: false });
    await server.query('CREATE TABLE shop.later (id INT PRIMARY KEY)');
    await aws.control({
      tables: [
        ['shop', 'orders'],
        ['shop', 'persons'],
        ['shop', 'later'],
      ],
    });
    await replicate({ fullLoad: true, ongoing: true });
    expect(await epochs()).toMatchObject([{ kind: 'load', caches: false, task: 'shop-full-load' }]);
    expect(await epochs({ schema: 'shop', table: 'later' })).toMatchObject([{ kind: 'start', state: 'complete' }]);
  });

  test('a reload is an epoch of its own, which no change file completes', async () => {
    await replicate();
    world.staging.time += 60_000;
    await reloadOnAws({ ...world.run, tables: await tablesToReload(world.run, ['shop.orders']) });
    expect(await epochs()).toMatchObject([{ caches: true }, { kind: 'load', state: 'complete', caches: false }]);
    expect(await epochs(PERSONS)).toHaveLength(1);
  });

  test('an epoch says where its tasks cut large values; a task that would cut them by now is changed', async () => {
    const DOCS = { schema: 'shop', table: 'docs' };
    await server.query(
      'CREATE TABLE shop.docs (id INT PRIMARY KEY, body LONGTEXT)',
      "INSERT INTO shop.docs VALUES (1, REPEAT('a', 1000))",
    );
    await aws.control({ tables: [['shop', 'docs']] });
    world.run.config = testConfig('', 'tables: [shop.docs]');
    await replicate();
    expect(await epochs(DOCS)).toMatchObject([{ lobKb: [32] }]);
    const reload = () => reloadOnAws({ ...world.run, tables: [DOCS] });
    await server.query("UPDATE shop.docs SET body = REPEAT('a', 32764)");
    expect(await replicate()).toMatchObject({ state: 'already' });

    // A value that ends up to three bytes before the limit may have been cut within a character.
    await server.query("UPDATE shop.docs SET body = REPEAT('a', 32765)");
    await expect(reload()).rejects.toMatchObject({ code: 'task.outdated', message: expect.stringContaining('32 KB') });
    alterAnswers<{ ReplicationTasks?: { RecoveryCheckpoint?: string }[] }>('DescribeReplicationTasks', (answer) => {
      for (const task of answer.ReplicationTasks ?? []) delete task.RecoveryCheckpoint;
      return answer;
    });
    expect(await replicate()).toMatchObject({ state: 'started', loaded: [] });
    expect(await epochs(DOCS)).toMatchObject([{ lobKb: [32, 64] }]);
    world.staging.time += 60_000;
    await reload();
    expect(await epochs(DOCS)).toMatchObject([{ lobKb: [32, 64] }, { lobKb: [64] }]);
    expect(await replicate()).toMatchObject({ state: 'already' });
  });

  test('the limit of a task that an earlier version has started is written down', async () => {
    await replicate();
    const [epoch] = await readDmsEpochs(world.staging, ORDERS);
    if (epoch === undefined) throw new Error('there is no epoch');
    await putDmsEpoch(world.staging, { ...epoch, lobKb: undefined });
    expect(await replicate()).toMatchObject({ state: 'already' });
    expect(await epochs()).toMatchObject([{ lobKb: [32] }]);
  });

  test('what the statistics show of an earlier load completes none that was begun since', async () => {
    const recorded = await recordDefinitions(world.run, [ORDERS]);
    const ran = task({ name: 't', startedAt: new Date(0) });
    await recordLoads(world.run, { tables: [ORDERS], task: ran, caches: true, recorded, lobKb: 32 });
    const [began] = await readDmsEpochs(world.staging, ORDERS);
    const ended = (ms: number) => statistics('orders', { loadEndedAt: new Date((began?.started.getTime() ?? 0) + ms) });
    await recordComplete(world.run, { task: 't', tables: [ended(-60_000)] });
    await recordComplete(world.run, { task: 'another', tables: [ended(60_000)] });
    expect(await epochs()).toMatchObject([{ state: 'loading' }]);
    expect(await tablesToLoad(world.run, [ORDERS], [])).toEqual([ORDERS]);
    expect(await tablesToLoad(world.run, [ORDERS], [ended(0)])).toEqual([]);
    await recordComplete(world.run, { task: 't', tables: [ended(60_000)] });
    expect(await readDmsEpochs(world.staging, ORDERS)).toMatchObject([{ state: 'complete', rows: 10 }]);
    expect(await tablesToLoad(world.run, [ORDERS], [])).toEqual([]);
  });

  test('after our own capture, DMS opens the next run', async () => {
    const own = defineTable(ORDERS, { number: changeNumber(2, 7), columns: [], key: [], zeroDates: 'null' });
    await world.staging.put('_cdc/tables/shop/orders/x.json', JSON.stringify(definitionToJson(own)));
    expect(await recordDefinitions(world.run, [ORDERS])).toEqual(new Map([['shop.orders', changeNumber(3, 1)]]));
    await putDmsEpoch(world.staging, {
      ...ORDERS,
      kind: 'start',
      state: 'complete',
      started: new Date(world.staging.time),
      task: 't',
      caches: false,
      definition: changeNumber(3, 1),
    });
    await server.query('ALTER TABLE shop.orders ADD COLUMN qty INT');
    expect(await recordDefinitions(world.run, [ORDERS])).toEqual(new Map([['shop.orders', changeNumber(3, 2)]]));
  });
});
