/** What `init` makes on this machine, compared with what is there: steps to take, computed purely, then taken one by one. */

import { access, mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CdcError, nativeCodeOf, throwIfCancelled } from '../errors.ts';
import type { Progress } from '../progress.ts';
import { findServer } from '../server/find.ts';
import { startPrivateServer } from '../server/start.ts';
import { type PrivateServerState, privateServerState } from '../server/state.ts';
import { removePrivateServer } from '../server/stop.ts';
import type { LocalStore } from '../store/local.ts';
import { writeError } from '../store/local-error.ts';
import type { Store } from '../store/store.ts';
import { type Pipeline, refuseAbsent } from './pipeline.ts';

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
  const facts: LocalFacts = {
    configExists,
    server: config.source.kind === 'private' ? (await privateServerState(serverFolder)).state : 'not-ours',
    stagingExists: await isMarked(staging, config.name),
    lakeExists: await isMarked(lake, config.name),
  };
  const flavor = config.source.kind === 'private' ? (config.source.flavor ?? 'MariaDB or MySQL') : '';
  return {
    steps: planLocal(facts, {
      configFile: config.file,
      server: `private ${flavor} server in ${serverFolder}`,
      staging: staging.location,
      lake: lake.location,
    }),
  };
}

export interface ServerChoice {
  mysqld: string | undefined;
  cacheFolder: string;
}

/** Takes the steps; each can be repeated. */
export async function makeLocal(options: {
  pipeline: Pipeline;
  steps: Step[];
  server: ServerChoice;
  progress: Progress;
  signal: AbortSignal;
}): Promise<void> {
  const { pipeline, steps, progress, signal } = options;
  for (const step of steps) {
    throwIfCancelled(signal);
    if (step.action === 'none' || step.id === 'config') continue;
    if (step.id === 'server') await startServer(options);
    else await mark(step.id === 'staging' ? pipeline.staging : pipeline.lake, pipeline.config.name);
    progress.done(`${step.action === 'start' ? 'started' : 'made'} ${step.resource}`);
  }
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

/** Says whose folder this is, so that `destroy` deletes only what `init` made. */
const MARKER_KEY = '_cdc/pipeline.json';
const marker = z.object({ name: z.string() });

async function isMarked(store: Store, name: string): Promise<boolean> {
  const body = await store.getIfPresent(MARKER_KEY);
  if (body === undefined) return false;
  const owner = marker.parse(JSON.parse(body.toString())).name;
  if (owner === name) return true;
  throw new CdcError(
    'store.not-ours',
    `using ${store.location}: it belongs to the pipeline ${owner}, and this one is ${name}`,
    {
      hint: 'give this pipeline folders of its own with `staging:` and `lake:` in cdc.yaml',
    },
  );
}

async function mark(store: Store, name: string): Promise<void> {
  await mkdir(store.location, { recursive: true }).catch((error: unknown) => {
    throw writeError(store.location, error);
  });
  await store.putIfAbsent(MARKER_KEY, `${JSON.stringify({ name })}\n`);
}

/** Staging and lake of a pipeline whose cdc.yaml was written by hand, and that `init` never saw; throws `store.not-ours`. */
export async function makeFolders(pipeline: Pipeline): Promise<void> {
  const { config, staging, lake } = pipeline;
  for (const store of [staging, lake]) if (!(await isMarked(store, config.name))) await mark(store, config.name);
}

/** Something `destroy` removes, or leaves and says why. */
export interface Removal {
  resource: string;
  /** What is in it, for the question. */
  holds: string;
  remove?: () => Promise<void>;
  /** Why it stays. */
  stays?: string;
}

/** What `destroy` would do, in order; the worker must have ended. */
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
  if (config.source.kind === 'private' && (await privateServerState(serverFolder)).state !== 'absent')
    removals.push({
      resource: `the private server in ${serverFolder}`,
      holds: 'its databases',
      remove: () => removePrivateServer({ folder: serverFolder, progress, signal }),
    });
  if (await isMarked(staging, config.name))
    removals.push({
      resource: staging.location,
      holds: `${(await staging.list('')).length} files: change files, checkpoint`,
      remove: () => removeOurs(staging),
    });
  if (await isMarked(lake, config.name))
    removals.push({
      resource: lake.location,
      holds: lakeHolds,
      ...(deleteLake || lakeHolds === ''
        ? { remove: () => removeOurs(lake) }
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

/** Deletes what the pipeline wrote, the marker last, so that a second try still knows its own; then the folders that are empty. */
async function removeOurs(store: LocalStore): Promise<void> {
  const isOurs = await ownership(store);
  for (const { key } of await store.list('')) if (isOurs(key) && key !== MARKER_KEY) await store.delete(key);
  await store.delete(MARKER_KEY);
  await store.sweep(0);
  await removeEmptyFolders(store.location);
}

/** Whether a key is ours: under `_cdc/`, or in the folder of a table that has a definition here or is a Delta table. Anything else somebody put there. */
async function ownership(store: Store): Promise<(key: string) => boolean> {
  const folders = new Set<string>();
  for (const { key } of await store.list('')) {
    const [, table] = /^_cdc\/tables\/([^/]+\/[^/]+\/)/.exec(key) ?? /^([^/]+\/[^/]+\/)_delta_log\//.exec(key) ?? [];
    if (table !== undefined) folders.add(table);
  }
  return (key) => key.startsWith('_cdc/') || folders.has(`${key.split('/').slice(0, 2).join('/')}/`);
}

/** Also the hidden ones, such as the store's scratch folder. */
async function removeEmptyFolders(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeEmptyFolders(join(folder, entry.name));
  await rmdir(folder).catch((error: unknown) => {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(nativeCodeOf(error) ?? '')) throw error;
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
