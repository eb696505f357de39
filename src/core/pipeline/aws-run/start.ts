/** `start` on AWS: the database, the replication instance where `stop --all` deleted it, then the task from where it stood. */

import { isRunning } from './choose-task.ts';
import { startDatabase } from './database-power.ts';
import { type CostReport, costReport, measureCost } from './measure-cost.ts';
import { type AwsReplicateReport, knownTasks, replicateOnAws } from './replicate.ts';
import { type AwsRun, findDatabase, findInstance, needEndpoints, needInstance } from './run.ts';
import { resumeSweep } from './sweep.ts';
import { readNotes } from './task-notes.ts';
import { together } from './together.ts';

export interface AwsStartReport {
  database: 'started' | 'already' | 'not ours';
  replication_instance: 'made' | 'already';
  /** Null when nothing was replicated yet. */
  task: AwsReplicateReport | null;
  cost: CostReport;
}

export async function startOnAws(
  options: AwsRun & {
    wait: boolean;
    /** Makes the replication instance as `init` does where there is none, and waits for it. */
    makeInstance(): Promise<void>;
  },
): Promise<AwsStartReport> {
  const { wait, makeInstance, ...run } = options;
  // Before anything is paid for: what `init` has not made cannot be started, and its replication instance is not made alone.
  const [, endpoints] = await Promise.all([findDatabase(run), needEndpoints(run)]);
  const before = await measureCost(run);
  const found = await findInstance(run);
  const isReady = found?.status === 'available';
  const [database] = await together(startDatabase(run), isReady ? Promise.resolve() : makeInstance());
  await resumeSweep(run);
  const report: AwsStartReport = {
    database: database === 'done' ? 'started' : database,
    replication_instance: found === undefined ? 'made' : 'already',
    task: null,
    cost: costReport(before, await measureCost(run)),
  };
  const notes = await readNotes(run.staging);
  const {
    'full-load': load,
    cdc,
    'full-load-and-cdc': both,
  } = await knownTasks(run, await needInstance(run, endpoints));
  const followed = cdc !== undefined || both !== undefined || notes.retired?.followed === true;
  // A load that was stopped goes on; one that is done is no task to start.
  const loads = load !== undefined && (isRunning(load) || load.loadFinishedAt === undefined);
  if (!followed && !loads) return report;
  const request = followed ? { fullLoad: true, ongoing: true } : { fullLoad: true, ongoing: false };
  report.task = await replicateOnAws({ ...run, request, wait, endpoints });
  return report;
}
