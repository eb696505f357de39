/** What `init` makes on this machine, compared with what is there: steps to take, computed purely, then taken one by one. */

import { throwIfCancelled } from '../errors.ts';
import type { Progress } from '../progress.ts';
import { findServer } from '../server/find.ts';
import { startPrivateServer } from '../server/start.ts';
import { type PrivateServerState, privateServerState } from '../server/state.ts';
import { isMarked, mark } from './marker.ts';
import { type Pipeline, refuseAbsent } from './pipeline.ts';

export { planRemoval, type Removal } from './local-removal.ts';

export interface Step {
  id: 'config' | 'server' | 'staging' | 'lake';
  action: 'create' | 'start' | 'none';
  resource: string;
  exists: boolean;
}

/** What was found on this machine. */
export interface LocalFacts {
  configExists: boolean;
  server: PrivateServerState['state'] | 'not-ours';
  stagingExists: boolean;
  lakeExists: boolean;
}

/** Pure: the steps in order; a step whose action is `none` is there already. */
export function planLocal(
  facts: LocalFacts,
  names: { configFile: string; server: string; staging: string; lake: string },
): Step[] {
  const folder = (exists: boolean) => (exists ? 'none' : 'create');
  const steps: Step[] = [
    { id: 'config', action: folder(facts.configExists), resource: names.configFile, exists: facts.configExists },
  ];
  if (facts.server !== 'not-ours')
    steps.push({
      id: 'server',
      action: facts.server === 'absent' ? 'create' : facts.server === 'stopped' ? 'start' : 'none',
      resource: names.server,
      exists: facts.server !== 'absent',
    });
  steps.push(
    { id: 'staging', action: folder(facts.stagingExists), resource: names.staging, exists: facts.stagingExists },
    { id: 'lake', action: folder(facts.lakeExists), resource: names.lake, exists: facts.lakeExists },
  );
  return steps;
}

export async function lookAtLocal(pipeline: Pipeline, configExists: boolean): Promise<{ steps: Step[] }> {
  const { config, staging, lake, serverFolder } = pipeline;
  const server = config.source.kind === 'private' ? await privateServerState(serverFolder) : undefined;
  const facts: LocalFacts = {
    configExists,
    server: server?.state ?? 'not-ours',
    stagingExists: await isMarked(staging, config.name),
    lakeExists: await isMarked(lake, config.name),
  };
  return {
    steps: planLocal(facts, {
      configFile: config.file,
      server: describeServer(pipeline, server),
      staging: staging.location,
      lake: lake.location,
    }),
  };
}

/** By the flavor it is, the one that is asked for, or what it can become. */
function describeServer(
  { config: { source }, serverFolder }: Pipeline,
  server: PrivateServerState | undefined,
): string {
  const known = server !== undefined && server.state !== 'absent' ? server : undefined;
  const flavor = known?.flavor ?? (source.kind === 'private' ? source.flavor : undefined);
  const name = flavor === undefined ? 'MariaDB or MySQL' : flavor === 'mysql' ? 'MySQL' : 'MariaDB';
  return `private ${name}${known === undefined ? '' : ` ${known.version}`} server in ${serverFolder}`;
}

export interface ServerChoice {
  mysqld: string | undefined;
  cacheFolder: string;
}

/** Takes the steps; each can be repeated. Returns them with what came of them. */
export async function makeLocal(options: {
  pipeline: Pipeline;
  steps: Step[];
  server: ServerChoice;
  progress: Progress;
  signal: AbortSignal;
}): Promise<Step[]> {
  const { pipeline, steps, progress, signal } = options;
  const taken: Step[] = [];
  for (const step of steps) {
    throwIfCancelled(signal);
    let { resource } = step;
    if (step.action !== 'none' && step.id !== 'config') {
      if (step.id === 'server') {
        await startServer(options);
        resource = describeServer(pipeline, await privateServerState(pipeline.serverFolder));
      } else await mark(step.id === 'staging' ? pipeline.staging : pipeline.lake, pipeline.config.name);
      progress.done(`${step.action === 'start' ? 'started' : 'made'} ${resource}`);
    }
    taken.push({ ...step, resource });
  }
  return taken;
}

/** Starts the private server again; nothing when the source is another server. Throws `server.absent` before `init` made one. */
export async function restartServer(options: Parameters<typeof startServer>[0]): ReturnType<typeof startServer> {
  const { config, serverFolder } = options.pipeline;
  if (config.source.kind === 'private') refuseAbsent(await privateServerState(serverFolder));
  return startServer(options);
}

/** Starts the private server, made first when there is none; nothing when the source is another server. */
export async function startServer(options: {
  pipeline: Pipeline;
  server: ServerChoice;
  progress: Progress;
  signal: AbortSignal;
}): Promise<{ adopted: boolean } | undefined> {
  const { pipeline, server, progress, signal } = options;
  const { source } = pipeline.config;
  if (source.kind !== 'private') return undefined;
  return startPrivateServer({
    folder: pipeline.serverFolder,
    port: source.port,
    findBinary: (wanted) =>
      findServer({
        mysqld: server.mysqld,
        cacheDir: server.cacheFolder,
        flavor: wanted.flavor ?? source.flavor,
        progress,
        signal,
      }),
    progress,
    signal,
  });
}

/** Staging and lake of a pipeline whose cdc.yaml was written by hand, and that `init` never saw; throws `store.not-ours`. */
export async function makeFolders(pipeline: Pipeline): Promise<void> {
  const { config, staging, lake } = pipeline;
  for (const store of [staging, lake]) if (!(await isMarked(store, config.name))) await mark(store, config.name);
}
