/** Clients of every service for a test's own questions to the emulated account; they try once. */

import { CloudWatchLogs } from '@aws-sdk/client-cloudwatch-logs';
import { DatabaseMigrationService } from '@aws-sdk/client-database-migration-service';
import { EC2 } from '@aws-sdk/client-ec2';
import { Glue } from '@aws-sdk/client-glue';
import { IAM } from '@aws-sdk/client-iam';
import { Lambda } from '@aws-sdk/client-lambda';
import { RDS } from '@aws-sdk/client-rds';
import { ResourceGroupsTaggingAPI } from '@aws-sdk/client-resource-groups-tagging-api';
import { S3 } from '@aws-sdk/client-s3';
import { SecretsManager } from '@aws-sdk/client-secrets-manager';
import { STS } from '@aws-sdk/client-sts';
import { type AwsEmulator, REGION, refuseRealAws } from './emulator.ts';

export type AwsClients = ReturnType<typeof awsClients>;

export function awsClients(aws: AwsEmulator, region = REGION) {
  refuseRealAws(aws.env);
  // Else every run of the tests on Node 20 begins with a page about its end.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  const credentials = { accessKeyId: 'testing', secretAccessKey: 'testing' };
  const options = { endpoint: aws.url, region, credentials, maxAttempts: 1 };
  return {
    sts: new STS(options),
    ec2: new EC2(options),
    iam: new IAM(options),
    s3: new S3(options),
    rds: new RDS(options),
    secrets: new SecretsManager(options),
    dms: new DatabaseMigrationService(options),
    lambda: new Lambda(options),
    glue: new Glue(options),
    logs: new CloudWatchLogs(options),
    tags: new ResourceGroupsTaggingAPI(options),
  };
}

/** The name of the error that a call ends with, or `granted`. */
export async function refusal(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => 'granted',
    (error: unknown) => (error instanceof Error ? error.name : String(error)),
  );
}

/** Asks until the answer is what is wanted; every answer that was not the one before. */
export async function seenUntil(wanted: string, ask: () => Promise<string | undefined>): Promise<string[]> {
  const seen: string[] = [];
  for (let asked = 0; asked < 400; asked++) {
    const answer = (await ask()) ?? 'nothing';
    if (seen.at(-1) !== answer) seen.push(answer);
    if (answer === wanted) return seen;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`never ${wanted}, but ${seen.join(', ')}`);
}
