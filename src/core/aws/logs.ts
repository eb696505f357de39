/** CloudWatch Logs: groups whose lines go away after a while. */

import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  type CreateLogGroupCommandInput,
  DeleteLogGroupCommand,
  DescribeLogGroupsCommand,
  ListTagsForResourceCommand,
  PutRetentionPolicyCommand,
  type PutRetentionPolicyCommandInput,
} from '@aws-sdk/client-cloudwatch-logs';
import { isAwsError } from './aws-error.ts';
import { type AwsSession, ask, clientOf, ifFound } from './session.ts';
import type { Tags } from './tags.ts';

export const logsClientFor = clientOf((options) => new CloudWatchLogsClient(options));

export interface LogGroup {
  arn: string;
  tags: Tags;
  /** Absent: for ever. */
  retentionDays: number | undefined;
}

export async function findLogGroup(session: AwsSession, name: string): Promise<LogGroup | undefined> {
  const reply = await ask(session, 'logs:DescribeLogGroups', `looking for the log group ${name}`, (options) =>
    logsClientFor(session).send(new DescribeLogGroupsCommand({ logGroupNamePrefix: name }), options),
  );
  const found = (reply.logGroups ?? []).find((group) => group.logGroupName === name);
  if (found === undefined) return undefined;
  const arn = (found.logGroupArn ?? found.arn ?? '').replace(/:\*$/, '');
  const tags = await ifFound(
    ask(session, 'logs:ListTagsForResource', `reading the tags of the log group ${name}`, (options) =>
      logsClientFor(session).send(new ListTagsForResourceCommand({ resourceArn: arn }), options),
    ),
  );
  return { arn, tags: tags?.tags ?? {}, retentionDays: found.retentionInDays };
}

/** Repeatable: the service may have made the group first. */
export async function createLogGroup(session: AwsSession, name: string, tags: Tags): Promise<void> {
  try {
    await ask(session, 'logs:CreateLogGroup', `making the log group ${name}`, (options) =>
      logsClientFor(session).send(new CreateLogGroupCommand(logGroupInput(name, tags)), options),
    );
  } catch (error) {
    if (!isAwsError(error, 'exists')) throw error;
  }
}

/** What is asked of CloudWatch Logs, also by `plan --aws-cli`. */
export function logGroupInput(name: string, tags: Tags): CreateLogGroupCommandInput {
  return { logGroupName: name, tags: { ...tags } };
}

export async function setRetention(session: AwsSession, name: string, days: number): Promise<void> {
  await ask(session, 'logs:PutRetentionPolicy', `setting how long the log group ${name} keeps lines`, (options) =>
    logsClientFor(session).send(new PutRetentionPolicyCommand(retentionInput(name, days)), options),
  );
}

/** What is asked of CloudWatch Logs, also by `plan --aws-cli`. */
export function retentionInput(name: string, days: number): PutRetentionPolicyCommandInput {
  return { logGroupName: name, retentionInDays: days };
}

export async function deleteLogGroup(session: AwsSession, name: string): Promise<void> {
  await ifFound(
    ask(session, 'logs:DeleteLogGroup', `deleting the log group ${name}`, (options) =>
      logsClientFor(session).send(new DeleteLogGroupCommand({ logGroupName: name }), options),
    ),
  );
}
