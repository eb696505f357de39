/** DMS: subnet group, replication instance, certificate, endpoints and their connection tests; tasks only to end them. */

import {
  CreateEndpointCommand,
  type CreateEndpointCommandInput,
  CreateReplicationInstanceCommand,
  type CreateReplicationInstanceCommandInput,
  CreateReplicationSubnetGroupCommand,
  type CreateReplicationSubnetGroupCommandInput,
  DatabaseMigrationServiceClient,
  DeleteCertificateCommand,
  DeleteEndpointCommand,
  DeleteReplicationInstanceCommand,
  DeleteReplicationSubnetGroupCommand,
  DeleteReplicationTaskCommand,
  DescribeCertificatesCommand,
  DescribeConnectionsCommand,
  DescribeEndpointsCommand,
  DescribeEngineVersionsCommand,
  DescribeReplicationInstancesCommand,
  DescribeReplicationSubnetGroupsCommand,
  DescribeReplicationTasksCommand,
  type Endpoint,
  ImportCertificateCommand,
  type ImportCertificateCommandInput,
  ListTagsForResourceCommand,
  ModifyEndpointCommand,
  ModifyReplicationInstanceCommand,
  type MySQLSettings,
  type S3Settings,
  StopReplicationTaskCommand,
  TestConnectionCommand,
  type TestConnectionCommandInput,
} from '@aws-sdk/client-database-migration-service';
import { isAwsError } from './aws-error.ts';
import { type AwsSession, ask, clientOf, ifFound, replied } from './session.ts';
import { type Tags, tagList, tagsOf } from './tags.ts';

export type { MySQLSettings, S3Settings };

export const dmsClientFor = clientOf((options) => new DatabaseMigrationServiceClient(options));

const filter = (Name: string, ...Values: string[]) => ({ Name, Values });

/** Newest first; without those that no new instance may have. */
export async function replicationVersions(session: AwsSession): Promise<string[]> {
  const reply = await ask(session, 'dms:DescribeEngineVersions', 'asking which versions DMS offers', (options) =>
    dmsClientFor(session).send(new DescribeEngineVersionsCommand({}), options),
  );
  return (reply.EngineVersions ?? [])
    .filter((found) => found.Lifecycle !== 'DEPRECATED' && found.ReleaseStatus !== 'beta')
    .flatMap((found) => found.Version ?? [])
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
}

export interface SubnetGroup {
  arn: string;
  tags: Tags;
  vpcId: string;
  subnetIds: string[];
}

export async function findSubnetGroup(session: AwsSession, id: string): Promise<SubnetGroup | undefined> {
  const reply = await ifFound(
    ask(session, 'dms:DescribeReplicationSubnetGroups', `looking for the subnet group ${id}`, (options) =>
      dmsClientFor(session).send(
        new DescribeReplicationSubnetGroupsCommand({ Filters: [filter('replication-subnet-group-id', id)] }),
        options,
      ),
    ),
  );
  const group = reply?.ReplicationSubnetGroups?.[0];
  if (group === undefined) return undefined;
  // DMS names no ARN of a subnet group.
  const arn = `arn:${session.partition}:dms:${session.region}:${session.account}:subgrp:${id}`;
  return {
    arn,
    tags: await tagsOfResource(session, arn),
    vpcId: group.VpcId ?? '',
    subnetIds: (group.Subnets ?? []).flatMap((subnet) => subnet.SubnetIdentifier ?? []),
  };
}

export interface NewSubnetGroup {
  id: string;
  description: string;
  subnetIds: string[];
  tags: Tags;
}

export async function createSubnetGroup(session: AwsSession, group: NewSubnetGroup): Promise<void> {
  await ask(session, 'dms:CreateReplicationSubnetGroup', `making the subnet group ${group.id}`, (options) =>
    dmsClientFor(session).send(new CreateReplicationSubnetGroupCommand(subnetGroupInput(group)), options),
  );
}

/** What is asked of DMS, also by `plan --aws-cli`. */
export function subnetGroupInput(group: NewSubnetGroup): CreateReplicationSubnetGroupCommandInput {
  return {
    ReplicationSubnetGroupIdentifier: group.id,
    ReplicationSubnetGroupDescription: group.description,
    SubnetIds: group.subnetIds,
    Tags: tagList(group.tags),
  };
}

export async function deleteSubnetGroup(session: AwsSession, id: string): Promise<void> {
  await ifFound(
    ask(session, 'dms:DeleteReplicationSubnetGroup', `deleting the subnet group ${id}`, (options) =>
      dmsClientFor(session).send(
        new DeleteReplicationSubnetGroupCommand({ ReplicationSubnetGroupIdentifier: id }),
        options,
      ),
    ),
  );
}

export interface ReplicationInstance {
  arn: string;
  tags: Tags;
  status: string;
  instanceClass: string;
  version: string;
  isPublic: boolean;
  securityGroups: string[];
}

export async function findReplicationInstance(
  session: AwsSession,
  id: string,
): Promise<ReplicationInstance | undefined> {
  const reply = await ifFound(
    ask(session, 'dms:DescribeReplicationInstances', `looking for the replication instance ${id}`, (options) =>
      dmsClientFor(session).send(
        new DescribeReplicationInstancesCommand({ Filters: [filter('replication-instance-id', id)] }),
        options,
      ),
    ),
  );
  const found = reply?.ReplicationInstances?.[0];
  if (found === undefined) return undefined;
  const arn = replied(found.ReplicationInstanceArn, 'ReplicationInstanceArn');
  return {
    arn,
    tags: await tagsOfResource(session, arn),
    status: found.ReplicationInstanceStatus ?? 'unknown',
    instanceClass: found.ReplicationInstanceClass ?? '',
    version: found.EngineVersion ?? '',
    isPublic: found.PubliclyAccessible ?? false,
    securityGroups: (found.VpcSecurityGroups ?? []).flatMap((group) => group.VpcSecurityGroupId ?? []),
  };
}

export interface NewReplicationInstance {
  id: string;
  instanceClass: string;
  isPublic: boolean;
  version: string;
  subnetGroup: string;
  securityGroups: string[];
  tags: Tags;
}

export async function createReplicationInstance(
  session: AwsSession,
  instance: NewReplicationInstance,
): Promise<string> {
  const doing = `making the replication instance ${instance.id}`;
  const reply = await ask(session, 'dms:CreateReplicationInstance', doing, (options) =>
    dmsClientFor(session).send(new CreateReplicationInstanceCommand(replicationInstanceInput(instance)), options),
  );
  return replied(reply.ReplicationInstance?.ReplicationInstanceArn, 'ReplicationInstanceArn');
}

/** What is asked of DMS, also by `plan --aws-cli`. */
export function replicationInstanceInput(instance: NewReplicationInstance): CreateReplicationInstanceCommandInput {
  return {
    ReplicationInstanceIdentifier: instance.id,
    ReplicationInstanceClass: instance.instanceClass,
    // Included in the price of the T classes.
    AllocatedStorage: 50,
    EngineVersion: instance.version,
    ReplicationSubnetGroupIdentifier: instance.subnetGroup,
    VpcSecurityGroupIds: instance.securityGroups,
    // Its way to S3; nobody can connect to it, for its group lets nobody in.
    PubliclyAccessible: instance.isPublic,
    MultiAZ: false,
    AutoMinorVersionUpgrade: true,
    Tags: tagList(instance.tags),
  };
}

export async function changeReplicationInstance(
  session: AwsSession,
  arn: string,
  change: { instanceClass: string },
): Promise<void> {
  await ask(session, 'dms:ModifyReplicationInstance', 'changing the replication instance', (options) =>
    dmsClientFor(session).send(
      new ModifyReplicationInstanceCommand({
        ReplicationInstanceArn: arn,
        ReplicationInstanceClass: change.instanceClass,
        ApplyImmediately: true,
      }),
      options,
    ),
  );
}

export async function deleteReplicationInstance(session: AwsSession, arn: string): Promise<void> {
  await ifFound(
    ask(session, 'dms:DeleteReplicationInstance', 'deleting the replication instance', (options) =>
      dmsClientFor(session).send(new DeleteReplicationInstanceCommand({ ReplicationInstanceArn: arn }), options),
    ),
  );
}

export interface Certificate {
  arn: string;
  tags: Tags;
  pem: string;
}

export async function findCertificate(session: AwsSession, id: string): Promise<Certificate | undefined> {
  const reply = await ifFound(
    ask(session, 'dms:DescribeCertificates', `looking for the certificate ${id}`, (options) =>
      dmsClientFor(session).send(new DescribeCertificatesCommand({ Filters: [filter('certificate-id', id)] }), options),
    ),
  );
  const found = reply?.Certificates?.[0];
  if (found === undefined) return undefined;
  const arn = replied(found.CertificateArn, 'CertificateArn');
  return { arn, tags: await tagsOfResource(session, arn), pem: found.CertificatePem ?? '' };
}

export interface NewCertificate {
  id: string;
  pem: string;
  tags: Tags;
}

export async function importCertificate(session: AwsSession, certificate: NewCertificate): Promise<string> {
  const reply = await ask(session, 'dms:ImportCertificate', `importing the certificate ${certificate.id}`, (options) =>
    dmsClientFor(session).send(new ImportCertificateCommand(certificateInput(certificate)), options),
  );
  return replied(reply.Certificate?.CertificateArn, 'CertificateArn');
}

/** What is asked of DMS, also by `plan --aws-cli`. */
export function certificateInput({ id, pem, tags }: NewCertificate): ImportCertificateCommandInput {
  return { CertificateIdentifier: id, CertificatePem: pem, Tags: tagList(tags) };
}

export async function deleteCertificate(session: AwsSession, arn: string): Promise<void> {
  await ifFound(
    ask(session, 'dms:DeleteCertificate', 'deleting the certificate', (options) =>
      dmsClientFor(session).send(new DeleteCertificateCommand({ CertificateArn: arn }), options),
    ),
  );
}

export interface FoundEndpoint {
  arn: string;
  tags: Tags;
  status: string;
  sslMode: string;
  certificateArn: string | undefined;
  /** Settings that DMS takes as text: `name=value;…`. */
  extraAttributes: string | undefined;
  mysql: MySQLSettings | undefined;
  s3: S3Settings | undefined;
}

export async function findEndpoint(session: AwsSession, id: string): Promise<FoundEndpoint | undefined> {
  const reply = await ifFound(
    ask(session, 'dms:DescribeEndpoints', `looking for the endpoint ${id}`, (options) =>
      dmsClientFor(session).send(new DescribeEndpointsCommand({ Filters: [filter('endpoint-id', id)] }), options),
    ),
  );
  const found = reply?.Endpoints?.[0];
  return found && endpointOf(session, found);
}

async function endpointOf(session: AwsSession, found: Endpoint): Promise<FoundEndpoint> {
  const arn = replied(found.EndpointArn, 'EndpointArn');
  return {
    arn,
    tags: await tagsOfResource(session, arn),
    status: found.Status ?? '',
    sslMode: found.SslMode ?? '',
    certificateArn: found.CertificateArn,
    extraAttributes: found.ExtraConnectionAttributes,
    mysql: found.MySQLSettings,
    s3: found.S3Settings,
  };
}

export type EndpointSettings =
  | {
      kind: 'mysql';
      mysql: MySQLSettings;
      certificateArn: string | undefined;
      /** How Secrets Manager is reached from a private instance. */
      extraAttributes: string | undefined;
    }
  | { kind: 's3'; s3: S3Settings };

export interface NewEndpoint {
  id: string;
  settings: EndpointSettings;
  tags: Tags;
}

export async function createEndpoint(session: AwsSession, endpoint: NewEndpoint): Promise<string> {
  const reply = await ask(session, 'dms:CreateEndpoint', `making the endpoint ${endpoint.id}`, (options) =>
    dmsClientFor(session).send(new CreateEndpointCommand(endpointInput(endpoint)), options),
  );
  return replied(reply.Endpoint?.EndpointArn, 'EndpointArn');
}

/** What is asked of DMS, also by `plan --aws-cli`. */
export function endpointInput({ id, settings, tags }: NewEndpoint): CreateEndpointCommandInput {
  return {
    EndpointIdentifier: id,
    EndpointType: settings.kind === 'mysql' ? 'source' : 'target',
    EngineName: settings.kind,
    ...engineSettings(settings),
    Tags: tagList(tags),
  };
}

/** Refused while a task that uses it runs. Its connection must be tested anew. */
export async function changeEndpoint(
  session: AwsSession,
  { arn, id, settings }: { arn: string; id: string; settings: EndpointSettings },
): Promise<void> {
  await ask(session, 'dms:ModifyEndpoint', `changing the endpoint ${id}`, (options) =>
    dmsClientFor(session).send(
      new ModifyEndpointCommand({ EndpointArn: arn, EngineName: settings.kind, ...engineSettings(settings) }),
      options,
    ),
  );
}

function engineSettings(
  settings: EndpointSettings,
): Pick<
  CreateEndpointCommandInput,
  'MySQLSettings' | 'S3Settings' | 'SslMode' | 'CertificateArn' | 'ExtraConnectionAttributes'
> {
  // An S3 endpoint with any SslMode is refused; it speaks TLS anyway.
  if (settings.kind === 's3') return { S3Settings: settings.s3 };
  const { mysql, certificateArn, extraAttributes } = settings;
  return {
    MySQLSettings: mysql,
    ...(extraAttributes === undefined ? {} : { ExtraConnectionAttributes: extraAttributes }),
    ...(certificateArn === undefined
      ? { SslMode: 'none' }
      : { SslMode: 'verify-full', CertificateArn: certificateArn }),
  };
}

export async function deleteEndpoint(session: AwsSession, arn: string): Promise<void> {
  await ifFound(
    ask(session, 'dms:DeleteEndpoint', 'deleting an endpoint', (options) =>
      dmsClientFor(session).send(new DeleteEndpointCommand({ EndpointArn: arn }), options),
    ),
  );
}

/** Which endpoint a replication instance reaches. */
export interface ConnectionPair {
  endpointArn: string;
  instanceArn: string;
}

export interface Connection {
  /** `successful`, `testing`, `failed`, `deleting`. */
  status: string;
  failure: string | undefined;
}

/** Asynchronous, and refused while one is under way. */
export async function testConnection(session: AwsSession, pair: ConnectionPair): Promise<void> {
  try {
    await ask(session, 'dms:TestConnection', 'testing a connection of DMS', (options) =>
      dmsClientFor(session).send(new TestConnectionCommand(connectionInput(pair)), options),
    );
  } catch (error) {
    if (!isAwsError(error, 'wrong-state')) throw error;
    // Begun by a call whose reply was lost, and perhaps done already.
    const { status } = (await findConnection(session, pair)) ?? {};
    if (status !== 'testing' && status !== 'successful') throw error;
  }
}

/** What is asked of DMS, also by `plan --aws-cli`. */
export function connectionInput({ endpointArn, instanceArn }: ConnectionPair): TestConnectionCommandInput {
  return { EndpointArn: endpointArn, ReplicationInstanceArn: instanceArn };
}

/** Of this endpoint from this instance: a failed test of another pair says nothing. */
export async function findConnection(session: AwsSession, pair: ConnectionPair): Promise<Connection | undefined> {
  const reply = await ifFound(
    ask(session, 'dms:DescribeConnections', 'reading the connection tests of DMS', (options) =>
      dmsClientFor(session).send(
        new DescribeConnectionsCommand({
          Filters: [filter('endpoint-arn', pair.endpointArn), filter('replication-instance-arn', pair.instanceArn)],
        }),
        options,
      ),
    ),
  );
  const found = reply?.Connections?.[0];
  return found && { status: found.Status ?? '', failure: found.LastFailureMessage };
}

export interface ReplicationTask {
  arn: string;
  id: string;
  status: string;
}

/** Every task on a replication instance, whoever made it: each keeps the instance from being deleted. */
export async function tasksOn(session: AwsSession, instanceArn: string): Promise<ReplicationTask[]> {
  const reply = await ifFound(
    ask(session, 'dms:DescribeReplicationTasks', 'listing the replication tasks', (options) =>
      dmsClientFor(session).send(
        new DescribeReplicationTasksCommand({
          Filters: [filter('replication-instance-arn', instanceArn)],
          WithoutSettings: true,
        }),
        options,
      ),
    ),
  );
  return (reply?.ReplicationTasks ?? []).map((task) => ({
    arn: replied(task.ReplicationTaskArn, 'ReplicationTaskArn'),
    id: task.ReplicationTaskIdentifier ?? '',
    status: task.Status ?? '',
  }));
}

export async function stopTask(session: AwsSession, arn: string): Promise<void> {
  try {
    await ifFound(
      ask(session, 'dms:StopReplicationTask', 'stopping a replication task', (options) =>
        dmsClientFor(session).send(new StopReplicationTaskCommand({ ReplicationTaskArn: arn }), options),
      ),
    );
  } catch (error) {
    // It may have ended by itself between our look and this.
    if (!isAwsError(error, 'wrong-state')) throw error;
  }
}

export async function deleteTask(session: AwsSession, arn: string): Promise<void> {
  await ifFound(
    ask(session, 'dms:DeleteReplicationTask', 'deleting a replication task', (options) =>
      dmsClientFor(session).send(new DeleteReplicationTaskCommand({ ReplicationTaskArn: arn }), options),
    ),
  );
}

async function tagsOfResource(session: AwsSession, arn: string): Promise<Tags> {
  const reply = await ifFound(
    ask(session, 'dms:ListTagsForResource', `reading the tags of ${arn}`, (options) =>
      dmsClientFor(session).send(new ListTagsForResourceCommand({ ResourceArn: arn }), options),
    ),
  );
  return tagsOf(reply?.TagList);
}
