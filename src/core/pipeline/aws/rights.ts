/** The rights that whoever runs init and destroy needs, for the plan. Pure. */

import type { Resource } from './resource.ts';

/** What every look takes. */
const LOOKING: readonly string[] = [
  'dms:DescribeCertificates',
  'dms:DescribeConnections',
  'dms:DescribeEndpoints',
  'dms:DescribeEngineVersions',
  'dms:DescribeReplicationInstances',
  'dms:DescribeReplicationSubnetGroups',
  'dms:DescribeReplicationTasks',
  'dms:ListTagsForResource',
  'ec2:DescribeSecurityGroupRules',
  'ec2:DescribeSecurityGroups',
  'ec2:DescribeSubnets',
  'ec2:DescribeVpcs',
  'glue:GetJob',
  'glue:GetTags',
  'glue:GetTrigger',
  'iam:GetRole',
  'iam:GetRolePolicy',
  'iam:ListAttachedRolePolicies',
  'lambda:GetFunction',
  'lambda:GetPolicy',
  'logs:DescribeLogGroups',
  'logs:ListTagsForResource',
  'rds:DescribeDBEngineVersions',
  'rds:DescribeDBInstances',
  'rds:DescribeDBParameterGroups',
  'rds:DescribeDBParameters',
  'rds:DescribeDBSnapshots',
  'rds:ListTagsForResource',
  's3:GetBucketNotification',
  's3:GetBucketOwnershipControls',
  's3:GetBucketPolicy',
  's3:GetBucketPublicAccessBlock',
  's3:GetBucketTagging',
  's3:GetBucketVersioning',
  's3:GetLifecycleConfiguration',
  's3:GetObject',
  's3:ListBucket',
  's3:PutObject',
  'secretsmanager:DescribeSecret',
  'secretsmanager:GetSecretValue',
  'tag:GetResources',
];

export function rightsNeeded(resources: readonly Resource[]): string[] {
  return [...new Set([...LOOKING, ...resources.flatMap(({ rights }) => rights)])].sort();
}
