import { describe, it } from 'vitest';
import { daySample, repeatable } from '../../support/day-sample.ts';
import { mergeCases } from '../../support/merge-cases.ts';
import { recordResult } from '../../support/proof-result.ts';
import { runMergeCase } from '../../support/run-merge-case.ts';
import { mergeBySpark } from '../../support/spark.ts';
import { hasSpark } from '../../support/spark-parts.ts';

const isThere = await hasSpark();

/** A case costs Spark ten seconds and more: these, and two others each day. */
const ALWAYS = ['guide', 'nasty-text'];

describe.runIf(isThere)('merge case by Spark', () => {
  const all = mergeCases();
  const others = all.filter(({ name }) => !ALWAYS.includes(name));
  const cases = [...all.filter(({ name }) => ALWAYS.includes(name)), ...daySample(others, 2)];
  it.each(cases.map((one) => [one.name, one.about, one] as const))(
    '%s: %s',
    async (name, _about, one) => {
      repeatable('test/core/merge/spark-cases.test.ts', `merge case by Spark ${name}:`);
      // A table of Spark's begins with a version without rows, so each batch is one version later than the other engine's.
      await recordResult({ case: name, engine: 'spark' }, () =>
        runMergeCase(one, { merge: mergeBySpark, firstVersion: 1 }),
      );
    },
    // The first one starts Spark, which takes minutes where other proofs run beside it.
    600_000,
  );
});
