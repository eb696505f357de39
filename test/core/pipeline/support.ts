/** A pipeline of a test: a folder of its own on a test server, its worker in this process, and the lake's rows to compare with. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { type Checkpoint, readCheckpoint } from '../../../src/core/capture/checkpoint.ts';
import { formatTableName, type TableName } from '../../../src/core/change.ts';
import { parseConfig } from '../../../src/core/config.ts';
import { withEngine } from '../../../src/core/engine/engine.ts';
import { openPipeline, type Pipeline } from '../../../src/core/pipeline/pipeline.ts';
import { runWorker, type WorkerRequest } from '../../../src/core/pipeline/worker.ts';
import { type WorkerState, WorkerStateFile } from '../../../src/core/pipeline/worker-state.ts';
import type { Progress } from '../../../src/core/progress.ts';
import { createView, readLakeTables } from '../../../src/core/query/lake-views.ts';
import { ownIdentity } from '../../../src/core/store/process-identity.ts';
import type { TestServer } from '../../support/servers.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

export const ALL: WorkerRequest = { fullLoad: true, ongoing: true, merge: true };

/** `rules`: entries of `tables:` as they stand in cdc.yaml, instead of names; `yaml`: further lines of it. The worker reads it anew, so a test can go on with another one in the same folder. */
export async function testPipeline(
  server: TestServer,
  options: { folder?: string; tables?: string[]; rules?: string[]; yaml?: string; name?: string } = {},
): Promise<Pipeline> {
  const folder = options.folder ?? (await temporaryFolder());
  await mkdir(folder, { recursive: true });
  const { user, password } = server.cdc;
  const text = [
    `name: ${options.name ?? 'test-pipe'}`,
    `source: mysql://${user}@${server.host}:${server.port}`,
    `tables: [${(options.rules ?? (options.tables ?? ['shop.%']).map((table) => JSON.stringify(table))).join(', ')}]`,
    options.yaml ?? 'capture: { max_delay: 50ms }',
  ].join('\n');
  return openPipeline(parseConfig({ file: join(folder, 'cdc.yaml'), text }), { CDC_SOURCE_PASSWORD: password });
}

export interface TestWorker {
  readonly state: Readonly<WorkerState>;
  readonly warnings: string[];
  /** Rejects with what the worker failed with. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
  /** Fails with the worker, or after a quarter of a minute. */
  until(condition: (state: Readonly<WorkerState>) => boolean | Promise<boolean>): Promise<void>;
  following(): Promise<void>;
}

export async function startWorker(pipeline: Pipeline, request: WorkerRequest = ALL): Promise<TestWorker> {
  const state = new WorkerStateFile(pipeline.config.stateFolder, {
    process: await ownIdentity(),
    startedAt: new Date().toISOString(),
    state: 'starting',
    merge: request.merge,
    ongoing: request.ongoing,
    doing: 'starting',
    loaded: [],
    warnings: [],
    loadsMerged: false,
    tables: {},
  });
  const warnings: string[] = [];
  const progress: Progress = { update() {}, done() {}, detail() {}, warn: (text) => warnings.push(text) };
  const abort = new AbortController();
  let failure: { error: unknown } | undefined;
  const ended = runWorker({ pipeline, request, state, progress, signal: abort.signal })
    .catch((error: unknown) => {
      failure = { error };
      throw error;
    })
    .finally(async () => {
      // What the process of a worker says last.
      state.update({ state: 'stopped' });
      await state.flush();
    });
  ended.catch(() => {});
  const stop = async () => {
    abort.abort();
    await ended.catch(() => {});
  };
  onTestFinished(stop);
  const until: TestWorker['until'] = async (condition) => {
    for (const end = Date.now() + 15_000; !(await condition(state.state)); await sleep(20)) {
      if (failure !== undefined) throw failure.error;
      if (Date.now() > end) throw new Error(`it never came to that: ${JSON.stringify(state.state, null, 1)}`);
    }
  };
  return {
    get state() {
      return state.state;
    },
    warnings,
    ended,
    stop,
    until,
    following: () => until((now) => now.state === 'following' && now.loadsMerged),
  };
}

/** Rows of a lake table as text, ordered; undefined where there is no table. */
export async function lakeRows(pipeline: Pipeline, table: TableName, sql = '*'): Promise<string[] | undefined> {
  return await withEngine(pipeline.engineOptions, async (engine) => {
    const [found] = await readLakeTables(pipeline.lake, engine, [table]);
    if (found === undefined) return undefined;
    return await engine.withConnection(async (connection) => {
      await createView(connection, pipeline.lake, found);
      const name = `"${table.schema.replaceAll('"', '""')}"."${table.table.replaceAll('"', '""')}"`;
      const rows = await connection.rows(`SELECT ${sql} FROM ${name} ORDER BY ALL`);
      return rows.map((row) => Object.values(row).join(' '));
    });
  });
}

export async function checkpointOf(pipeline: Pipeline): Promise<Checkpoint> {
  const checkpoint = await readCheckpoint(pipeline.staging);
  if (checkpoint === undefined) throw new Error('no checkpoint');
  return checkpoint;
}

/** What the checkpoint says of one table. */
export async function entryOf(pipeline: Pipeline, table: TableName) {
  return (await checkpointOf(pipeline)).tables[formatTableName(table)];
}
