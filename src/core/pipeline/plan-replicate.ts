/** What `replicate` or `start` would do, for --dry-run: looks at the source where it runs, and changes nothing. */

import { readCheckpoint } from '../capture/checkpoint.ts';
import { formatTableName, type TableName } from '../change.ts';
import { formatPosition } from '../position.ts';
import { privateServerState } from '../server/state.ts';
import { wishesOf } from './bring-up.ts';
import { chooseTables } from './choose-tables.ts';
import { type Pipeline, refuseAbsent } from './pipeline.ts';
import { refuseOtherRequest } from './replicate.ts';
import { readSource } from './source-tables.ts';
import type { WorkerRequest } from './worker.ts';
import { runningWorker } from './worker-process.ts';

export interface ReplicatePlan {
  /** What becomes of the private server. */
  server: 'start' | 'running' | 'not ours';
  /** The worker that does it already. */
  already: { pid: number } | undefined;
  /** Where following goes on from; null without a checkpoint. */
  position: string | null;
  load: string[];
  follow: string[];
  /** Not loaded, and the request does not load: not followed either. */
  not_loaded: string[];
  /** Left out, each with its reason. */
  left_out: { table: string; reason: string }[];
  /** Followed until now, and no longer asked for. */
  removed: string[];
  /** False while the private server is stopped: nobody can say what is in it. */
  tables_known: boolean;
}

async function serverOf({ config, serverFolder }: Pipeline): Promise<ReplicatePlan['server']> {
  if (config.source.kind !== 'private') return 'not ours';
  const server = await privateServerState(serverFolder);
  refuseAbsent(server);
  return server.state === 'stopped' ? 'start' : 'running';
}

export async function planReplicate(options: {
  pipeline: Pipeline;
  request: WorkerRequest;
  signal: AbortSignal;
}): Promise<ReplicatePlan> {
  const { pipeline, request, signal } = options;
  const { staging } = pipeline;
  const [running, checkpoint] = [await runningWorker(pipeline), await readCheckpoint(staging)];
  const server = await serverOf(pipeline);
  const plan: ReplicatePlan = {
    server,
    already: undefined,
    position: checkpoint === undefined ? null : formatPosition(checkpoint.position),
    load: [],
    follow: [],
    not_loaded: [],
    left_out: [],
    removed: [],
    tables_known: false,
  };
  if (running !== undefined) {
    refuseOtherRequest(running, request);
    return { ...plan, already: { pid: running.process.pid } };
  }
  if (server === 'start') return plan;
  const source = await readSource({ pipeline, address: await pipeline.address(), signal });
  const choice = chooseTables(wishesOf(pipeline, source), checkpoint);
  const names = (tables: TableName[]) => tables.map(formatTableName);
  return {
    ...plan,
    tables_known: true,
    load: request.fullLoad ? names(choice.load) : [],
    follow: request.ongoing
      ? names(request.from === undefined ? choice.follow : [...choice.follow, ...choice.load])
      : [],
    not_loaded: request.fullLoad || request.from !== undefined ? [] : names(choice.load),
    left_out: [
      ...source.refused.map(({ table, message }) => ({ table: table ?? '', reason: message })),
      ...names(choice.stopped).map((table) => ({
        table,
        reason: `stopped: ${checkpoint?.tables[table]?.stopped?.message ?? 'it needs a reload'}`,
      })),
    ],
    removed: names(choice.removed),
  };
}
