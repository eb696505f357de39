/** What a pipeline on AWS consists of, from its configuration and the facts of the account. Pure: nothing is asked of AWS. */

import type { Config } from '../../config.ts';
import type { LambdaPackage } from '../aws-run/lambda-package.ts';
import { awsNames, awsOf } from './names.ts';
import type { Place } from './place.ts';
import { type Resource, STEP_IDS } from './resource.ts';
import { bucket } from './resources/bucket.ts';
import { certificate } from './resources/certificate.ts';
import { connections } from './resources/connections.ts';
import { database } from './resources/database.ts';
import { binlogRetention, users } from './resources/database-sql.ts';
import { sourceEndpoint, targetEndpoint } from './resources/endpoints.ts';
import { lambda, trigger } from './resources/lambda.ts';
import { logGroups } from './resources/log-groups.ts';
import { parameterGroup } from './resources/parameter-group.ts';
import { replicationInstance, subnetGroup } from './resources/replication-instance.ts';
import { accountRoles, ownRoles } from './resources/roles.ts';
import { secret } from './resources/secret.ts';
import { securityGroups } from './resources/security-groups.ts';
import { tasks } from './resources/tasks.ts';

/** A part of the guide that no version builds yet: shown in the plan, so that nobody waits for it. */
export interface LaterStep {
  id: 'glue-job';
  resource: string;
  guideSection: string;
}

export const LATER_STEPS: readonly LaterStep[] = [
  { id: 'glue-job', resource: 'Glue job that merges (not built yet)', guideSection: '10' },
];

/** In the order in which the plan lists them; what depends on what is in their `needs`. */
export function desiredResources(options: {
  config: Config;
  place: Place;
  /** Absent: the function is not bundled, so neither it nor its trigger can be made. */
  lambdaPackage: LambdaPackage | undefined;
}): Resource[] {
  const { config, place, lambdaPackage } = options;
  const { source } = config;
  const aws = awsOf(config);
  const names = awsNames(config);
  const arn = (service: string, rest: string) =>
    `arn:${place.partition}:${service}:${place.region}:${place.account}:${rest}`;
  const stagingArn = `arn:${place.partition}:s3:::${names.stagingBucket}`;
  const hasTls = source.kind !== 'private' && source.tls.mode === 'verify';

  const all: Resource[] = [
    securityGroups(
      { dms: names.dmsSecurityGroup, database: source.kind === 'rds' ? names.databaseSecurityGroup : undefined },
      { openToWorld: source.kind === 'rds' && source.openToWorld },
    ),
    bucket('staging', aws.staging),
    bucket('lake', aws.lake),
    accountRoles(),
    ownRoles({ id: 'dms-roles', guideSection: '5', title: `roles ${names.role.dmsS3} and ${names.role.dmsSecret}` }, [
      {
        name: names.role.dmsS3,
        idName: 'role_dms_s3',
        description: 'cdc: lets AWS DMS write change files',
        service: 'dms.amazonaws.com',
        statements: [
          {
            Effect: 'Allow',
            Action: ['s3:PutObject', 's3:DeleteObject', 's3:PutObjectTagging'],
            Resource: `${stagingArn}/${aws.staging.prefix === '' ? '' : `${aws.staging.prefix}/`}*`,
          },
          { Effect: 'Allow', Action: ['s3:ListBucket'], Resource: stagingArn },
        ],
      },
      {
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
    replicationInstance({
      id: names.replicationInstance,
      instanceClass: aws.dms.instanceClass,
      version: place.dmsVersion,
      subnetGroup: names.subnetGroup,
    }),
    sourceEndpoint(names.sourceEndpoint, { hasTls }),
    targetEndpoint(names.targetEndpoint, { staging: aws.staging, maxBatchSeconds: aws.dms.maxBatchSeconds }),
    connections(),
    tasks(),
    logGroups(lambdaPackage === undefined ? [names.logGroup.dms] : [names.logGroup.dms, names.logGroup.lambda]),
  ];
  if (source.kind === 'rds' && place.mysql !== undefined) {
    const { version, family } = place.mysql;
    all.push(
      parameterGroup(names.parameterGroup, family),
      database({ id: names.database, parameterGroup: names.parameterGroup, version, family }, source),
      binlogRetention(source),
      users(names.secret, source, config),
    );
  }
  if (lambdaPackage !== undefined)
    all.push(
      ownRoles({ id: 'lambda-role', guideSection: '11', title: `role ${names.role.lambda}` }, [
        {
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
      lambda(names.function, lambdaPackage),
      trigger({ function: names.function, pipeline: config.name }, aws.staging),
    );
  return inOrder(all);
}

function inOrder(resources: Resource[]): Resource[] {
  return resources.sort((a, b) => STEP_IDS.indexOf(a.id) - STEP_IDS.indexOf(b.id));
}
