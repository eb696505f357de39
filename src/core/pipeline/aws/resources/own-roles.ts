/** Our own roles, with no more rights than their service uses; or the user's, taken as they are. */

import {
  createRole,
  deleteRole,
  findRole,
  inlinePolicy,
  inlinePolicyInput,
  type NewInlinePolicy,
  type NewRole,
  type Role,
  roleInput,
  setInlinePolicy,
  setTrust,
} from '../../../aws/iam.ts';
import { CdcError } from '../../../errors.ts';
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
import { trustOfService } from './account-roles.ts';

const POLICY = 'cdc';
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
    needs: [],
    expectedSeconds: 5,
    rights: ROLE_RIGHTS,
    look: async (context) =>
      together(
        await Promise.all(roles.map(async (role) => ({ name: role.name, actual: await lookAtRole(context, role) }))),
      ),
    create: (context) => makeRoles(context, roles),
    mend: (context) => makeRoles(context, roles),
    commands: (context) =>
      roles
        .filter(({ isYours }) => !isYours)
        .flatMap((role) => [
          {
            service: 'iam',
            operation: 'CreateRole',
            input: roleInput(newRole(context, role)),
            assigns: { id: role.idName, query: 'Role.Arn' },
          },
          { service: 'iam', operation: 'PutRolePolicy', input: inlinePolicyInput(newPolicy(role)) },
        ]),
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
  const { session } = context;
  for (const role of roles.filter(({ isYours }) => !isYours)) {
    const wanted = newRole(context, role);
    const found = await findRole(session, role.name);
    if (found === undefined) await createRole(session, wanted);
    else if (!sameDocument(found.trust, wanted.trust)) await setTrust(session, role.name, wanted.trust);
    await setInlinePolicy(session, newPolicy(role));
  }
}

function newRole(context: AwsContext, role: OwnRole): NewRole {
  return {
    name: role.name,
    description: role.description,
    trust: trustOf(context, role),
    tags: context.tags,
  };
}

function newPolicy(role: OwnRole): NewInlinePolicy {
  return { role: role.name, policy: POLICY, document: policyOf(role) };
}

function policyOf(role: OwnRole): object {
  return { Version: '2012-10-17', Statement: role.statements };
}

/** Only for this account: otherwise somebody else's DMS could be made to work with our role. */
function trustOf({ place }: AwsContext, role: OwnRole): object {
  return trustOfService(role.service, role.service.startsWith('dms.') ? place.account : undefined);
}
