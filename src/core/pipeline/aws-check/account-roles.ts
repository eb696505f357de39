/** The account's two roles that DMS works by: `init` makes those that are not there, and cannot use ones that are something else. */

import { attachedPolicies, findRole } from '../../aws/iam.ts';
import type { AwsSession } from '../../aws/session.ts';
import { ACCOUNT_ROLES } from '../aws/names.ts';
import { error, type Found } from './findings.ts';

const TRUST =
  '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"dms.amazonaws.com"},"Action":"sts:AssumeRole"}]}';

export async function checkAccountRoles(session: AwsSession): Promise<Found> {
  const found = await Promise.all(ACCOUNT_ROLES.map((role) => checkRole(session, role)));
  return { findings: found.flatMap(({ findings }) => findings), facts: found.flatMap(({ facts = [] }) => facts) };
}

async function checkRole(session: AwsSession, { name, policy }: { name: string; policy: string }): Promise<Found> {
  const role = await findRole(session, name);
  if (role === undefined) return { findings: [], facts: [`role ${name}: not there yet, init makes it`] };
  const findings = [];
  if (!JSON.stringify(role.trust).includes('"dms.amazonaws.com"'))
    findings.push(
      error(
        'aws.account-role',
        `the role ${name} does not trust dms.amazonaws.com, and DMS takes no other`,
        `aws iam update-assume-role-policy --role-name ${name} --policy-document '${TRUST}'`,
      ),
    );
  const arn = `arn:${session.partition}:iam::aws:policy/${policy}`;
  // One that somebody gave rights by a policy of its own may do as well; ours is put right by init.
  if (!(await attachedPolicies(session, name)).includes(arn) && !('cdc:made-by' in role.tags))
    findings.push(
      error(
        'aws.account-role',
        `the role ${name} lacks ${policy}: DMS finds it "not configured properly"`,
        `aws iam attach-role-policy --role-name ${name} --policy-arn ${arn}`,
      ),
    );
  return { findings, facts: findings.length === 0 ? [`role ${name}: there`] : [] };
}
