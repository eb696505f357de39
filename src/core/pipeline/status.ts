/** One picture of a pipeline, from what is durable (checkpoint, ledger, staging) and what the worker last said. */

import { readCheckpoint, type TableCheckpoint, tablesOf } from '../capture/checkpoint.ts';
import { formatTableName, type TableName } from '../change.ts';
import { changeNumber } from '../change-number.ts';
import type { SourceConfig } from '../config.ts';
import type { Engine } from '../engine/engine.ts';
import { withEngine } from '../engine/engine.ts';
import { pendingState, tableState } from '../merge/table-state.ts';
import { formatPosition } from '../position.ts';
import { privateServerState } from '../server/state.ts';
import type { Pipeline } from './pipeline.ts';
import { findWorker, type WorkerFound } from './worker-process.ts';
import type { WorkerProblem } from './worker-state.ts';

export interface TableStatus extends TableName {
  /** `following`: up to date or getting there; `loading`; `stopped`: needs a person; `idle`: nobody captures. */
  state: 'loading' | 'following' | 'stopped' | 'idle';
  /** The lake table is the source as of here; null while changes wait to be merged. */
  position: string | null;
  /** 0 when captured and merged to the end; null when nobody can know (no worker). */
  lag_seconds: number | null;
  pending_files: number;
  rows: number | null;
  version: number | null;
  quarantined: number;
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
    worker: {
      state: worker.alive
        ? (worker.state?.state ?? 'starting')
        : worker.state?.state === 'failed'
          ? 'failed'
          : 'not running',
      pid: worker.alive ? (worker.state?.process.pid ?? null) : null,
    },
    server: config.source.kind === 'private' ? (await privateServerState(pipeline.serverFolder)).state : 'not ours',
    tables: [],
  };
  const broken = checkpoint?.broken ?? worker.state?.error;
  if (broken !== undefined && !worker.alive) report.worker.error = broken;
  const entries = tablesOf(checkpoint);
  if (checkpoint === undefined || entries.length === 0) return report;
  await withEngine(pipeline.engineOptions, async (engine) => {
    for (const { name, entry } of entries) {
      report.tables.push(
        await statusOf({ pipeline, engine, name, entry, worker, position: formatPosition(checkpoint.position) }),
      );
    }
  });
  return report;
}

async function statusOf(options: {
  pipeline: Pipeline;
  engine: Engine;
  name: TableName;
  entry: TableCheckpoint;
  worker: WorkerFound;
  position: string;
}): Promise<TableStatus> {
  const { pipeline, engine, name, entry, worker } = options;
  const merge = pipeline.mergeOf(name);
  const lake = await tableState({ ...merge, engine });
  const pending = await pendingState({ ...merge, engine });
  const isMerged = lake !== undefined && lake.watermark >= changeNumber(entry.run, entry.number);
  const told = worker.alive ? worker.state?.tables[formatTableName(name)] : undefined;
  const error = entry.stopped ?? told?.error ?? null;
  const follows = worker.alive && worker.state?.state === 'following';
  return {
    ...name,
    state: error !== null ? 'stopped' : !entry.loaded ? 'loading' : worker.alive ? 'following' : 'idle',
    position: isMerged ? options.position : null,
    lag_seconds:
      isMerged && follows
        ? 0
        : pending.oldest === undefined
          ? null
          : Math.max(0, Math.round((Date.now() - pending.oldest.getTime()) / 100) / 10),
    pending_files: pending.pendingFiles,
    rows: lake?.rows ?? null,
    version: lake?.version ?? null,
    quarantined: lake?.quarantined ?? 0,
    error,
  };
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
