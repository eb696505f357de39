/** `replicate` on AWS: the replication task of DMS that fits the request, made or found, started the right way and watched. */

import { isAwsError } from '../../aws/aws-error.ts';
import {
  changeTask,
  createTask,
  findTask,
  type ReplicationTask,
  type StartType,
  startTask,
  type TableStatistics,
  type TaskKind,
  tableStatistics,
} from '../../aws/dms-task.ts';
import { latestRuns } from '../../aws/glue-run.ts';
import { pipelineTags } from '../../aws/tags.ts';
import { formatTableName, type TableName } from '../../change.ts';
import { CdcError } from '../../errors.ts';
import { awsOf } from '../aws/names.ts';
import {
  chooseTask,
  isRunning,
  type KnownNotes,
  type KnownTasks,
  type TaskChoice,
  type TaskRequest,
} from './choose-task.ts';
import { ensureConnections } from './connections.ts';
import { startDatabase } from './database-power.ts';
import { despiteLostReply } from './despite-lost-reply.ts';
import { mergeOnGlue, refuseFailed } from './follow-glue-run.ts';
import { mayBeCut, roomFor } from './large-values.ts';
import { type AwsRun, type Endpoints, needInstance, type ReadyInstance } from './run.ts';
import { checkBinlogReaches, readPosition, type SourceView, viewSource } from './source-view.ts';
import { resumeSweep } from './sweep.ts';
import { addsTheColumns, choosesTheSame, tableMappings } from './table-mappings.ts';
import {
  type Recorded,
  recordComplete,
  recordDefinitions,
  recordLoads,
  recordLobLimit,
  recordStarts,
  tablesToLoad,
} from './table-records.ts';
import { readNotes, type TaskNotes, writeNotes } from './task-notes.ts';
import { settleTask, stopAndSettle, type TaskSeen, watchTask } from './task-progress.ts';
import { lobLimitOf, sameSettings, taskSettings } from './task-settings.ts';

export interface AwsReplicateReport {
  /** `already`: it was running. `finished`: a full load alone, done now or before. */
  state: 'started' | 'already' | 'finished';
  /** Null when the task that loaded is deleted. */
  task: string | null;
  /** Where following began, when the task was told. */
  position: string | null;
  /** What is loaded or followed. */
  tables: string[];
  /** What this call loaded. */
  loaded: string[];
  left_out: { table: string; reason: string }[];
  /** What cdc.yaml has added to a task that was there, or taken out of it. */
  added: string[];
  removed: string[];
  /** The run of the Glue job that merged the load. */
  merge: { run: string; seconds: number } | null;
}

export async function replicateOnAws(
  options: AwsRun & {
    request: TaskRequest;
    /** False: returns when DMS has accepted the start. */
    wait: boolean;
    /** Of a caller who has asked for them. */
    endpoints?: Endpoints;
  },
): Promise<AwsReplicateReport> {
  const { request, wait, endpoints, ...run } = options;
  const { session, config, progress } = run;
  const ready = await needAvailable(run, endpoints);
  await startDatabase(run);
  const notes = await readNotes(run.staging);
  let choice = chooseTask(request, await knownTasks(run, ready), knownNotes(notes));
  const source = await viewSource({ config, address: await run.address(), signal: session.signal });
  const report: AwsReplicateReport = {
    state: choice.act === 'loaded' ? 'finished' : choice.act === 'already' ? 'already' : 'started',
    task: choice.act === 'create' ? run.names.task[choice.kind] : (choice.task?.name ?? null),
    position: choice.act === 'create' ? (choice.from ?? null) : null,
    tables: source.tables.map(formatTableName),
    loaded: [],
    left_out: source.refused.map(({ table, message }) => ({ table: table ?? '', reason: message })),
    ...(await tableChange(run, choice, source)),
    merge: null,
  };
  const outdated = outdatedTask(run, choice, source);
  if (outdated !== undefined) {
    const { name } = outdated.task;
    progress.warn(`${name} ${outdated.why}: it is stopped, changed, and goes on`);
    const stopped = await stopAndSettle(run, outdated.task);
    if (stopped === undefined)
      throw new CdcError('task.gone', `changing ${name}: it has gone`, { hint: 'cdc replicate' });
    choice = { act: 'start', task: stopped, how: 'resume-processing' };
    report.state = 'started';
  }
  const recorded = await recordDefinitions(run, source.tables);
  if (choice.act === 'already' || choice.act === 'loaded') {
    // A command that did not wait, or was cut short, has left a load that nobody has called complete.
    if (choice.task !== undefined) await recordLoaded(run, choice.task);
    // One that an earlier version, or somebody else, has started.
    if (choice.act === 'already')
      await recordLobLimit(run, { tables: source.tables, lobKb: lobLimitOf(choice.task.settings) });
    if (wait) report.merge = await mergeIfNotMerged(run, choice.task);
    return report;
  }

  await ensureConnections(run, ready);
  await resumeSweep(run);
  const started = await begin(run, { choice, ready, source, notes, recorded });
  report.position = started.position ?? null;
  if (!wait) return report;
  const seen = await watchTask(run, { name: started.name, before: started.before, expected: report.tables });
  // What a task that never ran before shows is of this load.
  const isCertain = started.before?.startedAt === undefined;
  await recordComplete(run, { task: seen.task.name, tables: seen.tables, isCertain });
  report.loaded = loadedSince(seen, started.before);
  if (seen.task.kind === 'full-load') report.state = 'finished';
  if (seen.task.kind === 'cdc')
    for (const table of report.added)
      progress.warn(`${table} is followed from now on, and not loaded: cdc reload ${table}`);
  if (report.loaded.length > 0) report.merge = await mergeLoad(run);
  return report;
}

export function knownNotes(notes: TaskNotes): KnownNotes {
  return { loadPosition: notes.load_position, resumeFrom: notes.retired?.from };
}

/** The task that runs, when it is not what cdc.yaml asks for by now, or not what merge needs. */
export function outdatedTask(
  run: AwsRun,
  choice: TaskChoice,
  source: SourceView,
): { task: ReplicationTask; why: string } | undefined {
  if (choice.act !== 'already') return undefined;
  const { task } = choice;
  const wanted = mappingsOf(run, source);
  if (!choosesTheSame(wanted, task.tableMappings))
    return { task, why: 'does not have the tables that cdc.yaml asks for' };
  if (!addsTheColumns(wanted, task.tableMappings))
    return {
      task,
      why: 'does not write the columns by which merge knows the order of changes and what a key was before',
    };
  const limit = lobLimitOf(task.settings);
  if (mayBeCut(source.longestValue, limit))
    return { task, why: `cuts values of ${limit} KB and more, and the source has such ones by now` };
  return undefined;
}

/** What DMS has and what cdc.yaml asks for, by the tables themselves. */
export async function tableChange(
  run: AwsRun,
  choice: TaskChoice,
  source: SourceView,
): Promise<{ added: string[]; removed: string[] }> {
  const nothing = { added: [], removed: [] };
  if (choice.act === 'create' || choice.task?.startedAt === undefined) return nothing;
  const had = new Set((await tableStatistics(run.session, choice.task)).map(formatTableName));
  if (had.size === 0) return nothing;
  const wanted = new Set(source.tables.map(formatTableName));
  return { added: [...wanted].filter((name) => !had.has(name)), removed: [...had].filter((name) => !wanted.has(name)) };
}

/** Neither a task nor a connection test begins on an instance that is being made. */
async function needAvailable(run: AwsRun, endpoints: Endpoints | undefined): Promise<ReadyInstance> {
  const ready = await needInstance(run, endpoints);
  if (ready.instance.status === 'available') return ready;
  throw new CdcError(
    'aws.not-ready',
    `replicating: the replication instance ${run.names.replicationInstance} is ${ready.instance.status}`,
    { hint: 'cdc init   # waits for it' },
  );
}

/** What is under way with a task is waited for: it must be clear what it is. */
export async function knownTasks(run: AwsRun, ready: ReadyInstance): Promise<KnownTasks> {
  const tasks: KnownTasks = {};
  for (const kind of ['full-load', 'cdc', 'full-load-and-cdc'] as const) {
    const task = await settleTask(run, run.names.task[kind]);
    if (task === undefined) continue;
    if (task.source !== ready.source || task.target !== ready.target)
      throw new CdcError(
        'task.not-ours',
        `looking for the replication task ${task.name}: there is one of that name between other endpoints`,
        { hint: 'delete it in the DMS console, or choose another `name:` in cdc.yaml' },
      );
    tasks[kind] = task;
  }
  return tasks;
}

interface Begun {
  name: string;
  before: ReplicationTask | undefined;
  position: string | undefined;
}

/** Makes the task where there is none, brings it up to date, and starts it. Repeatable after any of its calls. */
async function begin(
  run: AwsRun,
  work: {
    choice: Extract<TaskChoice, { act: 'create' | 'start' }>;
    ready: ReadyInstance;
    source: SourceView;
    notes: TaskNotes;
    recorded: Recorded;
  },
): Promise<Begun> {
  const { choice, ready, source, notes, recorded } = work;
  const wanted = {
    tableMappings: mappingsOf(run, source),
    settings: settingsOf(run, source),
  };
  if (choice.act === 'start') {
    const { task, how } = choice;
    if (task.kind !== 'full-load' && task.checkpoint !== undefined) await checkReach(run, task.checkpoint);
    await bringUpToDate(run, task, wanted);
    await recordBefore(run, { task, tables: source.tables, recorded, lobKb: lobLimitOf(wanted.settings) });
    await start(run, task, how);
    return { name: task.name, before: task, position: task.checkpoint ?? task.startPosition };
  }
  const position = await startPositionOf(run, choice);
  if (choice.kind === 'full-load')
    await writeNotes(run.staging, {
      ...notes,
      load_position: await readPosition(await run.address(), run.session.signal),
    });
  const task = await createOrAdopt(run, { kind: choice.kind, ready, ...wanted, position });
  await recordBefore(run, { task, tables: source.tables, recorded, lobKb: lobLimitOf(wanted.settings) });
  await start(run, task, 'start-replication');
  // Only now is the deleted task overtaken: until the new one runs, its place is the only trace.
  if (choice.kind === 'cdc' && notes.retired !== undefined) {
    const { retired, ...rest } = notes;
    await writeNotes(run.staging, rest);
  }
  return { name: task.name, before: task, position };
}

/** What merge must know of the files that the task is about to write. */
async function recordBefore(
  run: AwsRun,
  {
    task,
    tables,
    recorded,
    lobKb,
  }: { task: ReplicationTask; tables: readonly TableName[]; recorded: Recorded; lobKb: number },
): Promise<void> {
  const work = { task, recorded, lobKb };
  if (task.kind === 'cdc') await recordStarts(run, { ...work, tables });
  else {
    const statistics = task.startedAt === undefined ? [] : await recordLoaded(run, task);
    await recordLoads(run, {
      ...work,
      tables: await tablesToLoad(run, tables, statistics),
      caches: task.kind === 'full-load-and-cdc',
    });
  }
  await recordLobLimit(run, { tables, lobKb });
}

async function recordLoaded(run: AwsRun, task: ReplicationTask): Promise<TableStatistics[]> {
  if (task.kind === 'cdc') return [];
  const tables = await tableStatistics(run.session, task);
  await recordComplete(run, { task: task.name, tables });
  return tables;
}

function mappingsOf(run: AwsRun, source: SourceView): string {
  return tableMappings({ config: run.config, refused: source.refusedNames });
}

export function settingsOf({ config }: AwsRun, source: SourceView): string {
  return taskSettings({ fullLoadTasks: awsOf(config).dms.fullLoadTasks, lobMaxKb: roomFor(source.longestValue) });
}

async function startPositionOf(
  run: AwsRun,
  choice: Extract<TaskChoice, { act: 'create' }>,
): Promise<string | undefined> {
  if (choice.from === undefined) return undefined;
  if (choice.from === 'now') return readPosition(await run.address(), run.session.signal);
  await checkReach(run, choice.from);
  return choice.from;
}

async function checkReach(run: AwsRun, from: string): Promise<void> {
  await checkBinlogReaches({ address: await run.address(), from, signal: run.session.signal });
}

async function createOrAdopt(
  run: AwsRun,
  options: {
    kind: TaskKind;
    ready: ReadyInstance;
    tableMappings: string;
    settings: string;
    position: string | undefined;
  },
): Promise<ReplicationTask> {
  const { kind, ready, position, ...wanted } = options;
  const name = run.names.task[kind];
  run.progress.update(`making the replication task ${name}`);
  try {
    await createTask(run.session, {
      name,
      kind,
      instance: ready.instance.arn,
      source: ready.source,
      target: ready.target,
      ...wanted,
      startPosition: position,
      tags: pipelineTags(run.config.name),
    });
  } catch (error) {
    // The reply to a first attempt may have been lost: then the task is ours.
    if (!isAwsError(error, 'exists')) throw error;
  }
  const task = await settleTask(run, name);
  if (task === undefined)
    throw new CdcError('task.gone', `making the replication task ${name}: it has gone again`, {
      hint: 'cdc replicate',
    });
  return task;
}

/** cdc.yaml may have changed since the task was made. */
async function bringUpToDate(
  run: AwsRun,
  task: ReplicationTask,
  wanted: { tableMappings: string; settings: string },
): Promise<void> {
  if (sameSettings(wanted.tableMappings, task.tableMappings) && sameSettings(wanted.settings, task.settings)) return;
  run.progress.update(`changing ${task.name}: cdc.yaml or the source asks for other tables or settings`);
  await changeTask(run.session, { arn: task.arn, name: task.name, ...wanted });
  await settleTask(run, task.name);
}

async function start(run: AwsRun, task: ReplicationTask, how: StartType): Promise<void> {
  run.progress.update(`starting ${task.name}`);
  await despiteLostReply(
    () => startTask(run.session, task, how),
    async () => {
      const seen = await findTask(run.session, task.name);
      return seen !== undefined && (isRunning(seen) || seen.startedAt?.getTime() !== task.startedAt?.getTime());
    },
  );
}

/** Tables whose load ended after this start. */
function loadedSince({ task, tables }: TaskSeen, before: ReplicationTask | undefined): string[] {
  if (task.kind === 'cdc') return [];
  const isResumed = before?.startedAt !== undefined && task.freshStartAt?.getTime() === before.freshStartAt?.getTime();
  const since = isResumed ? task.startedAt : undefined;
  return tables
    .filter(({ loadEndedAt }) => since === undefined || (loadEndedAt !== undefined && loadEndedAt >= since))
    .map(formatTableName);
}

/** A command that was cut short, or a merge that failed, may have left a load behind that nobody merges. */
async function mergeIfNotMerged(run: AwsRun, task: ReplicationTask | undefined): Promise<AwsReplicateReport['merge']> {
  const loadedAt = task?.kind === 'cdc' ? undefined : task?.loadFinishedAt;
  if (loadedAt === undefined) return null;
  const runs = await latestRuns(run.session, run.names.job);
  if (runs === undefined) return null;
  const isMerged = runs.some(({ state, startedAt }) => state === 'SUCCEEDED' && startedAt && startedAt >= loadedAt);
  return isMerged ? null : mergeLoad(run);
}

/** The event of the last load file comes before DMS says that the load is whole, so the merge is woken once more. */
export async function mergeLoad(run: AwsRun): Promise<AwsReplicateReport['merge']> {
  const { session, names, progress } = run;
  if ((await latestRuns(session, names.job)) === undefined) {
    progress.warn(`the load is not merged: there is no Glue job ${names.job}`);
    return null;
  }
  const merged = await mergeOnGlue(run);
  refuseFailed(merged);
  return { run: merged.id, seconds: merged.seconds };
}
