/** Spark on s3://, which is S3A, and the two engines by turns on tables in a bucket. */

import type fc from 'fast-check';
import { afterAll, beforeAll, describe, it, vi } from 'vitest';
import { TestBucket } from '../../support/aws/bucket.ts';
import { type AwsEmulator, hasAwsEmulator, startAwsEmulator } from '../../support/aws/emulator.ts';
import { checkHistory } from '../../support/check-history.ts';
import { fitsBucket, mergeCases } from '../../support/merge-cases.ts';
import { recordResult } from '../../support/proof-result.ts';
import { hasDeltaReader } from '../../support/python.ts';
import { runMergeCase } from '../../support/run-merge-case.ts';
import { askOnly } from '../../support/s3-environment.ts';
import { mergeBySpark } from '../../support/spark.ts';
import { hasSpark } from '../../support/spark-parts.ts';
import { inBucket } from '../../support/table-place.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';
import { captureCase, turnsOnCapture } from '../../support/turns-on-capture.ts';

/** `npm run proof -- engines` sets it: every case, and a history for each seed. */
const SEEDS = process.env.CDC_PROOF_SEEDS;
const seeds = SEEDS === undefined ? [4] : SEEDS.split(',').map(Number);
const [FEWEST, MOST] = SEEDS === undefined ? [4, 5] : [12, 24];
const EVENTS: fc.ArrayConstraints = { minLength: FEWEST, maxLength: MOST, size: 'max' };
const SAMPLE = ['dms-guide'];

const isThere = (await hasSpark()) && (await hasDeltaReader()) && (await hasAwsEmulator());

describe.runIf(isThere)('in a bucket', () => {
  let aws: AwsEmulator;
  let bucket: TestBucket;
  beforeAll(async () => {
    aws = await startAwsEmulator();
    // Before Spark starts, for it asks where its environment says then.
    askOnly(aws.url);
    bucket = await TestBucket.make(aws, 'shop-data');
  }, 600_000);
  afterAll(async () => {
    vi.unstubAllEnvs();
    await aws?.stop();
  });

  const cases = mergeCases().filter((one) => (SEEDS === undefined ? SAMPLE.includes(one.name) : fitsBucket(one)));
  it.each(cases.map((one) => [one.name, one.about, one] as const))(
    'Spark merges the case %s: %s',
    async (_name, _about, one) => {
      const place = inBucket(bucket, await temporaryFolder());
      await recordResult({ case: one.name, engine: 'spark', store: 's3' }, () =>
        runMergeCase(one, { merge: mergeBySpark, firstVersion: 1, place }),
      );
    },
    1_200_000,
  );

  for (const seed of seeds)
    it(`a table on which the engines take turns is what the local engine alone makes of it, and the source (seed ${seed})`, async () => {
      await checkHistory(
        { history: seed, store: 's3' },
        { seed, history: captureCase(EVENTS) },
        async (one, engine, root) => turnsOnCapture(engine, inBucket(bucket, root), root, one),
      );
    }, 1_200_000);
});
