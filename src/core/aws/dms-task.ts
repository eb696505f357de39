/** DMS: replication tasks and the statistics of their tables. `dms.ts` stops and deletes them. */

import {
  CreateReplicationTaskCommand,
  DescribeReplicationTasksCommand,
  DescribeTableStatisticsCommand,
  ModifyReplicationTaskCommand,
  ReloadTablesCommand,
  type ReplicationTask as SdkTask,
  StartReplicationTaskCommand,
} from '@aws-sdk/client-database-migration-service';
import type { TableName } from '../change.ts';
import { dmsClientFor } from './dms.ts';
import { type AwsSession, ask, ifFound, replied } from './session.ts';
import { type Tags, tagList } from './tags.ts';

/** As DMS calls it. */
export type TaskKind = 'full-load' | 'cdc' | 'full-load-and-cdc';

export interface ReplicationTask {
  arn: string;
  name: string;
  kind: TaskKind;
  /** `ready`, `starting`, `running`, `stopping`, `stopped`, `failed`, `creating`, `modifying`, `testing`, `moving`, `deleting` … */
  status: string;
  instance: string;
  source: string;
  target: string;
  tableMappings: string;
  settings: string;
  /** `FULL_LOAD_ONLY_FINISHED`, `NORMAL`, `FATAL_ERROR` …; absent while it has not ended. */
  stopReason: string | undefined;
  /** Of the last failure, in DMS's words. */
  failure: string | undefined;
  /** Where a `cdc` task began. */
  startPosition: string | undefined;
  /** DMS's own form of how far it is, for another task to begin at. */
  checkpoint: string | undefined;
  /** Of the last start; absent for a task that never ran. */
  startedAt: Date | undefined;
  /** Of the last start that loaded; it changes with each full load. */
  freshStartAt: Date | undefined;
  stoppedAt: Date | undefined;
  loadFinishedAt: Date | undefined;
  /** Of the full load. */
  percent: number;
  tables: { loaded: number; loading: number; queued: number; errored: number };
}

export async function findTask(session: AwsSession, name: string): Promise<ReplicationTask | undefined> {
  const [task] = await describeTasks(session, 'replication-task-id', name, `looking for the replication task ${name}`);
  return task;
}

async function describeTasks(
  session: AwsSession,
  filter: string,
  value: string,
  doing: string,
): Promise<ReplicationTask[]> {
  const tasks: ReplicationTask[] = [];
  let marker: string | undefined;
  do {
    const reply = await ifFound(
      ask(session, 'dms:DescribeReplicationTasks', doing, (options) =>
        dmsClientFor(session).send(
          new DescribeReplicationTasksCommand({
            Filters: [{ Name: filter, Values: [value] }],
            ...(marker === undefined ? {} : { Marker: marker }),
          }),
          options,
        ),
      ),
    );
    tasks.push(...(reply?.ReplicationTasks ?? []).map(taskOf));
    marker = reply?.Marker;
  } while (marker !== undefined && marker !== '');
  return tasks;
}

function taskOf(task: SdkTask): ReplicationTask {
  const stats = task.ReplicationTaskStats;
  return {
    arn: replied(task.ReplicationTaskArn, 'ReplicationTaskArn'),
    name: replied(task.ReplicationTaskIdentifier, 'ReplicationTaskIdentifier'),
    kind: replied(task.MigrationType, 'MigrationType'),
    status: replied(task.Status, 'Status'),
    instance: task.ReplicationInstanceArn ?? '',
    source: task.SourceEndpointArn ?? '',
    target: task.TargetEndpointArn ?? '',
    tableMappings: task.TableMappings ?? '',
    settings: task.ReplicationTaskSettings ?? '',
    stopReason: stopReasonOf(task.StopReason),
    failure: textOf(task.LastFailureMessage),
    startPosition: textOf(task.CdcStartPosition),
    checkpoint: textOf(task.RecoveryCheckpoint),
    startedAt: stats?.StartDate ?? task.ReplicationTaskStartDate,
    freshStartAt: stats?.FreshStartDate,
    stoppedAt: stats?.StopDate,
    loadFinishedAt: stats?.FullLoadFinishDate,
    percent: stats?.FullLoadProgressPercent ?? 0,
    tables: {
      loaded: stats?.TablesLoaded ?? 0,
      loading: stats?.TablesLoading ?? 0,
      queued: stats?.TablesQueued ?? 0,
      errored: stats?.TablesErrored ?? 0,
    },
  };
}

/** DMS writes `Stop Reason FATAL_ERROR Error Level FATAL`. */
function stopReasonOf(text: string | undefined): string | undefined {
  return textOf(/^(?:Stop Reason )?(\w+)/.exec(text ?? '')?.[1]);
}

function textOf(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

export async function createTask(
  session: AwsSession,
  task: {
    name: string;
    kind: TaskKind;
    instance: string;
    source: string;
    target: string;
    tableMappings: string;
    settings: string;
    /** `mysql-bin-changelog.000024:373`, or a `checkpoint` of another task; `cdc` only. */
    startPosition?: string | undefined;
    tags: Tags;
  },
): Promise<ReplicationTask> {
  const reply = await ask(session, 'dms:CreateReplicationTask', `making the replication task ${task.name}`, (options) =>
    dmsClientFor(session).send(
      new CreateReplicationTaskCommand({
        ReplicationTaskIdentifier: task.name,
        MigrationType: task.kind,
        ReplicationInstanceArn: task.instance,
        SourceEndpointArn: task.source,
        TargetEndpointArn: task.target,
        TableMappings: task.tableMappings,
        ReplicationTaskSettings: task.settings,
        ...(task.startPosition === undefined ? {} : { CdcStartPosition: task.startPosition }),
        Tags: tagList(task.tags),
      }),
      options,
    ),
  );
  return taskOf(replied(reply.ReplicationTask, 'ReplicationTask'));
}

/** Only of a task that does not run. */
export async function changeTask(
  session: AwsSession,
  task: { arn: string; name: string; tableMappings: string; settings: string },
): Promise<void> {
  await ask(session, 'dms:ModifyReplicationTask', `changing the replication task ${task.name}`, (options) =>
    dmsClientFor(session).send(
      new ModifyReplicationTaskCommand({
        ReplicationTaskArn: task.arn,
        TableMappings: task.tableMappings,
        ReplicationTaskSettings: task.settings,
      }),
      options,
    ),
  );
}

/** `start-replication`: the first time. `resume-processing`: from where it stopped. `reload-target`: all over again. */
export type StartType = 'start-replication' | 'resume-processing' | 'reload-target';

export async function startTask(
  session: AwsSession,
  task: Pick<ReplicationTask, 'arn' | 'name'>,
  how: StartType,
): Promise<void> {
  await ask(session, 'dms:StartReplicationTask', `starting the replication task ${task.name}`, (options) =>
    dmsClientFor(session).send(
      new StartReplicationTaskCommand({ ReplicationTaskArn: task.arn, StartReplicationTaskType: how }),
      options,
    ),
  );
}

export interface TableStatistics extends TableName {
  /** `Table completed`, `Full load`, `Before load`, `Table error`, `Table cancelled`, `Table does not exist`, `Table is being reloaded`. */
  state: string;
  loadRows: number;
  /** Rows that were not written. */
  loadErrorRows: number;
  /** Whether the load is one of a reload. */
  isReloaded: boolean;
  loadStartedAt: Date | undefined;
  loadEndedAt: Date | undefined;
  inserts: number;
  updates: number;
  deletes: number;
  ddls: number;
  updatedAt: Date | undefined;
}

/** Of all tables of the task, or of one; DMS may take the name for a pattern. */
export async function tableStatistics(
  session: AwsSession,
  task: Pick<ReplicationTask, 'arn' | 'name'>,
  one?: TableName,
): Promise<TableStatistics[]> {
  const tables: TableStatistics[] = [];
  let marker: string | undefined;
  do {
    const reply = await ask(session, 'dms:DescribeTableStatistics', `asking ${task.name} about its tables`, (options) =>
      dmsClientFor(session).send(
        new DescribeTableStatisticsCommand({
          ReplicationTaskArn: task.arn,
          ...(one === undefined ? {} : { Filters: tableFilters(one) }),
          ...(marker === undefined ? {} : { Marker: marker }),
        }),
        options,
      ),
    );
    for (const table of reply.TableStatistics ?? [])
      tables.push({
        schema: replied(table.SchemaName, 'SchemaName'),
        table: replied(table.TableName, 'TableName'),
        state: table.TableState ?? 'unknown',
        loadRows: table.FullLoadRows ?? 0,
        loadErrorRows: (table.FullLoadErrorRows ?? 0) + (table.FullLoadCondtnlChkFailedRows ?? 0),
        isReloaded: table.FullLoadReloaded ?? false,
        loadStartedAt: table.FullLoadStartTime,
        loadEndedAt: table.FullLoadEndTime,
        inserts: table.Inserts ?? 0,
        updates: table.Updates ?? 0,
        deletes: table.Deletes ?? 0,
        ddls: table.Ddls ?? 0,
        updatedAt: table.LastUpdateTime,
      });
    marker = reply.Marker;
  } while (marker !== undefined && marker !== '');
  return tables;
}

function tableFilters({ schema, table }: TableName): { Name: string; Values: string[] }[] {
  return [
    { Name: 'schema-name', Values: [schema] },
    { Name: 'table-name', Values: [table] },
  ];
}

/** DMS takes ten at a time, of a task that runs. */
const RELOADED_AT_ONCE = 10;

export async function reloadTables(
  session: AwsSession,
  task: Pick<ReplicationTask, 'arn' | 'name'>,
  tables: readonly TableName[],
): Promise<void> {
  for (let from = 0; from < tables.length; from += RELOADED_AT_ONCE) {
    const some = tables.slice(from, from + RELOADED_AT_ONCE);
    await ask(session, 'dms:ReloadTables', `having ${task.name} load tables again`, (options) =>
      dmsClientFor(session).send(
        new ReloadTablesCommand({
          ReplicationTaskArn: task.arn,
          ReloadOption: 'data-reload',
          TablesToReload: some.map(({ schema, table }) => ({ SchemaName: schema, TableName: table })),
        }),
        options,
      ),
    );
  }
}
