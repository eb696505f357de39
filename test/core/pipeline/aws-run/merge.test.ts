import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { mergeOnGlue, refuseFailed } from '../../../../src/core/pipeline/aws-run/follow-glue-run.ts';
import { triggerOnAws } from '../../../../src/core/pipeline/aws-run/trigger.ts';
import { seenUntil } from '../../../support/aws/clients.ts';
import { ensureLambdaBundled } from '../../../support/build.ts';
import { eachInItsWorld, hasWorld, makeMerge, NODE_MODULES, type World, watchCalls } from './world.ts';

const FILE = 'shop/orders/20261123-101530123.csv';
const TABLE = { schema: 'shop', table: 'orders', inserted: 2, updated: 1, deleted: 0, quarantined: 0, seconds: 1.5 };
const MERGED = { ...TABLE, files: 1, changes: 3, version: 7 };
const FAILED = {
  ...TABLE,
  files: 0,
  changes: 0,
  version: 6,
  error: { code: 'merge.gap', message: 'merging shop.orders: 41 is missing', hint: 'bring it back' },
};

/** What a run of the job says and does is what the script in its bucket says and does. */
describe.skipIf(!(await hasWorld()))('a merge by the Glue job', () => {
  let world: World;
  beforeAll(ensureLambdaBundled);
  eachInItsWorld(
    (place) => {
      world = place.world;
    },
    { nodeModules: NODE_MODULES, glueCommand: 'python3' },
  );
  beforeEach(async () => {
    await makeMerge(world);
  });

  const script = (...lines: string[]) =>
    world.clients.s3.putObject({
      Bucket: world.run.names.stagingBucket,
      Key: 'merge.py',
      Body: ['import sys', ...lines].join('\n'),
    });
  const says = (report: unknown) => `print(r'''${JSON.stringify(report)}''')`;
  const argumentsGiven = async () => {
    const { JobRuns } = await world.clients.glue.getJobRuns({ JobName: world.run.names.job });
    return JobRuns?.[0]?.Arguments;
  };

  test('its report is the last line of its log that is one, whatever else it prints', async () => {
    await script("print('shop.orders: 3 changes')", says({ tables: [MERGED], engine: 'spark' }), "print('bye')");
    const run = await mergeOnGlue(world.run);
    expect(run).toMatchObject({ state: 'SUCCEEDED', report: { tables: [MERGED] } });
    expect(() => refuseFailed(run)).not.toThrow();
  });

  test('a table that failed is in the report of a run that failed, and no end of the command', async () => {
    await script(says({ tables: [MERGED, FAILED], engine: 'spark' }), "sys.exit('41 is missing')");
    const run = await mergeOnGlue(world.run);
    expect(run).toMatchObject({ state: 'FAILED', report: { tables: [MERGED, FAILED] } });
    expect(() => refuseFailed(run)).toThrow('41 is missing');
  });

  test('a run that ends before its report is a failure with its last words, and their cure where it has one', async () => {
    await script("print('Traceback')", "sys.exit('no module named pyspark')");
    await expect(mergeOnGlue(world.run)).rejects.toMatchObject({
      code: 'merge.failed',
      message: expect.stringContaining('ended as FAILED: no module named pyspark'),
    });
    expect(world.warnings).toEqual(['Traceback', 'no module named pyspark']);
    const error = { code: 'lease.held', message: 'somebody merges', hint: 'wait for run jr_1' };
    await script(says({ tables: [], engine: 'spark', error }), "sys.exit('somebody merges (lease.held)')");
    await expect(mergeOnGlue(world.run)).rejects.toMatchObject({
      message: expect.stringContaining('ended as FAILED: somebody merges'),
      hint: 'wait for run jr_1',
    });
  });

  test('what is asked for goes on top of the arguments of the job, which are given again', async () => {
    await script(says({ tables: [], engine: 'spark' }));
    await mergeOnGlue(world.run);
    const own = await argumentsGiven();
    const calls = watchCalls();
    await mergeOnGlue(world.run, { file: FILE, takeOver: true });
    await mergeOnGlue(world.run, { tables: [{ schema: 'shop', table: 'orders' }] });
    const given = calls.calls
      .filter(({ operation }) => operation === 'StartJobRun')
      .map(({ input }) => input.Arguments);
    expect(given).toEqual([
      { ...own, '--file': FILE, '--take_over': 'true' },
      { ...own, '--tables': '["shop.orders"]' },
    ]);
    expect(own).toMatchObject({ '--custom-logGroup-prefix': '/aws-glue/shop-merge' });
  });

  test('a run under way is waited for, for it may have made its last listing, and another one started', async () => {
    await script(
      'import time',
      "time.sleep(1 if '--first' in sys.argv else 0)",
      says({ tables: [MERGED], engine: 'spark' }),
    );
    const { glue } = world.clients;
    const JobName = world.run.names.job;
    const { JobRunId = '' } = await glue.startJobRun({ JobName, Arguments: { '--first': 'true' } });
    const run = await mergeOnGlue(world.run);
    expect(run.id).not.toBe(JobRunId);
    const { JobRun } = await glue.getJobRun({ JobName, RunId: JobRunId });
    expect(JobRun?.JobRunState).toBe('SUCCEEDED');
  });

  test('trigger shows what the run that it woke has merged', async () => {
    await script(says({ tables: [MERGED], engine: 'spark' }));
    await world.staging.put(FILE, 'Op,id\n');
    const report = await triggerOnAws({ ...world.run, staging: world.staging, file: FILE, wait: true });
    expect(report).toMatchObject({ key: FILE, state: 'SUCCEEDED', tables: [MERGED] });
    await seenUntil('SUCCEEDED', async () => {
      const { JobRuns } = await world.clients.glue.getJobRuns({ JobName: world.run.names.job });
      return JobRuns?.[0]?.JobRunState;
    });
  });
});
