/** Roles: the account's two that DMS works by, and our own with no more rights than their service uses. */

import { isAwsError } from '../../../aws/aws-error.ts';
import {
  attachedPolicies,
  attachPolicy,
  createRole,
  deleteRole,
  findRole,
  inlinePolicy,
  type Role,
  setInlinePolicy,
  setTrust,
} from '../../../aws/iam.ts';
import { ifFound } from '../../../aws/session.ts';
import { CdcError } from '../../../errors.ts';
import { ACCOUNT_ROLES } from '../names.ts';
import {
  type Actual,
  type AwsContext,
  type Difference,
  type OwnRole,
  owned,
  type Resource,
  sameDocument,
  together,
} from '../resource.ts';

const POLICY = 'cdc';
/** On the account's roles when we made them; they have no pipeline. */
const MADE_BY = { 'cdc:made-by': 'cdc' };

const ROLE_RIGHTS = [
  'iam:CreateRole',
  'iam:TagRole',
  'iam:PassRole',
  'iam:PutRolePolicy',
  'iam:UpdateAssumeRolePolicy',
  'iam:ListRolePolicies',
  'iam:ListAttachedRolePolicies',
  'iam:DeleteRolePolicy',
  'iam:DetachRolePolicy',
  'iam:DeleteRole',
];

export function ownRoles(
  step: Pick<Resource, 'guideSection'> & { id: 'dms-roles' | 'glue-role' | 'lambda-role' },
  roles: readonly OwnRole[],
): Resource {
  const own = roles.filter(({ isYours }) => !isYours).map(({ name }) => name);
  const yours = roles.filter(({ isYours }) => isYours).map(({ name }) => `${name} (yours)`);
  return {
    ...step,
    title: titleOf([...own, ...yours]),
    removes: titleOf(own),
    roles,
    needs: [],
    expectedSeconds: 5,
    rights: ROLE_RIGHTS,
    look: async (context) =>
      together(
        await Promise.all(roles.map(async (role) => ({ name: role.name, actual: await lookAtRole(context, role) }))),
      ),
    create: (context) => makeRoles(context, roles),
    mend: (context) => makeRoles(context, roles),
    async remove({ session }) {
      for (const role of roles) if (!role.isYours) await deleteRole(session, role.name);
    },
  };
}

function titleOf(names: readonly string[]): string {
  return `${names.length === 1 ? 'role' : 'roles'} ${names.join(' and ')}`;
}

async function lookAtRole(context: AwsContext, role: OwnRole): Promise<Actual> {
  const found = await findRole(context.session, role.name);
  if (role.isYours) return lookAtYours(role, found);
  if (found === undefined) return { state: 'absent' };
  const policy = await inlinePolicy(context.session, role.name, POLICY);
  const differences: Difference[] = [];
  if (!sameDocument(policy, policyOf(role)))
    differences.push({ what: `policy of ${role.name}`, is: 'another', wanted: 'ours', isMendable: true });
  if (!sameDocument(found.trust, trustOf(context, role)))
    differences.push({ what: `trust of ${role.name}`, is: 'another', wanted: role.service, isMendable: true });
  return owned(context, `role ${role.name}`, found.tags, { ids: { [role.idName]: found.arn }, differences });
}

/** What it may do is its owner's to say; whom it trusts shows before the service refuses it. */
function lookAtYours(role: OwnRole, found: Role | undefined): Actual {
  if (found === undefined)
    throw new CdcError(
      'aws.yours-missing',
      `looking for the role ${role.name}, which cdc.yaml names: it is not there`,
      {
        hint: 'make it, mend `aws: { roles }` in cdc.yaml, or leave it out: then cdc makes one with the least rights',
      },
    );
  const isTrusting = JSON.stringify(found.trust).includes(`"${role.service}"`);
  return {
    state: 'brought',
    ids: { [role.idName]: found.arn },
    differences: isTrusting
      ? []
      : [{ what: `trust of ${role.name}`, is: 'without the service', wanted: role.service, isMendable: false }],
  };
}

async function makeRoles(context: AwsContext, roles: readonly OwnRole[]): Promise<void> {
  const { session, tags } = context;
  for (const role of roles.filter(({ isYours }) => !isYours)) {
    const trust = trustOf(context, role);
    const found = await findRole(session, role.name);
    if (found === undefined) await createRole(session, { name: role.name, description: role.description, trust, tags });
    else if (!sameDocument(found.trust, trust)) await setTrust(session, role.name, trust);
    await setInlinePolicy(session, { role: role.name, policy: POLICY, document: policyOf(role) });
  }
}

export function policyOf(role: OwnRole): object {
  return { Version: '2012-10-17', Statement: role.statements };
}

/** Only for this account: otherwise somebody else's DMS could be made to work with our role. */
export function trustOf({ place }: Pick<AwsContext, 'place'>, role: OwnRole): object {
  return trust(role.service, role.service.startsWith('dms.') ? place.account : undefined);
}

export function trust(service: string, account?: string): object {
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
        const description = 'lets AWS DMS work in this account';
        await createRole(session, { name, description, trust: trust('dms.amazonaws.com'), tags: MADE_BY });
      } catch (error) {
        // Another pipeline's init, at the same time.
        if (!isAwsError(error, 'exists')) throw error;
      }
    } else if (!('cdc:made-by' in found.tags)) continue;
    await attachPolicy(session, name, arnOf(place.partition, policy));
  }
}

function arnOf(partition: string, policy: string): string {
  return `arn:${partition}:iam::aws:policy/${policy}`;
}
