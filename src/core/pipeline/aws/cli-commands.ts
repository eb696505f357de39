/** The commands of the AWS command line that do what the steps of a plan do, by the guide's sections. Pure. */

import { endpointInput, replicationInstanceInput } from '../../aws/dms.ts';
import { instanceInput } from '../../aws/rds.ts';
import { bucketSettings } from '../../aws/s3.ts';
import { tagList } from '../../aws/tags.ts';
import { vpcEndpointInput } from '../../aws/vpc-endpoints.ts';
import type { Config } from '../../config.ts';
import { type CliCommand, renderCommand, variable } from './cli-command.ts';
import type { AwsView } from './look.ts';
import { ACCOUNT_ROLES, awsNames, awsOf } from './names.ts';
import type { StepId } from './resource.ts';
import { sourceSettings, targetSettings } from './resources/endpoints.ts';
import { PARAMETERS } from './resources/parameter-group.ts';
import { policyOf, trust, trustOf } from './resources/roles.ts';
import { DMS_USER } from './resources/secret.ts';

/** One step as text: a heading, then what to paste. Steps that only SQL or the code of cdc can take are named as such. */
export function cliCommands(view: AwsView): string {
  const steps = view.steps.filter(({ action }) => action === 'create');
  if (steps.length === 0) return '# nothing is left to be made';
  const known = knownIds(view);
  return [
    '#!/bin/bash -e',
    `# The steps of cdc plan as commands of the AWS CLI 2: account ${view.context.session.account}, region ${view.context.session.region}.`,
    `export AWS_REGION=${view.context.session.region}`,
    ...known,
    ...steps.flatMap((step) => {
      const lines = linesOf(step.id, view);
      return ['', `# §${step.guideSection} ${step.id}: ${step.resource}`, ...lines];
    }),
  ].join('\n');
}

/** Commands and remarks. */
function linesOf(id: string, view: AwsView): string[] {
  const made = commandsOf(view.context.config, view).get(id);
  return (made ?? [`# cdc init --only ${id}`]).map((line) => (typeof line === 'string' ? line : renderCommand(line)));
}

const ID_VARIABLES = {
  dms_security_group: 'DMS_GROUP',
  database_security_group: 'DATABASE_GROUP',
  database_host: 'DATABASE_HOST',
  certificate: 'CERTIFICATE',
  source_endpoint: 'SOURCE_ENDPOINT',
  target_endpoint: 'TARGET_ENDPOINT',
  replication_instance: 'REPLICATION_INSTANCE',
  secret: 'SECRET',
  secrets_host: 'SECRETS_HOST',
} as const;

function knownIds({ context }: AwsView): string[] {
  return Object.entries(ID_VARIABLES).flatMap(([id, name]) => {
    const value = [...context.ids].find(([key]) => key === id)?.[1];
    return value === undefined ? [] : [`${name}=${value}`];
  });
}

type Lines = (CliCommand | string)[];

/** Exported for the test, which holds the inputs to Amazon's model of its API. */
export function commandsOf(config: Config, view: Pick<AwsView, 'context' | 'resources'>): Map<string, Lines> {
  const { context } = view;
  const { place, tags } = context;
  const { source } = config;
  const aws = awsOf(config);
  const names = awsNames(config);
  const Tags = tagList(tags);
  const subnetIds = place.subnets.map(({ id }) => id);
  const roleArn = (name: string) => `arn:${place.partition}:iam::${place.account}:role/${name}`;
  const lines = new Map<StepId, Lines>();
  const add = (id: StepId, ...commands: Lines) => lines.set(id, commands);

  const group = (GroupName: string, Description: string, name: string): CliCommand => ({
    service: 'ec2',
    operation: 'CreateSecurityGroup',
    input: {
      GroupName,
      Description,
      VpcId: place.vpcId,
      TagSpecifications: [{ ResourceType: 'security-group', Tags }],
    },
    assigns: { variable: name, query: 'GroupId' },
  });
  const allow = (to: string, port: number, from: object): CliCommand => ({
    service: 'ec2',
    operation: 'AuthorizeSecurityGroupIngress',
    input: { GroupId: to, IpPermissions: [{ IpProtocol: 'tcp', FromPort: port, ToPort: port, ...from }] },
  });
  const operator = source.kind === 'rds' && source.openToWorld ? '0.0.0.0/0' : place.operator;
  const [DMS, DB] = [variable('DMS_GROUP'), variable('DATABASE_GROUP')];
  add(
    'security-groups',
    group(names.dmsSecurityGroup, 'cdc: the replication instance; nobody may connect', 'DMS_GROUP'),
    ...(aws.dms.isPrivate
      ? [allow(DMS, 443, { UserIdGroupPairs: [{ GroupId: DMS, Description: 'cdc VPC endpoints' }] })]
      : []),
    ...(source.kind === 'rds'
      ? [
          group(names.databaseSecurityGroup, 'cdc: who may connect to the database', 'DATABASE_GROUP'),
          allow(DB, 3306, { UserIdGroupPairs: [{ GroupId: DMS, Description: 'cdc replication instance' }] }),
          ...(operator === undefined
            ? []
            : [allow(DB, 3306, { IpRanges: [{ CidrIp: operator, Description: 'cdc operator' }] })]),
        ]
      : []),
  );

  if (source.kind === 'rds' && place.mysql !== undefined) {
    add(
      'parameter-group',
      {
        service: 'rds',
        operation: 'CreateDBParameterGroup',
        input: {
          DBParameterGroupName: names.parameterGroup,
          DBParameterGroupFamily: place.mysql.family,
          Description: 'binlog for change data capture by cdc',
          Tags,
        },
      },
      {
        service: 'rds',
        operation: 'ModifyDBParameterGroup',
        input: {
          DBParameterGroupName: names.parameterGroup,
          Parameters: Object.entries(PARAMETERS).map(([ParameterName, ParameterValue]) => ({
            ParameterName,
            ParameterValue,
            ApplyMethod: 'pending-reboot',
          })),
        },
      },
    );
    add('database-subnets', {
      service: 'rds',
      operation: 'CreateDBSubnetGroup',
      input: {
        DBSubnetGroupName: names.databaseSubnetGroup,
        DBSubnetGroupDescription: 'cdc: where the database may be',
        SubnetIds: subnetIds,
        Tags,
      },
    });
    const DBInstanceIdentifier = names.database;
    add(
      'database',
      {
        service: 'rds',
        operation: 'CreateDBInstance',
        input: instanceInput({
          id: DBInstanceIdentifier,
          version: place.mysql.version,
          instanceClass: source.instanceClass,
          storageGb: source.storageGb,
          user: source.user,
          parameterGroup: names.parameterGroup,
          subnetGroup: aws.network === undefined ? undefined : names.databaseSubnetGroup,
          securityGroups: [DB],
          tags,
        }),
      },
      { service: 'rds', operation: 'wait db-instance-available', input: { DBInstanceIdentifier } },
      {
        service: 'rds',
        operation: 'DescribeDBInstances',
        input: { DBInstanceIdentifier },
        assigns: { variable: 'DATABASE_HOST', query: 'DBInstances[0].Endpoint.Address' },
      },
    );
    add(
      'binlog-retention',
      `# SQL, as ${source.user}: CALL mysql.rds_set_configuration('binlog retention hours', ${source.binlogRetentionHours});`,
    );
    add(
      'users',
      `# SQL, as ${source.user}, with the password of the secret ${names.secret}:`,
      `#   CREATE USER '${DMS_USER}'@'%' IDENTIFIED BY '…' REQUIRE SSL;`,
      `#   GRANT REPLICATION CLIENT, REPLICATION SLAVE, SELECT ON *.* TO '${DMS_USER}'@'%';`,
    );
  }

  for (const [id, name] of [
    ['staging-bucket', names.stagingBucket],
    ['lake-bucket', names.lakeBucket],
    ['code-bucket', names.codeBucket],
  ] as const)
    add(id, ...bucketLines(name, { place, Tags }));

  add(
    'account-roles',
    ...ACCOUNT_ROLES.flatMap(({ name, policy }): CliCommand[] => [
      {
        service: 'iam',
        operation: 'CreateRole',
        input: {
          RoleName: name,
          Description: 'lets AWS DMS work in this account',
          AssumeRolePolicyDocument: JSON.stringify(trust('dms.amazonaws.com')),
          Tags: [{ Key: 'cdc:made-by', Value: 'cdc' }],
        },
      },
      {
        service: 'iam',
        operation: 'AttachRolePolicy',
        input: { RoleName: name, PolicyArn: `arn:${place.partition}:iam::aws:policy/${policy}` },
      },
    ]),
    '# roles take up to two minutes until every service knows them',
  );
  for (const { id, roles } of view.resources)
    if (roles !== undefined)
      add(
        id,
        ...roles
          .filter(({ isYours }) => !isYours)
          .flatMap((role): CliCommand[] => [
            {
              service: 'iam',
              operation: 'CreateRole',
              input: {
                RoleName: role.name,
                Description: role.description,
                AssumeRolePolicyDocument: JSON.stringify(trustOf(context, role)),
                Tags,
              },
            },
            {
              service: 'iam',
              operation: 'PutRolePolicy',
              input: { RoleName: role.name, PolicyName: 'cdc', PolicyDocument: JSON.stringify(policyOf(role)) },
            },
          ]),
      );

  const [host, port, user] =
    source.kind === 'url' ? [source.host, source.port, source.user] : [variable('DATABASE_HOST'), 3306, DMS_USER];
  add(
    'secret',
    ...(source.kind === 'url'
      ? [`read -rsp 'password of ${user}: ' DMS_PASSWORD`]
      : [
          {
            service: 'secretsmanager',
            operation: 'GetRandomPassword',
            input: { PasswordLength: 32, ExcludePunctuation: true },
            assigns: { variable: 'DMS_PASSWORD', query: 'RandomPassword' },
          },
        ]),
    {
      service: 'secretsmanager',
      operation: 'CreateSecret',
      input: {
        Name: names.secret,
        Description: 'cdc: how AWS DMS reaches the source database',
        SecretString: 'file:///dev/stdin',
        Tags,
      },
      assigns: { variable: 'SECRET', query: 'ARN' },
      stdin: JSON.stringify({ username: user, password: variable('DMS_PASSWORD'), host, port }),
    },
  );
  add(
    'certificate',
    ...(source.kind !== 'private' && source.tls.ca === undefined
      ? [`curl -so rds-ca.pem https://truststore.pki.rds.amazonaws.com/${place.region}/${place.region}-bundle.pem`]
      : []),
    {
      service: 'dms',
      operation: 'ImportCertificate',
      input: {
        CertificateIdentifier: names.certificate,
        CertificatePem: `file://${source.kind !== 'private' && source.tls.ca !== undefined ? source.tls.ca : 'rds-ca.pem'}`,
        Tags,
      },
      assigns: { variable: 'CERTIFICATE', query: 'Certificate.CertificateArn' },
    },
  );
  add('subnet-group', {
    service: 'dms',
    operation: 'CreateReplicationSubnetGroup',
    input: {
      ReplicationSubnetGroupIdentifier: names.subnetGroup,
      ReplicationSubnetGroupDescription: 'cdc: where the replication instance may be',
      SubnetIds: subnetIds,
      Tags,
    },
  });
  add(
    'vpc-endpoints',
    {
      service: 'ec2',
      operation: 'CreateVpcEndpoint',
      input: vpcEndpointInput({
        service: `com.amazonaws.${place.region}.secretsmanager`,
        vpcId: place.vpcId,
        tags,
        reach: { type: 'Interface', subnetIds: subnetIds.slice(0, 1), securityGroups: [DMS] },
      }),
      assigns: { variable: 'SECRETS_HOST', query: 'VpcEndpoint.DnsEntries[0].DnsName' },
    },
    {
      service: 'ec2',
      operation: 'DescribeRouteTables',
      input: {
        Filters: [
          { Name: 'vpc-id', Values: [place.vpcId] },
          { Name: 'association.main', Values: ['true'] },
        ],
      },
      assigns: { variable: 'ROUTES', query: 'RouteTables[0].RouteTableId' },
    },
    {
      service: 'ec2',
      operation: 'CreateVpcEndpoint',
      input: vpcEndpointInput({
        service: `com.amazonaws.${place.region}.s3`,
        vpcId: place.vpcId,
        tags,
        reach: { type: 'Gateway', routeTableIds: [variable('ROUTES')] },
      }),
    },
  );
  add(
    'replication-instance',
    {
      service: 'dms',
      operation: 'CreateReplicationInstance',
      input: replicationInstanceInput({
        id: names.replicationInstance,
        instanceClass: aws.dms.instanceClass,
        version: place.dmsVersion,
        subnetGroup: names.subnetGroup,
        securityGroups: [DMS],
        isPublic: !aws.dms.isPrivate,
        tags,
      }),
      assigns: { variable: 'REPLICATION_INSTANCE', query: 'ReplicationInstance.ReplicationInstanceArn' },
    },
    {
      service: 'dms',
      operation: 'wait replication-instance-available',
      input: { Filters: [{ Name: 'replication-instance-id', Values: [names.replicationInstance] }] },
    },
  );
  const hasTls = source.kind !== 'private' && source.tls.mode === 'verify';
  add('source-endpoint', {
    service: 'dms',
    operation: 'CreateEndpoint',
    input: endpointInput({
      id: names.sourceEndpoint,
      settings: sourceSettings({
        secret: variable('SECRET'),
        role: roleArn(names.role.dmsSecret),
        host: aws.dms.isPrivate ? variable('SECRETS_HOST') : undefined,
        certificate: hasTls ? variable('CERTIFICATE') : undefined,
      }),
      tags,
    }),
    assigns: { variable: 'SOURCE_ENDPOINT', query: 'Endpoint.EndpointArn' },
  });
  const prefix = aws.staging.prefix === '' ? '' : `${aws.staging.prefix}/`;
  add(
    'target-endpoint',
    'NULL_TEXT="<null $(openssl rand -hex 8)>"',
    `printf '{"format":1,"null":"%s","timestamp_column":"dms_ts"}\\n' "$NULL_TEXT" > dialect.json`,
    {
      service: 's3',
      operation: 'PutObject',
      input: { Bucket: names.stagingBucket, Key: `${prefix}_cdc/dialect.json`, Body: 'dialect.json', IfNoneMatch: '*' },
    },
    {
      service: 'dms',
      operation: 'CreateEndpoint',
      input: endpointInput({
        id: names.targetEndpoint,
        settings: targetSettings({
          staging: aws.staging,
          maxBatchSeconds: aws.dms.maxBatchSeconds,
          account: place.account,
          role: roleArn(names.role.dmsS3),
          nullText: variable('NULL_TEXT'),
        }),
        tags,
      }),
      assigns: { variable: 'TARGET_ENDPOINT', query: 'Endpoint.EndpointArn' },
    },
  );
  add(
    'connections',
    ...(['SOURCE_ENDPOINT', 'TARGET_ENDPOINT'] as const).flatMap((name): CliCommand[] => [
      {
        service: 'dms',
        operation: 'TestConnection',
        input: { ReplicationInstanceArn: variable('REPLICATION_INSTANCE'), EndpointArn: variable(name) },
      },
      {
        service: 'dms',
        operation: 'wait test-connection-succeeds',
        input: {
          Filters: [
            { Name: 'endpoint-arn', Values: [variable(name)] },
            { Name: 'replication-instance-arn', Values: [variable('REPLICATION_INSTANCE')] },
          ],
        },
      },
    ]),
  );
  add(
    'log-groups',
    ...Object.values(names.logGroup).flatMap((logGroupName): CliCommand[] => [
      { service: 'logs', operation: 'CreateLogGroup', input: { logGroupName, tags } },
      { service: 'logs', operation: 'PutRetentionPolicy', input: { logGroupName, retentionInDays: 14 } },
    ]),
  );
  add('sweep', {
    service: 'glue',
    operation: 'CreateTrigger',
    input: {
      Name: names.sweep,
      Type: 'SCHEDULED',
      Schedule: 'cron(17 * * * ? *)',
      Actions: [{ JobName: names.job }],
      StartOnCreation: true,
      Tags: tags,
    },
  });
  add(
    'trigger',
    {
      service: 'lambda',
      operation: 'AddPermission',
      input: {
        FunctionName: names.function,
        StatementId: 'cdc-staging',
        Action: 'lambda:InvokeFunction',
        Principal: 's3.amazonaws.com',
        SourceArn: `arn:${place.partition}:s3:::${aws.staging.bucket}`,
        SourceAccount: place.account,
      },
    },
    '# this replaces whatever notifications the bucket has',
    {
      service: 's3',
      operation: 'PutBucketNotificationConfiguration',
      input: {
        Bucket: aws.staging.bucket,
        NotificationConfiguration: {
          LambdaFunctionConfigurations: [
            {
              Id: `cdc-${config.name}`,
              LambdaFunctionArn: `arn:${place.partition}:lambda:${place.region}:${place.account}:function:${names.function}`,
              Events: ['s3:ObjectCreated:*'],
              Filter: {
                Key: {
                  FilterRules: [
                    ...(prefix === '' ? [] : [{ Name: 'prefix', Value: prefix }]),
                    { Name: 'suffix', Value: '.csv' },
                  ],
                },
              },
            },
          ],
        },
      },
    },
  );
  return new Map(lines);
}

function bucketLines(
  Bucket: string,
  { place, Tags }: { place: AwsView['context']['place']; Tags: { Key: string; Value: string }[] },
): Lines {
  const { publicAccess, ownership, policy, lifecycle } = bucketSettings(place.partition, Bucket);
  const s3 = (operation: string, more: object): CliCommand => ({
    service: 's3',
    operation,
    input: { Bucket, ...more },
  });
  return [
    s3(
      'CreateBucket',
      place.region === 'us-east-1' ? {} : { CreateBucketConfiguration: { LocationConstraint: place.region } },
    ),
    s3('PutBucketTagging', { Tagging: { TagSet: Tags } }),
    s3('PutPublicAccessBlock', publicAccess),
    s3('PutBucketOwnershipControls', ownership),
    s3('PutBucketPolicy', policy),
    s3('PutBucketLifecycleConfiguration', lifecycle),
  ];
}
