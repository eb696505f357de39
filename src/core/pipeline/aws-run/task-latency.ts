/** How many seconds a replication task is behind, as DMS measures it once a minute. */

import type { ReplicationTask } from '../../aws/dms-task.ts';
import { latestMetrics } from '../../aws/metrics.ts';
import { CancelledError } from '../../errors.ts';
import type { AwsRun } from './run.ts';

export interface TaskLatency {
  /** Between a commit at the source and DMS's reading it. */
  source_seconds: number | null;
  /** Between a commit at the source and its file. */
  target_seconds: number | null;
}

const WITHIN_MS = 10 * 60_000;

/** Null for a task that does not follow, or when nobody measured, or may read it: status shows the rest all the same. */
export async function taskLatency(run: AwsRun, task: ReplicationTask | undefined): Promise<TaskLatency | null> {
  const { session, names } = run;
  if (task === undefined || task.kind === 'full-load' || task.status !== 'running') return null;
  try {
    const metrics = await latestMetrics(session, {
      namespace: 'AWS/DMS',
      metrics: ['CDCLatencySource', 'CDCLatencyTarget'],
      // DMS names the task here by the last part of its ARN.
      dimensions: {
        ReplicationInstanceIdentifier: names.replicationInstance,
        ReplicationTaskIdentifier: task.arn.slice(task.arn.lastIndexOf(':') + 1),
      },
      since: new Date(session.clock.now() - WITHIN_MS),
    });
    if (metrics.size === 0) return null;
    const secondsOf = (name: string) => metrics.get(name) ?? null;
    return { source_seconds: secondsOf('CDCLatencySource'), target_seconds: secondsOf('CDCLatencyTarget') };
  } catch (error) {
    if (error instanceof CancelledError) throw error;
    return null;
  }
}
