import { describe, it } from 'vitest';
import { mergeCases } from '../../support/merge-cases.ts';
import { recordResult } from '../../support/proof-result.ts';
import { runMergeCase } from '../../support/run-merge-case.ts';
import { mergeBySpark } from '../../support/spark.ts';
import { hasSpark } from '../../support/spark-parts.ts';

const isThere = await hasSpark();

/** A case costs Spark seconds: all of them run with CDC_PROOF_SEEDS set. */
const SAMPLE = [
  'guide',
  'nasty-text',
  'types',
  'add-column',
  'append',
  'conflict',
  'dms-guide',
  'dms-key-change',
  'dms-types',
  'gap',
  'quarantine',
  'reload',
  'truncate',
  'unfit-key',
  'wrong-width-row',
];
const isFull = process.env.CDC_PROOF_SEEDS !== undefined;

describe.runIf(isThere)('merge case by Spark', () => {
  const cases = mergeCases().filter(({ name }) => isFull || SAMPLE.includes(name));
  it.each(cases.map((one) => [one.name, one.about, one] as const))(
    '%s: %s',
    async (_name, _about, one) => {
      // A table of Spark's begins with a version without rows, so each batch is one version later than the other engine's.
      await recordResult({ case: one.name, engine: 'spark' }, () =>
        runMergeCase(one, { merge: mergeBySpark, firstVersion: 1 }),
      );
    },
    // The first one starts Spark, which takes minutes where other proofs run beside it.
    600_000,
  );
});
