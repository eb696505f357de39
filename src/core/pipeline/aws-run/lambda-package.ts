/** The function that S3 calls, as `init` uploads it: its zip and what it must be told. Its source is src/lambda. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { CdcError, nativeCodeOf } from '../../errors.ts';
import { packageFile } from '../../package-file.ts';
import { zipArchive } from './zip-archive.ts';

export interface LambdaPackage {
  zip: Buffer;
  /** As Lambda's CodeSha256 has it: the same, and there is nothing to upload. */
  sha256: string;
  handler: string;
  runtime: 'nodejs24.x';
  memoryMb: number;
  timeoutSeconds: number;
  environment: Record<string, string>;
}

export async function lambdaPackage(options: {
  job: string;
  staging: { bucket: string; prefix: string };
}): Promise<LambdaPackage> {
  const { job, staging } = options;
  const zip = zipArchive([{ name: 'index.mjs', body: await readBundle() }]);
  return {
    zip,
    sha256: createHash('sha256').update(zip).digest('base64'),
    handler: 'index.handler',
    runtime: 'nodejs24.x',
    // Half a second of start at 128 MB is a tenth at 512, for the same price.
    memoryMb: 512,
    // A few retries of a throttled Glue.
    timeoutSeconds: 60,
    environment: { CDC_GLUE_JOB: job, CDC_STAGING_BUCKET: staging.bucket, CDC_STAGING_PREFIX: staging.prefix },
  };
}

async function readBundle(): Promise<Buffer> {
  try {
    return await readFile(packageFile('dist/lambda/index.mjs'));
  } catch (error) {
    if (nativeCodeOf(error) !== 'ENOENT') throw error;
    throw new CdcError('aws.lambda-not-built', 'packing the Lambda function: dist/lambda/index.mjs is not there', {
      hint: 'npm run build',
    });
  }
}
