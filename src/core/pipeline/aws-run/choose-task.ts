/** What `replicate` and `start` do: what is asked for against the tasks there are. Pure. */

import type { ReplicationTask, StartType, TaskKind } from '../../aws/dms-task.ts';
import { CdcError } from '../../errors.ts';
import { taskFailure } from './task-outcome.ts';

export interface TaskRequest {
  fullLoad: boolean;
  ongoing: boolean;
  /** `--from` of `--ongoing` alone: `now`, or a position. */
  from?: string;
}

/** The tasks of a pipeline, by what they do; `--full-load` first and `--ongoing` later are two. */
export type KnownTasks = Partial<Record<TaskKind, ReplicationTask>>;

/** What staging keeps of former tasks (task-notes.ts). */
export interface KnownNotes {
  /** Where the binlog stood before the full load of the `full-load` task. */
  loadPosition?: string | undefined;
  /** Where to go on: `stop --all` has deleted a task that had loaded its tables, or followed them. */
  resumeFrom?: string | undefined;
}

export type TaskChoice =
  | { act: 'already'; task: ReplicationTask }
  /** A full load that is done and was asked for again; its task may be deleted. */
  | { act: 'loaded'; task?: ReplicationTask }
  | { act: 'start'; task: ReplicationTask; how: StartType }
  /** `from` absent: the task finds its own position. */
  | { act: 'create'; kind: TaskKind; from?: string };

export function chooseTask(request: TaskRequest, tasks: KnownTasks, notes: KnownNotes): TaskChoice {
  const { 'full-load': load, cdc, 'full-load-and-cdc': both } = tasks;
  const follower = cdc ?? both;
  if (load !== undefined && isRunning(load) && request.ongoing)
    throw otherRequest(load, 'it takes a full load and ends');
  if (request.from !== undefined && !mayStartAt(request.from, follower, notes))
    throw otherRequest(follower, 'the pipeline follows from a position already');

  if (follower !== undefined) {
    if (isRunning(follower)) return { act: 'already', task: follower };
    if (request.ongoing) return start(follower);
    // Only a full load is asked for.
    if (load === undefined && follower.loadFinishedAt === undefined)
      throw otherRequest(follower, 'it loads the tables and follows them');
    return { act: 'loaded', task: load ?? follower };
  }
  if (load === undefined && notes.resumeFrom !== undefined)
    return request.ongoing ? { act: 'create', kind: 'cdc', from: notes.resumeFrom } : { act: 'loaded' };
  if (!request.ongoing) {
    if (load === undefined) return { act: 'create', kind: 'full-load' };
    if (isRunning(load)) return { act: 'already', task: load };
    return isFinishedLoad(load) ? { act: 'loaded', task: load } : start(load);
  }
  if (load !== undefined) {
    if (!isFinishedLoad(load))
      throw new CdcError(
        'load.incomplete',
        `following the tables: the full load of task ${load.name} is not finished (${load.status})`,
        { hint: 'cdc replicate --full-load   # loads what is missing; then this command again' },
      );
    // A later position would leave a gap, an earlier one only repeats: what was noted counts.
    const from = notes.loadPosition ?? request.from;
    if (from === undefined || from === 'now')
      throw new CdcError(
        'load.no-position',
        `following the tables: nobody noted where the binlog stood before task ${load.name} loaded them`,
        { hint: 'cdc replicate --ongoing --from FILE:OFFSET   # a position before that load' },
      );
    return { act: 'create', kind: 'cdc', from };
  }
  if (request.from !== undefined) return { act: 'create', kind: 'cdc', from: request.from };
  if (!request.fullLoad)
    throw new CdcError('load.missing', 'following the tables: nothing is loaded yet, so there is no place to begin', {
      hint: 'cdc replicate   # loads first; or --ongoing --from now',
    });
  return { act: 'create', kind: 'full-load-and-cdc' };
}

/** Counts as running: who asks again is told `already`. */
export function isRunning(task: Pick<ReplicationTask, 'status'>): boolean {
  return task.status === 'running' || task.status === 'starting';
}

/** A task that was made for the same request and never ran is one of a command that was cut short. */
function mayStartAt(from: string, follower: ReplicationTask | undefined, notes: KnownNotes): boolean {
  if (follower === undefined) return notes.resumeFrom === undefined;
  const isNew = follower.kind === 'cdc' && follower.startedAt === undefined && !isRunning(follower);
  return isNew && (from === 'now' || from === follower.startPosition);
}

function isFinishedLoad(load: ReplicationTask): boolean {
  const { errored, queued, loading } = load.tables;
  return (
    load.status === 'stopped' &&
    load.stopReason === 'FULL_LOAD_ONLY_FINISHED' &&
    taskFailure(load) === undefined &&
    errored + queued + loading === 0
  );
}

/** The first start is another call than every later one: DMS refuses the wrong one. */
function start(task: ReplicationTask): TaskChoice {
  return { act: 'start', task, how: task.startedAt === undefined ? 'start-replication' : 'resume-processing' };
}

function otherRequest(task: ReplicationTask | undefined, why: string): CdcError {
  return new CdcError(
    'task.other-request',
    `replicating: ${task === undefined ? '' : `task ${task.name} is there with another request: `}${why}`,
    { hint: task !== undefined && isRunning(task) ? 'cdc stop   # then this command again' : 'cdc start' },
  );
}
