/** An emulated account with everything real inside, and a folder with the cdc.yaml of the guide's pipeline in it. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { createConnection } from 'mysql2/promise';
import { expect } from 'vitest';
import { makeCertificates, type TestCertificates } from '../certificates.ts';
import { type CompiledChild, compileChild } from '../child.ts';
import { type CdcResult, runCdc } from '../cli.ts';
import { startTestServer, type TestServer } from '../servers.ts';
import { quoteWords, sparkParts, sparkWords, WITHOUT_COMPILING } from '../spark-parts.ts';
import { type AwsClients, awsClients } from './clients.ts';
import { type AwsEmulator, type AwsEmulatorOptions, HURRIED, startAwsEmulator } from './emulator.ts';

const NODE_MODULES = fileURLToPath(new URL('../../../node_modules', import.meta.url));
const NAME = 'guide-abcd';
const PERSONS = 'SELECT PersonId, FullName, City FROM ahmad_schema.Persons ORDER BY PersonId';

export class GuideAccount {
  readonly aws: AwsEmulator;
  readonly clients: AwsClients;
  /** Behind the endpoint of RDS. */
  readonly server: TestServer;
  readonly folder: string;
  readonly #certificates: TestCertificates;
  readonly #task: CompiledChild;

  private constructor(parts: {
    aws: AwsEmulator;
    server: TestServer;
    folder: string;
    certificates: TestCertificates;
    task: CompiledChild;
  }) {
    this.aws = parts.aws;
    this.clients = awsClients(parts.aws);
    this.server = parts.server;
    this.folder = parts.folder;
    this.#certificates = parts.certificates;
    this.#task = parts.task;
  }

  /** `spark`: runs of the Glue job really run its script. */
  static async start({ spark }: { spark: boolean }): Promise<GuideAccount> {
    const certificates = await makeCertificates();
    const [server, task] = await Promise.all([
      startTestServer('mysql', { extraArgs: certificates.serverArgs }),
      compileChild('test/support/aws/dms-task-child.ts'),
    ]);
    const aws = await startAwsEmulator({
      rds: server,
      realConnect: true,
      dmsCommand: `'${process.execPath}' '${task.script}'`,
      nodeModules: NODE_MODULES,
      ...(spark ? await glueBySpark() : {}),
    });
    const folder = await mkdtemp(join(tmpdir(), 'cdc-aws-'));
    await writeFile(
      join(folder, 'cdc.yaml'),
      [
        `name: ${NAME}`,
        'target: aws',
        `source: { rds: { operator: 203.0.113.7/32 }, tls: { ca: '${certificates.caFile}' } }`,
        "tables: ['ahmad_schema.%']",
        'dms: { max_batch_interval: 2s }',
        '',
      ].join('\n'),
    );
    return new GuideAccount({ aws, server, folder, certificates, task });
  }

  async stop(): Promise<void> {
    await this.aws.stop();
    await this.server.stop();
    await this.#certificates.remove();
    await this.#task.remove();
    await rm(this.folder, { recursive: true, force: true });
  }

  async cdc(...words: string[]): Promise<CdcResult> {
    const result = await runCdc(words, { cwd: this.folder, env: { ...this.aws.env, ...HURRIED } });
    expect(result.stderr).not.toContain('Warning');
    return result;
  }

  /** What it prints; it must succeed. */
  async ok(...words: string[]): Promise<string> {
    const result = await this.cdc(...words);
    expect(result.code, `cdc ${words.join(' ')}\n${result.stderr}`).toBe(0);
    return result.stdout;
  }

  async json(...words: string[]) {
    return JSON.parse(await this.ok(...words, '--json'));
  }

  /** The lake table of the guide, and what the source has. */
  async bothRows(): Promise<{ lake: unknown; source: unknown }> {
    return { lake: await this.json('query', PERSONS), source: await this.#ask(PERSONS) };
  }

  /** RDS refuses whoever comes without TLS. */
  async #ask(sql: string): Promise<unknown> {
    const ssl = { ca: await readFile(this.#certificates.caFile, 'utf8') };
    const connection = await createConnection({ ...this.server.connection(), ssl });
    try {
      const [rows] = await connection.query(sql);
      return rows;
    } finally {
      connection.destroy();
    }
  }

  /** States of the Glue job's runs, once none is under way and there are so many. */
  async runs(count: number): Promise<string[]> {
    for (const deadline = Date.now() + 240_000; ; ) {
      const { JobRuns = [] } = await this.clients.glue.getJobRuns({ JobName: `${NAME}-merge` });
      const states = JobRuns.map(({ JobRunState }) => String(JobRunState));
      if (states.length >= count && states.every((state) => !['STARTING', 'RUNNING'].includes(state))) return states;
      if (Date.now() > deadline) throw new Error(`not ${count} runs that have ended: ${JSON.stringify(states)}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  /** Waits until the lake has what the source has, though nobody asks for a merge. */
  async mergedByItself(): Promise<void> {
    const source = JSON.parse(JSON.stringify(await this.#ask(PERSONS)));
    // Asked for rows only when a run has ended: a query a second would take a core from what it waits for.
    for (let ended = 0; ; ) {
      ended = (await this.runs(ended + 1)).length;
      // Until its load is merged there is no table.
      const { code, stdout } = await this.cdc('query', PERSONS, '--json');
      if (code === 0 && isDeepStrictEqual(JSON.parse(stdout), source)) break;
    }
    expect(new Set(await this.runs(1))).toEqual(new Set(['SUCCEEDED']));
  }

  /** Waits until `status` shows the guide's table like this. */
  async shows(table: { state: string; error?: object | null; loaded_rows?: number }): Promise<void> {
    for (const deadline = Date.now() + 60_000; ; ) {
      const { tables } = await this.json('status');
      if (tables[0]?.state === table.state || Date.now() > deadline) {
        expect(tables).toMatchObject([table]);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  /** Waits until so many files lie in staging that are not merged. */
  async unmergedFiles(count: number): Promise<void> {
    for (const deadline = Date.now() + 60_000; ; ) {
      const { files } = await this.json('files');
      const waiting = files.filter(({ state }: { state: string }) => state !== 'merged');
      if (waiting.length === count) return;
      if (Date.now() > deadline) throw new Error(`staging has ${JSON.stringify(files)}`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  /** The task's count of changes, once it is this one. */
  async followed(counts: { inserts: number; updates: number; deletes: number }): Promise<void> {
    const deadline = Date.now() + 60_000;
    for (;;) {
      const { ReplicationTasks = [] } = await this.clients.dms.describeReplicationTasks({});
      const rows = await Promise.all(
        ReplicationTasks.map(({ ReplicationTaskArn, Status }) =>
          Status === 'running' ? this.clients.dms.describeTableStatistics({ ReplicationTaskArn }) : undefined,
        ),
      );
      const [table] = rows.flatMap((row) => row?.TableStatistics ?? []);
      const seen = { inserts: table?.Inserts, updates: table?.Updates, deletes: table?.Deletes };
      if (
        Object.entries(counts).every(([name, value]) =>
          Object.entries(seen).some(([n, v]) => n === name && v === value),
        )
      )
        return;
      if (Date.now() > deadline) throw new Error(`the task shows ${JSON.stringify(seen)}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** What lets runs of a Glue job really run its script under PySpark. */
export async function glueBySpark(): Promise<Pick<AwsEmulatorOptions, 'glueCommand' | 'glueEnvironment'>> {
  const parts = await sparkParts();
  return {
    glueCommand: parts.python,
    glueEnvironment: {
      ...parts.env,
      PYSPARK_SUBMIT_ARGS: quoteWords([...sparkWords(parts, WITHOUT_COMPILING), 'pyspark-shell']),
    },
  };
}
