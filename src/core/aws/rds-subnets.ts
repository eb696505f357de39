/** RDS: subnet groups, which say where in a network an instance may be. */

import {
  CreateDBSubnetGroupCommand,
  DeleteDBSubnetGroupCommand,
  DescribeDBSubnetGroupsCommand,
} from '@aws-sdk/client-rds';
import { rdsClientFor, rdsTagsOf } from './rds.ts';
import { type AwsSession, ask, ifFound, replied } from './session.ts';
import { type Tags, tagList } from './tags.ts';

export interface DatabaseSubnets {
  name: string;
  description: string;
  subnetIds: readonly string[];
  tags: Tags;
}

export async function findDatabaseSubnets(
  session: AwsSession,
  name: string,
): Promise<{ vpcId: string; tags: Tags } | undefined> {
  const reply = await ifFound(
    ask(session, 'rds:DescribeDBSubnetGroups', `looking for the subnet group ${name}`, (options) =>
      rdsClientFor(session).send(new DescribeDBSubnetGroupsCommand({ DBSubnetGroupName: name }), options),
    ),
  );
  const group = reply?.DBSubnetGroups?.[0];
  if (group === undefined) return undefined;
  const tags = await rdsTagsOf(session, replied(group.DBSubnetGroupArn, 'DBSubnetGroupArn'));
  return { vpcId: group.VpcId ?? '', tags };
}

/** What is asked of RDS, also by `plan --aws-cli`. */
export function databaseSubnetsInput({ name, description, subnetIds, tags }: DatabaseSubnets) {
  return {
    DBSubnetGroupName: name,
    DBSubnetGroupDescription: description,
    SubnetIds: [...subnetIds],
    Tags: tagList(tags),
  };
}

export async function createDatabaseSubnets(session: AwsSession, group: DatabaseSubnets): Promise<void> {
  await ask(session, 'rds:CreateDBSubnetGroup', `making the subnet group ${group.name}`, (options) =>
    rdsClientFor(session).send(new CreateDBSubnetGroupCommand(databaseSubnetsInput(group)), options),
  );
}

export async function deleteDatabaseSubnets(session: AwsSession, name: string): Promise<void> {
  await ifFound(
    ask(session, 'rds:DeleteDBSubnetGroup', `deleting the subnet group ${name}`, (options) =>
      rdsClientFor(session).send(new DeleteDBSubnetGroupCommand({ DBSubnetGroupName: name }), options),
    ),
  );
}
