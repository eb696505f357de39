/** The Glue script in a process of its own, as spark-submit starts it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { shellWords } from '../../src/core/pipeline/spark-merge.ts';
import { quoteWords, sparkParts, sparkSubmit, sparkWords, WITHOUT_COMPILING } from './spark-parts.ts';
import type { StagedTable } from './staged-table.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/glue/merge_changes.py', import.meta.url));

const jobReport = z.looseObject({ engine: z.string(), tables: z.array(z.looseObject({ table: z.string() })) });

export interface SparkJob {
  /** Spark's JVM, and Python is its child; with `pythonFirst` the other way round. */
  process: ChildProcess;
  ended: Promise<{ code: number | null; stderr: string; report: z.infer<typeof jobReport> | undefined }>;
  /** kill -9 of JVM and Python in one instant. */
  kill(): void;
}

export interface SparkJobOptions {
  env?: Record<string, string>;
  /** Further arguments of the script. */
  words?: readonly string[];
  /** Python starts Spark's JVM, so that a signal to the process is one to Python. */
  pythonFirst?: boolean;
}

/** Merges what a table of the pipeline `shop` has pending. Killed with the test if it still runs then. */
export async function startSparkJob(
  table: StagedTable,
  { env = {}, words = [], pythonFirst = false }: SparkJobOptions = {},
): Promise<SparkJob> {
  const starts = pythonFirst ? await pythonStarts() : { line: await sparkSubmit(), env: {} };
  const [command = '', ...submit] = shellWords(starts.line);
  const places = ['--staging', table.staging.location, '--lake', table.lake.location, '--pipeline', 'shop'];
  // A group of its own, so that it can be killed as a whole.
  const child = spawn(command, [...submit, SCRIPT, ...places, ...words], {
    env: { ...process.env, ...starts.env, ...env },
    stdio: 'pipe',
    detached: true,
  });
  const kill = () => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It ended in this moment.
    }
  };
  onTestFinished(kill);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr = `${stderr}${chunk}`.slice(-4000);
  });
  const ended = once(child, 'close').then(([code]) => ({ code, stderr, report: lastJson(stdout) }));
  return { process: child, ended, kill };
}

async function pythonStarts(): Promise<{ line: string; env: Record<string, string> }> {
  const parts = await sparkParts();
  const env = {
    ...parts.env,
    PYSPARK_SUBMIT_ARGS: quoteWords([...sparkWords(parts, WITHOUT_COMPILING), 'pyspark-shell']),
  };
  return { line: quoteWords([parts.python]), env };
}

function lastJson(stdout: string): z.infer<typeof jobReport> | undefined {
  const line = stdout.trimEnd().split('\n').at(-1) ?? '';
  return line.startsWith('{') ? jobReport.parse(JSON.parse(line)) : undefined;
}
