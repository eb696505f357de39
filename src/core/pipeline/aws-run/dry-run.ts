/** What `replicate`, `stop` and `start` would do on AWS, for --dry-run: they only ask. */

import { findTask, type StartType } from '../../aws/dms-task.ts';
import { findSchedule } from '../../aws/glue-schedule.ts';
import { formatTableName } from '../../change.ts';
import { chooseTask, isRunning, type KnownTasks, type TaskRequest } from './choose-task.ts';
import { measureCost } from './measure-cost.ts';
import { reloadTaskName } from './reload.ts';
import { knownNotes, knownTasks, outdatedTask, tableChange } from './replicate.ts';
import { type AwsRun, findDatabase, findInstance, needInstance } from './run.ts';
import { type RunningCost, runningCost, standingOf } from './running-cost.ts';
import { viewSource } from './source-view.ts';
import { readNotes } from './task-notes.ts';

export interface ReplicatePlanOnAws {
  /** `change`: it runs, and is stopped, changed and started again. */
  action: 'already' | 'loaded' | 'start' | 'create' | 'change';
  task: string | null;
  how: StartType | null;
  /** Where a new task would begin to follow; null where it finds its own place. */
  from: string | null;
  start_database: boolean;
  /** False while the database is stopped: nobody can say what is in it. */
  tables_known: boolean;
  tables: string[];
  added: string[];
  removed: string[];
  left_out: { table: string; reason: string }[];
}

export async function planReplicateOnAws(run: AwsRun, request: TaskRequest): Promise<ReplicatePlanOnAws> {
  const database = await findDatabase(run);
  const choice = chooseTask(
    request,
    await knownTasks(run, await needInstance(run)),
    knownNotes(await readNotes(run.staging)),
  );
  const isDown = database !== undefined && database.status !== 'available';
  const plan: ReplicatePlanOnAws = {
    action: choice.act,
    task: choice.act === 'create' ? run.names.task[choice.kind] : (choice.task?.name ?? null),
    how: choice.act === 'start' ? choice.how : choice.act === 'create' ? 'start-replication' : null,
    from: choice.act === 'create' ? (choice.from ?? null) : null,
    start_database: isDown,
    tables_known: !isDown,
    tables: [],
    added: [],
    removed: [],
    left_out: [],
  };
  if (isDown) return plan;
  const source = await viewSource({
    config: run.config,
    address: await run.address(),
    signal: run.session.signal,
  });
  return {
    ...plan,
    ...(outdatedTask(run, choice, source) === undefined ? {} : { action: 'change', how: 'resume-processing' }),
    ...(await tableChange(run, choice, source)),
    tables: source.tables.map(formatTableName),
    left_out: source.refused.map(({ table, message }) => ({ table: table ?? '', reason: message })),
  };
}

export interface StopPlanOnAws {
  /** Tasks that run. */
  stop: string[];
  /** Tasks that would be deleted, with `--all`. */
  delete: string[];
  database: 'stop' | 'already' | 'not ours';
  replication_instance: 'leave' | 'delete' | 'absent';
  now_usd_per_day: number;
  then_usd_per_day: number;
}

export async function planStopOnAws(run: AwsRun, { all }: { all: boolean }): Promise<StopPlanOnAws> {
  const { names, session, config } = run;
  const found = await Promise.all(
    [...Object.values(names.task), reloadTaskName(config)].map((name) => findTask(session, name)),
  );
  const tasks = found.filter((task) => task !== undefined);
  const [database, instance] = [await findDatabase(run), await findInstance(run)];
  const after = standingOf({
    database: database === undefined ? undefined : 'stopped',
    instance: all ? undefined : instance?.status,
    isSweeping: false,
  });
  return {
    stop: tasks.filter(isRunning).map(({ name }) => name),
    delete: all ? tasks.map(({ name }) => name) : [],
    database: database === undefined ? 'not ours' : database.status === 'stopped' ? 'already' : 'stop',
    replication_instance: instance === undefined ? 'absent' : all ? 'delete' : 'leave',
    now_usd_per_day: (await measureCost(run)).daily_usd,
    then_usd_per_day: runningCost(config, after).daily_usd,
  };
}

export interface StartPlanOnAws {
  database: 'start' | 'already' | 'not ours';
  replication_instance: 'make' | 'already';
  /** Null when nothing was replicated yet. */
  task: string | null;
  now_usd_per_day: number;
  then_usd_per_day: number;
}

export async function planStartOnAws(run: AwsRun): Promise<StartPlanOnAws> {
  const [database, instance] = [await findDatabase(run), await findInstance(run)];
  const tasks: KnownTasks = instance === undefined ? {} : await knownTasks(run, await needInstance(run));
  const { retired } = await readNotes(run.staging);
  const follower = tasks.cdc ?? tasks['full-load-and-cdc'];
  const after: RunningCost = runningCost(
    run.config,
    standingOf({
      database: database === undefined ? undefined : 'available',
      instance: 'available',
      isSweeping: (await findSchedule(run.session, run.names.sweep)) !== undefined,
    }),
  );
  return {
    database: database === undefined ? 'not ours' : database.status === 'available' ? 'already' : 'start',
    replication_instance: instance === undefined ? 'make' : 'already',
    task: follower?.name ?? (retired?.followed === true ? run.names.task.cdc : null),
    now_usd_per_day: (await measureCost(run)).daily_usd,
    then_usd_per_day: after.daily_usd,
  };
}
