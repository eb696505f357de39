/** How much of its limits an account uses, as far as the services themselves say so (the rest knows Service Quotas alone). */

import { DescribeAccountAttributesCommand as DescribeDmsAttributesCommand } from '@aws-sdk/client-database-migration-service';
import { GetAccountSummaryCommand } from '@aws-sdk/client-iam';
import { DescribeAccountAttributesCommand as DescribeRdsAttributesCommand } from '@aws-sdk/client-rds';
import { dmsClientFor } from './dms.ts';
import { iamClientFor } from './iam.ts';
import { rdsClientFor } from './rds.ts';
import { type AwsSession, ask } from './session.ts';

export interface AccountLimit {
  /** `ReplicationInstances`, `DBInstances`, `Roles`. */
  name: string;
  used: number;
  max: number;
}

export async function dmsLimits(session: AwsSession): Promise<AccountLimit[]> {
  const reply = await ask(session, 'dms:DescribeAccountAttributes', 'asking for the limits of DMS', (options) =>
    dmsClientFor(session).send(new DescribeDmsAttributesCommand({}), options),
  );
  return limitsOf(reply.AccountQuotas);
}

export async function rdsLimits(session: AwsSession): Promise<AccountLimit[]> {
  const reply = await ask(session, 'rds:DescribeAccountAttributes', 'asking for the limits of RDS', (options) =>
    rdsClientFor(session).send(new DescribeRdsAttributesCommand({}), options),
  );
  return limitsOf(reply.AccountQuotas);
}

export async function iamLimits(session: AwsSession): Promise<AccountLimit[]> {
  const reply = await ask(session, 'iam:GetAccountSummary', 'asking for the limits of IAM', (options) =>
    iamClientFor(session).send(new GetAccountSummaryCommand({}), options),
  );
  const { Roles: used, RolesQuota: max } = reply.SummaryMap ?? {};
  return used === undefined || max === undefined ? [] : [{ name: 'Roles', used, max }];
}

function limitsOf(
  quotas:
    | readonly { AccountQuotaName?: string | undefined; Used?: number | undefined; Max?: number | undefined }[]
    | undefined,
): AccountLimit[] {
  return (quotas ?? []).flatMap(({ AccountQuotaName: name, Used: used, Max: max }) =>
    name === undefined || used === undefined || max === undefined ? [] : [{ name, used, max }],
  );
}
