/**
 * The outsiders: tables read by delta-rs (PyPI `deltalake`) and by DuckDB with its delta extension, in a virtual environment
 * under .cache/, which is made when missing. One Python process answers all of a test file's questions.
 */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { hasPython, type PythonEnvironment, pythonOf } from './python-environment.ts';

const SCRIPT = fileURLToPath(new URL('./delta_reader.py', import.meta.url));
/** DuckDB's extension too is from PyPI, for the engine we bundle fetches extensions over the network. */
const PACKAGES = ['deltalake==1.6.6', 'pyarrow==26.0.1', 'duckdb==1.4.4', 'duckdb-ext-delta==1.4.4.20260205'];
const READERS: PythonEnvironment = {
  name: PACKAGES.join('-').replaceAll('==', '-'),
  packages: PACKAGES,
  serves: 'what delta-rs and DuckDB read',
};

/**
 * Integers beyond 2^53 and decimals are strings, dates `YYYY-MM-DD`, timestamps `YYYY-MM-DD HH:MM:SS.ffffff` in UTC,
 * binary lower-case hex, floats numbers or `NaN`, `Infinity`, `-Infinity`.
 */
export type DeltaRow = Record<string, string | number | boolean | null>;

const deltaRows = z.array(z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])));
const tableInfo = z.object({
  version: z.number(),
  files: z.number(),
  properties: z.record(z.string(), z.string()),
  schema: z.object({ fields: z.array(z.object({ name: z.string(), type: z.unknown(), nullable: z.boolean() })) }),
  txn: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
});
export type DeltaTableInfo = z.infer<typeof tableInfo>;

/** Every row of a table, in no promised order, read through pyarrow. `path` is the table's folder, or `s3://…` with how to get there. */
export async function readDeltaTable(
  path: string,
  options: { version?: number; storage?: Record<string, string> } = {},
): Promise<DeltaRow[]> {
  return deltaRows.parse(await ask({ op: 'rows', path, ...options }));
}

/** The same by DuckDB's delta extension, from a folder. */
export async function readDeltaTableByDuckdb(path: string): Promise<DeltaRow[]> {
  return deltaRows.parse(await ask({ op: 'duckdb', path }));
}

/** Runs statements in a new DuckDB with that extension; the rows of the last one. */
export async function runDuckdbSql(...sql: string[]): Promise<unknown[][]> {
  return z.array(z.array(z.unknown())).parse(await ask({ op: 'duckdb-sql', sql }));
}

/** A SELECT over the table as `t`, run by DataFusion, which leaves out files by their statistics. */
export async function queryDeltaTable(
  path: string,
  sql: string,
  options: { version?: number } = {},
): Promise<DeltaRow[]> {
  return deltaRows.parse(await ask({ op: 'query', path, sql, ...options }));
}

export async function describeDeltaTable(
  path: string,
  options: { version?: number; apps?: string[] } = {},
): Promise<DeltaTableInfo> {
  return tableInfo.parse(await ask({ op: 'info', path, ...options }));
}

/** Whether the reader can be had: false on a machine without Python or PyPI, which skips its tests; under CI=true that throws. */
export function hasDeltaReader(): Promise<boolean> {
  return hasPython(READERS);
}

interface Reader {
  process: ChildProcessWithoutNullStreams;
  waiting: Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>;
}

let started: Promise<Reader> | undefined;
let questions = 0;

async function ask(question: Record<string, unknown>): Promise<unknown> {
  const { process: python, waiting } = await reader();
  const id = ++questions;
  return await new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    python.stdin.write(`${JSON.stringify({ id, ...question })}\n`);
  });
}

function reader(): Promise<Reader> {
  started ??= start();
  return started;
}

const reply = z.object({ id: z.number(), result: z.unknown().optional(), error: z.string().optional() });

async function start(): Promise<Reader> {
  const python = spawn(await pythonOf(READERS), [SCRIPT], { stdio: 'pipe' });
  const waiting: Reader['waiting'] = new Map();
  let complaint = '';
  python.stderr.on('data', (chunk) => {
    complaint = `${complaint}${chunk}`.slice(-4000);
  });
  createInterface({ input: python.stdout }).on('line', (line) => {
    const { id, result, error } = reply.parse(JSON.parse(line));
    if (error === undefined) waiting.get(id)?.resolve(result);
    else waiting.get(id)?.reject(new Error(error));
    waiting.delete(id);
  });
  python.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`delta_reader.py ended (${code}): ${complaint}`));
    started = undefined;
  });
  // Nothing waits for it, and it ends with its stdin, which ends with this process.
  python.unref();
  process.once('exit', () => python.kill());
  return { process: python, waiting };
}
