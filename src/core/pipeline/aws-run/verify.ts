/** `verify` on AWS: how long DMS may be on its way with a change, and who merges what it has written. */

import { type ReplicationTask, tableStatistics } from '../../aws/dms-task.ts';
import type { TableName } from '../../change.ts';
import { isEqual, type TableVerdict } from '../../verify/verdict.ts';
import { awsOf } from '../aws/names.ts';
import type { Pipeline } from '../pipeline.ts';
import { verifyPipeline } from '../verify-pipeline.ts';
import { isRunning } from './choose-task.ts';
import { countedBy, findFollower, noteVerified } from './counted-ddl.ts';
import { mergeOnGlue, refuseFailed } from './follow-glue-run.ts';
import type { AwsRun } from './run.ts';
import { taskLatency } from './task-latency.ts';

/** For a file to be written and listed once DMS has gathered it. */
const WRITING_MS = 30_000;

export async function verifyOnAws(
  run: AwsRun,
  options: {
    pipeline: Pipeline;
    only: readonly TableName[];
    /** As measured unless told. */
    settleMs?: number | undefined;
    signal: AbortSignal;
  },
): Promise<TableVerdict[]> {
  const { pipeline, only, signal } = options;
  const { config, progress } = run;
  const mergesOnGlue = config.merge.engine === 'glue';
  const follower = await findFollower(run);
  // Before the comparison: what is dropped while it runs is not covered by it.
  const counted = countedBy(follower, follower === undefined ? [] : await tableStatistics(run.session, follower));
  const verdicts = await verifyPipeline({
    pipeline: { ...pipeline, address: () => run.address() },
    only,
    dms: {
      settleMs: options.settleMs ?? (await settleMs(run, follower)),
      ...(mergesOnGlue ? { mergeElsewhere: async () => refuseFailed(await mergeOnGlue(run)) } : {}),
    },
    signal,
    progress,
  });
  await noteVerified(run.staging, counted, verdicts.filter(isEqual));
  return verdicts;
}

/** Nothing is on its way where nobody follows. */
async function settleMs(run: AwsRun, follower: ReplicationTask | undefined): Promise<number> {
  if (follower === undefined || !isRunning(follower)) {
    run.progress.warn('no replication task follows: what was committed since it stopped is not in the lake');
    return 0;
  }
  const latency = await taskLatency(run, follower);
  const behindMs = 1000 * Math.max(latency?.source_seconds ?? 0, latency?.target_seconds ?? 0);
  return Math.max(awsOf(run.config).dms.maxBatchSeconds * 1000, behindMs) + WRITING_MS;
}
