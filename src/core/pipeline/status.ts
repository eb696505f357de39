/** One picture of a pipeline, from what is durable (checkpoint, ledger, staging) and what the worker last said. */

import { type Checkpoint, readCheckpoint, type TableCheckpoint, tablesOf } from '../capture/checkpoint.ts';
import { formatTableName, type TableName } from '../change.ts';
import { changeNumber, runOf } from '../change-number.ts';
import type { SourceConfig } from '../config.ts';
import type { Engine } from '../engine/engine.ts';
import { withEngine } from '../engine/engine.ts';
import { CancelledError, CdcError } from '../errors.ts';
import { pendingState, tableState } from '../merge/table-state.ts';
import { type BinlogPosition, comparePositions, formatPosition } from '../position.ts';
import { privateServerState } from '../server/state.ts';
import type { Pipeline } from './pipeline.ts';
import { findWorker, type WorkerFound } from './worker-process.ts';
import { type MergeWaiting, problemOf, type WorkerProblem } from './worker-state.ts';

export interface TableStatus extends TableName {
  /** `following`: up to date or getting there; `loading`: its load is not in the lake yet; `stopped`: needs a person; `idle`: no worker runs. */
  state: 'loading' | 'following' | 'stopped' | 'idle';
  /** The lake table is the source as of here; null while a load or changes wait to be merged. */
  position: string | null;
  /** 0 when captured and merged to the end; null when nobody can know (no worker, no connection, a table that is stopped). */
  lag_seconds: number | null;
  pending_files: number;
  rows: number | null;
  version: number | null;
  quarantined: number;
  /** Why a merge is put off although something is pending, and until when. */
  waiting: MergeWaiting | null;
  error: WorkerProblem | null;
}

export interface StatusReport {
  target: string;
  slots: { source: string; capture: string; store: string; merge: string };
  worker: { state: string; pid: number | null; error?: WorkerProblem };
  server: string;
  tables: TableStatus[];
}

export async function pipelineStatus(pipeline: Pipeline): Promise<StatusReport> {
  const { config, staging } = pipeline;
  const [worker, checkpoint] = [await findWorker(config.stateFolder), await readCheckpoint(staging)];
  const report: StatusReport = {
    target: config.target,
    slots: {
      source: nameSource(config.source),
      capture: 'cdc',
      store: `${config.staging.location}, ${config.lake.location}`,
      merge: config.merge.engine,
    },
    worker: workerStatus(worker),
    server: config.source.kind === 'private' ? (await privateServerState(pipeline.serverFolder)).state : 'not ours',
    tables: [],
  };
  const broken = checkpoint?.broken ?? worker.state?.error;
  if (broken !== undefined && report.worker.pid === null) report.worker.error = broken;
  const entries = tablesOf(checkpoint);
  if (checkpoint === undefined || entries.length === 0) return report;
  await withEngine(pipeline.engineOptions, async (engine) => {
    for (const { name, entry } of entries) {
      report.tables.push(await statusOf({ pipeline, engine, name, entry, worker, checkpoint }));
    }
  });
  return report;
}

function workerStatus({ alive, state, starting }: WorkerFound): StatusReport['worker'] {
  if (alive && state !== undefined) return { state: state.state, pid: state.process.pid };
  if (starting !== undefined) return { state: 'starting', pid: starting.pid };
  return { state: state?.state === 'failed' ? 'failed' : 'not running', pid: null };
}

async function statusOf(options: {
  pipeline: Pipeline;
  engine: Engine;
  name: TableName;
  entry: TableCheckpoint;
  worker: WorkerFound;
  checkpoint: Checkpoint;
}): Promise<TableStatus> {
  const { pipeline, engine, name, entry, worker, checkpoint } = options;
  const merge = pipeline.mergeOf(name);
  // What cannot be read of one table is that table's error; the picture of the others stays.
  let unreadable: WorkerProblem | undefined;
  const orProblem = (problem: unknown) => {
    if (!(problem instanceof CdcError) || problem instanceof CancelledError) throw problem;
    unreadable ??= problemOf(problem);
    return undefined;
  };
  const lake = await tableState({ ...merge, engine }).catch(orProblem);
  const pending = await pendingState({ ...merge, engine }).catch(orProblem);
  const told = worker.alive ? worker.state?.tables[formatTableName(name)] : undefined;
  const stopped = entry.stopped ?? checkpoint.broken;
  const error = stopped ?? told?.stopped ?? told?.error ?? unreadable ?? null;
  const isMerged = lake !== undefined && lake.watermark >= changeNumber(entry.run, entry.number);
  const hasItsLoad = entry.loaded && lake !== undefined && runOf(lake.watermark) >= entry.run;
  const state = !worker.alive ? 'idle' : hasItsLoad ? 'following' : 'loading';
  return {
    ...name,
    state: error !== null ? 'stopped' : state,
    position: isMerged && hasItsLoad ? formatPosition(reached(entry, checkpoint)) : null,
    lag_seconds: stopped === undefined ? lagOf(worker, isMerged, pending?.oldest) : null,
    pending_files: pending?.pendingFiles ?? 0,
    rows: lake?.rows ?? null,
    version: lake?.version ?? null,
    quarantined: lake?.quarantined ?? 0,
    waiting: told?.waiting ?? null,
    error,
  };
}

/** Up to where the table's changes are captured: a stopped table stays, one that was loaded later is ahead of the others. */
function reached({ stopped, stoppedAt, loadedAt }: TableCheckpoint, { position }: Checkpoint): BinlogPosition {
  if (stopped !== undefined) return stoppedAt ?? loadedAt;
  return comparePositions(loadedAt, position) > 0 ? loadedAt : position;
}

function lagOf({ alive, state }: WorkerFound, isMerged: boolean, oldest: Date | undefined): number | null {
  const since: number[] = [];
  if (oldest !== undefined) since.push(oldest.getTime());
  if (alive && state?.behindSince !== undefined) since.push(Date.parse(state.behindSince));
  if (since.length > 0) return Math.max(0, Math.round((Date.now() - Math.min(...since)) / 100) / 10);
  return isMerged && alive && state?.state === 'following' ? 0 : null;
}

/** Something needs a person: a table stopped, or a pipeline that was replicating has no worker. */
export function isUnwell(report: StatusReport): boolean {
  return (
    report.tables.some((table) => table.error !== null) || (report.tables.length > 0 && report.worker.pid === null)
  );
}

function nameSource(source: SourceConfig): string {
  if (source.kind === 'url') return `${source.host}:${source.port}`;
  return source.kind === 'rds' ? 'RDS for MySQL' : 'private server';
}
