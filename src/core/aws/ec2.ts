/** EC2: the default VPC, security groups and their rules, and the interfaces that keep a group from being deleted. */

import {
  AuthorizeSecurityGroupIngressCommand,
  type AuthorizeSecurityGroupIngressCommandInput,
  CreateSecurityGroupCommand,
  type CreateSecurityGroupCommandInput,
  DeleteNetworkInterfaceCommand,
  DeleteSecurityGroupCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSecurityGroupRulesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeVpcsCommand,
  EC2Client,
  RevokeSecurityGroupIngressCommand,
} from '@aws-sdk/client-ec2';
import { isAwsError } from './aws-error.ts';
import { type AwsSession, ask, clientOf, ifFound, replied } from './session.ts';
import { type Tags, tagList, tagsOf } from './tags.ts';

export const ec2ClientFor = clientOf((options) => new EC2Client(options));

export async function findDefaultVpc(session: AwsSession): Promise<string | undefined> {
  const reply = await ask(session, 'ec2:DescribeVpcs', 'looking for the default VPC', (options) =>
    ec2ClientFor(session).send(
      new DescribeVpcsCommand({ Filters: [{ Name: 'is-default', Values: ['true'] }] }),
      options,
    ),
  );
  return reply.Vpcs?.[0]?.VpcId;
}

export interface Subnet {
  id: string;
  zone: string;
}

export async function subnetsOf(session: AwsSession, vpcId: string): Promise<Subnet[]> {
  return subnetsWith(session, { Name: 'vpc-id', Values: [vpcId] }, `listing the subnets of ${vpcId}`);
}

/** Those of the ids that there are. */
export async function subnetsById(
  session: AwsSession,
  ids: readonly string[],
): Promise<(Subnet & { vpcId: string })[]> {
  return subnetsWith(session, { Name: 'subnet-id', Values: [...ids] }, `looking for the subnets ${ids.join(', ')}`);
}

async function subnetsWith(
  session: AwsSession,
  filter: { Name: string; Values: string[] },
  doing: string,
): Promise<(Subnet & { vpcId: string })[]> {
  const reply = await ask(session, 'ec2:DescribeSubnets', doing, (options) =>
    ec2ClientFor(session).send(new DescribeSubnetsCommand({ Filters: [filter] }), options),
  );
  return (reply.Subnets ?? []).map((subnet) => ({
    id: replied(subnet.SubnetId, 'SubnetId'),
    zone: subnet.AvailabilityZone ?? '',
    vpcId: subnet.VpcId ?? '',
  }));
}

export interface SecurityGroup {
  id: string;
  tags: Tags;
}

/** A group's name is unique in its VPC. */
export async function findSecurityGroup(
  session: AwsSession,
  { name, vpcId }: { name: string; vpcId: string },
): Promise<SecurityGroup | undefined> {
  const reply = await ask(session, 'ec2:DescribeSecurityGroups', `looking for the security group ${name}`, (options) =>
    ec2ClientFor(session).send(
      new DescribeSecurityGroupsCommand({
        Filters: [
          { Name: 'group-name', Values: [name] },
          { Name: 'vpc-id', Values: [vpcId] },
        ],
      }),
      options,
    ),
  );
  const group = reply.SecurityGroups?.[0];
  return group && { id: replied(group.GroupId, 'GroupId'), tags: tagsOf(group.Tags) };
}

export interface NewSecurityGroup {
  name: string;
  description: string;
  vpcId: string;
  tags: Tags;
}

export async function createSecurityGroup(session: AwsSession, group: NewSecurityGroup): Promise<string> {
  const reply = await ask(session, 'ec2:CreateSecurityGroup', `making the security group ${group.name}`, (options) =>
    ec2ClientFor(session).send(new CreateSecurityGroupCommand(securityGroupInput(group)), options),
  );
  return replied(reply.GroupId, 'GroupId');
}

/** What is asked of EC2, also by `plan --aws-cli`. */
export function securityGroupInput(group: NewSecurityGroup): CreateSecurityGroupCommandInput {
  return {
    GroupName: group.name,
    Description: group.description,
    VpcId: group.vpcId,
    TagSpecifications: [{ ResourceType: 'security-group', Tags: tagList(group.tags) }],
  };
}

/** Who may connect to the database's port: an address range or another group. */
export interface IngressRule {
  from: string;
  description: string;
}

export interface FoundRule extends IngressRule {
  id: string;
  port: number | undefined;
}

export async function ingressRules(session: AwsSession, groupId: string): Promise<FoundRule[]> {
  const reply = await ask(session, 'ec2:DescribeSecurityGroupRules', `reading the rules of ${groupId}`, (options) =>
    ec2ClientFor(session).send(
      new DescribeSecurityGroupRulesCommand({ Filters: [{ Name: 'group-id', Values: [groupId] }] }),
      options,
    ),
  );
  return (reply.SecurityGroupRules ?? [])
    .filter((rule) => rule.IsEgress !== true)
    .map((rule) => ({
      id: replied(rule.SecurityGroupRuleId, 'SecurityGroupRuleId'),
      port: rule.FromPort === rule.ToPort ? rule.FromPort : undefined,
      from: rule.CidrIpv4 ?? rule.CidrIpv6 ?? rule.ReferencedGroupInfo?.GroupId ?? rule.PrefixListId ?? '',
      description: rule.Description ?? '',
    }));
}

export interface NewIngress {
  groupId: string;
  port: number;
  rule: IngressRule;
}

/** Repeatable: a rule that is there is left as it is. */
export async function allowIngress(session: AwsSession, ingress: NewIngress): Promise<void> {
  const doing = `letting ${ingress.rule.from} connect to ${ingress.groupId}`;
  try {
    await ask(session, 'ec2:AuthorizeSecurityGroupIngress', doing, (options) =>
      ec2ClientFor(session).send(new AuthorizeSecurityGroupIngressCommand(ingressInput(ingress)), options),
    );
  } catch (error) {
    if (!isAwsError(error, 'exists')) throw error;
  }
}

/** What is asked of EC2, also by `plan --aws-cli`. */
export function ingressInput({ groupId, port, rule }: NewIngress): AuthorizeSecurityGroupIngressCommandInput {
  const { from, description } = rule;
  // A range of addresses has a slash in it, a group has none.
  const source = from.includes('/')
    ? { IpRanges: [{ CidrIp: from, Description: description }] }
    : { UserIdGroupPairs: [{ GroupId: from, Description: description }] };
  return { GroupId: groupId, IpPermissions: [{ IpProtocol: 'tcp', FromPort: port, ToPort: port, ...source }] };
}

export async function revokeIngress(session: AwsSession, groupId: string, ruleIds: string[]): Promise<void> {
  if (ruleIds.length === 0) return;
  await ifFound(
    ask(session, 'ec2:RevokeSecurityGroupIngress', `removing rules of ${groupId}`, (options) =>
      ec2ClientFor(session).send(
        new RevokeSecurityGroupIngressCommand({ GroupId: groupId, SecurityGroupRuleIds: ruleIds }),
        options,
      ),
    ),
  );
}

export async function deleteSecurityGroup(session: AwsSession, id: string): Promise<void> {
  await ifFound(
    ask(session, 'ec2:DeleteSecurityGroup', `deleting the security group ${id}`, (options) =>
      ec2ClientFor(session).send(new DeleteSecurityGroupCommand({ GroupId: id }), options),
    ),
  );
}

/** Interfaces in a group; DMS can leave one behind, in the state `available`. */
export async function interfacesOf(session: AwsSession, groupId: string): Promise<{ id: string; status: string }[]> {
  const reply = await ask(session, 'ec2:DescribeNetworkInterfaces', `listing the interfaces in ${groupId}`, (options) =>
    ec2ClientFor(session).send(
      new DescribeNetworkInterfacesCommand({ Filters: [{ Name: 'group-id', Values: [groupId] }] }),
      options,
    ),
  );
  return (reply.NetworkInterfaces ?? []).map((found) => ({
    id: replied(found.NetworkInterfaceId, 'NetworkInterfaceId'),
    status: found.Status ?? '',
  }));
}

export async function deleteInterface(session: AwsSession, id: string): Promise<void> {
  await ifFound(
    ask(session, 'ec2:DeleteNetworkInterface', `deleting the interface ${id}`, (options) =>
      ec2ClientFor(session).send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId: id }), options),
    ),
  );
}
