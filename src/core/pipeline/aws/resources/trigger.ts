/** The trigger: a file that arrives in staging calls the function (guide, section 11). */

import { isAwsError } from '../../../aws/aws-error.ts';
import {
  allowBucket,
  type BucketPermission,
  permissionInput,
  permissionsOf,
  removePermission,
} from '../../../aws/lambda.ts';
import { type LambdaNotification, lookAtBucket, readNotification, writeNotification } from '../../../aws/s3.ts';
import { ifFound } from '../../../aws/session.ts';
import { repeatWhile } from '../../../aws/wait.ts';
import type { BucketPlace } from '../../../config.ts';
import { type AwsContext, compare, idOf, type Resource } from '../resource.ts';

export function trigger(names: { function: string; pipeline: string }, staging: BucketPlace): Resource {
  const statement = 'cdc-staging';
  const notificationId = `cdc-${names.pipeline}`;
  const prefix = staging.prefix === '' ? '' : `${staging.prefix}/`;
  const permission = ({ place }: AwsContext): BucketPermission => ({
    name: names.function,
    statement,
    bucketArn: `arn:${place.partition}:s3:::${staging.bucket}`,
    account: place.account,
  });
  const notification = (context: AwsContext): LambdaNotification => ({
    Id: notificationId,
    LambdaFunctionArn: idOf(context, 'function'),
    Events: ['s3:ObjectCreated:*'],
    Filter: {
      Key: {
        FilterRules: [
          ...(prefix === '' ? [] : [{ Name: 'prefix' as const, Value: prefix }]),
          { Name: 'suffix', Value: '.csv' },
        ],
      },
    },
  });

  return {
    id: 'trigger',
    guideSection: '11',
    title: `trigger: files in s3://${staging.bucket}/${prefix} call ${names.function}`,
    needs: ['lambda', 'staging-bucket'],
    expectedSeconds: 10,
    rights: ['lambda:AddPermission', 'lambda:RemovePermission', 's3:PutBucketNotification'],
    async look(context) {
      const { session } = context;
      if ((await lookAtBucket(session, staging.bucket)) !== 'ours') return { state: 'absent' };
      const [permissions, all] = await Promise.all([
        permissionsOf(session, names.function),
        readNotification(session, staging.bucket),
      ]);
      const ours = all.LambdaFunctionConfigurations?.find(({ Id }) => Id === notificationId);
      const isAllowed = permissions.includes(statement);
      if (ours === undefined && !isAllowed) return { state: 'absent' };
      const rules = ours?.Filter?.Key?.FilterRules ?? [];
      return {
        state: 'ours',
        ids: {},
        differences: compare({
          permission: [isAllowed ? 'given' : 'missing', 'given'],
          notification: [ours?.LambdaFunctionArn, context.ids.get('function')],
          prefix: [rules.find(({ Name }) => Name?.toLowerCase() === 'prefix')?.Value ?? '', prefix],
        }),
      };
    },
    create: (context) => make(context),
    mend: (context) => make(context),
    commands: (context) => [
      { service: 'lambda', operation: 'AddPermission', input: permissionInput(permission(context)) },
      '# this replaces whatever notifications the bucket has',
      {
        service: 's3',
        operation: 'PutBucketNotificationConfiguration',
        input: {
          Bucket: staging.bucket,
          NotificationConfiguration: { LambdaFunctionConfigurations: [notification(context)] },
        },
      },
    ],
    async remove({ session }) {
      await ifFound(
        (async () => {
          const { LambdaFunctionConfigurations = [], ...others } = await readNotification(session, staging.bucket);
          const kept = LambdaFunctionConfigurations.filter(({ Id }) => Id !== notificationId);
          if (kept.length < LambdaFunctionConfigurations.length)
            await writeNotification(session, staging.bucket, { ...others, LambdaFunctionConfigurations: kept });
        })(),
      );
      await removePermission(session, names.function, statement);
    },
  };

  /** The permission first: S3 asks at once whether it may call the function. */
  async function make(context: AwsContext): Promise<void> {
    const { session } = context;
    await allowBucket(session, permission(context));
    await repeatWhile(
      session,
      { isTooEarly: (error) => isAwsError(error, 'not-yet', 'wrong-state'), boundSeconds: 120 },
      async () => {
        const { LambdaFunctionConfigurations = [], ...others } = await readNotification(session, staging.bucket);
        await writeNotification(session, staging.bucket, {
          ...others,
          LambdaFunctionConfigurations: [
            ...LambdaFunctionConfigurations.filter(({ Id }) => Id !== notificationId),
            notification(context),
          ],
        });
      },
    );
  }
}
