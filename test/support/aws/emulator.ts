/**
 * An AWS account on this machine for tests: emulator/ (moto with repairs) in a process of its own on a free port of
 * 127.0.0.1. Start it once for a test file, reset it between tests.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { freePort } from '../../../src/core/server/port.ts';
import { hasPython, type PythonEnvironment, pythonOf } from '../python-environment.ts';
import type { TestServer } from '../servers.ts';

const MOTO = '5.2.5';
export const EMULATOR_PYTHON: PythonEnvironment = {
  name: `moto-${MOTO}`,
  packages: [`moto[server]==${MOTO}`, 'pymysql==1.2.4', 'cryptography==50.0.2'],
  serves: 'the AWS target',
};
const SCRIPT = fileURLToPath(new URL('./emulator/main.py', import.meta.url));
export const REGION = 'eu-west-1';
export const ACCOUNT = '123456789012';

/** For a command line in a process of its own: see there. */
export const HURRIED = { NODE_OPTIONS: `--import=${new URL('./hurry.mjs', import.meta.url).href}` };

export interface AwsEmulatorOptions {
  /** A real MySQL behind the endpoint of every RDS instance, started with `makeCertificates().serverArgs`. */
  rds?: TestServer;
  /** TestConnection opens a TCP connection to a database endpoint. */
  realConnect?: boolean;
  /** Runs Glue scripts: `python3`; without it a run succeeds without doing anything. */
  glueCommand?: string;
  /** What it needs in its environment. */
  glueEnvironment?: Record<string, string>;
  /** Starts the stand-in of a replication task (`compileChild`): then tasks really move data. */
  dmsCommand?: string;
  /** What a function of Node may import: the AWS SDK that the real runtime ships. */
  nodeModules?: string;
}

/** What the emulator is told from outside; what is left out stays as it is. Each counts until the next reset. */
export interface AwsControl {
  /** Every TestConnection fails with this. */
  connection_fail?: string | null;
  /** A running replication task fails with this. */
  task_fail?: string | null;
  /** A task that is resumed writes so many changes of each table again. */
  task_repeats?: number;
  /** Seconds after which S3's event comes again to a function that failed. */
  event_retry_seconds?: number | null;
  /** What DMS says of a table (`shop.orders`), over what its task has done; `times`: so often only. */
  statistics?: Record<string, Record<string, string | number | boolean>>;
  /** So many tables a page of DescribeTableStatistics. */
  statistics_page?: number;
  /** The tables that wildcards of table mappings find at the source; tasks that move data ask it. */
  tables?: [schema: string, table: string][];
  /** So often each role is refused by the services that are handed it: IAM has not told everybody yet. */
  role_refusals?: number;
  /** DMS leaves its network interface behind when an instance is deleted. */
  leave_interface?: boolean;
  /** So often the name of a deleted secret is refused. */
  secret_refusals?: number;
  /** An account on the free plan: micro classes, and backups of one day at most. */
  free_plan?: boolean;
  /** So many databases the account may have. */
  database_limit?: number;
}

/** How the states of a model go on: at the n-th look (the first unless told), or after so many seconds. */
export type Transition =
  | { progression: 'manual'; times: number }
  | { progression: 'time'; seconds: number }
  | { progression: 'immediate' };

export type TransitionModel =
  | 'dms::replicationtask'
  | 'dms::replicationinstance'
  | 'dms::connection'
  | 'dms::resource'
  | 'rds::dbinstance'
  | 'lambda::function'
  | 'glue::job_run';

/** Names of what is alive, by kind (`rds`, `dms:task`, `iam:role`, `s3` …); a kind of which nothing lives is not there. */
export type AwsAlive = Record<string, string[]>;

/** Settings by kind and name, without ids and times: the same for two accounts that were set up alike. */
export type AwsSettings = Record<string, Record<string, unknown>>;

export interface AwsEmulator {
  readonly url: string;
  /** What the SDK, and the built command line, need to meet the emulator and nothing else. */
  readonly env: Record<string, string>;
  readonly pid: number;
  /** An empty account again, nothing told, transitions as at the start, the database server as it was found. */
  reset(): Promise<void>;
  control(settings: AwsControl): Promise<void>;
  alive(): Promise<AwsAlive>;
  settings(): Promise<AwsSettings>;
  setTransition(model: TransitionModel, transition: Transition): Promise<void>;
  stop(): Promise<void>;
}

/** Whether the emulator can be had: false on a machine without Python or PyPI, which skips its tests; under CI=true that throws. */
export function hasAwsEmulator(): Promise<boolean> {
  return hasPython(EMULATOR_PYTHON);
}

/** Throws unless every request of this environment stays on this machine: tests call no real account. */
export function refuseRealAws(env: Record<string, string | undefined>): void {
  const endpoints = Object.entries(env).filter(([name]) => /^AWS_ENDPOINT_URL(_|$)/.test(name));
  if (!endpoints.some(([name]) => name === 'AWS_ENDPOINT_URL'))
    throw new Error('tests need AWS_ENDPOINT_URL: without it the SDK would call AWS');
  for (const [name, value] of endpoints) {
    // Not localhost: S3 would put the bucket's name before it.
    if (!URL.canParse(value ?? '') || new URL(value ?? '').hostname !== '127.0.0.1')
      throw new Error(`tests refuse ${name}=${value}: only 127.0.0.1 is emulated`);
  }
}

const left = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of left) killGroup(child);
});

const aliveReply = z.object({ alive: z.record(z.string(), z.array(z.string())) });
const settingsReply = z.object({ settings: z.record(z.string(), z.record(z.string(), z.unknown())) });

export async function startAwsEmulator(options: AwsEmulatorOptions = {}): Promise<AwsEmulator> {
  const python = await pythonOf(EMULATOR_PYTHON);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const folder = await mkdtemp(join(tmpdir(), 'cdc-test-aws-'));
  const { rds, realConnect, glueCommand, glueEnvironment, dmsCommand, nodeModules } = options;
  // A group of its own, so that functions and scripts under way end with it; it ends itself when stdin does.
  const child = spawn(python, [SCRIPT, '-H', '127.0.0.1', '-p', String(port)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
    env: {
      PATH: process.env.PATH,
      TMPDIR: folder,
      PYTHONDONTWRITEBYTECODE: '1',
      MOTO_IAM_LOAD_MANAGED_POLICIES: 'true',
      ...(rds === undefined
        ? {}
        : {
            CDC_EMU_RDS_ENDPOINT: `${rds.host}:${rds.port}`,
            CDC_EMU_RDS_ADMIN: `${rds.admin.user}:${rds.admin.password}@${rds.host}:${rds.port}`,
          }),
      ...(realConnect === true ? { CDC_EMU_REAL_CONNECT: '1' } : {}),
      ...(glueCommand === undefined ? {} : { CDC_EMU_GLUE_CMD: glueCommand, ...glueEnvironment }),
      ...(dmsCommand === undefined ? {} : { CDC_EMU_DMS_CMD: dmsCommand }),
      ...(nodeModules === undefined ? {} : { CDC_EMU_NODE_MODULES: nodeModules }),
    },
  });
  left.add(child);
  let complaint = '';
  child.stderr.on('data', (chunk) => {
    complaint = `${complaint}${chunk}`.slice(-4000);
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const { pid } = child;
  if (pid === undefined) throw new Error(`${python} did not start`);

  const ask = async (path: string, body?: unknown): Promise<unknown> => {
    const request = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const response = await fetch(`${url}/moto-api/${path}`, request);
    const text = await response.text();
    if (!response.ok) throw new Error(`emulator: ${path} answered ${response.status}: ${text.slice(0, 1000)}`);
    return JSON.parse(text);
  };
  const ready = async (): Promise<void> => {
    const deadline = Date.now() + 60_000;
    for (;;) {
      if (child.exitCode !== null || Date.now() > deadline) throw new Error(`the emulator did not start: ${complaint}`);
      try {
        await ask('cdc-control');
        return;
      } catch {
        await sleep(100);
      }
    }
  };
  const stop = async (): Promise<void> => {
    killGroup(child);
    await ended;
    left.delete(child);
    await rm(folder, { recursive: true, force: true });
  };
  await ready().catch(async (error: unknown) => {
    await stop();
    throw error;
  });

  const env = {
    AWS_ENDPOINT_URL: url,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'testing',
    AWS_SECRET_ACCESS_KEY: 'testing',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  };
  refuseRealAws(env);
  return {
    url,
    env,
    pid,
    async reset() {
      await ask('cdc-control', { reset: true });
    },
    async control(settings) {
      await ask('cdc-control', settings);
    },
    async alive() {
      return aliveReply.parse(await ask('cdc-control')).alive;
    },
    async settings() {
      return settingsReply.parse(await ask('cdc-control?settings')).settings;
    },
    async setTransition(model, transition) {
      await ask('cdc-control', { transitions: { [model]: transition } });
    },
    stop,
  };
}

function killGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // it ended at this moment
  }
}
