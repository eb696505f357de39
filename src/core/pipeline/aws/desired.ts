/** What a pipeline on AWS consists of, from its configuration and the facts of the account. Pure: nothing is asked of AWS. */

import { PIPELINE_TAG } from '../../aws/tags.ts';
import type { Config } from '../../config.ts';
import type { JobPackage } from '../aws-run/job-package.ts';
import type { LambdaPackage } from '../aws-run/lambda-package.ts';
import { awsNames, awsOf } from './names.ts';
import type { Place } from './place.ts';
import { type Resource, STEP_IDS } from './resource.ts';
import { accountRoles } from './resources/account-roles.ts';
import { bucket } from './resources/bucket.ts';
import { certificate } from './resources/certificate.ts';
import { connections } from './resources/connections.ts';
import { database } from './resources/database.ts';
import { binlogRetention, users } from './resources/database-sql.ts';
import { databaseSubnets } from './resources/database-subnets.ts';
import { glueJob, jobCode, sweep } from './resources/glue-job.ts';
import { lambda } from './resources/lambda.ts';
import { logGroups } from './resources/log-groups.ts';
import { ownRoles } from './resources/own-roles.ts';
import { parameterGroup } from './resources/parameter-group.ts';
import { replicationInstance, subnetGroup } from './resources/replication-instance.ts';
import { secret } from './resources/secret.ts';
import { securityGroups } from './resources/security-groups.ts';
import { sourceEndpoint } from './resources/source-endpoint.ts';
import { targetEndpoint } from './resources/target-endpoint.ts';
import { tasks } from './resources/tasks.ts';
import { trigger } from './resources/trigger.ts';
import { vpcEndpoints } from './resources/vpc-endpoints.ts';
import { yourNetwork, yourSource } from './resources/yours.ts';

/** In the order in which the plan lists them; what depends on what is in their `needs`. */
export function desiredResources(options: {
  config: Config;
  place: Place;
  code: { function: LambdaPackage; job: JobPackage };
}): Resource[] {
  const { config, place, code } = options;
  const { source } = config;
  const aws = awsOf(config);
  const names = awsNames(config);
  const arn = (service: string, rest: string) =>
    `arn:${place.partition}:${service}:${place.region}:${place.account}:${rest}`;
  const bucketArn = (name: string) => `arn:${place.partition}:s3:::${name}`;
  const objectsOf = (name: string, prefix: string) => `${bucketArn(name)}/${prefix === '' ? '' : `${prefix}/`}*`;
  const hasTls = source.kind !== 'private' && source.tls.mode === 'verify';

  const all: Resource[] = [
    ...(aws.network === undefined ? [] : [yourNetwork(aws.network)]),
    ...(source.kind === 'url' ? [yourSource(source)] : []),
    securityGroups(
      { dms: names.dmsSecurityGroup, database: source.kind === 'rds' ? names.databaseSecurityGroup : undefined },
      { openToWorld: source.kind === 'rds' && source.openToWorld, hasEndpoints: aws.dms.isPrivate },
    ),
    bucket('staging', aws.staging),
    bucket('lake', aws.lake),
    accountRoles(),
    ownRoles({ id: 'dms-roles', guideSection: '5' }, [
      {
        isYours: aws.roles.dmsS3 !== undefined,
        name: names.role.dmsS3,
        idName: 'role_dms_s3',
        description: 'cdc: lets AWS DMS write change files',
        service: 'dms.amazonaws.com',
        statements: [
          {
            Effect: 'Allow',
            Action: ['s3:PutObject', 's3:DeleteObject', 's3:PutObjectTagging'],
            Resource: objectsOf(names.stagingBucket, aws.staging.prefix),
          },
          { Effect: 'Allow', Action: ['s3:ListBucket'], Resource: bucketArn(names.stagingBucket) },
        ],
      },
      {
        isYours: aws.roles.dmsSecret !== undefined,
        name: names.role.dmsSecret,
        idName: 'role_dms_secret',
        description: 'cdc: lets AWS DMS read how to reach the source',
        // The principal of the region, unlike the other one's.
        service: `dms.${place.region}.amazonaws.com`,
        statements: [
          {
            Effect: 'Allow',
            Action: ['secretsmanager:GetSecretValue'],
            // Secrets Manager puts six characters behind the name.
            Resource: arn('secretsmanager', `secret:${names.secret}-??????`),
          },
        ],
      },
    ]),
    secret(names.secret, source),
    ...(hasTls ? [certificate(names.certificate, source)] : []),
    subnetGroup(names.subnetGroup),
    ...(aws.dms.isPrivate ? [vpcEndpoints()] : []),
    replicationInstance({
      id: names.replicationInstance,
      instanceClass: aws.dms.instanceClass,
      isPublic: !aws.dms.isPrivate,
      version: place.dmsVersion,
      subnetGroup: names.subnetGroup,
    }),
    sourceEndpoint(names.sourceEndpoint, { hasTls, isPrivate: aws.dms.isPrivate }),
    targetEndpoint(names.targetEndpoint, { staging: aws.staging, maxBatchSeconds: aws.dms.maxBatchSeconds }),
    connections(),
    tasks(),
    logGroups(Object.values(names.logGroup)),
  ];
  if (source.kind === 'rds' && place.mysql !== undefined) {
    const { version, family } = place.mysql;
    const subnets = aws.network === undefined ? undefined : names.databaseSubnetGroup;
    all.push(
      parameterGroup(names.parameterGroup, family),
      ...(subnets === undefined ? [] : [databaseSubnets(subnets)]),
      database(
        { id: names.database, parameterGroup: names.parameterGroup, subnetGroup: subnets, version, family },
        source,
      ),
      binlogRetention(source),
      users(names.secret, source, config),
    );
  }
  all.push(
    bucket('code', { bucket: names.codeBucket, prefix: '', isNamed: false }),
    jobCode(names, code.job),
    ownRoles({ id: 'glue-role', guideSection: '10' }, [
      {
        isYours: aws.roles.glue !== undefined,
        name: names.role.glue,
        idName: 'role_glue',
        description: 'cdc: lets the merge read staging and write the lake',
        service: 'glue.amazonaws.com',
        statements: [
          {
            Effect: 'Allow',
            Action: ['s3:GetObject', 's3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload'],
            Resource: [
              objectsOf(names.stagingBucket, aws.staging.prefix),
              objectsOf(names.lakeBucket, aws.lake.prefix),
            ],
          },
          { Effect: 'Allow', Action: ['s3:GetObject'], Resource: objectsOf(names.codeBucket, '') },
          {
            Effect: 'Allow',
            Action: ['s3:ListBucket', 's3:GetBucketLocation'],
            Resource: [names.stagingBucket, names.lakeBucket, names.codeBucket].map(bucketArn),
          },
          // Whether a run that holds a lease is over.
          { Effect: 'Allow', Action: ['glue:GetJobRun'], Resource: arn('glue', `job/${names.job}`) },
          // Whether a load is complete. DMS draws the ARN of a task at random; whose it is says its tag.
          {
            Effect: 'Allow',
            Action: ['dms:DescribeTableStatistics'],
            Resource: arn('dms', 'task:*'),
            Condition: { StringEquals: { [`aws:ResourceTag/${PIPELINE_TAG}`]: config.name } },
          },
          {
            Effect: 'Allow',
            Action: ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'],
            Resource: [names.logGroup.glueOutput, names.logGroup.glueError].map((group) =>
              arn('logs', `log-group:${group}:*`),
            ),
          },
        ],
      },
    ]),
    glueJob(names, code.job, config),
    sweep(names),
    ownRoles({ id: 'lambda-role', guideSection: '11' }, [
      {
        isYours: aws.roles.lambda !== undefined,
        name: names.role.lambda,
        idName: 'role_lambda',
        description: 'cdc: lets the trigger start the merge',
        service: 'lambda.amazonaws.com',
        statements: [
          {
            Effect: 'Allow',
            Action: ['glue:StartJobRun', 'glue:GetJobRuns'],
            Resource: arn('glue', `job/${names.job}`),
          },
          {
            Effect: 'Allow',
            Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
            Resource: arn('logs', `log-group:${names.logGroup.lambda}:*`),
          },
        ],
      },
    ]),
    lambda(names.function, code.function),
    trigger({ function: names.function, pipeline: config.name }, aws.staging),
  );
  return inOrder(all);
}

function inOrder(resources: Resource[]): Resource[] {
  return resources.sort((a, b) => STEP_IDS.indexOf(a.id) - STEP_IDS.indexOf(b.id));
}
