/** One Spark session that merges for all test files of a worker, in a Python process that answers JSON lines. */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from 'vitest';
import { z } from 'zod';
import { CdcError } from '../../src/core/errors.ts';
import type { MergeTableOptions } from '../../src/core/merge/merge-table.ts';
import { quoteWords, sparkParts, sparkWords, WITHOUT_COMPILING } from './spark-parts.ts';
import type { StagedTable } from './staged-table.ts';

const SCRIPT = fileURLToPath(new URL('./spark_driver.py', import.meta.url));

const mergeReport = z.looseObject({
  crashed: z.string().optional(),
  files: z.number().optional(),
  changes: z.number().optional(),
  version: z.number().optional(),
  waits: z.string().optional(),
});
export type SparkMergeReport = z.infer<typeof mergeReport>;

type MergeRequest = Pick<MergeTableOptions, 'staging' | 'lake' | 'table' | 'appId' | 'mode'> & {
  policies?: MergeTableOptions['policies'];
  replayWaitMs?: number | undefined;
  /** The point at which the run ends as if it had been killed. */
  crash?: string | undefined;
};

/** What mergeTable does, by the Glue script's modules. Throws CdcError as it does. */
export async function mergeBySpark(request: MergeRequest): Promise<SparkMergeReport> {
  const { staging, lake, table, appId, mode, policies, replayWaitMs, crash } = request;
  return mergeReport.parse(
    await ask({
      op: 'merge',
      staging: staging.location,
      lake: lake.location,
      ...table,
      appId,
      mode,
      unfit: policies?.unfit,
      replayWaitMs,
      crash,
    }),
  );
}

/** The whole job over every table of a staging; at each plan that it writes, the next of `landing` moves [from, to]. */
export async function runSparkJob(
  table: StagedTable,
  landing: readonly (readonly [from: string, to: string])[],
): Promise<SparkMergeReport[]> {
  const words = ['--staging', table.staging.location, '--lake', table.lake.location, '--pipeline', 'shop'];
  return z.object({ tables: z.array(mergeReport) }).parse(await ask({ op: 'job', words, landing })).tables;
}

/** Runs statements; the rows of the last one. */
export async function runSparkSql(...sql: string[]): Promise<Record<string, unknown>[]> {
  return z.array(z.record(z.string(), z.unknown())).parse(await ask({ op: 'sql', sql }));
}

const standing = z.object({
  version: z.number(),
  schema_string: z.string(),
  configuration: z.record(z.string(), z.string()),
  txns: z.record(z.string(), z.number()),
});
const look = z.object({ plain: standing.nullable(), delta: standing.nullable() });

/** How a lake table stands: by what its log's own files say (null where those are not of the plain kind), and by Delta. */
export async function lookBySpark({
  lake,
  table,
}: Pick<MergeRequest, 'lake' | 'table'>): Promise<z.infer<typeof look>> {
  return look.parse(await ask({ op: 'look', lake: lake.location, ...table }));
}

/** By the builder, which knows more than SQL does. `generated`: an expression, or `identity`. */
export async function createTable(request: {
  path: string;
  columns: { name: string; type: string; generated?: string }[];
  properties: Record<string, string>;
}): Promise<void> {
  await ask({ op: 'create', ...request });
}

/** Every feature and table property of the Delta that runs here. */
export async function knownToDelta(): Promise<{ features: string[]; properties: string[] }> {
  return z.object({ features: z.array(z.string()), properties: z.array(z.string()) }).parse(await ask({ op: 'delta' }));
}

/** In this file statements are interpreted, which is quicker where what a value becomes is not the question. */
export function compileNothing(): void {
  const settings = Object.entries(WITHOUT_COMPILING);
  beforeAll(async () => {
    await runSparkSql(...settings.map(([name, value]) => `SET ${name} = ${value}`));
  }, 300_000);
  afterAll(async () => {
    await runSparkSql(...settings.map(([name]) => `RESET ${name}`));
  });
}

/** From here on a table of this session may have its commits coordinated by `in-memory`. */
export async function coordinateCommits(): Promise<void> {
  await ask({ op: 'coordinate' });
}

interface Driver {
  process: ChildProcessWithoutNullStreams;
  waiting: Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>;
}

let started: { endpoint: string | undefined; driver: Promise<Driver> } | undefined;
let questions = 0;

/** A session reads and writes s3:// at what the environment named as it began: for another place there is another one. */
function driver(): Promise<Driver> {
  const endpoint = process.env.AWS_ENDPOINT_URL;
  if (started !== undefined && started.endpoint === endpoint) return started.driver;
  started?.driver.then(({ process: python }) => python.stdin.end()).catch(() => {});
  const one = {
    endpoint,
    driver: start(() => {
      if (started === one) started = undefined;
    }),
  };
  started = one;
  return one.driver;
}

async function ask(question: Record<string, unknown>): Promise<unknown> {
  const { process: python, waiting } = await driver();
  const id = ++questions;
  return await new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    python.stdin.write(`${JSON.stringify({ id, ...question })}\n`);
  });
}

const reply = z.object({
  id: z.number(),
  result: z.unknown().optional(),
  failure: z.object({ code: z.string(), message: z.string() }).optional(),
  error: z.string().optional(),
});

async function start(onEnd: () => void): Promise<Driver> {
  const parts = await sparkParts();
  const words = quoteWords([...sparkWords(parts, { 'spark.driver.memory': '1g' }), 'pyspark-shell']);
  const env = { ...process.env, ...parts.env, PYSPARK_SUBMIT_ARGS: words };
  const python = spawn(parts.python, [SCRIPT], { stdio: 'pipe', env });
  const waiting: Driver['waiting'] = new Map();
  let complaint = '';
  python.stderr.on('data', (chunk) => {
    complaint = `${complaint}${chunk}`.slice(-4000);
  });
  createInterface({ input: python.stdout }).on('line', (line) => {
    const { id, result, failure, error } = reply.parse(JSON.parse(line));
    const asked = waiting.get(id);
    waiting.delete(id);
    if (failure !== undefined) asked?.reject(new CdcError(failure.code, failure.message));
    else if (error !== undefined) asked?.reject(new Error(error));
    else asked?.resolve(result);
  });
  python.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`spark_driver.py ended (${code}): ${complaint}`));
    onEnd();
  });
  python.unref();
  process.once('exit', () => python.kill());
  return { process: python, waiting };
}
