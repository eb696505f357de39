/** `reload` on AWS: DMS loads tables again, while it follows or by a task of its own, and the merge replaces their lake tables. */

import {
  createTask,
  findTask,
  type ReplicationTask,
  reloadTables,
  startTask,
  tableStatistics,
} from '../../aws/dms-task.ts';
import { pipelineTags } from '../../aws/tags.ts';
import { formatTableName, type TableName } from '../../change.ts';
import type { Config } from '../../config.ts';
import { CdcError, throwIfCancelled } from '../../errors.ts';
import { matchesPattern } from '../../table-pattern.ts';
import { isRunning } from './choose-task.ts';
import { ensureConnections } from './connections.ts';
import { countedBy, noteVerified } from './counted-ddl.ts';
import { knownTasks, mergeLoad, outdatedTask, settingsOf } from './replicate.ts';
import { type AwsRun, needInstance, type ReadyInstance } from './run.ts';
import { type SourceView, viewSource } from './source-view.ts';
import { exactMappings } from './table-mappings.ts';
import { recordComplete, recordDefinitions, recordLoads, recordLobLimit } from './table-records.ts';
import { isLoadOver, tableTroubles } from './task-outcome.ts';
import { removeTask, settleTask, tablesError, watchTask } from './task-progress.ts';
import { lobLimitOf } from './task-settings.ts';

export interface AwsReloadReport {
  tables: string[];
  /** The run of the Glue job that merged the load. */
  merge: { run: string; seconds: number } | null;
}

/** DMS reloads tables only in a task that loads and follows; beside any other it takes one of its own, for the time it needs. */
export function reloadTaskName(config: Pick<Config, 'name'>): string {
  return `${config.name}-reload`;
}

/** The tables that a reload of these patterns would load again; throws `table.not-followed`. */
export async function tablesToReload(run: AwsRun, patterns: readonly string[]): Promise<TableName[]> {
  const { tables } = await viewSourceOf(run);
  const chosen = tables.filter((name) => patterns.some((pattern) => matchesPattern(pattern, name)));
  if (chosen.length > 0) return chosen;
  throw new CdcError('table.not-followed', `reloading ${patterns.join(', ')}: no table of that name is followed`, {
    hint: 'cdc status   # lists those that are',
  });
}

export async function reloadOnAws(options: AwsRun & { tables: readonly TableName[] }): Promise<AwsReloadReport> {
  const { tables, ...run } = options;
  const { session } = run;
  const ready = await needInstance(run);
  const { cdc, 'full-load-and-cdc': both } = await knownTasks(run, ready);
  const follower = cdc ?? both;
  if (follower !== undefined && !isRunning(follower))
    throw new CdcError('task.stopped', `reloading: the replication task ${follower.name} is ${follower.status}`, {
      hint: 'cdc start   # then this command again',
    });
  const source = await viewSourceOf(run);
  const outdated = follower && outdatedTask(run, { act: 'already', task: follower }, source);
  if (outdated !== undefined)
    throw new CdcError('task.outdated', `reloading: the replication task ${outdated.task.name} ${outdated.why}`, {
      hint: 'cdc replicate   # changes it; then this command again',
    });
  // What is dropped from here on is not covered by the reload.
  const counted = countedBy(follower, follower === undefined ? [] : await tableStatistics(session, follower));
  if (follower !== undefined && follower === both) await reloadWithin(run, follower, tables);
  else await reloadBeside(run, { ready, tables, settings: settingsOf(run, source), follower });
  const merge = await mergeLoad(run);
  await noteVerified(run.staging, counted, tables);
  return { tables: tables.map(formatTableName), merge };
}

/** In the running task. A table counts when its load ended after now. */
async function reloadWithin(run: AwsRun, { name }: ReplicationTask, tables: readonly TableName[]): Promise<void> {
  const { session, progress } = run;
  const task = await findTask(session, name);
  if (task === undefined)
    throw new CdcError('task.gone', `reloading: the task ${name} has gone`, { hint: 'cdc status' });
  const wanted = new Set(tables.map(formatTableName));
  const of = async () => (await tableStatistics(session, task)).filter((table) => wanted.has(formatTableName(table)));
  const before = new Map((await of()).map((table) => [formatTableName(table), table.loadEndedAt?.getTime()]));
  const recorded = await recordDefinitions(run, tables);
  // A change file that comes meanwhile need not say that the reload is complete.
  await recordLoads(run, { tables, task, caches: false, recorded, lobKb: lobLimitOf(task.settings) });
  await reloadTables(session, task, tables);
  for (let looks = 0; ; looks++) {
    throwIfCancelled(session.signal);
    const seen = await of();
    const troubles = tableTroubles(seen);
    const again = seen.filter((table) => table.loadEndedAt?.getTime() !== before.get(formatTableName(table)));
    const isOver = isLoadOver(seen) && seen.length === wanted.size;
    // Until DMS has begun, a table looks as complete as before.
    if (isOver && troubles.length > 0 && looks >= PATIENCE) throw tablesError(task, troubles);
    if (isOver && troubles.length === 0 && (again.length === wanted.size || looks >= PATIENCE))
      return recordComplete(run, { task: name, tables: seen, isCertain: true, countsAll: true });
    progress.update(
      `reloading ${seen.filter(({ state }) => state === 'Table completed').length} of ${wanted.size} tables`,
    );
    await session.clock.sleep(LOOK_SECONDS * 1000, session.signal);
  }
}

const LOOK_SECONDS = 5;
/** Looks after which a table that shows nothing of a reload has been reloaded: it was small. */
const PATIENCE = 12;

async function reloadBeside(
  run: AwsRun,
  work: {
    ready: ReadyInstance;
    tables: readonly TableName[];
    settings: string;
    follower: ReplicationTask | undefined;
  },
): Promise<void> {
  const { ready, tables, settings, follower } = work;
  const { session, config } = run;
  const name = reloadTaskName(config);
  await ensureConnections(run, ready);
  const left = await settleTask(run, name);
  if (left !== undefined && isRunning(left))
    throw new CdcError('task.other-request', `reloading: the task ${name} reloads already`, {
      hint: 'wait for it: cdc status; or cdc stop',
    });
  if (left !== undefined) await removeTask(run, left);
  await createTask(session, {
    name,
    kind: 'full-load',
    instance: ready.instance.arn,
    source: ready.source,
    target: ready.target,
    tableMappings: exactMappings(config, tables),
    settings,
    tags: pipelineTags(config.name),
  });
  const made = await settleTask(run, name);
  if (made === undefined)
    throw new CdcError('task.gone', `reloading: the task ${name} has gone`, { hint: 'cdc reload' });
  const recorded = await recordDefinitions(run, tables);
  await recordLoads(run, { tables, task: made, caches: false, recorded, lobKb: lobLimitOf(settings) });
  if (follower !== undefined) await recordLobLimit(run, { tables, lobKb: lobLimitOf(follower.settings) });
  await startTask(session, made, 'start-replication');
  const { task, tables: seen } = await watchTask(run, { name, before: made, expected: tables.map(formatTableName) });
  await recordComplete(run, { task: name, tables: seen, isCertain: true });
  await removeTask(run, task);
}

async function viewSourceOf(run: AwsRun): Promise<SourceView> {
  return viewSource({ config: run.config, address: await run.address(), signal: run.session.signal });
}
