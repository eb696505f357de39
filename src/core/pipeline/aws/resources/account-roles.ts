/** The two roles of the account that DMS works by, shared with whoever else uses DMS there. */

import { isAwsError } from '../../../aws/aws-error.ts';
import {
  attachedPolicies,
  attachedPolicyInput,
  attachPolicy,
  createRole,
  findRole,
  type NewRole,
  roleInput,
} from '../../../aws/iam.ts';
import { ifFound } from '../../../aws/session.ts';
import { ACCOUNT_ROLES } from '../names.ts';
import { type Actual, type AwsContext, type Resource, together } from '../resource.ts';

/** On the account's roles when we made them; they have no pipeline. */
const MADE_BY = { 'cdc:made-by': 'cdc' };

/** Adopted when they are there, made when not, and never deleted: every user of DMS in the account shares them. */
export function accountRoles(): Resource {
  return {
    id: 'account-roles',
    guideSection: '5',
    title: `roles ${ACCOUNT_ROLES.map(({ name }) => name).join(' and ')} (of the account, shared)`,
    needs: [],
    expectedSeconds: 5,
    rights: ['iam:CreateRole', 'iam:TagRole', 'iam:AttachRolePolicy', 'iam:ListAttachedRolePolicies'],
    look: async (context) =>
      together(
        await Promise.all(
          ACCOUNT_ROLES.map(async (role) => ({ name: role.name, actual: await lookAtAccountRole(context, role) })),
        ),
      ),
    create: makeAccountRoles,
    mend: makeAccountRoles,
    commands: ({ place }) => [
      ...ACCOUNT_ROLES.flatMap(({ name, policy }) => [
        { service: 'iam', operation: 'CreateRole', input: roleInput(newRole(name)) },
        {
          service: 'iam',
          operation: 'AttachRolePolicy',
          input: attachedPolicyInput(name, arnOf(place.partition, policy)),
        },
      ]),
      '# roles take up to two minutes until every service knows them',
    ],
  };
}

async function lookAtAccountRole(
  { session, place }: AwsContext,
  role: { name: string; policy: string },
): Promise<Actual> {
  const found = await findRole(session, role.name);
  if (found === undefined) return { state: 'absent' };
  const attached = (await ifFound(attachedPolicies(session, role.name))) ?? [];
  const isComplete = attached.includes(arnOf(place.partition, role.policy));
  return {
    state: 'shared',
    ids: {},
    differences: isComplete
      ? []
      : [
          {
            what: `policy of ${role.name}`,
            is: attached.join(', ') || 'none',
            wanted: role.policy,
            // Somebody may have given a role of theirs other rights on purpose.
            isMendable: 'cdc:made-by' in found.tags,
          },
        ],
  };
}

async function makeAccountRoles({ session, place }: AwsContext): Promise<void> {
  for (const { name, policy } of ACCOUNT_ROLES) {
    const found = await findRole(session, name);
    if (found === undefined) {
      try {
        await createRole(session, newRole(name));
      } catch (error) {
        // Another pipeline's init, at the same time.
        if (!isAwsError(error, 'exists')) throw error;
      }
    } else if (!('cdc:made-by' in found.tags)) continue;
    await attachPolicy(session, name, arnOf(place.partition, policy));
  }
}

function newRole(name: string): NewRole {
  const trust = trustOfService('dms.amazonaws.com');
  return { name, description: 'lets AWS DMS work in this account', trust, tags: MADE_BY };
}

function arnOf(partition: string, policy: string): string {
  return `arn:${partition}:iam::aws:policy/${policy}`;
}

/** Only a service may take a role of ours; with `account`, only where it works for that one. */
export function trustOfService(service: string, account?: string): object {
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { Service: service },
        Action: 'sts:AssumeRole',
        ...(account === undefined ? {} : { Condition: { StringEquals: { 'aws:SourceAccount': account } } }),
      },
    ],
  };
}
