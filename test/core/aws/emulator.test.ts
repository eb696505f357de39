/** The life of a pipeline in the emulated account, by the SDK alone: what is here holds for every other test on it. */

import {
  waitUntilReplicationTaskDeleted,
  waitUntilReplicationTaskStopped,
} from '@aws-sdk/client-database-migration-service';
import { waitUntilDBInstanceDeleted } from '@aws-sdk/client-rds';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AwsClients, awsClients, refusal, seenUntil } from '../../support/aws/clients.ts';
import { ACCOUNT, type AwsEmulator, hasAwsEmulator, REGION, startAwsEmulator } from '../../support/aws/emulator.ts';
import {
  type DmsStack,
  databaseSeenUntil,
  defaultSubnets,
  MAPPINGS,
  makeDatabase,
  makeDmsStack,
  makeRole,
  makeTask,
  policy,
  STAGING,
  taskSeenUntil,
  testConnection,
  VPC_POLICY,
} from '../../support/aws/stack.ts';

const Tags = [{ Key: 'cdc:pipeline', Value: 'p' }];
const quickly = { minDelay: 1, maxDelay: 1, maxWaitTime: 20 };

describe.skipIf(!(await hasAwsEmulator()))('the emulated AWS account', () => {
  let aws: AwsEmulator;
  let clients: AwsClients;
  beforeAll(async () => {
    aws = await startAwsEmulator();
    clients = awsClients(aws);
  });
  afterAll(() => aws?.stop());

  let group: string;
  let stack: DmsStack;
  let task: string;

  it('holds nothing at the start, but a default network of three zones', async () => {
    expect(await aws.alive()).toEqual({});
    expect((await clients.sts.getCallerIdentity({})).Account).toBe(ACCOUNT);
    const { subnets } = await defaultSubnets(clients);
    expect(subnets).toHaveLength(3);
  });

  it('keeps security groups, and what they let in', async () => {
    const { vpc } = await defaultSubnets(clients);
    const made = await clients.ec2.createSecurityGroup({
      GroupName: 'p-rds',
      Description: 'p',
      VpcId: vpc,
      TagSpecifications: [{ ResourceType: 'security-group', Tags }],
    });
    group = made.GroupId ?? '';
    const mysql = { IpProtocol: 'tcp', FromPort: 3306, ToPort: 3306 };
    await clients.ec2.authorizeSecurityGroupIngress({
      GroupId: group,
      IpPermissions: [
        { ...mysql, UserIdGroupPairs: [{ GroupId: group }] },
        { ...mysql, IpRanges: [{ CidrIp: '203.0.113.7/32', Description: 'operator' }] },
      ],
    });
    const { SecurityGroupRules } = await clients.ec2.describeSecurityGroupRules({
      Filters: [{ Name: 'group-id', Values: [group] }],
    });
    expect(SecurityGroupRules?.filter(({ IsEgress }) => !IsEgress)).toMatchObject([
      { FromPort: 3306, ReferencedGroupInfo: { GroupId: group } },
      { FromPort: 3306, CidrIpv4: '203.0.113.7/32', Description: 'operator' },
    ]);
  });

  it('makes a database in the states of RDS, without an endpoint before it is there', async () => {
    const { rds } = clients;
    const name = { DBParameterGroupName: 'p' };
    await rds.createDBParameterGroup({ ...name, DBParameterGroupFamily: 'mysql8.4', Description: 'p', Tags });
    const before = await rds.describeDBParameters(name);
    expect(before.Parameters?.find(({ ParameterName }) => ParameterName === 'binlog_row_image')).toMatchObject({
      ParameterValue: 'full',
      ApplyType: 'dynamic',
      IsModifiable: true,
    });
    await rds.modifyDBParameterGroup({
      ...name,
      Parameters: [
        { ParameterName: 'binlog_row_metadata', ParameterValue: 'FULL', ApplyMethod: 'immediate' },
        { ParameterName: 'gtid-mode', ParameterValue: 'ON', ApplyMethod: 'pending-reboot' },
      ],
    });
    const own = await rds.describeDBParameters({ ...name, Source: 'user' });
    expect(own.Parameters?.map(({ ParameterName }) => ParameterName)).toEqual(['binlog_row_metadata', 'gtid-mode']);

    await aws.setTransition('rds::dbinstance', { progression: 'manual', times: 2 });
    const { states, address } = await makeDatabase(clients, {
      ...name,
      DBName: 'shop',
      VpcSecurityGroupIds: [group],
      ManageMasterUserPassword: true,
      MasterUserPassword: undefined,
      Tags,
    });
    expect(states).toEqual(['creating', 'backing-up', 'available']);
    expect(address).toMatch(/\.rds\.amazonaws\.com$/);
    const { DBInstances } = await rds.describeDBInstances({ DBInstanceIdentifier: 'p' });
    expect(DBInstances?.[0]).toMatchObject({
      EngineVersion: '8.4.5',
      InstanceCreateTime: expect.any(Date),
      MasterUserSecret: { SecretStatus: 'active', SecretArn: expect.any(String) },
      DBParameterGroups: [{ DBParameterGroupName: 'p', ParameterApplyStatus: 'in-sync' }],
    });
    const { SecretArn } = DBInstances?.[0]?.MasterUserSecret ?? {};
    const { SecretString } = await clients.secrets.getSecretValue({ SecretId: SecretArn });
    expect(Object.keys(JSON.parse(SecretString ?? ''))).toEqual(['username', 'password']);
  });

  it('changes, reboots, stops and starts a database', async () => {
    const { rds } = clients;
    const name = { DBInstanceIdentifier: 'p' };
    const { DBInstance } = await rds.modifyDBInstance({ ...name, AllocatedStorage: 30 });
    expect(DBInstance).toMatchObject({ AllocatedStorage: 20, PendingModifiedValues: { AllocatedStorage: 30 } });
    await rds.modifyDBInstance({ ...name, BackupRetentionPeriod: 2, ApplyImmediately: true });
    expect(await databaseSeenUntil(clients, 'available')).toEqual(['modifying', 'available']);
    await rds.modifyDBParameterGroup({
      DBParameterGroupName: 'p',
      Parameters: [{ ParameterName: 'gtid-mode', ParameterValue: 'OFF', ApplyMethod: 'pending-reboot' }],
    });
    const applied = async () => (await rds.describeDBInstances(name)).DBInstances?.[0]?.DBParameterGroups?.[0];
    expect(await applied()).toMatchObject({ ParameterApplyStatus: 'pending-reboot' });
    await rds.rebootDBInstance(name);
    expect(await databaseSeenUntil(clients, 'available')).toEqual(['rebooting', 'available']);
    expect(await applied()).toMatchObject({ ParameterApplyStatus: 'in-sync' });
    await rds.stopDBInstance(name);
    expect(await databaseSeenUntil(clients, 'stopped')).toEqual(['stopping', 'stopped']);
    await rds.startDBInstance(name);
    expect(await databaseSeenUntil(clients, 'available')).toEqual(['starting', 'available']);
  });

  it('makes an instance, endpoints and a task of DMS, and tests their connections', async () => {
    stack = await makeDmsStack(clients, [group]);
    expect(await testConnection(clients, stack.instance, stack.source)).toBe('successful');
    const { dms } = clients;
    const changed = await dms.modifyEndpoint({ EndpointArn: stack.target, S3Settings: { CdcMaxBatchInterval: 300 } });
    expect(changed.Endpoint?.S3Settings).toMatchObject({ CdcMaxBatchInterval: 300, BucketName: STAGING });
    task = await makeTask(clients, stack);
    const { ReplicationTasks } = await dms.describeReplicationTasks({});
    expect(ReplicationTasks?.[0]).toMatchObject({ Status: 'ready', ReplicationTaskCreationDate: expect.any(Date) });
    expect(JSON.parse(ReplicationTasks?.[0]?.ReplicationTaskSettings ?? '')).toMatchObject({
      Logging: { EnableLogging: true, CloudWatchLogGroup: 'dms-tasks-p' },
    });
  });

  it('runs a task, stops it and resumes it', async () => {
    const { dms } = clients;
    await aws.control({
      tables: [
        ['shop', 'orders'],
        ['shop', 'items'],
        ['other', 'orders'],
      ],
    });
    await aws.setTransition('dms::replicationtask', { progression: 'manual', times: 2 });
    await dms.startReplicationTask({ ReplicationTaskArn: task, StartReplicationTaskType: 'start-replication' });
    expect(await taskSeenUntil(clients, 'running')).toEqual(['starting', 'running']);
    const { TableStatistics } = await dms.describeTableStatistics({ ReplicationTaskArn: task });
    expect(
      TableStatistics?.map(({ SchemaName, TableName, TableState }) => [SchemaName, TableName, TableState]),
    ).toEqual([
      ['shop', 'orders', 'Table completed'],
      ['shop', 'items', 'Table completed'],
    ]);
    await dms.reloadTables({ ReplicationTaskArn: task, TablesToReload: [{ SchemaName: 'shop', TableName: 'orders' }] });
    await dms.stopReplicationTask({ ReplicationTaskArn: task });
    await waitUntilReplicationTaskStopped({ client: dms, ...quickly }, {});
    const { ReplicationTasks } = await dms.describeReplicationTasks({});
    expect(ReplicationTasks?.[0]).toMatchObject({
      StopReason: 'Stop Reason NORMAL',
      RecoveryCheckpoint: expect.stringContaining('checkpoint:'),
      ReplicationTaskStats: { TablesLoaded: 2, FullLoadProgressPercent: 100, StartDate: expect.any(Date) },
    });
    await dms.modifyReplicationTask({ ReplicationTaskArn: task, TableMappings: MAPPINGS });
    expect(await taskSeenUntil(clients, 'stopped')).toEqual(['modifying', 'stopped']);
    await dms.startReplicationTask({ ReplicationTaskArn: task, StartReplicationTaskType: 'resume-processing' });
    await taskSeenUntil(clients, 'running');
    await aws.control({ task_fail: 'the source has gone' });
    await taskSeenUntil(clients, 'failed');
    const failed = (await dms.describeReplicationTasks({})).ReplicationTasks?.[0];
    expect(failed).toMatchObject({
      LastFailureMessage: 'the source has gone',
      StopReason: expect.stringContaining('FATAL_ERROR'),
    });
  });

  it('keeps jobs of Glue, whose runs go on and may fail or be stopped', async () => {
    const { glue } = clients;
    const role = await makeRole(clients, 'p-glue', 'glue.amazonaws.com');
    const job = {
      Role: role,
      Command: { Name: 'glueetl', ScriptLocation: `s3://${STAGING}/merge.py`, PythonVersion: '3' },
      GlueVersion: '5.1',
      WorkerType: 'G.1X',
      NumberOfWorkers: 2,
      Timeout: 15,
      DefaultArguments: { '--datalake-formats': 'delta' },
    } as const;
    await glue.createJob({ Name: 'p', ...job, Tags: { 'cdc:pipeline': 'p' } });
    const { DefaultArguments: _, ...withoutArguments } = job;
    await glue.updateJob({ JobName: 'p', JobUpdate: { ...withoutArguments, Timeout: 60 } });
    // What an update does not name is reset.
    expect((await glue.getJob({ JobName: 'p' })).Job).toMatchObject({ Timeout: 60, DefaultArguments: {} });

    const run = async (args: Record<string, string> = {}) =>
      (await glue.startJobRun({ JobName: 'p', Arguments: args })).JobRunId ?? '';
    const stateOf = async (RunId: string) => (await glue.getJobRun({ JobName: 'p', RunId })).JobRun;
    const good = await run({ '--table': 'orders' });
    expect(await refusal(run())).toBe('ConcurrentRunsExceededException');
    await seenUntil('SUCCEEDED', async () => (await stateOf(good))?.JobRunState);
    expect(await stateOf(good)).toMatchObject({ Arguments: { '--table': 'orders' }, CompletedOn: expect.any(Date) });
    const bad = await run({ '--emulator-fail': 'no memory' });
    await seenUntil('FAILED', async () => (await stateOf(bad))?.JobRunState);
    expect((await stateOf(bad))?.ErrorMessage).toBe('no memory');
    const stopped = await run();
    await glue.batchStopJobRun({ JobName: 'p', JobRunIds: [stopped] });
    await seenUntil('STOPPED', async () => (await stateOf(stopped))?.JobRunState);
    await glue.createTrigger({
      Name: 'p',
      Type: 'SCHEDULED',
      Schedule: 'cron(0 * * * ? *)',
      Actions: [{ JobName: 'p' }],
      StartOnCreation: true,
    });
  });

  it('keeps buckets that only TLS may reach, and writes only where nothing is when asked to', async () => {
    const { s3 } = clients;
    const Policy = policy({
      Effect: 'Deny',
      Principal: '*',
      Action: 's3:*',
      Resource: [`arn:aws:s3:::${STAGING}`, `arn:aws:s3:::${STAGING}/*`],
      Condition: { Bool: { 'aws:SecureTransport': 'false' } },
    });
    await s3.putBucketPolicy({ Bucket: STAGING, Policy });
    await s3.putBucketTagging({ Bucket: STAGING, Tagging: { TagSet: Tags } });
    const object = { Bucket: STAGING, Key: 'merge.py', Body: 'print(1)' };
    const writers = Array.from({ length: 8 }, () => refusal(s3.putObject({ ...object, IfNoneMatch: '*' })));
    const ended = await Promise.all(writers);
    expect(ended.filter((each) => each === 'granted')).toHaveLength(1);
    expect(ended.filter((each) => each === 'PreconditionFailed')).toHaveLength(7);
  });

  it('finds what is tagged, of every service', async () => {
    await clients.dms.addTagsToResource({ ResourceArn: task, Tags });
    const { ResourceTagMappingList } = await clients.tags.getResources({
      TagFilters: [{ Key: 'cdc:pipeline', Values: ['p'] }],
    });
    const found = ResourceTagMappingList?.map(({ ResourceARN = '' }) => ResourceARN.replace(group, 'sg'));
    expect(found?.map((arn) => arn.replace(`${REGION}:${ACCOUNT}:`, '')).sort()).toEqual([
      expect.stringMatching(/^arn:aws:dms:task:/),
      'arn:aws:ec2:security-group/sg',
      'arn:aws:glue:job/p',
      'arn:aws:rds:db:p',
      'arn:aws:rds:pg:p',
      `arn:aws:s3:::${STAGING}`,
    ]);
  });

  it('tells everything that is alive, and how it is set', async () => {
    expect(await aws.alive()).toEqual({
      'dms:endpoint': ['eu-west-1:p-source', 'eu-west-1:p-target'],
      'dms:rep': ['eu-west-1:p'],
      'dms:subgrp': ['eu-west-1:p'],
      'dms:task': ['eu-west-1:p'],
      'ec2:security-group': ['eu-west-1:p-rds'],
      glue: ['eu-west-1:p'],
      'glue:trigger': ['eu-west-1:p'],
      'iam:role': ['aws:dms-vpc-role', 'aws:p-dms-s3', 'aws:p-glue'],
      // Glue makes it when a job that names none of its own first runs.
      logs: ['eu-west-1:/aws-glue/jobs/output'],
      rds: ['eu-west-1:p'],
      'rds-pg': ['eu-west-1:p'],
      s3: [`aws:${STAGING}`],
    });
    const settings = await aws.settings();
    expect(settings['dms:task']?.['eu-west-1:p']).toMatchObject({
      SourceEndpointArn: '<dms:endpoint p-source>',
      tags: { 'cdc:pipeline': 'p' },
    });
    expect(settings['ec2:security-group']?.['eu-west-1:p-rds']).toMatchObject({
      ingress: ['tcp 3306-3306 203.0.113.7/32', 'tcp 3306-3306 <ec2:security-group p-rds>'],
    });
    expect(settings['iam:role']?.['aws:p-dms-s3']).toMatchObject({ inline: { own: { Statement: expect.anything() } } });
    expect(settings.s3?.[`aws:${STAGING}`]).toMatchObject({
      policy: { Statement: [{ Effect: 'Deny' }] },
      objects: { 'merge.py': expect.any(String) },
    });
  });

  it('takes nothing away that something else needs', async () => {
    const { dms, rds, ec2, iam, s3 } = clients;
    const refusals = {
      instance: dms.deleteReplicationInstance({ ReplicationInstanceArn: stack.instance }),
      endpoint: dms.deleteEndpoint({ EndpointArn: stack.source }),
      subnets: dms.deleteReplicationSubnetGroup({ ReplicationSubnetGroupIdentifier: 'p' }),
      parameters: rds.deleteDBParameterGroup({ DBParameterGroupName: 'p' }),
      group: ec2.deleteSecurityGroup({ GroupId: group }),
      role: iam.deleteRole({ RoleName: 'p-dms-s3' }),
      bucket: s3.deleteBucket({ Bucket: STAGING }),
    };
    const names = Object.entries(refusals).map(async ([what, call]) => [what, await refusal(call)]);
    expect(Object.fromEntries(await Promise.all(names))).toEqual({
      instance: 'InvalidResourceStateFault',
      endpoint: 'InvalidResourceStateFault',
      subnets: 'InvalidResourceStateFault',
      parameters: 'InvalidDBParameterGroupStateFault',
      group: 'DependencyViolation',
      role: 'DeleteConflictException',
      bucket: 'BucketNotEmpty',
    });
  });

  it('has nothing left once all is deleted in the order that works', async () => {
    const { dms, rds, ec2, iam, s3, glue } = clients;
    await dms.deleteReplicationTask({ ReplicationTaskArn: task });
    expect(await aws.alive()).toMatchObject({ 'dms:task': ['eu-west-1:p (deleting)'] });
    const Filters = [{ Name: 'replication-task-arn', Values: [task] }];
    await waitUntilReplicationTaskDeleted({ client: dms, ...quickly }, { Filters });
    for (const EndpointArn of [stack.source, stack.target]) await dms.deleteEndpoint({ EndpointArn });
    await dms.deleteReplicationInstance({ ReplicationInstanceArn: stack.instance });
    const instances = async () => (await dms.describeReplicationInstances({})).ReplicationInstances?.[0];
    await seenUntil('gone', async () => (await instances())?.ReplicationInstanceStatus ?? 'gone');
    await seenUntil('gone', async () => (await dms.describeEndpoints({})).Endpoints?.[0]?.Status ?? 'gone');
    await dms.deleteReplicationSubnetGroup({ ReplicationSubnetGroupIdentifier: 'p' });
    await rds.deleteDBInstance({ DBInstanceIdentifier: 'p', SkipFinalSnapshot: true });
    await waitUntilDBInstanceDeleted({ client: rds, ...quickly }, { DBInstanceIdentifier: 'p' });
    await rds.deleteDBParameterGroup({ DBParameterGroupName: 'p' });
    await glue.deleteTrigger({ Name: 'p' });
    await glue.deleteJob({ JobName: 'p' });
    await s3.deleteObject({ Bucket: STAGING, Key: 'merge.py' });
    await s3.deleteBucket({ Bucket: STAGING });
    await ec2.deleteSecurityGroup({ GroupId: group });
    await iam.deleteRolePolicy({ RoleName: 'p-dms-s3', PolicyName: 'own' });
    await iam.detachRolePolicy({ RoleName: 'dms-vpc-role', PolicyArn: VPC_POLICY });
    await clients.logs.deleteLogGroup({ logGroupName: '/aws-glue/jobs/output' });
    for (const RoleName of ['dms-vpc-role', 'p-dms-s3', 'p-glue']) await iam.deleteRole({ RoleName });
    expect(await aws.alive()).toEqual({});
    expect(await aws.settings()).toEqual({});
    const { ResourceTagMappingList } = await clients.tags.getResources({});
    expect(ResourceTagMappingList).toEqual([]);
  });

  it('is empty after a reset, and has forgotten what it was told', async () => {
    await makeDmsStack(clients);
    await aws.control({ connection_fail: 'no route', free_plan: true });
    await aws.setTransition('dms::connection', { progression: 'time', seconds: 3600 });
    await aws.reset();
    expect(await aws.alive()).toEqual({});
    const again = await makeDmsStack(clients);
    expect(await testConnection(clients, again.instance, again.source)).toBe('successful');
  });

  it('names an action that it does not know, instead of sending a page', async () => {
    expect(await refusal(clients.dms.describeFleetAdvisorCollectors({}))).toBe('NotImplemented');
    await expect(aws.control({ no_such: 1 } as object)).rejects.toThrow('cannot be told: no_such');
  });
});
