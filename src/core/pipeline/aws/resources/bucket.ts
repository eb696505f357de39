/** The buckets for staging, lake and the job's code (guide, section 4: there they are public; here nobody but their users gets in). */

import { isAwsError } from '../../../aws/aws-error.ts';
import {
  bucketSecurity,
  bucketSettings,
  bucketTags,
  createBucket,
  deleteBucket,
  emptyPrefix,
  LIFECYCLE_RULE,
  lookAtBucket,
  secureBucket,
  someKeys,
  tagBucket,
} from '../../../aws/s3.ts';
import { PIPELINE_TAG, tagList } from '../../../aws/tags.ts';
import { repeatWhile } from '../../../aws/wait.ts';
import type { BucketPlace } from '../../../config.ts';
import { CdcError } from '../../../errors.ts';
import type { CliCommand } from '../cli-command.ts';
import { type Actual, type AwsContext, compare, owned, type Resource } from '../resource.ts';

export function bucket(role: 'staging' | 'lake' | 'code', place: BucketPlace): Resource {
  const id = `${role}-bucket` as const;
  const name = place.bucket;
  return {
    id,
    guideSection: role === 'code' ? '10' : '4',
    title: `bucket ${name} (${role}; private, TLS only)`,
    needs: [],
    expectedSeconds: 5,
    rights: [
      's3:CreateBucket',
      's3:PutBucketTagging',
      's3:PutBucketPublicAccessBlock',
      's3:PutBucketOwnershipControls',
      's3:PutBucketPolicy',
      's3:PutLifecycleConfiguration',
      's3:ListBucketVersions',
      's3:ListBucketMultipartUploads',
      's3:AbortMultipartUpload',
      's3:DeleteObject',
      's3:DeleteObjectVersion',
      's3:DeleteBucket',
    ],
    look: (context) => look(context),
    create: async (context) => {
      await createBucket(context.session, name);
      await finish(context);
    },
    mend: (context) => finish(context),
    commands,
    async holds({ session }) {
      const keys = await someKeys(session, { bucket: name, prefix: '', limit: 1000 });
      if (keys.length === 0) return '';
      return `${keys.length === 1000 ? 'more than 1000' : keys.length} objects`;
    },
    async remove({ session }) {
      if ((await lookAtBucket(session, name)) === 'absent') return;
      // DMS may still write a file after its task has stopped.
      await repeatWhile(
        session,
        { isTooEarly: (error) => isAwsError(error, 'wrong-state'), boundSeconds: 120 },
        async () => {
          try {
            await emptyPrefix(session, name, '');
          } catch (error) {
            if (isAwsError(error, 'not-found')) return;
            throw error;
          }
          await deleteBucket(session, name);
        },
      );
    },
  };

  async function look(context: AwsContext): Promise<Actual> {
    const { session, config } = context;
    const found = await lookAtBucket(session, name);
    if (found === 'absent') return { state: 'absent' };
    if (found === 'forbidden') return { state: 'foreign', name: `bucket ${name}`, owner: 'another account' };
    if (found === 'another-region')
      throw new CdcError('aws.bucket-region', `looking at the bucket ${name}: it is not in ${session.region}`, {
        hint: `name another with \`${role}: { bucket: … }\` in cdc.yaml, or choose its region with \`aws: { region }\``,
      });
    const tags = await bucketTags(session, name);
    if (tags[PIPELINE_TAG] === config.name)
      return owned(context, `bucket ${name}`, tags, { differences: await differencesOf(context) });
    if (place.isNamed) return { state: 'brought', ids: {}, differences: [] };
    // Made by us and not tagged yet: the first of two calls came through.
    const isOurs =
      tags[PIPELINE_TAG] === undefined &&
      context.begun.has(id) &&
      (await someKeys(session, { bucket: name, prefix: '', limit: 1 })).length === 0;
    if (!isOurs) return owned(context, `bucket ${name}`, tags);
    return {
      state: 'ours',
      ids: {},
      differences: [{ what: 'tag', is: 'not set', wanted: config.name, isMendable: true }],
    };
  }

  async function differencesOf({ session }: AwsContext) {
    const is = await bucketSecurity(session, name);
    return [
      ...compare({
        private: [is.isPrivate, true],
        'owned by this account alone': [is.isOwnerEnforced, true],
        'TLS only': [is.isTlsOnly, true],
        lifecycle: [is.lifecycleRules.join() || 'none', LIFECYCLE_RULE],
      }),
      // A versioned target makes DMS time out, and keeps what merge deletes.
      ...compare({ versioned: [is.isVersioned, false] }, false),
    ];
  }

  function commands({ place: { partition, region }, tags }: AwsContext): CliCommand[] {
    const { publicAccess, ownership, policy, lifecycle } = bucketSettings(partition, name);
    const s3 = (operation: string, more: object): CliCommand => ({
      service: 's3',
      operation,
      input: { Bucket: name, ...more },
    });
    return [
      // The SDK says the region by itself.
      s3('CreateBucket', region === 'us-east-1' ? {} : { CreateBucketConfiguration: { LocationConstraint: region } }),
      s3('PutBucketTagging', { Tagging: { TagSet: tagList(tags) } }),
      s3('PutPublicAccessBlock', publicAccess),
      s3('PutBucketOwnershipControls', ownership),
      s3('PutBucketPolicy', policy),
      s3('PutBucketLifecycleConfiguration', lifecycle),
    ];
  }

  async function finish({ session, tags }: AwsContext): Promise<void> {
    await tagBucket(session, name, tags);
    await secureBucket(session, name);
  }
}
