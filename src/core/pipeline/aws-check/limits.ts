/** Whether the account has room for what is still to be made, as far as its services say so. */

import { type AccountLimit, dmsLimits, iamLimits, rdsLimits } from '../../aws/account-limits.ts';
import type { AwsSession } from '../../aws/session.ts';
import type { Config } from '../../config.ts';
import type { StepId } from '../aws/resource.ts';
import { error, type Found } from './findings.ts';

interface Need {
  /** As the service calls it. */
  limit: string;
  step: StepId;
  words: string;
  count: number;
}

const DMS_NEEDS: readonly Need[] = [
  { limit: 'ReplicationInstances', step: 'replication-instance', words: 'replication instances', count: 1 },
  { limit: 'ReplicationSubnetGroups', step: 'subnet-group', words: 'replication subnet groups', count: 1 },
  { limit: 'Endpoints', step: 'target-endpoint', words: 'DMS endpoints', count: 2 },
];
const RDS_NEEDS: readonly Need[] = [
  { limit: 'DBInstances', step: 'database', words: 'databases', count: 1 },
  { limit: 'DBParameterGroups', step: 'parameter-group', words: 'parameter groups', count: 1 },
];
const IAM_NEEDS: readonly Need[] = [{ limit: 'Roles', step: 'dms-roles', words: 'roles', count: 6 }];

/** `missing`: the steps that `init` would still take. */
export async function checkLimits(
  service: 'dms' | 'rds' | 'iam',
  session: AwsSession,
  { config, missing }: { config: Config; missing: readonly string[] },
): Promise<Found> {
  if (service === 'rds' && config.source.kind !== 'rds') return { findings: [] };
  const [ask, needs] = (
    {
      dms: [dmsLimits, DMS_NEEDS],
      rds: [rdsLimits, RDS_NEEDS],
      iam: [iamLimits, IAM_NEEDS],
    } as const
  )[service];
  const limits = await ask(session);
  return { findings: needs.filter(({ step }) => missing.includes(step)).flatMap((need) => tooMany(need, limits)) };
}

function tooMany({ limit, words, count }: Need, limits: readonly AccountLimit[]) {
  const found = limits.find(({ name }) => name === limit);
  if (found === undefined || found.used + count <= found.max) return [];
  return [
    error(
      'aws.quota',
      `the account has ${found.used} of at most ${found.max} ${words}, and the pipeline needs ${count} more`,
      'delete what is not used any more, or ask for more in the console: Service Quotas',
    ),
  ];
}

/** What no call of these services tells. */
export const UNKNOWN_LIMITS =
  'whether there is room for more buckets, security groups, functions and Glue runs: only Service Quotas knows';
