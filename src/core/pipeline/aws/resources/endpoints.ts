/** The two endpoints of DMS: the source, and staging in the shape that merge reads (guide, sections 5.1 and 5.2). */

import { randomBytes } from 'node:crypto';
import { isAwsError } from '../../../aws/aws-error.ts';
import {
  changeEndpoint,
  createEndpoint,
  deleteEndpoint,
  type EndpointSettings,
  findEndpoint,
} from '../../../aws/dms.ts';
import { putObjectIfAbsent, readObject } from '../../../aws/s3.ts';
import { repeatWhile, waitFor } from '../../../aws/wait.ts';
import { DIALECT_KEY, formatDialect, parseDialect } from '../../../change-file/dialect.ts';
import type { BucketPlace } from '../../../config.ts';
import { CdcError } from '../../../errors.ts';
import { type AwsContext, compare, type Difference, idOf, owned, type Resource, type StepId } from '../resource.ts';

/** DMS writes the commit time into it (reference: DMS files 3). */
export const TIMESTAMP_COLUMN = 'dms_ts';

export function sourceEndpoint(id: string, options: { hasTls: boolean; isPrivate: boolean }): Resource {
  return endpoint({
    step: 'source-endpoint',
    idName: 'source_endpoint',
    id,
    guideSection: '5.1',
    title: `source endpoint ${id} (MySQL${options.hasTls ? ', TLS verified' : ', without TLS'})`,
    needs: [
      'secret',
      'dms-roles',
      ...(options.hasTls ? (['certificate'] as const) : []),
      ...(options.isPrivate ? (['vpc-endpoints'] as const) : []),
    ],
    settings: async ({ ids }) => {
      const secret = ids.get('secret');
      const role = ids.get('role_dms_secret');
      const host = options.isPrivate ? ids.get('secrets_host') : undefined;
      return sourceSettings({ secret, role, host, certificate: options.hasTls ? ids.get('certificate') : undefined });
    },
  });
}

/** `host`: how DMS reaches Secrets Manager from an instance that is not public. */
export function sourceSettings(given: {
  secret: string | undefined;
  role: string | undefined;
  host: string | undefined;
  certificate: string | undefined;
}): Extract<EndpointSettings, { kind: 'mysql' }> {
  const { secret, role, host, certificate } = given;
  return {
    kind: 'mysql',
    // No DatabaseName: it would fold all tables into one schema.
    mysql: {
      ...(secret === undefined ? {} : { SecretsManagerSecretId: secret }),
      ...(role === undefined ? {} : { SecretsManagerAccessRoleArn: role }),
      ServerTimezone: 'UTC',
      EventsPollInterval: 5,
    },
    certificateArn: certificate,
    extraAttributes: host === undefined ? undefined : `secretsManagerEndpointOverride=${host}`,
  };
}

export function targetEndpoint(id: string, options: { staging: BucketPlace; maxBatchSeconds: number }): Resource {
  const { staging, maxBatchSeconds } = options;
  return endpoint({
    step: 'target-endpoint',
    idName: 'target_endpoint',
    id,
    guideSection: '5.2',
    title: `target endpoint ${id} (s3://${staging.bucket}/${staging.prefix}, a file after at most ${maxBatchSeconds} s)`,
    needs: ['staging-bucket', 'dms-roles'],
    settings: async (context, purpose) => {
      const role = context.ids.get('role_dms_s3');
      const nullText = purpose === 'make' ? await chooseNullText(context, staging) : await nullTextOf(context, staging);
      return targetSettings({ staging, maxBatchSeconds, role, nullText, account: context.place.account });
    },
  });
}

export function targetSettings(given: {
  staging: BucketPlace;
  maxBatchSeconds: number;
  account: string;
  role: string | undefined;
  nullText: string | undefined;
}): Extract<EndpointSettings, { kind: 's3' }> {
  const { staging, maxBatchSeconds, account, role, nullText } = given;
  return {
    kind: 's3',
    s3: {
      BucketName: staging.bucket,
      ...(staging.prefix === '' ? {} : { BucketFolder: staging.prefix }),
      ...(role === undefined ? {} : { ServiceAccessRoleArn: role }),
      ExpectedBucketOwner: account,
      DataFormat: 'csv',
      CompressionType: 'none',
      EncryptionMode: 'sse-s3',
      AddColumnName: true,
      Rfc4180: true,
      IncludeOpForFullLoad: true,
      TimestampColumnName: TIMESTAMP_COLUMN,
      UseTaskStartTimeForFullLoadTimestamp: true,
      DatePartitionEnabled: false,
      CdcMaxBatchInterval: maxBatchSeconds,
      CdcMinFileSize: 32_000,
      ...(nullText === undefined ? {} : { CsvNullValue: nullText }),
    },
  };
}

function endpoint(options: {
  step: StepId & ('source-endpoint' | 'target-endpoint');
  idName: 'source_endpoint' | 'target_endpoint';
  id: string;
  guideSection: string;
  title: string;
  needs: readonly StepId[];
  settings: (context: AwsContext, purpose: 'compare' | 'make') => Promise<EndpointSettings>;
}): Resource {
  const { id, settings } = options;
  // The role for the secret or the bucket may have been made a moment ago.
  const patience = { isTooEarly: (error: CdcError) => isAwsError(error, 'not-yet'), boundSeconds: 120 };
  return {
    id: options.step,
    guideSection: options.guideSection,
    title: options.title,
    needs: options.needs,
    expectedSeconds: 10,
    rights: [
      'dms:CreateEndpoint',
      'dms:ModifyEndpoint',
      'dms:DeleteEndpoint',
      'dms:AddTagsToResource',
      'iam:GetRole',
      'iam:PassRole',
    ],
    async look(context) {
      const found = await findEndpoint(context.session, id);
      if (found === undefined) return { state: 'absent' };
      const wanted = await settings(context, 'compare');
      const differences: Difference[] =
        wanted.kind === 'mysql'
          ? [
              ...differing(found.mysql ?? {}, wanted.mysql),
              ...compare({
                certificate: [found.certificateArn, wanted.certificateArn],
                // DMS may show others beside it.
                ...(wanted.extraAttributes !== undefined && found.extraAttributes?.includes(wanted.extraAttributes)
                  ? {}
                  : { 'way to the secret': [found.extraAttributes, wanted.extraAttributes] }),
                ...(wanted.certificateArn === undefined ? {} : { TLS: [found.sslMode, 'verify-full'] }),
              }),
            ]
          : differing(found.s3 ?? {}, wanted.s3);
      return owned(context, `endpoint ${id}`, found.tags, { ids: { [options.idName]: found.arn }, differences });
    },
    create: async (context) => {
      const { session, tags } = context;
      const wanted = await settings(context, 'make');
      await repeatWhile(session, patience, () => createEndpoint(session, { id, settings: wanted, tags }));
    },
    async mend(context) {
      const { session } = context;
      const wanted = await settings(context, 'make');
      const arn = idOf(context, options.idName);
      await repeatWhile(session, patience, () => changeEndpoint(session, { arn, id, settings: wanted }));
    },
    async remove({ session }) {
      // Its task is being deleted, and DMS lets go of it a while after.
      await repeatWhile(
        session,
        { isTooEarly: (error) => isAwsError(error, 'wrong-state'), boundSeconds: 300, everySeconds: 10 },
        async () => {
          const found = await findEndpoint(session, id);
          if (found !== undefined && found.status !== 'deleting') await deleteEndpoint(session, found.arn);
        },
      );
      await waitFor(session, {
        what: `the endpoint ${id} to be deleted`,
        look: () => findEndpoint(session, id),
        isReady: (found) => found === undefined,
        describe: (found) => found?.status ?? 'gone',
        everySeconds: 5,
        boundSeconds: 600,
      });
    },
  };
}

/** Only what we set: DMS adds settings of its own. */
function differing(is: object, wanted: object): Difference[] {
  const found = new Map<string, unknown>(Object.entries(is));
  return Object.entries(wanted)
    .filter(([key, value]) => value !== undefined && String(found.get(key) ?? '') !== String(value))
    .map(([key, value]) => ({
      what: key,
      is: String(found.get(key) ?? 'not set'),
      wanted: String(value),
      isMendable: true,
    }));
}

/** What merge must know of the files that DMS writes lies beside them, so that it goes where they go. */
function dialectKey({ prefix }: BucketPlace): string {
  return prefix === '' ? DIALECT_KEY : `${prefix}/${DIALECT_KEY}`;
}

async function nullTextOf({ session }: AwsContext, staging: BucketPlace): Promise<string | undefined> {
  const key = dialectKey(staging);
  const text = await readObject(session, staging.bucket, key);
  if (text === undefined) return undefined;
  try {
    return parseDialect(text).null;
  } catch (cause) {
    throw new CdcError('aws.dialect', `reading s3://${staging.bucket}/${key}: it is none of ours`, {
      hint: 'bring it back from a copy: files in staging cannot be read without it',
      cause,
    });
  }
}

/** Random, so that no text of any row can be taken for NULL; chosen once, whoever comes second takes the first's. */
async function chooseNullText(context: AwsContext, staging: BucketPlace): Promise<string> {
  const nullText = `<null ${randomBytes(12).toString('base64url')}>`;
  const known = await nullTextOf(context, staging);
  if (known !== undefined) return known;
  await putObjectIfAbsent(context.session, {
    bucket: staging.bucket,
    key: dialectKey(staging),
    body: formatDialect({ null: nullText, timestampColumn: TIMESTAMP_COLUMN }),
  });
  return (await nullTextOf(context, staging)) ?? nullText;
}
