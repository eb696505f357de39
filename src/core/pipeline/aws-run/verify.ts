/** `verify` on AWS: how long DMS may be on its way with a change, and who merges what it has written. */

import { findTask, type ReplicationTask } from '../../aws/dms-task.ts';
import type { TableName } from '../../change.ts';
import type { TableVerdict } from '../../verify/verdict.ts';
import { awsOf } from '../aws/names.ts';
import type { Pipeline } from '../pipeline.ts';
import { verifyPipeline } from '../verify-pipeline.ts';
import { isRunning } from './choose-task.ts';
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
  return await verifyPipeline({
    pipeline: { ...pipeline, address: () => run.address() },
    only,
    dms: {
      settleMs: options.settleMs ?? (await settleMs(run)),
      ...(mergesOnGlue ? { mergeElsewhere: async () => refuseFailed(await mergeOnGlue(run)) } : {}),
    },
    signal,
    progress,
  });
}

/** Nothing is on its way where nobody follows. */
async function settleMs(run: AwsRun): Promise<number> {
  const { cdc, 'full-load-and-cdc': both } = run.names.task;
  const tasks: (ReplicationTask | undefined)[] = await Promise.all(
    [cdc, both].map((name) => findTask(run.session, name)),
  );
  const follower = tasks.find((task) => task !== undefined && isRunning(task));
  if (follower === undefined) {
    run.progress.warn('no replication task follows: what was committed since it stopped is not in the lake');
    return 0;
  }
  const latency = await taskLatency(run, follower);
  const behindMs = 1000 * Math.max(latency?.source_seconds ?? 0, latency?.target_seconds ?? 0);
  return Math.max(awsOf(run.config).dms.maxBatchSeconds * 1000, behindMs) + WRITING_MS;
}
