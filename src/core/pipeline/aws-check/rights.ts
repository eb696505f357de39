/** Which rights of those that the commands need the policies of whoever runs them do not give. */

import type { AwsSession } from '../../aws/session.ts';
import { deniedActions, policyHolder } from '../../aws/simulate.ts';
import type { AwsNames } from '../aws/names.ts';
import { error, type Found } from './findings.ts';

/** Beside those of the other commands; without them `check` says what it cannot know. */
export const CHECK_RIGHTS: readonly string[] = [
  'dms:DescribeAccountAttributes',
  'dms:DescribeOrderableReplicationInstances',
  'iam:GetAccountSummary',
  'iam:SimulatePrincipalPolicy',
  'rds:DescribeAccountAttributes',
  'rds:DescribeDBMajorEngineVersions',
  'rds:DescribeOrderableDBInstanceOptions',
];

/**
 * A right counts as given when it is on anything of the pipeline: which of its resources an action is asked about differs, so
 * that a policy for this pipeline alone is no finding.
 */
export async function checkRights(
  session: AwsSession,
  { names, rights }: { names: AwsNames; rights: readonly string[] },
): Promise<Found> {
  const holder = await policyHolder(session);
  if (holder === undefined)
    return {
      findings: [],
      unknown: [`which rights are missing: IAM reckons those of users and roles, and this is ${session.principal}`],
    };
  const denied = await deniedActions(session, { holder, actions: rights, resources: resourcesOf(session, names) });
  if (denied.length === 0) return { findings: [], facts: [`all ${rights.length} rights are there`] };
  return {
    findings: [...byService(denied)].map(([service, actions]) =>
      error(
        'aws.access-denied',
        `${service}: ${holder} lacks ${actions.map((action) => action.split(':')[1]).join(', ')}`,
        `add to its policy: ${JSON.stringify({ Effect: 'Allow', Action: actions, Resource: '*' })}`,
      ),
    ),
    unknown: ['whether a policy of the organisation, a boundary or a condition takes away more'],
  };
}

function byService(actions: readonly string[]): Map<string, string[]> {
  const services = new Map<string, string[]>();
  for (const action of actions) {
    const [service = ''] = action.split(':');
    services.set(service, [...(services.get(service) ?? []), action]);
  }
  return services;
}

/** One of each kind that a policy may name. */
function resourcesOf({ account, region, partition }: AwsSession, names: AwsNames): string[] {
  const arn = (service: string, rest: string) => `arn:${partition}:${service}:${region}:${account}:${rest}`;
  const role = (name: string) => `arn:${partition}:iam::${account}:role/${name}`;
  return [
    '*',
    arn('rds', `db:${names.database}`),
    arn('rds', `pg:${names.parameterGroup}`),
    arn('ec2', 'security-group/sg-0'),
    arn('secretsmanager', `secret:${names.secret}-AbCdEf`),
    `arn:${partition}:s3:::${names.stagingBucket}`,
    `arn:${partition}:s3:::${names.stagingBucket}/x`,
    ...Object.values(names.role).map(role),
    role('dms-vpc-role'),
    arn('lambda', `function:${names.function}`),
    arn('glue', `job/${names.job}`),
    arn('logs', `log-group:${names.logGroup.lambda}:*`),
    arn('dms', 'rep:X'),
    arn('dms', 'endpoint:X'),
    arn('dms', 'task:X'),
    arn('dms', `subgrp:${names.subnetGroup}`),
    arn('dms', 'cert:X'),
  ];
}
