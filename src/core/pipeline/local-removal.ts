/** What `destroy` removes of a pipeline on this machine, and what it leaves. */

import { access, rm } from 'node:fs/promises';
import type { Progress } from '../progress.ts';
import { privateServerState } from '../server/state.ts';
import { removePrivateServer } from '../server/stop.ts';
import { isMarked, MARKER_KEY } from './marker.ts';
import { deleteKeys, lakeKeys, stagingKeys } from './own-files.ts';
import type { Pipeline } from './pipeline.ts';
import { runningWorker } from './worker-process.ts';

/** Something `destroy` removes, or leaves and says why. */
export interface Removal {
  resource: string;
  /** What is in it, for the question. */
  holds: string;
  remove?: () => Promise<void>;
  /** Why it stays. */
  stays?: string;
}

/** What `destroy` would do, in order; the worker must have ended. Throws `worker.elsewhere` when one of another machine writes. */
export async function planRemoval(options: {
  pipeline: Pipeline;
  deleteLake: boolean;
  lakeHolds: string;
  progress: Progress;
  signal: AbortSignal;
}): Promise<Removal[]> {
  const { pipeline, deleteLake, lakeHolds, progress, signal } = options;
  const { config, staging, lake, serverFolder } = pipeline;
  const removals: Removal[] = [];
  await runningWorker(pipeline);
  if (config.source.kind === 'private' && (await privateServerState(serverFolder)).state !== 'absent')
    removals.push({
      resource: `the private server in ${serverFolder}`,
      holds: 'its databases',
      remove: () => removePrivateServer({ folder: serverFolder, progress, signal }),
    });
  if (await isMarked(staging, config.name))
    removals.push({
      resource: staging.location,
      holds: files((await stagingKeys(staging)).length),
      remove: async () => deleteKeys(staging, await stagingKeys(staging), MARKER_KEY),
    });
  if (await isMarked(lake, config.name))
    removals.push({
      resource: lake.location,
      holds: lakeHolds,
      ...(deleteLake || lakeHolds === ''
        ? { remove: async () => deleteKeys(lake, await lakeKeys(pipeline), MARKER_KEY) }
        : { stays: 'it holds rows; --delete-lake removes it' }),
    });
  if (await exists(config.stateFolder))
    removals.push({
      resource: config.stateFolder,
      holds: "the worker's log and cache",
      remove: () => rm(config.stateFolder, { recursive: true, force: true }),
    });
  return removals;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function files(number: number): string {
  return `${number} file${number === 1 ? '' : 's'}: change files, checkpoint`;
}
