/** `stop` on AWS: the replication task, then the database; with `all` also the replication instance, which cannot be stopped. */

import { deleteReplicationInstance } from '../../aws/dms.ts';
import { findTask, type ReplicationTask, tableStatistics } from '../../aws/dms-task.ts';
import { waitFor } from '../../aws/wait.ts';
import { CdcError } from '../../errors.ts';
import { noteUnverified } from './counted-ddl.ts';
import { stopDatabase } from './database-power.ts';
import { despiteLostReply } from './despite-lost-reply.ts';
import { type CostReport, costReport, measureCost } from './measure-cost.ts';
import { reloadTaskName } from './reload.ts';
import { type AwsRun, findInstance } from './run.ts';
import { haltSweep } from './sweep.ts';
import { readNotes, writeNotes } from './task-notes.ts';
import { removeTask, settleTask, stopAndSettle } from './task-progress.ts';
import { together } from './together.ts';

export interface AwsStopReport {
  /** By name: what was stopped, was so already, or was deleted (`all`). */
  tasks: { name: string; state: 'stopped' | 'already' | 'deleted' }[];
  database: 'stopped' | 'already' | 'not ours';
  replication_instance: 'left' | 'deleted' | 'absent';
  cost: CostReport;
}

export async function stopOnAws(run: AwsRun & { all: boolean }): Promise<AwsStopReport> {
  const { names, all } = run;
  const before = await measureCost(run);
  let stoppedTasks: AwsStopReport['tasks'] = [];
  const tasks: ReplicationTask[] = [];
  // The follower first: a load is over sooner or later, a follower is not.
  const { cdc, 'full-load-and-cdc': both, 'full-load': load } = names.task;
  for (const name of [cdc, both, load, reloadTaskName(run.config)]) {
    const stopped = await stopTaskOf(run, name);
    if (stopped === undefined) continue;
    tasks.push(stopped.task);
    stoppedTasks.push({ name, state: stopped.did ? 'stopped' : 'already' });
  }
  // The position of a task is in the task: it is noted before the task goes.
  if (all && tasks.length > 0) {
    await noteRetired(
      run,
      tasks.filter(({ name }) => name !== reloadTaskName(run.config)),
    );
    for (const task of tasks) {
      if (task.kind !== 'full-load') await noteUnverified(run.staging, task, await tableStatistics(run.session, task));
      await removeTask(run, task);
    }
    stoppedTasks = stoppedTasks.map(({ name }) => ({ name, state: 'deleted' }));
  }
  await haltSweep(run);
  const [database, instance] = await together(stopDatabase(run), all ? removeInstance(run) : stateOfInstance(run));
  return {
    tasks: stoppedTasks,
    database: database === 'done' ? 'stopped' : database,
    replication_instance: instance,
    cost: costReport(before, await measureCost(run)),
  };
}

async function stopTaskOf(run: AwsRun, name: string): Promise<{ task: ReplicationTask; did: boolean } | undefined> {
  const found = await findTask(run.session, name);
  if (found === undefined) return undefined;
  const isUnderWay = ['running', 'starting'].includes(found.status);
  if (!isUnderWay) {
    const task = await settleTask(run, name);
    return task && { task, did: found.status === 'stopping' };
  }
  const task = await stopAndSettle(run, found);
  return task && { task, did: true };
}

/** Where `start` makes a task that goes on from there. A load that is not whole would be lost: it is refused. */
async function noteRetired(run: AwsRun, tasks: readonly ReplicationTask[]): Promise<void> {
  const notes = await readNotes(run.staging);
  const follower = tasks.find(({ kind }) => kind !== 'full-load');
  const load = tasks.find(({ kind }) => kind === 'full-load');
  const unfinished = tasks.find(
    (task) => task.kind !== 'cdc' && task.startedAt !== undefined && task.loadFinishedAt === undefined,
  );
  if (unfinished !== undefined)
    throw new CdcError(
      'load.incomplete',
      `deleting the replication task ${unfinished.name}: its full load is not finished, and nobody could go on with it`,
      { hint: 'cdc start   # finishes it; or cdc stop without --all' },
    );
  // A first attempt has noted and deleted it, and was cut short.
  if (follower === undefined && notes.retired !== undefined) return;
  const neverRan = [follower, load].every((task) => task?.startedAt === undefined);
  if (neverRan) return;
  const from = follower?.checkpoint ?? follower?.startPosition ?? notes.load_position;
  if (from === undefined)
    throw new CdcError(
      'task.no-checkpoint',
      `deleting the replication task ${(follower ?? load)?.name}: DMS does not say how far it is, so that nobody could go on from there`,
      { hint: 'cdc stop   # without --all' },
    );
  await writeNotes(run.staging, {
    ...notes,
    retired: { from, followed: follower !== undefined, at: new Date(run.session.clock.now()).toISOString() },
  });
}

async function stateOfInstance(run: AwsRun): Promise<'left' | 'absent'> {
  return (await findInstance(run)) === undefined ? 'absent' : 'left';
}

async function removeInstance(run: AwsRun): Promise<'deleted' | 'absent'> {
  const { session, names, progress } = run;
  const look = () => findInstance(run);
  const found = await waitFor(session, {
    what: `the replication instance ${names.replicationInstance} to settle`,
    look,
    isReady: (seen) => !['creating', 'modifying', 'upgrading', 'rebooting'].includes(seen?.status ?? ''),
    describe: (seen) => seen?.status ?? 'gone',
    everySeconds: 15,
    boundSeconds: 40 * 60,
  });
  if (found === undefined) return 'absent';
  if (found.status !== 'deleting')
    await despiteLostReply(
      () => deleteReplicationInstance(session, found.arn),
      async () => [undefined, 'deleting'].includes((await look())?.status),
    );
  await waitFor(session, {
    what: `the replication instance ${names.replicationInstance} to go`,
    look,
    isReady: (seen) => seen === undefined,
    describe: (seen) => seen?.status ?? 'gone',
    everySeconds: 15,
    boundSeconds: 30 * 60,
    onLook: () => progress.update('deleting the replication instance (some minutes)'),
  });
  return 'deleted';
}
