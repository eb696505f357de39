/** One picture of a pipeline on AWS: its task and tables, database and replication instance, tests, function, job and cost. */

import { z } from 'zod';
import { findEndpoint, findReplicationInstance } from '../../aws/dms.ts';
import { findTask, type ReplicationTask, type TableStatistics, tableStatistics } from '../../aws/dms-task.ts';
import { type JobRun, latestRuns } from '../../aws/glue-run.ts';
import { findSchedule } from '../../aws/glue-schedule.ts';
import { findFunction } from '../../aws/lambda.ts';
import { readLogLines } from '../../aws/log-events.ts';
import { findInstance as findDatabaseInstance } from '../../aws/rds.ts';
import { formatTableName } from '../../change.ts';
import { CdcError } from '../../errors.ts';
import { connectionState } from './connections.ts';
import { unverifiedTables } from './counted-ddl.ts';
import { reloadTaskName } from './reload.ts';
import type { AwsRun } from './run.ts';
import { type RunningCost, runningCost, standingOf } from './running-cost.ts';
import { isSweeping } from './sweep.ts';
import { type TaskLatency, taskLatency } from './task-latency.ts';
import { readNotes } from './task-notes.ts';
import { tableTroubles, taskFailure } from './task-outcome.ts';

export interface AwsProblem {
  code: string;
  message: string;
  hint?: string;
}

export interface AwsTableStatus {
  schema: string;
  table: string;
  /** As `status` on every target has them. */
  state: 'loading' | 'following' | 'stopped' | 'idle' | 'unverified';
  /** DMS gives one for the whole task. */
  position: string | null;
  /** DMS's, which is the same for all tables of the task. */
  lag_seconds: number | null;
  /** Known to the lake alone, as are rows, version and quarantined: filled in by whoever reads it. */
  pending_files: number | null;
  rows: number | null;
  version: number | null;
  quarantined: number;
  error: AwsProblem | null;
  /** In DMS's words. */
  dms_state: string;
  loaded_rows: number;
  inserts: number;
  updates: number;
  deletes: number;
}

export interface AwsTaskStatus {
  name: string;
  kind: string;
  state: string;
  /** Of a full load. */
  percent: number;
  started_at: string | null;
  /** Why it stopped, or failed. */
  reason: string | null;
}

export interface AwsMergeStatus {
  run: string;
  state: string;
  started_at: string | null;
  seconds: number;
  error: string | null;
}

export interface AwsStatusReport {
  target: 'aws';
  slots: { source: string; capture: string; store: string; merge: string };
  worker: { state: string; pid: null; error?: AwsProblem };
  server: string;
  tables: AwsTableStatus[];
  aws: {
    account: string;
    region: string;
    database: string;
    replication_instance: string;
    connections: { source: string; target: string };
    tasks: AwsTaskStatus[];
    /** Of the task that follows; null when nobody measured it within the last minutes. */
    latency: TaskLatency | null;
    /** Where `cdc start` goes on after `stop --all`. */
    resumes_from: string | null;
    function: { state: string; last_error: { time: string; text: string } | null };
    /** The last run of the Glue job. */
    merge: AwsMergeStatus | null;
    /** The last ones, newest first. */
    merges: AwsMergeStatus[];
    /** The hourly start of the job: `activated`, `deactivated` after `cdc stop`. */
    sweep: string;
    cost: RunningCost;
  };
}

export async function statusOnAws(run: AwsRun): Promise<AwsStatusReport> {
  const { session, config, names } = run;
  const [database, instance, source, target, tasks, fn, merges, schedule] = await Promise.all([
    config.source.kind === 'rds' ? findDatabaseInstance(session, names.database) : undefined,
    findReplicationInstance(session, names.replicationInstance),
    findEndpoint(session, names.sourceEndpoint),
    findEndpoint(session, names.targetEndpoint),
    allTasks(run),
    findFunction(session, names.function),
    latestRuns(session, names.job),
    findSchedule(session, names.sweep),
  ]);
  const connection = async (endpoint: { arn: string } | undefined) =>
    instance === undefined || endpoint === undefined
      ? 'not tested'
      : connectionState(run, { endpointArn: endpoint.arn, instanceArn: instance.arn });
  const leading = leadingTask(tasks);
  const statistics = leading === undefined ? [] : await tableStatistics(session, leading);
  const unverified = leading === undefined ? undefined : await unverifiedIfReadable(run, leading, statistics);
  const failure = leading && taskProblem(leading);
  const latency = await taskLatency(run, leading);
  const lastMerges = (merges ?? []).slice(0, LAST_MERGES).map(mergeStatus);
  const [merge] = lastMerges;
  const databaseState = config.source.kind === 'rds' ? (database?.status ?? 'absent') : 'not ours';
  return {
    target: 'aws',
    slots: {
      source:
        config.source.kind === 'url'
          ? `${config.source.host}:${config.source.port}`
          : `${names.database}${database?.host === undefined ? '' : ` (${database.host})`}`,
      capture: 'dms',
      store: `${config.staging.location}, ${config.lake.location}`,
      merge: 'glue',
    },
    worker: {
      state: leading?.status ?? 'not running',
      pid: null,
      ...(failure === undefined ? {} : { error: failure }),
    },
    server: databaseState,
    tables: statistics.map((table) => {
      const status = tableStatus(table, leading, latency);
      const why = unverified?.get(formatTableName(table));
      return why === undefined ? status : asUnverified(status, why);
    }),
    aws: {
      account: session.account,
      region: session.region,
      database: databaseState,
      replication_instance: instance?.status ?? 'absent',
      connections: { source: await connection(source), target: await connection(target) },
      tasks: tasks.map((task) => ({
        name: task.name,
        kind: task.kind,
        state: task.status,
        percent: task.percent,
        started_at: task.startedAt?.toISOString() ?? null,
        reason: taskFailure(task) ?? task.stopReason ?? null,
      })),
      latency,
      resumes_from: (await notesIfReadable(run))?.retired?.from ?? null,
      function: { state: fn?.state ?? 'absent', last_error: fn === undefined ? null : await lastError(run) },
      merge: merge ?? null,
      merges: lastMerges,
      sweep: schedule?.state.toLowerCase() ?? 'absent',
      cost: runningCost(
        config,
        standingOf({ database: database?.status, instance: instance?.status, isSweeping: isSweeping(schedule) }),
      ),
    },
  };
}

const LAST_MERGES = 5;

function mergeStatus(run: JobRun): AwsMergeStatus {
  return {
    run: run.id,
    state: run.state,
    started_at: run.startedAt?.toISOString() ?? null,
    seconds: run.seconds,
    error: run.error ?? null,
  };
}

/** Something needs a person: a task or table that failed, a test or the last merge that did. */
export function isUnwellOnAws(report: AwsStatusReport): boolean {
  const { worker, tables, aws } = report;
  return (
    worker.error !== undefined ||
    tables.some(({ error }) => error !== null) ||
    Object.values(aws.connections).some((state) => state.startsWith('failed')) ||
    (aws.merge !== null && /^(FAILED|ERROR|TIMEOUT|EXPIRED)$/.test(aws.merge.state)) ||
    (aws.tasks.length > 0 && !['running', 'starting'].includes(worker.state) && aws.tasks.some(isFollower))
  );
}

function isFollower({ kind }: AwsTaskStatus): boolean {
  return kind !== 'full-load';
}

async function allTasks(run: AwsRun): Promise<ReplicationTask[]> {
  const { cdc, 'full-load-and-cdc': both, 'full-load': load } = run.names.task;
  const found = await Promise.all(
    [cdc, both, load, reloadTaskName(run.config)].map((name) => findTask(run.session, name)),
  );
  return found.filter((task) => task !== undefined);
}

/** The one that follows, else the one that loads: the first of those that there are. */
function leadingTask(tasks: readonly ReplicationTask[]): ReplicationTask | undefined {
  return tasks[0];
}

function taskProblem(task: ReplicationTask): AwsProblem | undefined {
  const failure = taskFailure(task);
  if (failure === undefined) return undefined;
  return { code: 'task.failed', message: `the replication task ${task.name} has failed: ${failure}`, hint: 'cdc logs' };
}

function tableStatus(
  table: TableStatistics,
  task: ReplicationTask | undefined,
  latency: TaskLatency | null,
): AwsTableStatus {
  const [trouble] = tableTroubles([table]);
  const follows = task !== undefined && task.kind !== 'full-load' && task.status === 'running';
  const isLoaded = task?.kind === 'cdc' || table.state === 'Table completed';
  return {
    schema: table.schema,
    table: table.table,
    state: trouble !== undefined ? 'stopped' : !isLoaded ? 'loading' : follows ? 'following' : 'idle',
    position: task?.checkpoint ?? task?.startPosition ?? null,
    // Until the change file is there; the lake is behind by its merge, too.
    lag_seconds:
      follows && latency !== null ? Math.max(latency.source_seconds ?? 0, latency.target_seconds ?? 0) : null,
    pending_files: null,
    rows: null,
    version: null,
    quarantined: 0,
    error:
      trouble === undefined
        ? null
        : {
            code: 'task.tables',
            message: `${trouble.table}: ${trouble.reason}`,
            hint: `cdc reload ${formatTableName(table)}`,
          },
    dms_state: table.state,
    loaded_rows: table.loadRows,
    inserts: table.inserts,
    updates: table.updates,
    deletes: table.deletes,
  };
}

/** What is worse, or will be over by itself, is said first. */
function asUnverified(status: AwsTableStatus, why: string): AwsTableStatus {
  if (status.error !== null || status.state === 'loading') return status;
  const name = formatTableName(status);
  const error = {
    code: 'table.unverified',
    message: `${name}: ${why}`,
    hint: `cdc verify --table ${name}   # equal clears it; else cdc reload ${name}`,
  };
  return { ...status, state: 'unverified', error };
}

async function unverifiedIfReadable(
  run: AwsRun,
  task: ReplicationTask,
  statistics: readonly TableStatistics[],
): Promise<Map<string, string> | undefined> {
  try {
    return await unverifiedTables(run.staging, task, statistics);
  } catch (error) {
    // Nobody can say then that the table is well.
    if (error instanceof CdcError && error.code === 'ddl.corrupt') throw error;
    return undefined;
  }
}

/** Staging may not be there yet, or not any more: status is asked for then too. */
async function notesIfReadable(run: AwsRun): Promise<Awaited<ReturnType<typeof readNotes>> | undefined> {
  try {
    return await readNotes(run.staging);
  } catch {
    return undefined;
  }
}

const errorLine = z.object({ level: z.literal('error'), message: z.string(), why: z.string().optional() });
const ERRORS_WITHIN_MS = 24 * 3600_000;

/** The last that our function reported within a day. */
async function lastError({ session, names }: AwsRun): Promise<{ time: string; text: string } | null> {
  const since = new Date(session.clock.now() - ERRORS_WITHIN_MS);
  const lines = await readLogLines(session, names.logGroup.lambda, { since, pattern: '{ $.level = "error" }' });
  for (const { time, text } of lines.reverse()) {
    const parsed = errorLine.safeParse(parseJson(text));
    if (parsed.success) {
      const { message, why } = parsed.data;
      return { time: time.toISOString(), text: why === undefined ? message : `${message}: ${why}` };
    }
  }
  return null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
