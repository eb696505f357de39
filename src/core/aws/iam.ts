/** IAM: roles with their trust, one inline policy, and policies of AWS attached. */

import {
  AttachRolePolicyCommand,
  type AttachRolePolicyCommandInput,
  CreateRoleCommand,
  type CreateRoleCommandInput,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  DetachRolePolicyCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  IAMClient,
  ListAttachedRolePoliciesCommand,
  ListRolePoliciesCommand,
  PutRolePolicyCommand,
  type PutRolePolicyCommandInput,
  UpdateAssumeRolePolicyCommand,
} from '@aws-sdk/client-iam';
import { type AwsSession, ask, clientOf, ifFound, replied } from './session.ts';
import { type Tags, tagList, tagsOf } from './tags.ts';

export const iamClientFor = clientOf((options) => new IAMClient(options));

export interface Role {
  arn: string;
  tags: Tags;
  /** The trust policy. */
  trust: unknown;
}

export async function findRole(session: AwsSession, name: string): Promise<Role | undefined> {
  const reply = await ifFound(
    ask(session, 'iam:GetRole', `looking for the role ${name}`, (options) =>
      iamClientFor(session).send(new GetRoleCommand({ RoleName: name }), options),
    ),
  );
  if (reply?.Role === undefined) return undefined;
  return {
    arn: replied(reply.Role.Arn, 'Arn'),
    tags: tagsOf(reply.Role.Tags),
    trust: parsePolicy(reply.Role.AssumeRolePolicyDocument),
  };
}

export interface NewRole {
  name: string;
  description: string;
  trust: object;
  tags: Tags;
}

export async function createRole(session: AwsSession, role: NewRole): Promise<string> {
  const reply = await ask(session, 'iam:CreateRole', `making the role ${role.name}`, (options) =>
    iamClientFor(session).send(new CreateRoleCommand(roleInput(role)), options),
  );
  return replied(reply.Role?.Arn, 'Arn');
}

/** What is asked of IAM, also by `plan --aws-cli`. */
export function roleInput(role: NewRole): CreateRoleCommandInput {
  return {
    RoleName: role.name,
    Description: role.description,
    AssumeRolePolicyDocument: JSON.stringify(role.trust),
    Tags: tagList(role.tags),
  };
}

export async function setTrust(session: AwsSession, name: string, trust: object): Promise<void> {
  await ask(session, 'iam:UpdateAssumeRolePolicy', `setting whom the role ${name} trusts`, (options) =>
    iamClientFor(session).send(
      new UpdateAssumeRolePolicyCommand({ RoleName: name, PolicyDocument: JSON.stringify(trust) }),
      options,
    ),
  );
}

export async function inlinePolicy(session: AwsSession, role: string, policy: string): Promise<unknown> {
  const reply = await ifFound(
    ask(session, 'iam:GetRolePolicy', `reading the policy of the role ${role}`, (options) =>
      iamClientFor(session).send(new GetRolePolicyCommand({ RoleName: role, PolicyName: policy }), options),
    ),
  );
  return parsePolicy(reply?.PolicyDocument);
}

export interface NewInlinePolicy {
  role: string;
  policy: string;
  document: object;
}

export async function setInlinePolicy(session: AwsSession, given: NewInlinePolicy): Promise<void> {
  await ask(session, 'iam:PutRolePolicy', `writing the policy of the role ${given.role}`, (options) =>
    iamClientFor(session).send(new PutRolePolicyCommand(inlinePolicyInput(given)), options),
  );
}

/** What is asked of IAM, also by `plan --aws-cli`. */
export function inlinePolicyInput({ role, policy, document }: NewInlinePolicy): PutRolePolicyCommandInput {
  return { RoleName: role, PolicyName: policy, PolicyDocument: JSON.stringify(document) };
}

export async function attachedPolicies(session: AwsSession, role: string): Promise<string[]> {
  const reply = await ask(session, 'iam:ListAttachedRolePolicies', `listing policies of the role ${role}`, (options) =>
    iamClientFor(session).send(new ListAttachedRolePoliciesCommand({ RoleName: role }), options),
  );
  return (reply.AttachedPolicies ?? []).flatMap((policy) => policy.PolicyArn ?? []);
}

export async function attachPolicy(session: AwsSession, role: string, policyArn: string): Promise<void> {
  await ask(session, 'iam:AttachRolePolicy', `attaching ${policyArn} to the role ${role}`, (options) =>
    iamClientFor(session).send(new AttachRolePolicyCommand(attachedPolicyInput(role, policyArn)), options),
  );
}

/** What is asked of IAM, also by `plan --aws-cli`. */
export function attachedPolicyInput(role: string, policyArn: string): AttachRolePolicyCommandInput {
  return { RoleName: role, PolicyArn: policyArn };
}

/** A role can be deleted only when nothing hangs on it. */
export async function deleteRole(session: AwsSession, name: string): Promise<void> {
  const client = iamClientFor(session);
  const doing = `deleting the role ${name}`;
  const inline = await ifFound(
    ask(session, 'iam:ListRolePolicies', doing, (options) =>
      client.send(new ListRolePoliciesCommand({ RoleName: name }), options),
    ),
  );
  if (inline === undefined) return;
  for (const policy of inline.PolicyNames ?? [])
    await ifFound(
      ask(session, 'iam:DeleteRolePolicy', doing, (options) =>
        client.send(new DeleteRolePolicyCommand({ RoleName: name, PolicyName: policy }), options),
      ),
    );
  for (const policy of (await ifFound(attachedPolicies(session, name))) ?? [])
    await ifFound(
      ask(session, 'iam:DetachRolePolicy', doing, (options) =>
        client.send(new DetachRolePolicyCommand({ RoleName: name, PolicyArn: policy }), options),
      ),
    );
  await ifFound(
    ask(session, 'iam:DeleteRole', doing, (options) => client.send(new DeleteRoleCommand({ RoleName: name }), options)),
  );
}

/** IAM gives documents URL-encoded. */
function parsePolicy(document: string | undefined): unknown {
  return document === undefined ? undefined : JSON.parse(decodeURIComponent(document));
}
