/** The pieces of a pipeline in the emulated account, made by plain calls, for tests that need one to be there. */

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { S3Settings } from '@aws-sdk/client-database-migration-service';
import { pythonOf } from '../python-environment.ts';
import { type AwsClients, seenUntil } from './clients.ts';
import { EMULATOR_PYTHON, REGION } from './emulator.ts';

export const VPC_POLICY = 'arn:aws:iam::aws:policy/service-role/AmazonDMSVPCManagementRole';

/** The role's ARN. `allow` is one statement: actions and resources. */
export async function makeRole(
  { iam }: AwsClients,
  name: string,
  service: string,
  allow?: { actions: string[]; resources: string[] },
): Promise<string> {
  const trust = { Effect: 'Allow', Principal: { Service: service }, Action: 'sts:AssumeRole' };
  const { Role } = await iam.createRole({ RoleName: name, AssumeRolePolicyDocument: policy(trust) });
  if (allow !== undefined) {
    const statement = { Effect: 'Allow', Action: allow.actions, Resource: allow.resources };
    await iam.putRolePolicy({ RoleName: name, PolicyName: 'own', PolicyDocument: policy(statement) });
  }
  return Role?.Arn ?? '';
}

export function policy(...statements: object[]): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: statements });
}

export async function makeVpcRole(clients: AwsClients): Promise<void> {
  await makeRole(clients, 'dms-vpc-role', 'dms.amazonaws.com');
  await clients.iam.attachRolePolicy({ RoleName: 'dms-vpc-role', PolicyArn: VPC_POLICY });
}

export async function defaultSubnets({ ec2 }: AwsClients): Promise<{ vpc: string; subnets: string[] }> {
  const { Vpcs } = await ec2.describeVpcs({ Filters: [{ Name: 'is-default', Values: ['true'] }] });
  const vpc = Vpcs?.[0]?.VpcId ?? '';
  const { Subnets } = await ec2.describeSubnets({ Filters: [{ Name: 'vpc-id', Values: [vpc] }] });
  return { vpc, subnets: (Subnets ?? []).map(({ SubnetId }) => SubnetId ?? '') };
}

export interface DmsStack {
  instance: string;
  source: string;
  target: string;
}

export const STAGING = 'staging-bucket';
export const DATABASE = { ServerName: '127.0.0.1', Port: 3306, Username: 'cdc', Password: 'secret' };
export const MAPPINGS = JSON.stringify({
  rules: [
    {
      'rule-type': 'selection',
      'rule-id': '1',
      'rule-name': '1',
      'object-locator': { 'schema-name': 'shop', 'table-name': '%' },
      'rule-action': 'include',
    },
  ],
});

/** Roles, bucket, subnet group, an available instance and two endpoints; nothing is tested yet. `target`: more of its settings. */
export async function makeDmsStack(
  clients: AwsClients,
  securityGroups: string[] = [],
  { database = DATABASE, target: settings = {} }: { database?: typeof DATABASE; target?: Partial<S3Settings> } = {},
): Promise<DmsStack> {
  const { dms, s3 } = clients;
  await makeVpcRole(clients);
  const role = await makeRole(clients, 'p-dms-s3', 'dms.amazonaws.com', {
    actions: ['s3:PutObject', 's3:DeleteObject', 's3:ListBucket'],
    resources: [`arn:aws:s3:::${STAGING}`, `arn:aws:s3:::${STAGING}/*`],
  });
  await s3.createBucket({ Bucket: STAGING });
  const { subnets } = await defaultSubnets(clients);
  await dms.createReplicationSubnetGroup({
    ReplicationSubnetGroupIdentifier: 'p',
    ReplicationSubnetGroupDescription: 'p',
    SubnetIds: subnets,
  });
  const { ReplicationInstance } = await dms.createReplicationInstance({
    ReplicationInstanceIdentifier: 'p',
    ReplicationInstanceClass: 'dms.t3.micro',
    ReplicationSubnetGroupIdentifier: 'p',
    VpcSecurityGroupIds: securityGroups,
  });
  await seenUntil('available', async () => {
    const { ReplicationInstances } = await dms.describeReplicationInstances({});
    return ReplicationInstances?.[0]?.ReplicationInstanceStatus;
  });
  const source = await dms.createEndpoint({
    EndpointIdentifier: 'p-source',
    EndpointType: 'source',
    EngineName: 'mysql',
    ...database,
  });
  const target = await dms.createEndpoint({
    EndpointIdentifier: 'p-target',
    EndpointType: 'target',
    EngineName: 's3',
    S3Settings: { BucketName: STAGING, BucketFolder: 'raw', ServiceAccessRoleArn: role, ...settings },
  });
  return {
    instance: ReplicationInstance?.ReplicationInstanceArn ?? '',
    source: source.Endpoint?.EndpointArn ?? '',
    target: target.Endpoint?.EndpointArn ?? '',
  };
}

/** How the test of a connection ends: `successful`, or why not. */
export async function testConnection({ dms }: AwsClients, instance: string, endpoint: string): Promise<string> {
  await dms.testConnection({ ReplicationInstanceArn: instance, EndpointArn: endpoint });
  for (;;) {
    const { Connections } = await dms.describeConnections({
      Filters: [
        { Name: 'endpoint-arn', Values: [endpoint] },
        { Name: 'replication-instance-arn', Values: [instance] },
      ],
    });
    const connection = Connections?.[0];
    if (connection?.Status !== 'testing') return connection?.LastFailureMessage ?? connection?.Status ?? '';
  }
}

/** A task that is ready, of a stack whose connections have been tested. */
export async function makeTask(
  clients: AwsClients,
  stack: DmsStack,
  kind: 'full-load' | 'cdc' | 'full-load-and-cdc' = 'full-load-and-cdc',
  more: Partial<Parameters<AwsClients['dms']['createReplicationTask']>[0]> = {},
): Promise<string> {
  for (const endpoint of [stack.source, stack.target]) await testConnection(clients, stack.instance, endpoint);
  const { ReplicationTask } = await clients.dms.createReplicationTask({
    ReplicationTaskIdentifier: 'p',
    ReplicationInstanceArn: stack.instance,
    SourceEndpointArn: stack.source,
    TargetEndpointArn: stack.target,
    MigrationType: kind,
    TableMappings: MAPPINGS,
    ReplicationTaskSettings: JSON.stringify({ Logging: { EnableLogging: true } }),
    ...more,
  });
  await taskSeenUntil(clients, 'ready');
  return ReplicationTask?.ReplicationTaskArn ?? '';
}

export function taskSeenUntil({ dms }: AwsClients, wanted: string): Promise<string[]> {
  return seenUntil(wanted, async () => (await dms.describeReplicationTasks({})).ReplicationTasks?.[0]?.Status);
}

/** A zip with these files, as a function's code. */
export async function zipOf(files: Record<string, string>): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'cdc-test-zip-'));
  try {
    await mkdir(join(folder, 'in'));
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, 'in', name), text);
    const args = ['-m', 'zipfile', '-c', join(folder, 'out.zip'), ...Object.keys(files)];
    await promisify(execFile)(await pythonOf(EMULATOR_PYTHON), args, { cwd: join(folder, 'in') });
    return await readFile(join(folder, 'out.zip'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The function's ARN, once it is active. */
export async function makeFunction(
  clients: AwsClients,
  options: { name: string; runtime?: 'nodejs24.x' | 'python3.13'; files: Record<string, string>; timeout?: number },
): Promise<string> {
  const { name, runtime = 'nodejs24.x', files, timeout = 15 } = options;
  const role = await makeRole(clients, `p-${name}`, 'lambda.amazonaws.com');
  const { FunctionArn } = await clients.lambda.createFunction({
    FunctionName: name,
    Runtime: runtime,
    Role: role,
    Handler: 'index.handler',
    Timeout: timeout,
    Environment: { Variables: { STACK: 'p' } },
    Code: { ZipFile: await zipOf(files) },
  });
  await seenUntil('Active', async () => {
    const { Configuration } = await clients.lambda.getFunction({ FunctionName: name });
    return Configuration?.State;
  });
  return FunctionArn ?? `arn:aws:lambda:${REGION}:missing`;
}

/** The RDS instance's endpoint once it is available, and the states on the way. */
export async function makeDatabase(
  { rds }: AwsClients,
  more: Partial<Parameters<AwsClients['rds']['createDBInstance']>[0]> = {},
): Promise<{ states: string[]; address: string; port: number }> {
  await rds.createDBInstance(newDatabase(more));
  const states = await databaseSeenUntil({ rds }, 'available');
  const { DBInstances } = await rds.describeDBInstances({ DBInstanceIdentifier: 'p' });
  const endpoint = DBInstances?.[0]?.Endpoint;
  return { states, address: endpoint?.Address ?? '', port: endpoint?.Port ?? 0 };
}

export function newDatabase(more: Partial<Parameters<AwsClients['rds']['createDBInstance']>[0]> = {}) {
  return {
    DBInstanceIdentifier: 'p',
    DBInstanceClass: 'db.t3.micro',
    Engine: 'mysql',
    EngineVersion: '8.4.5',
    AllocatedStorage: 20,
    MasterUsername: 'admin',
    MasterUserPassword: 'Abcdefgh1',
    BackupRetentionPeriod: 1,
    PubliclyAccessible: true,
    ...more,
  };
}

export function databaseSeenUntil({ rds }: Pick<AwsClients, 'rds'>, wanted: string): Promise<string[]> {
  return seenUntil(wanted, async () => {
    const { DBInstances } = await rds.describeDBInstances({ DBInstanceIdentifier: 'p' });
    return DBInstances?.[0]?.DBInstanceStatus;
  });
}
