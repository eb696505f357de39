/** What the emulated account refuses, because the real one does: a tool that passes here is not one that was never told no. */

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AwsClients, awsClients, refusal } from '../../support/aws/clients.ts';
import { ACCOUNT, type AwsEmulator, hasAwsEmulator, REGION, startAwsEmulator } from '../../support/aws/emulator.ts';
import {
  DATABASE,
  databaseSeenUntil,
  defaultSubnets,
  MAPPINGS,
  makeDatabase,
  makeDmsStack,
  makeFunction,
  makeRole,
  makeTask,
  makeVpcRole,
  newDatabase,
  policy,
  STAGING,
  taskSeenUntil,
  testConnection,
  zipOf,
} from '../../support/aws/stack.ts';

const FILES = { 'index.mjs': 'export const handler = () => "ok";' };

/** Each call's refusal, by the claim it is made for. */
async function refusals(calls: Record<string, () => Promise<unknown>>): Promise<Record<string, string>> {
  const names: Record<string, string> = {};
  for (const [claim, call] of Object.entries(calls)) names[claim] = await refusal(call());
  return names;
}

describe.skipIf(!(await hasAwsEmulator()))('the emulated AWS account refuses', () => {
  let aws: AwsEmulator;
  let clients: AwsClients;
  beforeAll(async () => {
    aws = await startAwsEmulator();
    clients = awsClients(aws);
  });
  afterAll(() => aws?.stop());
  beforeEach(() => aws.reset());

  it('IAM roles that exist, are missing, or still have policies', async () => {
    const { iam } = clients;
    await makeRole(clients, 'r', 'glue.amazonaws.com', { actions: ['s3:*'], resources: ['*'] });
    expect(
      await refusals({
        'the same name': () => iam.createRole({ RoleName: 'r', AssumeRolePolicyDocument: policy() }),
        'a role that is not there': () => iam.getRole({ RoleName: 'none' }),
        'a delete with an inline policy': () => iam.deleteRole({ RoleName: 'r' }),
        'a policy that is not there': () =>
          iam.attachRolePolicy({ RoleName: 'r', PolicyArn: 'arn:aws:iam::aws:policy/None' }),
      }),
    ).toEqual({
      'the same name': 'EntityAlreadyExistsException',
      'a role that is not there': 'NoSuchEntityException',
      'a delete with an inline policy': 'DeleteConflictException',
      'a policy that is not there': 'NoSuchEntityException',
    });
  });

  it('security groups and rules twice, and the delete of a group that is referred to', async () => {
    const { ec2 } = clients;
    const { vpc, subnets } = await defaultSubnets(clients);
    const group = async (GroupName: string) =>
      (await ec2.createSecurityGroup({ GroupName, Description: 'd', VpcId: vpc })).GroupId ?? '';
    const [database, dms, idle] = [await group('rds'), await group('dms'), await group('idle')];
    const IpPermissions = [{ IpProtocol: 'tcp', FromPort: 3306, ToPort: 3306, UserIdGroupPairs: [{ GroupId: dms }] }];
    await ec2.authorizeSecurityGroupIngress({ GroupId: database, IpPermissions });
    await ec2.createNetworkInterface({ SubnetId: subnets[0], Groups: [idle] });
    expect(
      await refusals({
        'a name that the network has': () => group('rds'),
        'the same rule': () => ec2.authorizeSecurityGroupIngress({ GroupId: database, IpPermissions }),
        "a delete of a group in another's rule": () => ec2.deleteSecurityGroup({ GroupId: dms }),
        'a delete of a group of an interface': () => ec2.deleteSecurityGroup({ GroupId: idle }),
      }),
    ).toEqual({
      'a name that the network has': 'InvalidGroup.Duplicate',
      'the same rule': 'InvalidPermission.Duplicate',
      "a delete of a group in another's rule": 'DependencyViolation',
      'a delete of a group of an interface': 'DependencyViolation',
    });
    await ec2.revokeSecurityGroupIngress({ GroupId: database, IpPermissions });
    expect(await refusal(ec2.deleteSecurityGroup({ GroupId: dms }))).toBe('granted');
  });

  it('buckets twice but in us-east-1, objects that are there, and deletes of what is not empty', async () => {
    const { s3 } = clients;
    await s3.createBucket({ Bucket: STAGING });
    await s3.createBucket({ Bucket: 'versions' });
    await s3.putBucketVersioning({ Bucket: 'versions', VersioningConfiguration: { Status: 'Enabled' } });
    await s3.putObject({ Bucket: 'versions', Key: 'a', Body: 'x' });
    await s3.deleteObject({ Bucket: 'versions', Key: 'a' });
    await s3.putObject({ Bucket: STAGING, Key: 'a', Body: 'x' });
    const { s3: eastern } = awsClients(aws, 'us-east-1');
    await eastern.createBucket({ Bucket: 'eastern' });
    expect(
      await refusals({
        'a bucket that is ours': () => s3.createBucket({ Bucket: STAGING }),
        'the same in us-east-1': () => eastern.createBucket({ Bucket: 'eastern' }),
        'a write where something is': () => s3.putObject({ Bucket: STAGING, Key: 'a', Body: 'y', IfNoneMatch: '*' }),
        'a swap of what has changed': () => s3.putObject({ Bucket: STAGING, Key: 'a', Body: 'y', IfMatch: '"0"' }),
        'a policy that is not there': () => s3.getBucketPolicy({ Bucket: STAGING }),
        'a head of nothing': () => s3.headBucket({ Bucket: 'nothing' }),
        'a delete with an object': () => s3.deleteBucket({ Bucket: STAGING }),
        'a delete with old versions': () => s3.deleteBucket({ Bucket: 'versions' }),
      }),
    ).toEqual({
      'a bucket that is ours': 'BucketAlreadyOwnedByYou',
      'the same in us-east-1': 'granted',
      'a write where something is': 'PreconditionFailed',
      'a swap of what has changed': 'PreconditionFailed',
      'a policy that is not there': 'NoSuchBucketPolicy',
      'a head of nothing': 'NotFound',
      'a delete with an object': 'BucketNotEmpty',
      'a delete with old versions': 'BucketNotEmpty',
    });
  });

  it('notifications to a function that is not there, that S3 may not invoke, or twice for one object', async () => {
    const { s3, lambda } = clients;
    await s3.createBucket({ Bucket: STAGING });
    const LambdaFunctionArn = await makeFunction(clients, { name: 'f', files: FILES });
    const notify = (...filters: { arn?: string; prefix: string; suffix?: string }[]) =>
      s3.putBucketNotificationConfiguration({
        Bucket: STAGING,
        NotificationConfiguration: {
          LambdaFunctionConfigurations: filters.map(({ arn = LambdaFunctionArn, prefix, suffix = '' }) => ({
            LambdaFunctionArn: arn,
            Events: ['s3:ObjectCreated:*'],
            Filter: {
              Key: {
                FilterRules: [
                  { Name: 'prefix' as const, Value: prefix },
                  { Name: 'suffix' as const, Value: suffix },
                ].filter(({ Value }) => Value !== ''),
              },
            },
          })),
        },
      });
    const permit = (SourceArn: string, SourceAccount: string) =>
      lambda.addPermission({
        FunctionName: 'f',
        StatementId: SourceAccount + SourceArn.slice(-1),
        Action: 'lambda:InvokeFunction',
        Principal: 's3.amazonaws.com',
        SourceArn,
        SourceAccount,
      });
    const missing = LambdaFunctionArn.replace(/f$/, 'g');
    expect(await refusal(notify({ arn: missing, prefix: 'raw/' }))).toBe('InvalidArgument');
    expect(await refusal(notify({ prefix: 'raw/' }))).toBe('InvalidArgument');
    await permit('arn:aws:s3:::another', ACCOUNT);
    await permit(`arn:aws:s3:::${STAGING}`, '999999999999');
    expect(await refusal(notify({ prefix: 'raw/' }))).toBe('InvalidArgument');
    await permit(`arn:aws:s3:::${STAGING}`, ACCOUNT);
    expect(
      await refusals({
        'one inside the other': () => notify({ prefix: 'raw/' }, { prefix: 'raw/shop/' }),
        'with other endings': () => notify({ prefix: 'raw/', suffix: '.csv' }, { prefix: 'raw/', suffix: '.gz' }),
      }),
    ).toEqual({ 'one inside the other': 'InvalidArgument', 'with other endings': 'granted' });
  });

  it('secrets twice, and the name of one that is just gone', async () => {
    const { secrets } = clients;
    await aws.control({ secret_refusals: 2 });
    const create = (Name: string) => secrets.createSecret({ Name, SecretString: '{}' });
    for (const name of ['s', 'waits']) await create(name);
    expect(await refusal(create('s'))).toBe('ResourceExistsException');
    await secrets.deleteSecret({ SecretId: 'waits', RecoveryWindowInDays: 7 });
    expect(await refusal(create('waits'))).toBe('InvalidRequestException');
    await secrets.deleteSecret({ SecretId: 's', ForceDeleteWithoutRecovery: true });
    const again = [await refusal(create('s')), await refusal(create('s')), await refusal(create('s'))];
    expect(again).toEqual(['InvalidRequestException', 'InvalidRequestException', 'granted']);
  });

  it('parameters that RDS does not know, cannot change, or not at once', async () => {
    const { rds } = clients;
    const group = { DBParameterGroupName: 'p', DBParameterGroupFamily: 'mysql8.4', Description: 'p' };
    await rds.createDBParameterGroup(group);
    const modify = (name: string, value: string, method: 'immediate' | 'pending-reboot' = 'immediate', count = 1) =>
      rds.modifyDBParameterGroup({
        DBParameterGroupName: 'p',
        Parameters: Array.from({ length: count }, () => ({
          ParameterName: name,
          ParameterValue: value,
          ApplyMethod: method,
        })),
      });
    expect(
      await refusals({
        'the same group': () => rds.createDBParameterGroup(group),
        'a group that is not there': () => rds.describeDBParameterGroups({ DBParameterGroupName: 'none' }),
        'the default group': () =>
          rds.modifyDBParameterGroup({
            DBParameterGroupName: 'default.mysql8.4',
            Parameters: [{ ParameterName: 'x' }],
          }),
        'a name it does not know': () => modify('binlog_fromat', 'ROW'),
        'a value it does not know': () => modify('binlog_row_image', 'everything'),
        'one that is fixed': () => modify('server_id', '1'),
        'a static one at once': () => modify('gtid-mode', 'ON'),
        'more than twenty': () => modify('binlog_format', 'ROW', 'immediate', 21),
      }),
    ).toEqual({
      'the same group': 'DBParameterGroupAlreadyExistsFault',
      'a group that is not there': 'DBParameterGroupNotFoundFault',
      'the default group': 'InvalidParameterValue',
      'a name it does not know': 'InvalidParameterValue',
      'a value it does not know': 'InvalidParameterValue',
      'one that is fixed': 'InvalidParameterValue',
      'a static one at once': 'InvalidParameterCombination',
      'more than twenty': 'InvalidParameterValue',
    });
  });

  it('databases that RDS would not make', async () => {
    const { rds } = clients;
    await rds.createDBParameterGroup({
      DBParameterGroupName: 'old',
      DBParameterGroupFamily: 'mysql8.0',
      Description: 'p',
    });
    const create = (more: Parameters<typeof newDatabase>[0]) => () => rds.createDBInstance(newDatabase(more));
    const refused = await refusals({
      'a group of another family': create({ DBParameterGroupName: 'old' }),
      'a group that is not there': create({ DBParameterGroupName: 'none' }),
      'a version past its support, without extended support': create({
        EngineVersion: '8.0.40',
        EngineLifecycleSupport: 'open-source-rds-extended-support-disabled',
      }),
      'a version that is not': create({ EngineVersion: '8.4.99' }),
      'a class that is not': create({ DBInstanceClass: 'db.t3.tiny' }),
      'less than 20 GB': create({ AllocatedStorage: 5 }),
      'backups of 40 days': create({ BackupRetentionPeriod: 40 }),
      'a name of its own kind': create({ DBInstanceIdentifier: 'double--hyphen' }),
      'a password with an at': create({ MasterUserPassword: 'Abcdefgh@' }),
      'a short password': create({ MasterUserPassword: 'Abc' }),
      'a password that is managed and given': create({ ManageMasterUserPassword: true }),
      'no password': create({ MasterUserPassword: undefined }),
      'no master user': create({ MasterUsername: undefined }),
      'a security group that is not there': create({ VpcSecurityGroupIds: ['sg-00000000'] }),
    });
    expect(refused).toEqual({
      'a group of another family': 'InvalidParameterCombination',
      'a group that is not there': 'DBParameterGroupNotFoundFault',
      'a version past its support, without extended support': 'InvalidParameterCombination',
      'a version that is not': 'InvalidParameterCombination',
      'a class that is not': 'InvalidParameterValue',
      'less than 20 GB': 'InvalidParameterValue',
      'backups of 40 days': 'InvalidParameterValue',
      'a name of its own kind': 'InvalidParameterValue',
      'a password with an at': 'InvalidParameterValue',
      'a short password': 'InvalidParameterValue',
      'a password that is managed and given': 'InvalidParameterCombination',
      'no password': 'InvalidParameterValue',
      'no master user': 'InvalidParameterValue',
      'a security group that is not there': 'InvalidParameterValue',
    });
    expect(await aws.alive()).toEqual({ 'rds-pg': ['eu-west-1:old'] });
  });

  it('a database where the network has no subnets, and more than a free plan gives', async () => {
    const { rds, ec2 } = clients;
    await aws.control({ free_plan: true });
    expect(
      await refusals({
        'two days of backups': () => rds.createDBInstance(newDatabase({ BackupRetentionPeriod: 2 })),
        'a small class': () => rds.createDBInstance(newDatabase({ DBInstanceClass: 'db.t3.small' })),
      }),
    ).toEqual({ 'two days of backups': 'FreeTierRestrictionError', 'a small class': 'FreeTierRestrictionError' });
    for (const SubnetId of (await defaultSubnets(clients)).subnets) await ec2.deleteSubnet({ SubnetId });
    expect(await refusal(rds.createDBInstance(newDatabase()))).toBe('InvalidSubnet');
  });

  it('changes and deletes of a database in a state that does not allow them', async () => {
    const { rds } = clients;
    const name = { DBInstanceIdentifier: 'p' };
    await rds.createDBInstance(newDatabase());
    const first = await refusals({
      'a database that is not there': () => rds.describeDBInstances({ DBInstanceIdentifier: 'none' }),
      'a change while creating': () => rds.modifyDBInstance({ ...name, AllocatedStorage: 30 }),
      'a stop while creating': () => rds.stopDBInstance(name),
      'a last snapshot while creating': () => rds.deleteDBInstance({ ...name, FinalDBSnapshotIdentifier: 'last' }),
    });
    await databaseSeenUntil(clients, 'available');
    await rds.modifyDBInstance({ ...name, DeletionProtection: true, ApplyImmediately: true });
    await databaseSeenUntil(clients, 'available');
    const second = await refusals({
      'a start while running': () => rds.startDBInstance(name),
      'a delete that says nothing of snapshots': () => rds.deleteDBInstance(name),
      'a delete with and without one': () =>
        rds.deleteDBInstance({ ...name, SkipFinalSnapshot: true, FinalDBSnapshotIdentifier: 'last' }),
      'a delete of a protected one': () => rds.deleteDBInstance({ ...name, SkipFinalSnapshot: true }),
    });
    await rds.stopDBInstance(name);
    await databaseSeenUntil(clients, 'stopped');
    const third = await refusals({
      'a change while stopped': () => rds.modifyDBInstance({ ...name, AllocatedStorage: 30 }),
    });
    expect({ ...first, ...second, ...third }).toEqual({
      'a database that is not there': 'DBInstanceNotFoundFault',
      'a change while creating': 'InvalidDBInstanceStateFault',
      'a stop while creating': 'InvalidDBInstanceStateFault',
      'a last snapshot while creating': 'InvalidDBInstanceStateFault',
      'a start while running': 'InvalidDBInstanceStateFault',
      'a delete that says nothing of snapshots': 'InvalidParameterCombination',
      'a delete with and without one': 'InvalidParameterCombination',
      'a delete of a protected one': 'InvalidParameterCombination',
      'a change while stopped': 'InvalidDBInstanceStateFault',
    });
  });

  it('a parameter group and subnet group of a database', async () => {
    const { rds } = clients;
    const { subnets } = await defaultSubnets(clients);
    const group = { DBSubnetGroupName: 'p', DBSubnetGroupDescription: 'p', SubnetIds: subnets };
    expect(await refusal(rds.createDBSubnetGroup({ ...group, SubnetIds: subnets.slice(0, 1) }))).toBe(
      'DBSubnetGroupDoesNotCoverEnoughAZs',
    );
    await rds.createDBSubnetGroup(group);
    expect(await refusal(rds.createDBSubnetGroup(group))).toBe('DBSubnetGroupAlreadyExistsFault');
    await makeDatabase(clients, { DBSubnetGroupName: 'p' });
    expect(await refusal(rds.deleteDBSubnetGroup({ DBSubnetGroupName: 'p' }))).toBe('InvalidDBSubnetGroupStateFault');
  });

  it('subnet groups and instances of DMS before dms-vpc-role is ready', async () => {
    const { dms } = clients;
    const { subnets } = await defaultSubnets(clients);
    const group = (SubnetIds: string[]) =>
      dms.createReplicationSubnetGroup({
        ReplicationSubnetGroupIdentifier: 'p',
        ReplicationSubnetGroupDescription: 'p',
        SubnetIds,
      });
    const instance = (more: object = {}) =>
      dms.createReplicationInstance({
        ReplicationInstanceIdentifier: 'p',
        ReplicationInstanceClass: 'dms.t3.micro',
        ...more,
      });
    const without = await refusals({ 'a group': () => group(subnets), 'an instance': () => instance() });
    expect(without).toEqual({ 'a group': 'AccessDeniedFault', 'an instance': 'AccessDeniedFault' });
    await aws.control({ role_refusals: 2 });
    await makeVpcRole(clients);
    const [early, still, then] = [
      await refusal(group(subnets)),
      await refusal(instance()),
      await refusal(group(subnets)),
    ];
    expect([early, still, then]).toEqual(['AccessDeniedFault', 'AccessDeniedFault', 'granted']);
    expect(
      await refusals({
        'the same group': () => group(subnets),
        'a version that takes no more': () => instance({ EngineVersion: '3.6.0' }),
        'a class that is not': () => instance({ ReplicationInstanceClass: 'dms.t3.tiny' }),
        'a group that is not there': () => instance({ ReplicationSubnetGroupIdentifier: 'none' }),
      }),
    ).toEqual({
      'the same group': 'ResourceAlreadyExistsFault',
      'a version that takes no more': 'InvalidParameterValueException',
      'a class that is not': 'InvalidParameterValueException',
      'a group that is not there': 'ResourceNotFoundFault',
    });
    await dms.deleteReplicationSubnetGroup({ ReplicationSubnetGroupIdentifier: 'p' });
    expect(await refusal(group(subnets.slice(0, 1)))).toBe('ReplicationSubnetGroupDoesNotCoverEnoughAZs');
  });

  it('endpoints whose settings do not fit', async () => {
    const { dms } = clients;
    const stack = await makeDmsStack(clients);
    const role = await makeRole(clients, 'secret', `dms.${REGION}.amazonaws.com`);
    const secret = { SecretsManagerSecretId: 's', SecretsManagerAccessRoleArn: role };
    const source = (more: object) => () =>
      dms.createEndpoint({ EndpointIdentifier: 'e', EndpointType: 'source', EngineName: 'mysql', ...more });
    const target =
      (settings: object, more: object = {}) =>
      () =>
        dms.createEndpoint({
          EndpointIdentifier: 'e',
          EndpointType: 'target',
          EngineName: 's3',
          S3Settings: {
            BucketName: STAGING,
            ServiceAccessRoleArn: `arn:aws:iam::${ACCOUNT}:role/p-dms-s3`,
            ...settings,
          },
          ...more,
        });
    expect(
      await refusals({
        'the same name': source({ ...DATABASE, EndpointIdentifier: 'p-source' }),
        'an endpoint that is not there': () =>
          dms.describeEndpoints({ Filters: [{ Name: 'endpoint-id', Values: ['none'] }] }),
        'TLS without verification': source({ ...DATABASE, SslMode: 'require' }),
        'verification without a certificate': source({ ...DATABASE, SslMode: 'verify-full' }),
        'a secret and a password': source({ ...DATABASE, MySQLSettings: secret }),
        'a password DMS cannot read': source({ ...DATABASE, Password: 'a;b' }),
        'no password': source({ ServerName: 'db', Port: 3306, Username: 'cdc' }),
        'a secret role that is not there': source({
          MySQLSettings: { ...secret, SecretsManagerAccessRoleArn: `arn:aws:iam::${ACCOUNT}:role/none` },
        }),
        'a bucket without a role': target({ ServiceAccessRoleArn: undefined }),
        "a bucket's role that DMS may not assume": target({ ServiceAccessRoleArn: role }),
        'TLS settings for S3': target({}, { SslMode: 'verify-full' }),
        'transactions without a path': target({ PreserveTransactions: true }),
        'transactions with a header': target({ PreserveTransactions: true, CdcPath: 'c', AddColumnName: true }),
        'a certificate that is none': () =>
          dms.importCertificate({ CertificateIdentifier: 'c', CertificatePem: 'nonsense' }),
      }),
    ).toEqual({
      'the same name': 'ResourceAlreadyExistsFault',
      'an endpoint that is not there': 'ResourceNotFoundFault',
      'TLS without verification': 'InvalidParameterValueException',
      'verification without a certificate': 'InvalidParameterCombinationException',
      'a secret and a password': 'InvalidParameterCombinationException',
      'a password DMS cannot read': 'InvalidParameterValueException',
      'no password': 'InvalidParameterCombinationException',
      'a secret role that is not there': 'AccessDeniedFault',
      'a bucket without a role': 'InvalidParameterCombinationException',
      "a bucket's role that DMS may not assume": 'AccessDeniedFault',
      'TLS settings for S3': 'InvalidParameterCombinationException',
      'transactions without a path': 'InvalidParameterCombinationException',
      'transactions with a header': 'InvalidParameterCombinationException',
      'a certificate that is none': 'InvalidCertificateFault',
    });
    const pem = { CertificateIdentifier: 'c', CertificatePem: '-----BEGIN CERTIFICATE-----\n' };
    const CertificateArn = (await dms.importCertificate(pem)).Certificate?.CertificateArn;
    await source({ ...DATABASE, SslMode: 'verify-ca', CertificateArn })();
    expect(await refusal(dms.deleteCertificate({ CertificateArn }))).toBe('InvalidResourceStateFault');
    expect(stack.instance).toContain(':rep:');
  });

  it('connections that would not work, with the reason', async () => {
    const { s3, iam, dms } = clients;
    const stack = await makeDmsStack(clients);
    const target = () => testConnection(clients, stack.instance, stack.target);
    expect(await target()).toBe('successful');
    await dms.testConnection({ ReplicationInstanceArn: stack.instance, EndpointArn: stack.source });
    const twice = dms.testConnection({ ReplicationInstanceArn: stack.instance, EndpointArn: stack.source });
    expect(await refusal(twice)).toBe('InvalidResourceStateFault');
    const statement = { Effect: 'Allow', Action: ['s3:PutObject', 's3:ListBucket'], Resource: '*' };
    await iam.putRolePolicy({ RoleName: 'p-dms-s3', PolicyName: 'own', PolicyDocument: policy(statement) });
    expect(await target()).toContain(`may not call s3:DeleteObject on ${STAGING}/raw/x`);
    await s3.deleteBucket({ Bucket: STAGING });
    expect(await target()).toContain(`bucket ${STAGING} does not exist`);
    await aws.control({ connection_fail: 'no route' });
    expect(await target()).toBe('no route');
  });

  it('tasks that do not fit, are not ready, or were started the wrong way', async () => {
    const { dms } = clients;
    const stack = await makeDmsStack(clients);
    const create = (more: object) => () =>
      dms.createReplicationTask({
        ReplicationTaskIdentifier: 'bad',
        ReplicationInstanceArn: stack.instance,
        SourceEndpointArn: stack.source,
        TargetEndpointArn: stack.target,
        MigrationType: 'cdc',
        TableMappings: MAPPINGS,
        ...more,
      });
    const start =
      (kind: 'start-replication' | 'resume-processing', more: object = {}) =>
      () =>
        dms.startReplicationTask({ ReplicationTaskArn: task, StartReplicationTaskType: kind, ...more });
    const task = await makeTask(clients, stack);
    const other = await dms.createEndpoint({
      EndpointIdentifier: 'other',
      EndpointType: 'source',
      EngineName: 'mysql',
      ...DATABASE,
    });
    await dms.modifyEndpoint({ EndpointArn: stack.source, Port: 3307 });
    const before = await refusals({
      'the same name': create({ ReplicationTaskIdentifier: 'p' }),
      'mappings that are no JSON': create({ TableMappings: '{' }),
      'mappings without a selection': create({ TableMappings: '{"rules":[]}' }),
      'two sources': create({ TargetEndpointArn: other.Endpoint?.EndpointArn }),
      'an instance that is not there': create({ ReplicationInstanceArn: `${stack.instance}X` }),
      'a position and a time': create({ CdcStartPosition: 'a:1', CdcStartTime: new Date() }),
      'a start before the changed endpoint was tested': start('start-replication'),
    });
    await testConnection(clients, stack.instance, stack.source);
    const ready = await refusals({
      'a resume of what never ran': start('resume-processing'),
      'a stop of what does not run': () => dms.stopReplicationTask({ ReplicationTaskArn: task }),
      'a reload of what does not run': () => dms.reloadTables({ ReplicationTaskArn: task, TablesToReload: [] }),
    });
    await start('start-replication')();
    await taskSeenUntil(clients, 'running');
    const running = await refusals({
      'a start of what runs': start('resume-processing'),
      'a change of what runs': () => dms.modifyReplicationTask({ ReplicationTaskArn: task, TableMappings: MAPPINGS }),
      'a delete of what runs': () => dms.deleteReplicationTask({ ReplicationTaskArn: task }),
      'a change of an endpoint of what runs': () => dms.modifyEndpoint({ EndpointArn: stack.target, Port: 1 }),
    });
    await dms.stopReplicationTask({ ReplicationTaskArn: task });
    await taskSeenUntil(clients, 'stopped');
    const stopped = await refusals({ 'a first start of what ran': start('start-replication') });
    expect({ ...before, ...ready, ...running, ...stopped }).toEqual({
      'the same name': 'ResourceAlreadyExistsFault',
      'mappings that are no JSON': 'InvalidParameterValueException',
      'mappings without a selection': 'InvalidParameterValueException',
      'two sources': 'InvalidParameterValueException',
      'an instance that is not there': 'ResourceNotFoundFault',
      'a position and a time': 'InvalidParameterCombinationException',
      'a start before the changed endpoint was tested': 'InvalidResourceStateFault',
      'a resume of what never ran': 'InvalidParameterCombinationException',
      'a stop of what does not run': 'InvalidResourceStateFault',
      'a reload of what does not run': 'InvalidResourceStateFault',
      'a start of what runs': 'InvalidResourceStateFault',
      'a change of what runs': 'InvalidResourceStateFault',
      'a delete of what runs': 'InvalidResourceStateFault',
      'a change of an endpoint of what runs': 'InvalidResourceStateFault',
      'a first start of what ran': 'InvalidParameterCombinationException',
    });
  });

  it('the delete of a security group whose interface DMS left behind', async () => {
    const { dms, ec2 } = clients;
    const { vpc } = await defaultSubnets(clients);
    const { GroupId = '' } = await ec2.createSecurityGroup({ GroupName: 'dms', Description: 'd', VpcId: vpc });
    const { instance } = await makeDmsStack(clients, [GroupId]);
    await aws.control({ leave_interface: true });
    await dms.deleteReplicationInstance({ ReplicationInstanceArn: instance });
    await dms.describeReplicationInstances({});
    expect((await aws.alive())['dms:rep']).toBeUndefined();
    expect(await refusal(ec2.deleteSecurityGroup({ GroupId }))).toBe('DependencyViolation');
    const { NetworkInterfaces } = await ec2.describeNetworkInterfaces({
      Filters: [{ Name: 'group-id', Values: [GroupId] }],
    });
    expect(NetworkInterfaces).toMatchObject([{ Status: 'available', Description: 'DMSNetworkInterface' }]);
    await ec2.deleteNetworkInterface({ NetworkInterfaceId: NetworkInterfaces?.[0]?.NetworkInterfaceId });
    expect(await refusal(ec2.deleteSecurityGroup({ GroupId }))).toBe('granted');
  });

  it('functions without a role or a runtime, and everything that must wait for Active', async () => {
    const { lambda } = clients;
    const ZipFile = await zipOf(FILES);
    await aws.control({ role_refusals: 1 });
    const Role = await makeRole(clients, 'f', 'lambda.amazonaws.com');
    const wrong = await makeRole(clients, 'wrong', 'glue.amazonaws.com');
    const create =
      (more: object = {}) =>
      () =>
        lambda.createFunction({
          FunctionName: 'f',
          Runtime: 'nodejs24.x',
          Handler: 'index.handler',
          Role,
          Code: { ZipFile },
          ...more,
        });
    const permit = () =>
      lambda.addPermission({
        FunctionName: 'f',
        StatementId: 's3',
        Action: 'lambda:InvokeFunction',
        Principal: 's3.amazonaws.com',
      });
    const configure = () => lambda.updateFunctionConfiguration({ FunctionName: 'f', Timeout: 5 });
    const before = await refusals({
      'a role that Lambda may not assume': create({ Role: wrong }),
      'a runtime that is no more': create({ Runtime: 'nodejs18.x' }),
      'a role that is too fresh': create(),
    });
    await create()();
    const pending = await refusals({
      'the same name': create(),
      'an invocation while pending': () => lambda.invoke({ FunctionName: 'f' }),
      'a permission while pending': permit,
      'a change while pending': configure,
    });
    await lambda.getFunction({ FunctionName: 'f' });
    const noPolicy = await refusal(lambda.getPolicy({ FunctionName: 'f' }));
    await permit();
    await lambda.updateFunctionCode({ FunctionName: 'f', ZipFile });
    const updating = await refusals({
      'the same statement': permit,
      'a change while the code is changed': configure,
    });
    await lambda.getFunctionConfiguration({ FunctionName: 'f' });
    expect({ ...before, ...pending, ...updating, 'a policy that is not there': noPolicy }).toEqual({
      'a role that Lambda may not assume': 'InvalidParameterValueException',
      'a runtime that is no more': 'InvalidParameterValueException',
      'a role that is too fresh': 'InvalidParameterValueException',
      'the same name': 'ResourceConflictException',
      'an invocation while pending': 'ResourceConflictException',
      'a permission while pending': 'ResourceConflictException',
      'a change while pending': 'ResourceConflictException',
      'the same statement': 'ResourceConflictException',
      'a change while the code is changed': 'ResourceConflictException',
      'a policy that is not there': 'ResourceNotFoundException',
    });
    expect(await refusals({ 'after it': configure })).toEqual({ 'after it': 'granted' });
  });

  it('jobs of Glue with a role it may not assume, or two kinds of capacity', async () => {
    const { glue } = clients;
    const Role = await makeRole(clients, 'g', 'glue.amazonaws.com');
    const wrong = await makeRole(clients, 'wrong', 'lambda.amazonaws.com');
    const job = { Name: 'p', Role, Command: { Name: 'glueetl', ScriptLocation: 's3://x/y.py' }, GlueVersion: '5.1' };
    const workers = { WorkerType: 'G.1X', NumberOfWorkers: 2 } as const;
    await glue.createJob({ ...job, ...workers });
    expect(
      await refusals({
        'the same name': () => glue.createJob({ ...job, ...workers }),
        'a role that Glue may not assume': () => glue.createJob({ ...job, Name: 'q', Role: wrong }),
        'workers and a capacity': () => glue.createJob({ ...job, Name: 'q', ...workers, MaxCapacity: 2 }),
        'a job that is not there': () => glue.getJob({ JobName: 'none' }),
        'a run of a job that is not there': () => glue.startJobRun({ JobName: 'none' }),
        'a delete of a job that is not there': () => glue.deleteJob({ JobName: 'none' }),
      }),
    ).toEqual({
      'the same name': 'AlreadyExistsException',
      'a role that Glue may not assume': 'InvalidInputException',
      'workers and a capacity': 'InvalidInputException',
      'a job that is not there': 'EntityNotFoundException',
      'a run of a job that is not there': 'EntityNotFoundException',
      // Which it does not refuse.
      'a delete of a job that is not there': 'granted',
    });
  });
});
