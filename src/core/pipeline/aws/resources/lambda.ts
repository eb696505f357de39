/** The function that starts the merge when a file arrives, and the trigger (guide, section 11). */

import { isAwsError } from '../../../aws/aws-error.ts';
import {
  allowBucket,
  createFunction,
  deleteFunction,
  findFunction,
  permissionsOf,
  removePermission,
  updateFunctionCode,
  updateFunctionSettings,
} from '../../../aws/lambda.ts';
import { lookAtBucket, readNotification, writeNotification } from '../../../aws/s3.ts';
import { ifFound } from '../../../aws/session.ts';
import { repeatWhile, waitFor } from '../../../aws/wait.ts';
import type { BucketPlace } from '../../../config.ts';
import { CdcError } from '../../../errors.ts';
import type { LambdaPackage } from '../../aws-run/lambda-package.ts';
import { type AwsContext, compare, idOf, owned, type Resource } from '../resource.ts';

export function lambda(name: string, code: LambdaPackage): Resource {
  const settings = (context: AwsContext) => ({
    name,
    role: idOf(context, 'role_lambda'),
    runtime: code.runtime,
    handler: code.handler,
    timeoutSeconds: code.timeoutSeconds,
    memoryMb: code.memoryMb,
    variables: code.environment,
  });
  return {
    id: 'lambda',
    guideSection: '11',
    title: `function ${name} (${code.runtime})`,
    // Without its job it would only fail.
    needs: ['lambda-role', 'log-groups', 'glue-job'],
    expectedSeconds: 15,
    rights: [
      'lambda:CreateFunction',
      'lambda:TagResource',
      'lambda:UpdateFunctionCode',
      'lambda:UpdateFunctionConfiguration',
      'lambda:DeleteFunction',
      'iam:PassRole',
    ],
    async look(context) {
      const found = await findFunction(context.session, name);
      if (found === undefined) return { state: 'absent' };
      return owned(context, `function ${name}`, found.tags, {
        ids: { function: found.arn },
        differences: compare({
          ...(found.state === 'Active' || found.state === 'Inactive' ? {} : { state: [found.state, 'Active'] }),
          code: [found.codeSha256, code.sha256],
          role: [found.role, context.ids.get('role_lambda')],
          runtime: [found.runtime, code.runtime],
          handler: [found.handler, code.handler],
          timeout: [found.timeoutSeconds, code.timeoutSeconds],
          memory: [found.memoryMb, code.memoryMb],
          ...Object.fromEntries(
            Object.entries(code.environment).map(([key, value]) => [key, [found.variables[key], value] as const]),
          ),
        }),
      });
    },
    async create(context) {
      await createFunction(context.session, { ...settings(context), zip: code.zip, tags: context.tags });
    },
    async mend(context, differences) {
      await untilReady(context);
      if (differences.some(({ what }) => what === 'code')) await updateFunctionCode(context.session, name, code.zip);
      // A second change while the first is under way is refused.
      await untilReady(context);
      if (differences.some(({ what }) => what !== 'code' && what !== 'state'))
        await updateFunctionSettings(context.session, settings(context));
    },
    settle: (context) => untilReady(context),
    remove: ({ session }) => deleteFunction(session, name),
  };

  async function untilReady(context: AwsContext): Promise<void> {
    await waitFor(context.session, {
      what: `the function ${name} to become active`,
      look: () => findFunction(context.session, name),
      isReady(seen) {
        if (seen?.state === 'Failed' || seen?.lastUpdate === 'Failed')
          throw new CdcError('aws.broken', `making the function ${name}: ${seen.reason}`, {
            hint: 'cdc destroy removes it',
          });
        return (seen?.state === 'Active' || seen?.state === 'Inactive') && seen.lastUpdate === 'Successful';
      },
      describe: (seen) => (seen === undefined ? 'absent' : `${seen.state}, last update ${seen.lastUpdate}`),
      everySeconds: 2,
      boundSeconds: 300,
      onLook: (seen) => context.report('lambda', seen?.state ?? 'absent'),
    });
  }
}

export function trigger(names: { function: string; pipeline: string }, staging: BucketPlace): Resource {
  const statement = 'cdc-staging';
  const notificationId = `cdc-${names.pipeline}`;
  const prefix = staging.prefix === '' ? '' : `${staging.prefix}/`;
  const arnOfBucket = ({ place }: AwsContext) => `arn:${place.partition}:s3:::${staging.bucket}`;

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
      const [permissions, notification] = await Promise.all([
        permissionsOf(session, names.function),
        readNotification(session, staging.bucket),
      ]);
      const ours = notification.LambdaFunctionConfigurations?.find(({ Id }) => Id === notificationId);
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
    await allowBucket(session, { name: names.function, statement, bucketArn: arnOfBucket(context) });
    await repeatWhile(
      session,
      { isTooEarly: (error) => isAwsError(error, 'not-yet', 'wrong-state'), boundSeconds: 120 },
      async () => {
        const { LambdaFunctionConfigurations = [], ...others } = await readNotification(session, staging.bucket);
        await writeNotification(session, staging.bucket, {
          ...others,
          LambdaFunctionConfigurations: [
            ...LambdaFunctionConfigurations.filter(({ Id }) => Id !== notificationId),
            {
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
            },
          ],
        });
      },
    );
  }
}
