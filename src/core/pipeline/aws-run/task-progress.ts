/** Watching a replication task until it has done what was asked for, or has failed. */

import { deleteTask, stopTask } from '../../aws/dms.ts';
import {
  findTask,
  type ReplicationTask,
  reloadTables,
  type TableStatistics,
  tableStatistics,
} from '../../aws/dms-task.ts';
import { waitFor } from '../../aws/wait.ts';
import { CancelledError, CdcError, throwIfCancelled } from '../../errors.ts';
import { despiteLostReply } from './despite-lost-reply.ts';
import type { AwsRun } from './run.ts';
import { isLoadOver, loadTroubles, type TableTrouble, tableTroubles, taskFailure } from './task-outcome.ts';

export interface TaskSeen {
  task: ReplicationTask;
  tables: TableStatistics[];
}

const LOOK_SECONDS = 5;
/** DMS may show a task as it was for a moment after its start was accepted. */
const STALE_SECONDS = 180;
/** And a task that has stopped before it says why, and how far it came. */
const REASON_LOOKS = 6;
/** A minute: by then DMS has begun what it begins by itself. */
const NUDGE_LOOKS = 12;

/** States that pass by themselves; `starting` counts as running. */
const PASSING: ReadonlySet<string> = new Set(['creating', 'modifying', 'stopping', 'testing', 'moving', 'deleting']);

/** Waits out what is under way with a task; undefined when it has gone. */
export async function settleTask(run: AwsRun, name: string): Promise<ReplicationTask | undefined> {
  return waitFor<ReplicationTask | undefined>(run.session, {
    what: `the replication task ${name} to settle`,
    look: () => findTask(run.session, name),
    isReady: (task) => task === undefined || !PASSING.has(task.status),
    describe: (task) => task?.status ?? 'gone',
    everySeconds: LOOK_SECONDS,
    boundSeconds: 15 * 60,
    onLook: (task) => run.progress.update(`waiting for the replication task ${name} (${task?.status})`),
  });
}

/** Has a running task stop; returns it with its reason and checkpoint, which come a moment later. */
export async function stopAndSettle(run: AwsRun, task: ReplicationTask): Promise<ReplicationTask | undefined> {
  const { session, progress } = run;
  const { name } = task;
  progress.update(`stopping the replication task ${name}: it writes what it has`);
  await stopTask(session, task.arn);
  let looksWithoutReason = 0;
  return waitFor<ReplicationTask | undefined>(session, {
    what: `the replication task ${name} to stop`,
    look: async () => {
      const seen = await findTask(session, name);
      // One that was just starting may not have been ready to be stopped.
      if (seen?.status === 'running') await stopTask(session, seen.arn);
      return seen;
    },
    isReady: (seen) => {
      if (seen === undefined) return true;
      if (!['stopped', 'failed', 'ready'].includes(seen.status)) return false;
      return seen.stopReason !== undefined || ++looksWithoutReason > REASON_LOOKS;
    },
    describe: (seen) => seen?.status ?? 'gone',
    everySeconds: LOOK_SECONDS,
    boundSeconds: 15 * 60,
    onLook: (seen) => progress.update(`stopping the replication task ${name} (${seen?.status})`),
  });
}

/** Of a task that does not run; returns when it has gone. */
export async function removeTask(run: AwsRun, task: ReplicationTask): Promise<void> {
  await despiteLostReply(
    () => deleteTask(run.session, task.arn),
    async () => [undefined, 'deleting'].includes((await findTask(run.session, task.name))?.status),
  );
  await waitFor<ReplicationTask | undefined>(run.session, {
    what: `the replication task ${task.name} to go`,
    look: () => findTask(run.session, task.name),
    isReady: (seen) => seen === undefined,
    describe: (seen) => seen?.status ?? 'gone',
    everySeconds: LOOK_SECONDS,
    boundSeconds: 15 * 60,
    onLook: () => run.progress.update(`deleting the replication task ${task.name}`),
  });
}

/**
 * Returns when the load is over and, for a task that follows, it has been seen running twice: one whose position is gone
 * fails within seconds. Throws `task.failed`, or `task.tables` naming each table that is not whole. `before` is the task as
 * it was before it was started: what it showed then says nothing about this run.
 */
export async function watchTask(
  run: AwsRun,
  options: { name: string; before: ReplicationTask | undefined; expected: readonly string[] },
): Promise<TaskSeen> {
  try {
    return await watch(run, options);
  } catch (error) {
    if (!(error instanceof CancelledError)) throw error;
    throw new CancelledError(
      `stopped watching: the replication task ${options.name} goes on in AWS`,
      'cdc status   # shows it; cdc stop ends it',
    );
  }
}

async function watch(
  run: AwsRun,
  { name, before, expected }: { name: string; before: ReplicationTask | undefined; expected: readonly string[] },
): Promise<TaskSeen> {
  const { session, progress } = run;
  const since = session.clock.now();
  const told = new Set<string>();
  let timesRunning = 0;
  let looksWithoutReason = 0;
  for (;;) {
    throwIfCancelled(session.signal);
    const task = await findTask(session, name);
    if (task === undefined)
      throw new CdcError('task.gone', `watching the replication task ${name}: somebody has deleted it`, {
        hint: 'cdc replicate',
      });
    const isStale = !isUnderWay(task) && task.startedAt?.getTime() === before?.startedAt?.getTime();
    if (isStale) {
      if (session.clock.now() - since > STALE_SECONDS * 1000)
        throw new CdcError(
          'task.not-started',
          `starting the replication task ${name}: DMS accepted it, and after ${STALE_SECONDS / 60} minutes the task is still ${task.status}`,
          { hint: 'cdc replicate   # tries again' },
        );
      progress.update(`starting ${name}`);
    } else if (task.status === 'running') {
      timesRunning++;
      const tables = task.kind === 'cdc' ? [] : await tableStatistics(session, task);
      for (const trouble of tableTroubles(tables)) {
        if (!told.has(trouble.table)) progress.warn(`${trouble.table}: ${trouble.reason}`);
        told.add(trouble.table);
      }
      progress.update(loadProgress(task, tables));
      if (timesRunning === NUDGE_LOOKS) await loadAddedTables(run, task, { before, tables });
      const isLoaded = task.kind === 'cdc' || isLoadOver(tables);
      if (isLoaded && timesRunning >= 2 && task.kind !== 'full-load') return judged({ task, tables }, expected);
    } else if (isUnderWay(task)) {
      progress.update(`${name} is ${task.status}`);
    } else if (task.status !== 'stopped' || task.stopReason !== undefined || ++looksWithoutReason > REASON_LOOKS)
      return ended(run, task, expected);
    await session.clock.sleep(LOOK_SECONDS * 1000, session.signal);
  }
}

/** Whether DMS loads a table that was added to a task after its load is not documented: one that waits is asked for. */
async function loadAddedTables(
  run: AwsRun,
  task: ReplicationTask,
  { before, tables }: { before: ReplicationTask | undefined; tables: readonly TableStatistics[] },
): Promise<void> {
  const waiting = tables.filter(({ state }) => state === 'Before load');
  if (task.kind !== 'full-load-and-cdc' || before?.loadFinishedAt === undefined || waiting.length === 0) return;
  await reloadTables(run.session, task, waiting);
}

function isUnderWay(task: ReplicationTask): boolean {
  return task.status === 'running' || task.status === 'starting' || PASSING.has(task.status);
}

/** A task that has come to rest, by itself or not. */
async function ended(run: AwsRun, task: ReplicationTask, expected: readonly string[]): Promise<TaskSeen> {
  const tables = await tableStatistics(run.session, task);
  const failure = taskFailure(task);
  if (failure !== undefined)
    throw new CdcError('task.failed', `the replication task ${task.name} has failed: ${failure}`, {
      hint: `cdc logs   # has DMS's own account; cdc replicate goes on where it stands`,
    });
  if (task.kind !== 'full-load' || task.stopReason !== 'FULL_LOAD_ONLY_FINISHED')
    throw new CdcError(
      'task.stopped',
      `watching the replication task ${task.name}: somebody stopped it (${task.stopReason ?? task.status})`,
      { hint: 'cdc start' },
    );
  return judged({ task, tables }, expected);
}

function judged(seen: TaskSeen, expected: readonly string[]): TaskSeen {
  const { task, tables } = seen;
  const troubles = task.kind === 'cdc' ? tableTroubles(tables) : loadTroubles(task, tables, expected);
  if (troubles.length === 0) return seen;
  throw tablesError(task, troubles);
}

export function tablesError(
  task: Pick<ReplicationTask, 'name' | 'status'>,
  troubles: readonly TableTrouble[],
): CdcError {
  const says =
    task.status === 'running'
      ? 'it runs on without them'
      : `DMS says that it ended well, but ${troubles.length === 1 ? 'a table is' : 'tables are'} not loaded whole`;
  return new CdcError(
    'task.tables',
    [
      `the replication task ${task.name}: ${says}:`,
      ...troubles.map(({ table, reason }) => `  ${table}: ${reason}`),
    ].join('\n'),
    {
      hint: `cdc logs   # has DMS's own account; then cdc ${task.status === 'running' ? `reload ${troubles[0]?.table}` : 'replicate --full-load'}`,
    },
  );
}

function loadProgress(task: ReplicationTask, tables: readonly TableStatistics[]): string {
  if (task.kind === 'cdc') return `${task.name} is running`;
  const done = tables.filter(({ state }) => state === 'Table completed').length;
  const rows = tables.reduce((sum, { loadRows }) => sum + loadRows, 0);
  return `loading: ${done} of ${tables.length} tables, ${rows.toLocaleString('en-US')} rows (${task.percent} %)`;
}
