/** The target endpoint of DMS: staging, in the shape that merge reads (guide, section 5.2). */

import { randomBytes } from 'node:crypto';
import type { EndpointSettings } from '../../../aws/dms.ts';
import { putObjectIfAbsent, readObject } from '../../../aws/s3.ts';
import { DIALECT_KEY, formatDialect, parseDialect } from '../../../change-file/dialect.ts';
import type { BucketPlace } from '../../../config.ts';
import { CdcError } from '../../../errors.ts';
import { type CliLine, quote, variable } from '../cli-command.ts';
import type { AwsContext, Resource } from '../resource.ts';
import { endpoint } from './endpoint.ts';

/** DMS writes the commit time into it (reference: DMS files 3). */
const TIMESTAMP_COLUMN = 'dms_ts';

export function targetEndpoint(id: string, options: { staging: BucketPlace; maxBatchSeconds: number }): Resource {
  const { staging, maxBatchSeconds } = options;
  const settingsWith = ({ ids, place }: AwsContext, nullText: string | undefined): EndpointSettings => {
    const role = ids.get('role_dms_s3');
    return {
      kind: 's3',
      s3: {
        BucketName: staging.bucket,
        ...(staging.prefix === '' ? {} : { BucketFolder: staging.prefix }),
        ...(role === undefined ? {} : { ServiceAccessRoleArn: role }),
        ExpectedBucketOwner: place.account,
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
  };
  return endpoint({
    step: 'target-endpoint',
    idName: 'target_endpoint',
    id,
    guideSection: '5.2',
    title: `target endpoint ${id} (s3://${staging.bucket}/${staging.prefix}, a file after at most ${maxBatchSeconds} s)`,
    needs: ['staging-bucket', 'dms-roles'],
    settings: async (context, purpose) =>
      settingsWith(
        context,
        purpose === 'make' ? await chooseNullText(context, staging) : await nullTextOf(context, staging),
      ),
    inWords: (context) => ({
      before: dialectInWords(staging),
      settings: settingsWith(context, variable('NULL_TEXT')),
    }),
  });
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
    body: dialectWith(nullText),
  });
  return (await nullTextOf(context, staging)) ?? nullText;
}

function dialectWith(nullText: string): string {
  return formatDialect({ null: nullText, timestampColumn: TIMESTAMP_COLUMN });
}

function dialectInWords(staging: BucketPlace): CliLine[] {
  return [
    '# chosen once: where the file is there already, NULL_TEXT is what it says, and the next three lines go',
    'NULL_TEXT="<null $(openssl rand -hex 12)>"',
    `printf '%s\\n' ${quote(dialectWith(variable('NULL_TEXT')).trimEnd())} > dialect.json`,
    {
      service: 's3',
      operation: 'PutObject',
      input: { Bucket: staging.bucket, Key: dialectKey(staging), Body: 'dialect.json', IfNoneMatch: '*' },
    },
  ];
}
