import { existsSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that take half a minute and more, about the longest first, and of two neighbours one that waits (for servers, tasks,
 * workers) and one that computes (Spark). vitest knows sizes alone in a fresh clone: one of these, begun last, would run on by
 * itself on one of two cores. spark-s3 comes after the others with a session of Spark: it takes one of its own.
 */
const LONG = [
  'test/e2e/walk.test.ts',
  'test/e2e/aws-glue.test.ts',
  'test/core/server/start.test.ts',
  'test/core/merge/spark-tables.test.ts',
  'test/e2e/kills.test.ts',
  'test/core/merge/spark-histories.test.ts',
  'test/e2e/s3.test.ts',
  'test/core/merge/spark-cases.test.ts',
  'test/e2e/aws.test.ts',
  'test/core/merge/spark-crash.test.ts',
  'test/e2e/wrong-pipelines.test.ts',
  'test/core/merge/spark-features.test.ts',
  'test/e2e/aws-goes-on.test.ts',
  'test/core/merge/spark-s3.test.ts',
  'test/core/pipeline/aws/faults.test.ts',
  'test/core/pipeline/aws/init.test.ts',
  'test/e2e/aws-smoke.test.ts',
  'test/core/pipeline/worker-mishaps.test.ts',
  'test/e2e/slots.test.ts',
  'test/commands/merge-spark.test.ts',
  'test/core/delta/processes.test.ts',
  'test/core/merge/spark-signals.test.ts',
  'test/e2e/wrong-sources.test.ts',
  'test/core/pipeline/aws-run/operate.test.ts',
  'test/core/pipeline/worker-tables.test.ts',
  'test/core/pipeline/aws/every-call.test.ts',
  'test/core/verify/verify.test.ts',
  'test/e2e/dms.test.ts',
  'test/core/merge/random-histories.test.ts',
  'test/core/pipeline/aws-run/replicate.test.ts',
  'test/e2e/aws-kills.test.ts',
  'test/core/merge/spark-kills.test.ts',
  'test/e2e/interrupts.test.ts',
];
for (const file of LONG) if (!existsSync(file)) throw new Error(`vitest.config.ts: there is no ${file}`);

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const found = LONG.findIndex((file) => moduleId.endsWith(`/${file}`));
      return found === -1 ? LONG.length : found;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // Two cores, and of three files one waits; with more than that servers and Spark wait for each other.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // The files of a worker share its process, and with it what each would import anew (a second and more, the AWS SDK above
    // all), the Python that reads lake tables and the session of Spark. What a file does to the process setupFiles takes back.
    isolate: false,
    setupFiles: ['test/support/shared-process.ts'],
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
