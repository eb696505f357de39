/** Replication tasks of the emulator that really move data: they write what their endpoint and rules say, and refuse what they do not know. */

import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { type AwsClients, awsClients } from '../../support/aws/clients.ts';
import { type AwsEmulator, hasAwsEmulator, startAwsEmulator } from '../../support/aws/emulator.ts';
import { type DmsStack, MAPPINGS, makeDmsStack, makeTask, STAGING, taskSeenUntil } from '../../support/aws/stack.ts';
import { type CompiledChild, compileChild } from '../../support/child.ts';
import { startTestServer, type TestServer } from '../../support/servers.ts';

const canRun = !('reason' in inject('testServers').mysql) && (await hasAwsEmulator());

const RULES = {
  rules: [
    ...JSON.parse(MAPPINGS).rules,
    {
      'rule-type': 'transformation',
      'rule-id': '2',
      'rule-target': 'column',
      'object-locator': { 'schema-name': '%', 'table-name': '%' },
      'rule-action': 'add-before-image-columns',
      'before-image-def': { 'column-prefix': 'WAS_', 'column-suffix': '', 'column-filter': 'pk-only' },
    },
  ],
};

describe.skipIf(!canRun)('a replication task of the emulator', () => {
  let server: TestServer;
  let child: CompiledChild;
  let aws: AwsEmulator;
  let clients: AwsClients;

  beforeAll(async () => {
    [server, child] = await Promise.all([startTestServer('mysql'), compileChild('test/support/aws/dms-task-child.ts')]);
    aws = await startAwsEmulator({ dmsCommand: `'${process.execPath}' '${child.script}'` });
    clients = awsClients(aws);
    await server.query(
      'CREATE DATABASE shop',
      'CREATE TABLE shop.people (id INT PRIMARY KEY, name VARCHAR(50))',
      `INSERT INTO shop.people VALUES (1, 'Ann'), (2, NULL)`,
    );
  });
  afterEach(() => aws.reset());
  afterAll(async () => {
    await aws?.stop();
    await server?.stop();
    await child?.remove();
  });

  const stackOf = (target: NonNullable<Parameters<typeof makeDmsStack>[2]>['target']): Promise<DmsStack> => {
    const { user: Username, password: Password } = server.cdc;
    const database = { ServerName: server.host, Port: server.port, Username, Password };
    return makeDmsStack(clients, [], { database, target: { CdcMaxBatchInterval: 1, ...target } });
  };
  const start = (ReplicationTaskArn: string, StartReplicationTaskType: 'start-replication' | 'reload-target') =>
    clients.dms.startReplicationTask({ ReplicationTaskArn, StartReplicationTaskType });
  const keys = async () => {
    const { Contents = [] } = await clients.s3.listObjectsV2({ Bucket: STAGING });
    return Contents.map(({ Key = '' }) => Key);
  };
  const read = async (Key: string) => {
    const { Body } = await clients.s3.getObject({ Bucket: STAGING, Key });
    return Body?.transformToString();
  };
  const tableOf = async (ReplicationTaskArn: string) => {
    const { TableStatistics = [] } = await clients.dms.describeTableStatistics({ ReplicationTaskArn });
    return TableStatistics[0];
  };
  const until = async <T>(ask: () => Promise<T>, wanted: (answer: T) => boolean): Promise<T> => {
    for (const deadline = Date.now() + 30_000; ; ) {
      const answer = await ask();
      if (wanted(answer)) return answer;
      if (Date.now() > deadline) throw new Error(`never, but ${JSON.stringify(answer)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };

  it("writes files by DMS's defaults where the endpoint says nothing, and counts what it writes", async () => {
    const task = await makeTask(clients, await stackOf({}), 'full-load-and-cdc', {
      TableMappings: JSON.stringify(RULES),
    });
    expect(await tableOf(task)).toBeUndefined();
    await start(task, 'start-replication');
    const loaded = await until(
      () => tableOf(task),
      (table) => table?.TableState === 'Table completed',
    );
    expect(loaded).toMatchObject({ FullLoadRows: 2, Inserts: 0, FullLoadEndTime: expect.any(Date) });
    expect(await read('raw/shop/people/LOAD00000001.csv')).toBe('1,Ann,NULL\n2,NULL,NULL\n');

    await server.query('UPDATE shop.people SET id = 20 WHERE id = 2', 'DELETE FROM shop.people WHERE id = 20');
    const followed = await until(
      () => tableOf(task),
      (table) => table?.Deletes === 1,
    );
    expect(followed).toMatchObject({ Inserts: 0, Updates: 1, Deletes: 1 });
    const changes = (await keys()).filter((key) => !key.includes('LOAD'));
    for (const key of changes) expect(key).toMatch(/^raw\/shop\/people\/\d{8}-\d{9}\.csv$/);
    expect((await Promise.all(changes.map(read))).join('')).toBe('U,20,NULL,2\nD,20,NULL,NULL\n');
    await clients.dms.stopReplicationTask({ ReplicationTaskArn: task });
    await taskSeenUntil(clients, 'stopped');
    const { ReplicationTasks } = await clients.dms.describeReplicationTasks({});
    expect(ReplicationTasks?.[0]?.RecoveryCheckpoint).toMatch(/^checkpoint:V1#27#[\w-]+\.\d+:\d+:/);
  });

  it('writes header, Op, time, sequence and NULL as the endpoint asks for them', async () => {
    const stack = await stackOf({
      AddColumnName: true,
      IncludeOpForFullLoad: true,
      TimestampColumnName: 'at',
      CsvNullValue: '<nil>',
    });
    const sequence = {
      'rule-type': 'transformation',
      'rule-id': '3',
      'object-locator': { 'schema-name': '%', 'table-name': '%' },
      'rule-target': 'column',
      'rule-action': 'add-column',
      value: 'seq',
      expression: '$AR_H_CHANGE_SEQ',
    };
    const task = await makeTask(clients, stack, 'full-load', {
      TableMappings: JSON.stringify({ rules: [...RULES.rules, sequence] }),
    });
    await start(task, 'start-replication');
    await taskSeenUntil(clients, 'stopped');
    const [header, first] = ((await read('raw/shop/people/LOAD00000001.csv')) ?? '').split('\n');
    expect(header).toBe('Op,at,id,name,seq,WAS_id');
    expect(first).toMatch(/^I,\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6},1,Ann,<nil>,<nil>$/);
  });

  it('cuts large values at the limit of its settings, before the character that would reach beyond it', async () => {
    await server.query(
      'CREATE TABLE shop.docs (id INT PRIMARY KEY, body LONGTEXT, pic MEDIUMBLOB, note TEXT)',
      "INSERT INTO shop.docs VALUES (1, REPEAT('a', 2048), REPEAT('b', 2048), REPEAT('c', 2048))",
      "INSERT INTO shop.docs VALUES (2, REPEAT('\u20ac', 400), 'short', NULL)",
    );
    const task = await makeTask(clients, await stackOf({}), 'full-load', {
      TableMappings: JSON.stringify({
        rules: [{ ...RULES.rules[0], 'object-locator': { 'schema-name': 'shop', 'table-name': 'docs' } }],
      }),
      ReplicationTaskSettings: JSON.stringify({ TargetMetadata: { LobMaxSize: 1 } }),
    });
    await start(task, 'start-replication');
    await taskSeenUntil(clients, 'stopped');
    const rows = ((await read('raw/shop/docs/LOAD00000001.csv')) ?? '').split('\n').map((line) => line.split(','));
    expect(rows.map((fields) => fields.map((field) => Buffer.byteLength(field)))).toEqual([
      [1, 1024, 2048, 2048],
      [1, 1023, 10, 4],
      [0],
    ]);
    await server.query('DROP TABLE shop.docs');
  });

  it('deletes what lies in the folder of a table that it loads, unless its settings say otherwise', async () => {
    const task = await makeTask(clients, await stackOf({}), 'full-load');
    const left = 'raw/shop/people/20261122-101530123.csv';
    const again = async (mode: string) => {
      await clients.dms.modifyReplicationTask({
        ReplicationTaskArn: task,
        ReplicationTaskSettings: JSON.stringify({ FullLoadSettings: { TargetTablePrepMode: mode } }),
      });
      await until(
        async () => (await clients.dms.describeReplicationTasks({})).ReplicationTasks?.[0]?.Status,
        (status) => status === 'stopped' || status === 'ready',
      );
      await clients.s3.putObject({ Bucket: STAGING, Key: left, Body: 'x' });
      const { ReplicationTasks } = await clients.dms.describeReplicationTasks({});
      const isNew = ReplicationTasks?.[0]?.ReplicationTaskStartDate === undefined;
      await start(task, isNew ? 'start-replication' : 'reload-target');
      await taskSeenUntil(clients, 'stopped');
      return (await keys()).includes(left);
    };
    expect(await again('DROP_AND_CREATE')).toBe(false);
    expect(await again('DO_NOTHING')).toBe(true);
  });

  it.each([
    ['of a format that nobody modelled', { DataFormat: 'parquet' as const }, {}, 'DataFormat parquet is not modelled'],
    ['for a bucket of somebody else', { ExpectedBucketOwner: '999999999999' }, {}, 'owner is not 999999999999'],
    [
      'from a place that the binlog has not',
      {},
      { MigrationType: 'cdc' as const, CdcStartPosition: 'nothing.000001:4' },
      'nothing.000001',
    ],
    [
      'of tables that are not there',
      {},
      { TableMappings: MAPPINGS.replace('shop', 'shopp') },
      'No tables were found at task initialization',
    ],
  ])('fails %s', async (_, target, more, why) => {
    const task = await makeTask(clients, await stackOf(target), 'full-load-and-cdc', more);
    await start(task, 'start-replication');
    await taskSeenUntil(clients, 'failed');
    const { ReplicationTasks } = await clients.dms.describeReplicationTasks({});
    expect(ReplicationTasks?.[0]?.LastFailureMessage).toContain(why);
    expect(await keys()).toEqual([]);
  });
});
