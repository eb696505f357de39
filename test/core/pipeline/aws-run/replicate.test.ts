import type { DescribeTableStatisticsCommandOutput } from '@aws-sdk/client-database-migration-service';
import { describe, expect, test } from 'vitest';
import { planReplicateOnAws, planStartOnAws, planStopOnAws } from '../../../../src/core/pipeline/aws-run/dry-run.ts';
import { replicateOnAws } from '../../../../src/core/pipeline/aws-run/replicate.ts';
import { startOnAws } from '../../../../src/core/pipeline/aws-run/start.ts';
import { stopOnAws } from '../../../../src/core/pipeline/aws-run/stop.ts';
import { NOTES_KEY } from '../../../../src/core/pipeline/aws-run/task-notes.ts';
import { failOperation } from '../../../support/aws/calls.ts';
import { seenUntil } from '../../../support/aws/clients.ts';
import type { AwsEmulator } from '../../../support/aws/emulator.ts';
import type { TestServer } from '../../../support/servers.ts';
import { alterAnswers, eachInItsWorld, hasWorld, makeWorld, testConfig, type World, watchCalls } from './world.ts';

const both = { fullLoad: true, ongoing: true };
const onlyLoad = { fullLoad: true, ongoing: false };
const onlyOngoing = { fullLoad: false, ongoing: true };

describe.skipIf(!(await hasWorld()))('replicating on AWS', () => {
  let aws: AwsEmulator;
  let server: TestServer;
  let world: World;
  eachInItsWorld((place) => {
    ({ aws, server, world } = place);
  });

  const replicate = (request: Parameters<typeof replicateOnAws>[0]['request'] = both, wait = true) =>
    replicateOnAws({ ...world.run, request, wait });
  const start = () => startOnAws({ ...world.run, wait: true, makeInstance: world.makeInstance });
  const stop = (all = false) => stopOnAws({ ...world.run, all });
  const tasks = async () => {
    const { ReplicationTasks } = await world.clients.dms
      .describeReplicationTasks({})
      .catch(() => ({ ReplicationTasks: [] }));
    return (ReplicationTasks ?? []).map(
      ({ ReplicationTaskIdentifier, Status, MigrationType }) =>
        `${ReplicationTaskIdentifier} ${Status} ${MigrationType}`,
    );
  };

  test('one task loads and follows; asked again it says so and changes nothing', async () => {
    const report = await replicate();
    expect(report).toMatchObject({
      state: 'started',
      task: 'shop-full-load-and-cdc',
      tables: ['shop.orders', 'shop.persons'],
      loaded: ['shop.orders', 'shop.persons'],
      left_out: [],
    });
    expect(await tasks()).toEqual(['shop-full-load-and-cdc running full-load-and-cdc']);

    const again = watchCalls();
    expect(await replicate()).toMatchObject({ state: 'already', task: 'shop-full-load-and-cdc', loaded: [] });
    const changing = again.calls.map(({ operation }) => operation).filter((name) => !/^(Describe|List|Get)/.test(name));
    expect(changing).toEqual([]);
  });

  test('connections are tested before a task is started', async () => {
    await aws.control({ connection_fail: 'Access denied for user' });
    await expect(replicate()).rejects.toMatchObject({
      code: 'aws.connection-failed',
      message: expect.stringContaining('Access denied for user'),
    });
    expect(await tasks()).toEqual([]);
    await aws.control({ connection_fail: null });
    expect(await replicate()).toMatchObject({ state: 'started' });
  });

  test('stopped and started again, the task goes on where it stood, and nothing is loaded again', async () => {
    await replicate();
    expect(await stop()).toMatchObject({
      tasks: [{ name: 'shop-full-load-and-cdc', state: 'stopped' }],
      database: 'stopped',
      replication_instance: 'left',
      cost: { says: 'now $0.65/day, was $1.18' },
    });
    expect(await stop()).toMatchObject({ tasks: [{ state: 'already' }], database: 'already' });

    const calls = watchCalls();
    // The emulated checkpoint names a binlog file that the real server does not have.
    await server.query('SET @a = 1');
    alterAnswers<{ ReplicationTasks?: { RecoveryCheckpoint?: string }[] }>('DescribeReplicationTasks', (answer) => {
      for (const task of answer.ReplicationTasks ?? []) delete task.RecoveryCheckpoint;
      return answer;
    });
    expect(await start()).toMatchObject({
      database: 'started',
      replication_instance: 'already',
      task: { state: 'started', task: 'shop-full-load-and-cdc', loaded: [] },
    });
    const [started] = calls.calls.filter(({ operation }) => operation === 'StartReplicationTask');
    expect(started?.input).toMatchObject({ StartReplicationTaskType: 'resume-processing' });
    expect(calls.count('DescribeEndpoints')).toBe(2);
    expect(await start()).toMatchObject({ database: 'already', task: { state: 'already' } });
  });

  test('a binlog that does not reach back to where the task stood is an error before anything is started', async () => {
    await replicate();
    await stop();
    await expect(start()).rejects.toMatchObject({
      code: 'position.purged',
      message: expect.stringContaining('mysql-bin-changelog.000002'),
    });
    expect(await tasks()).toEqual(['shop-full-load-and-cdc stopped full-load-and-cdc']);
  });

  test('--full-load, then --ongoing: the second task begins where the binlog stood before the first', async () => {
    const [before] = await server.query('SHOW MASTER STATUS');
    expect(await replicate(onlyLoad)).toMatchObject({
      state: 'finished',
      task: 'shop-full-load',
      loaded: ['shop.orders', 'shop.persons'],
    });
    await server.query('INSERT INTO shop.orders VALUES (3, "c")');
    expect(await replicate(onlyLoad)).toMatchObject({ state: 'finished', loaded: [] });
    const position = `${before?.File}:${before?.Position}`;
    expect(await replicate(onlyOngoing)).toMatchObject({ state: 'started', task: 'shop-cdc', position });
    const { ReplicationTasks } = await world.clients.dms.describeReplicationTasks({});
    expect(ReplicationTasks?.find((task) => task.MigrationType === 'cdc')).toMatchObject({
      CdcStartPosition: position,
    });
    expect(await replicate(onlyLoad)).toMatchObject({ state: 'already', loaded: [] });
    expect(await replicate(both)).toMatchObject({ state: 'already', task: 'shop-cdc' });
  });

  test('--ongoing --from now needs no load; without --from it says what to do', async () => {
    await expect(replicate(onlyOngoing)).rejects.toMatchObject({ code: 'load.missing' });
    const [now] = await server.query('SHOW MASTER STATUS');
    const position = `${now?.File}:${now?.Position}`;
    expect(await replicate({ ...onlyOngoing, from: 'now' })).toMatchObject({ task: 'shop-cdc', position });
    await expect(replicate({ ...onlyOngoing, from: 'now' })).rejects.toMatchObject({ code: 'task.other-request' });
  });

  test('stop --all deletes what is paid for by the hour, and start goes on from there with a new task', async () => {
    const [now] = await server.query('SHOW MASTER STATUS');
    await replicate({ ...onlyOngoing, from: 'now' });
    const file = String(now?.File);
    alterAnswers<{ ReplicationTasks?: { RecoveryCheckpoint?: string }[] }>('DescribeReplicationTasks', (answer) => {
      for (const task of answer.ReplicationTasks ?? [])
        if (task.RecoveryCheckpoint !== undefined)
          task.RecoveryCheckpoint = `checkpoint:V1#27#${file}:777:-1:0#0#0#*#0#0`;
      return answer;
    });
    const stopped = await stop(true);
    expect(stopped).toMatchObject({
      tasks: [{ name: 'shop-cdc', state: 'deleted' }],
      database: 'stopped',
      replication_instance: 'deleted',
      cost: { says: 'now $0.10/day, was $1.18' },
    });
    expect(stopped.cost.remaining[0]).toMatchObject({ resource: '20 GiB of the database' });
    expect(await aws.alive()).not.toHaveProperty('dms:rep');
    expect(await stop(true)).toMatchObject({ tasks: [], database: 'already', replication_instance: 'absent' });

    expect(await start()).toMatchObject({
      database: 'started',
      replication_instance: 'made',
      cost: { says: 'now $1.18/day, was $0.10' },
      task: { state: 'started', task: 'shop-cdc', position: `checkpoint:V1#27#${file}:777:-1:0#0#0#*#0#0` },
    });
    expect(JSON.parse(String(await world.staging.get(NOTES_KEY)))).not.toHaveProperty('retired');
  });

  test('a table that DMS stopped makes a failure of a task that runs, and is named', async () => {
    alterTables({ persons: 'Table error' });
    await expect(replicate()).rejects.toMatchObject({
      code: 'task.tables',
      message: expect.stringMatching(/runs on without them[\s\S]*shop\.persons: DMS stopped it/),
      hint: expect.stringContaining('cdc reload shop.persons'),
    });
    expect(world.warnings).toEqual([expect.stringContaining('shop.persons')]);
    expect(await tasks()).toEqual(['shop-full-load-and-cdc running full-load-and-cdc']);
  });

  test('a full load that DMS calls finished is a failure when a table is not', async () => {
    alterTables({ orders: 'Before load' });
    await expect(replicate(onlyLoad)).rejects.toMatchObject({
      code: 'task.tables',
      message: expect.stringMatching(/ended well, but a table is not loaded whole[\s\S]*shop\.orders/),
    });
  });

  test('a table that DMS does not see is missed', async () => {
    await aws.control({ tables: [['shop', 'orders']] });
    await expect(replicate(onlyLoad)).rejects.toMatchObject({
      code: 'task.tables',
      message: expect.stringContaining('shop.persons: DMS did not load it'),
    });
  });

  test('a task that fails says why', async () => {
    await aws.control({ task_fail: 'Last Error No space left on device' });
    await expect(replicate()).rejects.toMatchObject({
      code: 'task.failed',
      message: expect.stringContaining('No space left on device'),
    });
    await aws.control({ task_fail: null });
    expect(await replicate()).toMatchObject({ state: 'started' });
  });

  test('a table without a key is left out, with its reason, and does not hold up the rest', async () => {
    await server.query('CREATE TABLE shop.loose (a INT)');
    const report = await replicate();
    expect(report.left_out).toEqual([{ table: 'shop.loose', reason: expect.stringContaining('PRIMARY KEY') }]);
    const { ReplicationTasks } = await world.clients.dms.describeReplicationTasks({});
    expect(ReplicationTasks?.[0]?.TableMappings).toContain('"table-name":"loose"},"rule-action":"exclude"');
  });

  test('a changed cdc.yaml reaches the task when it is started again', async () => {
    await replicate();
    await stop();
    world.run.config = testConfig('dms: { full_load_tasks: 2 }\n');
    alterAnswers<{ ReplicationTasks?: { RecoveryCheckpoint?: string }[] }>('DescribeReplicationTasks', (answer) => {
      for (const task of answer.ReplicationTasks ?? []) delete task.RecoveryCheckpoint;
      return answer;
    });
    await start();
    const { ReplicationTasks } = await world.clients.dms.describeReplicationTasks({});
    const settings = JSON.parse(ReplicationTasks?.[0]?.ReplicationTaskSettings ?? '{}');
    expect(settings.FullLoadSettings.MaxFullLoadSubTasks).toBe(2);
  });

  test('a table added to cdc.yaml is shown, and reaches the task that runs', async () => {
    await aws.control({ tables: [['shop', 'orders']] });
    await server.query('DROP TABLE shop.persons');
    await replicate();
    await server.query('CREATE TABLE shop.persons (id INT PRIMARY KEY)', 'FLUSH BINARY LOGS');
    expect(await replicate()).toMatchObject({ state: 'already', added: ['shop.persons'] });

    await server.query(
      'DROP DATABASE IF EXISTS crm',
      'CREATE DATABASE crm',
      'CREATE TABLE crm.people (id INT PRIMARY KEY)',
    );
    world.run.config = testConfig('', "tables: ['shop.%', 'crm.people']");
    await aws.control({
      tables: [
        ['shop', 'orders'],
        ['shop', 'persons'],
      ],
    });
    const planned = await planReplicateOnAws(world.run, both);
    expect(planned).toMatchObject({ action: 'change', added: ['crm.people'], removed: [] });
    const calls = watchCalls();
    expect(await replicate()).toMatchObject({
      state: 'started',
      task: 'shop-full-load-and-cdc',
      added: ['crm.people'],
    });
    const changing = calls.calls.map(({ operation }) => operation).filter((name) => /^(Stop|Modify|Start)/.test(name));
    expect(changing).toEqual(['StopReplicationTask', 'ModifyReplicationTask', 'StartReplicationTask']);
    expect(world.warnings).toContainEqual(expect.stringContaining('stopped, changed, and goes on'));
    expect(await replicate()).toMatchObject({ state: 'already', added: [] });
    await server.query('DROP DATABASE crm');
  });

  test('a task that does not write what the merge needs is changed, though it has the right tables', async () => {
    await replicate();
    const { dms } = world.clients;
    const { ReplicationTasks } = await dms.describeReplicationTasks({});
    const { ReplicationTaskArn, TableMappings = '' } = ReplicationTasks?.[0] ?? {};
    const { rules }: { rules: Record<string, unknown>[] } = JSON.parse(TableMappings);
    await dms.stopReplicationTask({ ReplicationTaskArn });
    const isNow = (status: string) =>
      seenUntil(status, async () => (await dms.describeReplicationTasks({})).ReplicationTasks?.[0]?.Status);
    await isNow('stopped');
    const bare = rules.filter((rule) => rule['rule-action'] !== 'add-before-image-columns');
    await dms.modifyReplicationTask({ ReplicationTaskArn, TableMappings: JSON.stringify({ rules: bare }) });
    await isNow('stopped');
    await dms.startReplicationTask({ ReplicationTaskArn, StartReplicationTaskType: 'resume-processing' });
    await isNow('running');
    alterAnswers<{ ReplicationTasks?: { RecoveryCheckpoint?: string }[] }>('DescribeReplicationTasks', (answer) => {
      for (const task of answer.ReplicationTasks ?? []) delete task.RecoveryCheckpoint;
      return answer;
    });
    const calls = watchCalls();
    expect(await replicate()).toMatchObject({ state: 'started', loaded: [] });
    const changing = calls.calls.map(({ operation }) => operation).filter((name) => /^(Stop|Modify|Start)/.test(name));
    expect(changing).toEqual(['StopReplicationTask', 'ModifyReplicationTask', 'StartReplicationTask']);
    expect(world.warnings).toContainEqual(expect.stringContaining('what a key was before'));
    expect(await replicate()).toMatchObject({ state: 'already' });
  });

  test('dry runs say what would be done, and do nothing', async () => {
    const calls = watchCalls();
    expect(await planReplicateOnAws(world.run, both)).toMatchObject({
      action: 'create',
      task: 'shop-full-load-and-cdc',
      how: 'start-replication',
      tables: ['shop.orders', 'shop.persons'],
    });
    expect(await planStopOnAws(world.run, { all: true })).toEqual({
      stop: [],
      delete: [],
      database: 'stop',
      replication_instance: 'delete',
      now_usd_per_day: 1.18,
      then_usd_per_day: 0.1,
    });
    expect(await planStartOnAws(world.run)).toMatchObject({ database: 'already', task: null });
    const changing = calls.calls.map(({ operation }) => operation).filter((name) => !/^(Describe|List|Get)/.test(name));
    expect(changing).toEqual([]);

    await replicate();
    expect(await planReplicateOnAws(world.run, both)).toMatchObject({ action: 'already' });
    expect(await planStopOnAws(world.run, { all: false })).toMatchObject({
      stop: ['shop-full-load-and-cdc'],
      delete: [],
    });
    await stop();
    expect(await planStartOnAws(world.run)).toMatchObject({ database: 'start', task: 'shop-full-load-and-cdc' });
    expect(await planReplicateOnAws(world.run, both)).toMatchObject({
      action: 'start',
      how: 'resume-processing',
      start_database: true,
      tables_known: false,
    });
  });

  test('a database that is being changed is waited for, and one in a state that nothing ends is named at once', async () => {
    let looks = 0;
    let state = 'modifying';
    alterAnswers<{ DBInstances?: { DBInstanceStatus?: string }[] }>('DescribeDBInstances', (answer) => {
      const [database] = answer.DBInstances ?? [];
      if (database !== undefined && (state !== 'modifying' || looks++ < 5)) database.DBInstanceStatus = state;
      return answer;
    });
    const slept = world.clock.slept.length;
    expect(await stop()).toMatchObject({ database: 'stopped' });
    expect(world.clock.slept.length - slept).toBeGreaterThan(3);

    state = 'storage-full';
    await expect(stop()).rejects.toMatchObject({ code: 'aws.broken', hint: expect.stringContaining('storage:') });
    await expect(start()).rejects.toMatchObject({ code: 'aws.broken' });
  });

  test('credentials that expire while a task is watched are an error at once, not a wait until time is over', async () => {
    const { fired } = watchCalls(failOperation('dms:DescribeTableStatistics', 'expired'));
    await expect(replicate()).rejects.toMatchObject({ code: 'aws.credentials-expired' });
    expect(fired).toHaveLength(1);
  });

  test('Ctrl-C while a task is watched leaves it alone and says so', async () => {
    const abort = new AbortController();
    world = await (async () => {
      await aws.reset();
      return makeWorld(aws, server, { signal: abort.signal });
    })();
    alterTables({ orders: 'Full load' }, () => abort.abort());
    await expect(replicate()).rejects.toMatchObject({
      code: 'cancelled',
      message: expect.stringContaining('goes on in AWS'),
      hint: expect.stringContaining('cdc status'),
    });
    expect(await tasks()).toEqual(['shop-full-load-and-cdc running full-load-and-cdc']);
  });
});

/** Lets DMS show tables in other states than the emulator's. */
function alterTables(states: Record<string, string>, seen: () => void = () => {}): void {
  alterAnswers<DescribeTableStatisticsCommandOutput>('DescribeTableStatistics', (answer) => {
    seen();
    for (const table of answer.TableStatistics ?? [])
      if (table.TableName !== undefined && table.TableName in states) table.TableState = states[table.TableName];
    return answer;
  });
}
