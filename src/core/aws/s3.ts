/** S3 as init and destroy need it: buckets and their settings, the notification, a few small objects, emptying. */

import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketNotificationConfigurationCommand,
  GetBucketOwnershipControlsCommand,
  GetBucketPolicyCommand,
  GetBucketTaggingCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetPublicAccessBlockCommand,
  HeadBucketCommand,
  type LambdaFunctionConfiguration,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  type NotificationConfiguration,
  PutBucketLifecycleConfigurationCommand,
  type PutBucketLifecycleConfigurationCommandInput,
  PutBucketNotificationConfigurationCommand,
  PutBucketOwnershipControlsCommand,
  type PutBucketOwnershipControlsCommandInput,
  PutBucketPolicyCommand,
  type PutBucketPolicyCommandInput,
  PutBucketTaggingCommand,
  PutObjectCommand,
  PutPublicAccessBlockCommand,
  type PutPublicAccessBlockCommandInput,
  S3Client,
} from '@aws-sdk/client-s3';
import { CdcError } from '../errors.ts';
import { isAwsError, statusOf } from './aws-error.ts';
import { type AwsSession, ask, clientOf, ifFound } from './session.ts';
import { type Tags, tagList, tagsOf } from './tags.ts';
import { repeatWhile } from './wait.ts';

const clientFor = clientOf((options) => new S3Client(options));

/**
 * Whose a bucket of that name is; names are shared by all accounts. A HEAD has no body, so only its status speaks: 404 nobody's,
 * 301 in another region, 403 another account's (or a right is missing).
 */
export async function lookAtBucket(
  session: AwsSession,
  bucket: string,
): Promise<'absent' | 'ours' | 'another-region' | 'forbidden'> {
  try {
    await ask(session, 's3:ListBucket', `looking for the bucket ${bucket}`, (options) =>
      clientFor(session).send(new HeadBucketCommand({ Bucket: bucket, ExpectedBucketOwner: session.account }), options),
    );
    return 'ours';
  } catch (error) {
    const status = error instanceof CdcError ? statusOf(error.cause) : undefined;
    if (status === 404) return 'absent';
    if (status === 301) return 'another-region';
    // An expired token is a 403 with a name of its own only where there is a body.
    if (status === 403 && isAwsError(error, 'access-denied')) return 'forbidden';
    throw error;
  }
}

/** Without LocationConstraint: the SDK fills it in, and us-east-1 refuses its own name. */
export async function createBucket(session: AwsSession, bucket: string): Promise<void> {
  // A name that was deleted a moment ago answers OperationAborted for a while.
  await repeatWhile(session, { isTooEarly: (error) => isAwsError(error, 'wrong-state'), boundSeconds: 120 }, () =>
    ask(session, 's3:CreateBucket', `making the bucket ${bucket}`, (options) =>
      clientFor(session).send(new CreateBucketCommand({ Bucket: bucket }), options),
    ),
  );
}

export async function bucketTags(session: AwsSession, bucket: string): Promise<Tags> {
  const reply = await ifFound(
    ask(session, 's3:GetBucketTagging', `reading the tags of the bucket ${bucket}`, (options) =>
      clientFor(session).send(new GetBucketTaggingCommand(ownBucket(session, bucket)), options),
    ),
  );
  return tagsOf(reply?.TagSet);
}

export async function tagBucket(session: AwsSession, bucket: string, tags: Tags): Promise<void> {
  await ask(session, 's3:PutBucketTagging', `tagging the bucket ${bucket}`, (options) =>
    clientFor(session).send(
      new PutBucketTaggingCommand({ ...ownBucket(session, bucket), Tagging: { TagSet: tagList(tags) } }),
      options,
    ),
  );
}

/** Private, without ACLs, over TLS only, uploads that were given up deleted after a week. One after the other: S3 refuses two at once. */
export async function secureBucket(session: AwsSession, bucket: string): Promise<void> {
  const own = ownBucket(session, bucket);
  const client = clientFor(session);
  const { publicAccess, ownership, policy, lifecycle } = bucketSettings(session.partition, bucket);
  const doing = `securing the bucket ${bucket}`;
  const patience = { isTooEarly: (error: CdcError) => isAwsError(error, 'wrong-state'), boundSeconds: 120 };
  const put = (action: string, send: (options: { abortSignal?: AbortSignal }) => Promise<unknown>) =>
    repeatWhile(session, patience, () => ask(session, action, doing, send));
  await put('s3:PutBucketPublicAccessBlock', (options) =>
    client.send(new PutPublicAccessBlockCommand({ ...own, ...publicAccess }), options),
  );
  await put('s3:PutBucketOwnershipControls', (options) =>
    client.send(new PutBucketOwnershipControlsCommand({ ...own, ...ownership }), options),
  );
  await put('s3:PutBucketPolicy', (options) => client.send(new PutBucketPolicyCommand({ ...own, ...policy }), options));
  await put('s3:PutLifecycleConfiguration', (options) =>
    client.send(new PutBucketLifecycleConfigurationCommand({ ...own, ...lifecycle }), options),
  );
}

/** The one rule of our buckets' lifecycle. */
export const LIFECYCLE_RULE = 'given-up-uploads';

export interface BucketSettings {
  publicAccess: Omit<PutPublicAccessBlockCommandInput, 'Bucket'>;
  ownership: Omit<PutBucketOwnershipControlsCommandInput, 'Bucket'>;
  policy: Omit<PutBucketPolicyCommandInput, 'Bucket'>;
  lifecycle: Omit<PutBucketLifecycleConfigurationCommandInput, 'Bucket'>;
}

/** What is asked of S3 for a bucket of ours, also by `plan --aws-cli`. */
export function bucketSettings(partition: string, bucket: string): BucketSettings {
  return {
    publicAccess: {
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        IgnorePublicAcls: true,
        BlockPublicPolicy: true,
        RestrictPublicBuckets: true,
      },
    },
    ownership: { OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] } },
    policy: { Policy: JSON.stringify(tlsOnly(partition, bucket)) },
    lifecycle: {
      LifecycleConfiguration: {
        // Nothing else: change files are removed by merge after use, lake files by vacuum.
        Rules: [
          {
            ID: LIFECYCLE_RULE,
            Status: 'Enabled',
            Filter: { Prefix: '' },
            AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
          },
        ],
      },
    },
  };
}

export interface BucketSecurity {
  isPrivate: boolean;
  isTlsOnly: boolean;
  isVersioned: boolean;
  isOwnerEnforced: boolean;
  /** Ids of the lifecycle rules, in order; a rule that deletes objects would delete change files. */
  lifecycleRules: string[];
}

export async function bucketSecurity(session: AwsSession, bucket: string): Promise<BucketSecurity> {
  const own = ownBucket(session, bucket);
  const client = clientFor(session);
  const doing = `reading the settings of the bucket ${bucket}`;
  const [block, policy, versioning, ownership, lifecycle] = await Promise.all([
    ifFound(
      ask(session, 's3:GetBucketPublicAccessBlock', doing, (options) =>
        client.send(new GetPublicAccessBlockCommand(own), options),
      ),
    ),
    ifFound(
      ask(session, 's3:GetBucketPolicy', doing, (options) => client.send(new GetBucketPolicyCommand(own), options)),
    ),
    ask(session, 's3:GetBucketVersioning', doing, (options) =>
      client.send(new GetBucketVersioningCommand(own), options),
    ),
    ifFound(
      ask(session, 's3:GetBucketOwnershipControls', doing, (options) =>
        client.send(new GetBucketOwnershipControlsCommand(own), options),
      ),
    ),
    ifFound(
      ask(session, 's3:GetLifecycleConfiguration', doing, (options) =>
        client.send(new GetBucketLifecycleConfigurationCommand(own), options),
      ),
    ),
  ]);
  const flags = block?.PublicAccessBlockConfiguration ?? {};
  return {
    isPrivate: [
      flags.BlockPublicAcls,
      flags.BlockPublicPolicy,
      flags.IgnorePublicAcls,
      flags.RestrictPublicBuckets,
    ].every((flag) => flag === true),
    // Whoever widened the policy left our statement in it, or it counts as gone.
    isTlsOnly: (policy?.Policy ?? '').includes('aws:SecureTransport'),
    isVersioned: versioning.Status === 'Enabled',
    isOwnerEnforced: ownership?.OwnershipControls?.Rules?.[0]?.ObjectOwnership === 'BucketOwnerEnforced',
    lifecycleRules: (lifecycle?.Rules ?? []).map(({ ID }) => ID ?? '(without an id)'),
  };
}

function tlsOnly(partition: string, bucket: string): object {
  const arn = `arn:${partition}:s3:::${bucket}`;
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'TlsOnly',
        Effect: 'Deny',
        Principal: '*',
        Action: 's3:*',
        Resource: [arn, `${arn}/*`],
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      },
    ],
  };
}

export type LambdaNotification = LambdaFunctionConfiguration;

export async function readNotification(session: AwsSession, bucket: string): Promise<NotificationConfiguration> {
  const { $metadata, ...configuration } = await ask(
    session,
    's3:GetBucketNotification',
    `reading the notifications of the bucket ${bucket}`,
    (options) =>
      clientFor(session).send(new GetBucketNotificationConfigurationCommand(ownBucket(session, bucket)), options),
  );
  return configuration;
}

/** Replaces all of it: read, change, write. */
export async function writeNotification(
  session: AwsSession,
  bucket: string,
  configuration: NotificationConfiguration,
): Promise<void> {
  await ask(session, 's3:PutBucketNotification', `setting the notifications of the bucket ${bucket}`, (options) =>
    clientFor(session).send(
      new PutBucketNotificationConfigurationCommand({
        ...ownBucket(session, bucket),
        NotificationConfiguration: configuration,
      }),
      options,
    ),
  );
}

export async function readObject(session: AwsSession, bucket: string, key: string): Promise<string | undefined> {
  return ifFound(
    ask(session, 's3:GetObject', `reading s3://${bucket}/${key}`, async (options) => {
      const reply = await clientFor(session).send(
        new GetObjectCommand({ ...ownBucket(session, bucket), Key: key }),
        options,
      );
      return (await reply.Body?.transformToString()) ?? '';
    }),
  );
}

export async function writeObject(
  session: AwsSession,
  { bucket, key, body }: { bucket: string; key: string; body: string | Uint8Array },
): Promise<void> {
  await ask(session, 's3:PutObject', `writing s3://${bucket}/${key}`, (options) =>
    clientFor(session).send(new PutObjectCommand({ ...ownBucket(session, bucket), Key: key, Body: body }), options),
  );
}

/** Size in bytes and time; undefined when it is not there. */
export async function findObject(
  session: AwsSession,
  bucket: string,
  key: string,
): Promise<{ size: number; modified: Date } | undefined> {
  const [found] =
    (
      await ask(session, 's3:ListBucket', `looking for s3://${bucket}/${key}`, (options) =>
        clientFor(session).send(
          new ListObjectsV2Command({ ...ownBucket(session, bucket), Prefix: key, MaxKeys: 1 }),
          options,
        ),
      )
    ).Contents ?? [];
  return found?.Key === key ? { size: found.Size ?? 0, modified: found.LastModified ?? new Date(0) } : undefined;
}

/** Whether it was written; false when something is there. */
export async function putObjectIfAbsent(
  session: AwsSession,
  { bucket, key, body }: { bucket: string; key: string; body: string },
): Promise<boolean> {
  try {
    await ask(session, 's3:PutObject', `writing s3://${bucket}/${key}`, (options) =>
      clientFor(session).send(
        new PutObjectCommand({ ...ownBucket(session, bucket), Key: key, Body: body, IfNoneMatch: '*' }),
        options,
      ),
    );
    return true;
  } catch (error) {
    if (isAwsError(error, 'precondition', 'wrong-state')) return false;
    throw error;
  }
}

/** What lies under a prefix, at most `limit` keys. */
export async function someKeys(
  session: AwsSession,
  { bucket, prefix, limit }: { bucket: string; prefix: string; limit: number },
): Promise<string[]> {
  const reply = await ask(session, 's3:ListBucket', `listing s3://${bucket}/${prefix}`, (options) =>
    clientFor(session).send(
      new ListObjectsV2Command({ ...ownBucket(session, bucket), Prefix: prefix, MaxKeys: limit }),
      options,
    ),
  );
  return (reply.Contents ?? []).flatMap((found) => found.Key ?? []);
}

/** Everything under a prefix. */
export async function listObjects(
  session: AwsSession,
  { bucket, prefix }: { bucket: string; prefix: string },
): Promise<{ key: string; size: number; modified: Date }[]> {
  const found: { key: string; size: number; modified: Date }[] = [];
  for (let token: string | undefined; ; ) {
    const reply = await ask(session, 's3:ListBucket', `listing s3://${bucket}/${prefix}`, (options) =>
      clientFor(session).send(
        new ListObjectsV2Command({ ...ownBucket(session, bucket), Prefix: prefix, ContinuationToken: token }),
        options,
      ),
    );
    for (const { Key, Size, LastModified } of reply.Contents ?? [])
      if (Key !== undefined) found.push({ key: Key, size: Size ?? 0, modified: LastModified ?? new Date(0) });
    token = reply.NextContinuationToken;
    if (token === undefined) return found;
  }
}

/** Deletes every version of everything under a prefix, and gives up unfinished uploads there. Returns how many. */
export async function emptyPrefix(session: AwsSession, bucket: string, prefix: string): Promise<number> {
  const client = clientFor(session);
  const own = ownBucket(session, bucket);
  const doing = `emptying s3://${bucket}/${prefix}`;
  const uploads = await ask(session, 's3:ListBucketMultipartUploads', doing, (options) =>
    client.send(new ListMultipartUploadsCommand({ ...own, Prefix: prefix }), options),
  );
  for (const { Key, UploadId } of uploads.Uploads ?? [])
    if (Key !== undefined && UploadId !== undefined)
      await ifFound(
        ask(session, 's3:AbortMultipartUpload', doing, (options) =>
          client.send(new AbortMultipartUploadCommand({ ...own, Key, UploadId }), options),
        ),
      );
  let deleted = 0;
  // Always from the beginning: what was listed has gone.
  for (;;) {
    const page = await ask(session, 's3:ListBucketVersions', doing, (options) =>
      client.send(new ListObjectVersionsCommand({ ...own, Prefix: prefix }), options),
    );
    const found = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])].flatMap(({ Key, VersionId }) =>
      Key === undefined ? [] : [{ Key, ...(VersionId === undefined ? {} : { VersionId }) }],
    );
    if (found.length === 0) return deleted;
    const reply = await ask(session, 's3:DeleteObject', doing, (options) =>
      client.send(new DeleteObjectsCommand({ ...own, Delete: { Objects: found, Quiet: true } }), options),
    );
    const [failed] = reply.Errors ?? [];
    if (failed !== undefined)
      throw new CdcError(
        'aws.refused',
        `${doing}: ${failed.Key ?? ''}: ${failed.Message ?? failed.Code ?? 'refused'}`,
        {
          hint: 'a bucket policy or an object lock may protect it',
        },
      );
    deleted += found.length;
  }
}

export async function deleteBucket(session: AwsSession, bucket: string): Promise<void> {
  await ifFound(
    ask(session, 's3:DeleteBucket', `deleting the bucket ${bucket}`, (options) =>
      clientFor(session).send(new DeleteBucketCommand(ownBucket(session, bucket)), options),
    ),
  );
}

/** With the owner named, a bucket that somebody else made under our name is refused. */
function ownBucket(session: AwsSession, bucket: string): { Bucket: string; ExpectedBucketOwner: string } {
  return { Bucket: bucket, ExpectedBucketOwner: session.account };
}
