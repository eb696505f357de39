/** RDS: the parameter group and the database instance. */

import {
  CreateDBInstanceCommand,
  type CreateDBInstanceCommandInput,
  CreateDBParameterGroupCommand,
  type CreateDBParameterGroupCommandInput,
  type DBInstance,
  DeleteDBInstanceCommand,
  DeleteDBParameterGroupCommand,
  DescribeDBEngineVersionsCommand,
  DescribeDBInstancesCommand,
  DescribeDBParameterGroupsCommand,
  DescribeDBParametersCommand,
  DescribeDBSnapshotsCommand,
  ListTagsForResourceCommand,
  ModifyDBInstanceCommand,
  ModifyDBParameterGroupCommand,
  type ModifyDBParameterGroupCommandInput,
  RDSClient,
} from '@aws-sdk/client-rds';
import { type AwsSession, ask, clientOf, ifFound, replied } from './session.ts';
import { type Tags, tagList, tagsOf } from './tags.ts';

export const rdsClientFor = clientOf((options) => new RDSClient(options));

export interface EngineVersion {
  /** `8.4.5` */
  version: string;
  /** `mysql8.4`, which a parameter group must be of. */
  family: string;
}

/** The versions of MySQL that parameter groups of a family fit. */
export async function engineVersions(session: AwsSession, family: string): Promise<EngineVersion[]> {
  const reply = await ask(session, 'rds:DescribeDBEngineVersions', 'asking which versions RDS offers', (options) =>
    rdsClientFor(session).send(
      new DescribeDBEngineVersionsCommand({ Engine: 'mysql', DBParameterGroupFamily: family }),
      options,
    ),
  );
  return (reply.DBEngineVersions ?? [])
    .map((found) => ({
      version: replied(found.EngineVersion, 'EngineVersion'),
      family: replied(found.DBParameterGroupFamily, 'DBParameterGroupFamily'),
    }))
    .filter((found) => found.family === family);
}

export interface ParameterGroup {
  arn: string;
  family: string;
  tags: Tags;
}

export async function findParameterGroup(session: AwsSession, name: string): Promise<ParameterGroup | undefined> {
  const reply = await ifFound(
    ask(session, 'rds:DescribeDBParameterGroups', `looking for the parameter group ${name}`, (options) =>
      rdsClientFor(session).send(new DescribeDBParameterGroupsCommand({ DBParameterGroupName: name }), options),
    ),
  );
  const group = reply?.DBParameterGroups?.[0];
  if (group === undefined) return undefined;
  const arn = replied(group.DBParameterGroupArn, 'DBParameterGroupArn');
  return { arn, family: group.DBParameterGroupFamily ?? '', tags: await rdsTagsOf(session, arn) };
}

export interface NewParameterGroup {
  name: string;
  family: string;
  description: string;
  tags: Tags;
}

export async function createParameterGroup(session: AwsSession, group: NewParameterGroup): Promise<void> {
  await ask(session, 'rds:CreateDBParameterGroup', `making the parameter group ${group.name}`, (options) =>
    rdsClientFor(session).send(new CreateDBParameterGroupCommand(parameterGroupInput(group)), options),
  );
}

/** What is asked of RDS, also by `plan --aws-cli`. */
export function parameterGroupInput(group: NewParameterGroup): CreateDBParameterGroupCommandInput {
  return {
    DBParameterGroupName: group.name,
    DBParameterGroupFamily: group.family,
    Description: group.description,
    Tags: tagList(group.tags),
  };
}

export interface FoundParameter {
  value: string | undefined;
  /** In force at once; the others need a reboot. */
  isDynamic: boolean;
}

export async function parametersOf(
  session: AwsSession,
  group: string,
  names: readonly string[],
): Promise<Map<string, FoundParameter>> {
  const found = new Map<string, FoundParameter>();
  let marker: string | undefined;
  do {
    const reply = await ask(session, 'rds:DescribeDBParameters', `reading the parameter group ${group}`, (options) =>
      rdsClientFor(session).send(
        new DescribeDBParametersCommand({
          DBParameterGroupName: group,
          ...(marker === undefined ? {} : { Marker: marker }),
        }),
        options,
      ),
    );
    for (const { ParameterName, ParameterValue, ApplyType } of reply.Parameters ?? [])
      if (ParameterName !== undefined && names.includes(ParameterName))
        found.set(ParameterName, { value: ParameterValue, isDynamic: ApplyType === 'dynamic' });
    marker = reply.Marker;
  } while (marker !== undefined && marker !== '');
  return found;
}

export interface NewParameter {
  name: string;
  value: string;
  isDynamic: boolean;
}

/** At most 20. */
export async function changeParameters(
  session: AwsSession,
  group: string,
  values: readonly NewParameter[],
): Promise<void> {
  await ask(session, 'rds:ModifyDBParameterGroup', `setting parameters of ${group}`, (options) =>
    rdsClientFor(session).send(new ModifyDBParameterGroupCommand(parametersInput(group, values)), options),
  );
}

/** What is asked of RDS, also by `plan --aws-cli`. A static parameter waits for a reboot, and RDS refuses to be told otherwise. */
export function parametersInput(group: string, values: readonly NewParameter[]): ModifyDBParameterGroupCommandInput {
  return {
    DBParameterGroupName: group,
    Parameters: values.map(({ name, value, isDynamic }) => ({
      ParameterName: name,
      ParameterValue: value,
      ApplyMethod: isDynamic ? 'immediate' : 'pending-reboot',
    })),
  };
}

export async function deleteParameterGroup(session: AwsSession, name: string): Promise<void> {
  await ifFound(
    ask(session, 'rds:DeleteDBParameterGroup', `deleting the parameter group ${name}`, (options) =>
      rdsClientFor(session).send(new DeleteDBParameterGroupCommand({ DBParameterGroupName: name }), options),
    ),
  );
}

export interface DatabaseInstance {
  arn: string;
  tags: Tags;
  status: string;
  engine: string;
  version: string;
  instanceClass: string;
  storageGb: number;
  backupRetentionDays: number;
  isPublic: boolean;
  isEncrypted: boolean;
  parameterGroups: { name: string; status: string }[];
  securityGroups: string[];
  /** Absent while it is being made. */
  host: string | undefined;
  port: number;
  user: string;
  /** The secret in which RDS keeps the master user's password. */
  secretArn: string | undefined;
}

export async function findInstance(session: AwsSession, id: string): Promise<DatabaseInstance | undefined> {
  const reply = await ifFound(
    ask(session, 'rds:DescribeDBInstances', `looking for the database ${id}`, (options) =>
      rdsClientFor(session).send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: id }), options),
    ),
  );
  const found = reply?.DBInstances?.[0];
  return found && instanceOf(session, found);
}

async function instanceOf(session: AwsSession, found: DBInstance): Promise<DatabaseInstance> {
  const arn = replied(found.DBInstanceArn, 'DBInstanceArn');
  return {
    arn,
    tags: found.TagList === undefined ? await rdsTagsOf(session, arn) : tagsOf(found.TagList),
    status: found.DBInstanceStatus ?? 'unknown',
    engine: found.Engine ?? '',
    version: found.EngineVersion ?? '',
    instanceClass: found.DBInstanceClass ?? '',
    storageGb: found.AllocatedStorage ?? 0,
    backupRetentionDays: found.BackupRetentionPeriod ?? 0,
    isPublic: found.PubliclyAccessible ?? false,
    isEncrypted: found.StorageEncrypted ?? false,
    parameterGroups: (found.DBParameterGroups ?? []).map((group) => ({
      name: group.DBParameterGroupName ?? '',
      status: group.ParameterApplyStatus ?? '',
    })),
    securityGroups: (found.VpcSecurityGroups ?? []).flatMap((group) => group.VpcSecurityGroupId ?? []),
    host: found.Endpoint?.Address,
    port: found.Endpoint?.Port ?? found.DbInstancePort ?? 3306,
    user: found.MasterUsername ?? '',
    secretArn: found.MasterUserSecret?.SecretArn,
  };
}

export interface NewInstance {
  id: string;
  instanceClass: string;
  storageGb: number;
  version: string;
  user: string;
  parameterGroup: string;
  /** Absent: RDS takes the default VPC. */
  subnetGroup: string | undefined;
  securityGroups: string[];
  tags: Tags;
}

export async function createInstance(session: AwsSession, database: NewInstance): Promise<void> {
  await ask(session, 'rds:CreateDBInstance', `making the database ${database.id}`, (options) =>
    rdsClientFor(session).send(new CreateDBInstanceCommand(instanceInput(database)), options),
  );
}

/** What is asked of RDS, also by `plan --aws-cli`. */
export function instanceInput(database: NewInstance): CreateDBInstanceCommandInput {
  return {
    DBInstanceIdentifier: database.id,
    Engine: 'mysql',
    EngineVersion: database.version,
    // Refuses to be made instead of costing ten times as much once the version has left standard support.
    EngineLifecycleSupport: 'open-source-rds-extended-support-disabled',
    DBInstanceClass: database.instanceClass,
    AllocatedStorage: database.storageGb,
    StorageType: 'gp3',
    StorageEncrypted: true,
    MasterUsername: database.user,
    ManageMasterUserPassword: true,
    // RDS writes a binlog only while backups are on; accounts on the free plan may keep one day.
    BackupRetentionPeriod: 1,
    DBParameterGroupName: database.parameterGroup,
    ...(database.subnetGroup === undefined ? {} : { DBSubnetGroupName: database.subnetGroup }),
    VpcSecurityGroupIds: database.securityGroups,
    PubliclyAccessible: true,
    MultiAZ: false,
    AutoMinorVersionUpgrade: true,
    CopyTagsToSnapshot: true,
    DeletionProtection: false,
    Port: 3306,
    Tags: tagList(database.tags),
  };
}

export async function modifyInstance(
  session: AwsSession,
  id: string,
  change: {
    instanceClass?: string;
    storageGb?: number;
    backupRetentionDays?: number;
    parameterGroup?: string;
    securityGroups?: string[];
  },
): Promise<void> {
  await ask(session, 'rds:ModifyDBInstance', `changing the database ${id}`, (options) =>
    rdsClientFor(session).send(
      new ModifyDBInstanceCommand({
        DBInstanceIdentifier: id,
        ApplyImmediately: true,
        ...(change.instanceClass === undefined ? {} : { DBInstanceClass: change.instanceClass }),
        ...(change.storageGb === undefined ? {} : { AllocatedStorage: change.storageGb }),
        ...(change.backupRetentionDays === undefined ? {} : { BackupRetentionPeriod: change.backupRetentionDays }),
        ...(change.parameterGroup === undefined ? {} : { DBParameterGroupName: change.parameterGroup }),
        ...(change.securityGroups === undefined ? {} : { VpcSecurityGroupIds: change.securityGroups }),
      }),
      options,
    ),
  );
}

/** Without a final snapshot: what is in it goes. */
export async function deleteInstance(session: AwsSession, id: string): Promise<void> {
  await ifFound(
    ask(session, 'rds:DeleteDBInstance', `deleting the database ${id}`, (options) =>
      rdsClientFor(session).send(
        new DeleteDBInstanceCommand({
          DBInstanceIdentifier: id,
          SkipFinalSnapshot: true,
          DeleteAutomatedBackups: true,
        }),
        options,
      ),
    ),
  );
}

/** Snapshots that somebody took; they stay and cost when the instance has gone. */
export async function manualSnapshots(
  session: AwsSession,
  databaseId: string,
): Promise<{ id: string; storageGb: number }[]> {
  const reply = await ifFound(
    ask(session, 'rds:DescribeDBSnapshots', `looking for snapshots of ${databaseId}`, (options) =>
      rdsClientFor(session).send(
        new DescribeDBSnapshotsCommand({ DBInstanceIdentifier: databaseId, SnapshotType: 'manual' }),
        options,
      ),
    ),
  );
  return (reply?.DBSnapshots ?? []).map((snapshot) => ({
    id: snapshot.DBSnapshotIdentifier ?? '',
    storageGb: snapshot.AllocatedStorage ?? 0,
  }));
}

export async function rdsTagsOf(session: AwsSession, arn: string): Promise<Tags> {
  const reply = await ask(session, 'rds:ListTagsForResource', `reading the tags of ${arn}`, (options) =>
    rdsClientFor(session).send(new ListTagsForResourceCommand({ ResourceName: arn }), options),
  );
  return tagsOf(reply.TagList);
}
