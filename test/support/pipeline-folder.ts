/** A folder with a pipeline in it, used through the built command line as a person would; watches that no secret gets out. */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished } from 'vitest';
import { readCheckpoint } from '../../src/core/capture/checkpoint.ts';
import { openLocalStore } from '../../src/core/store/local.ts';
import { type CdcResult, type RunningCdc, runCdc, startCdc, stopCdcNow } from './cli.ts';
import { type StatusJson, statusJson } from './cli-json.ts';
import { temporaryFolder } from './temp-folder.ts';

export interface Failure {
  code: 1 | 2 | 3 | 130;
  /** The whole of stderr, but for lines of progress; `→` lines are the hint. */
  says: string;
}

const PATIENCE_MS = 60_000;

/** Workers and private servers outlive the process that starts them. */
const running = new Set<PipelineFolder>();
process.once('exit', () => {
  for (const { path, env } of running) stopCdcNow({ cwd: path, env });
});
// Without a listener a SIGTERM (Ctrl-C of the whole run) would end this process without `exit`.
process.once('SIGTERM', () => process.exit(143));

export class PipelineFolder {
  readonly path: string;
  readonly env: Record<string, string>;
  readonly #secrets: readonly string[];

  constructor(path: string, options: { env?: Record<string, string>; secrets?: readonly string[] } = {}) {
    this.path = path;
    this.env = options.env ?? {};
    this.#secrets = options.secrets ?? [];
  }

  /** In a temporary folder of the test that runs; its worker and server end with the test. */
  static async make(
    options: { config?: string; env?: Record<string, string>; secrets?: readonly string[]; isOpen?: boolean } = {},
  ): Promise<PipelineFolder> {
    const folder = new PipelineFolder(await temporaryFolder(), options);
    // A private server of root's runs as another user, who has to come to its data.
    if (options.isOpen === true) await chmod(folder.path, 0o755);
    if (options.config !== undefined) await folder.configure(options.config);
    return folder.endsWithTest();
  }

  /** What runs here is stopped with the test, and also when the run is interrupted. */
  endsWithTest(): this {
    running.add(this);
    onTestFinished(() => this.stop());
    return this;
  }

  async configure(text: string): Promise<void> {
    await writeFile(join(this.path, 'cdc.yaml'), text);
  }

  /** Runs `cdc …` here to its end. */
  async cdc(...words: string[]): Promise<CdcResult> {
    const result = await runCdc(words, { cwd: this.path, env: this.env });
    this.#keepsSecrets(words.join(' '), result);
    return result;
  }

  start(...words: string[]): Promise<RunningCdc> {
    return startCdc(words, { cwd: this.path, env: this.env });
  }

  /** Runs it, and shows what it said when it does not exit 0. Returns stdout. */
  async ok(...words: string[]): Promise<string> {
    const result = await this.cdc(...words);
    if (result.code !== 0)
      expect.fail(`cdc ${words.join(' ')}: exit ${result.code}\n${result.stderr}${result.stdout}\n${await this.log()}`);
    return result.stdout;
  }

  /** The same with --json. */
  async json(...words: string[]): Promise<unknown> {
    return JSON.parse(await this.ok(...words, '--json'));
  }

  /** It fails with exactly these words and an empty stdout, and leaves the folder as it was. */
  async fails(words: readonly string[], failure: Failure): Promise<void> {
    const before = await this.contents();
    const result = await this.cdc(...words);
    const says = result.stderr
      .split('\n')
      .filter(
        (line) => !/^(starting|starting a worker|stopping the worker|merging .*|made .*|waiting for .*)$/.test(line),
      )
      .join('\n')
      .trimEnd();
    expect({ code: result.code, says: this.plain(says), stdout: result.stdout }, `cdc ${words.join(' ')}`).toEqual({
      ...failure,
      stdout: '',
    });
    expect(await this.contents(), `what cdc ${words.join(' ')} left`).toEqual(before);
  }

  /** A text without what differs from run to run: this folder, process ids. */
  plain(text: string): string {
    return text.replaceAll(this.path, '…').replace(/pid \d+/g, 'pid N');
  }

  /** Name → content of everything but .cdc/, of what capture's lease leaves, and of what is being written. */
  async contents(): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    for (const entry of await readdir(this.path, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      const name = relative(this.path, path);
      if (name === '.cdc' || name.startsWith('.cdc/') || name.includes('_cdc/lease')) continue;
      if (name.split('/').some((part) => part.startsWith('.tmp-'))) continue;
      if (!entry.isFile()) continue;
      const body = await readFile(path);
      found[name] = body.length < 200 ? body.toString() : createHash('sha256').update(body).digest('hex');
    }
    return found;
  }

  async status(): Promise<StatusJson> {
    return statusJson.parse(await this.json('status'));
  }

  /** Waits until `cdc status` is as wished; a failure shows the last one. */
  async untilStatus(isWished: (status: StatusJson) => boolean): Promise<StatusJson> {
    for (const end = Date.now() + PATIENCE_MS; ; await sleep(300)) {
      const status = await this.status();
      if (isWished(status)) return status;
      if (Date.now() > end) expect.fail(`cdc status still says ${JSON.stringify(status, undefined, 1)}`);
    }
  }

  /** Waits until everything committed so far on the source is in the lake. */
  async untilMerged(): Promise<void> {
    await this.ok('verify');
  }

  /** The keys of the change files of a table, oldest first. */
  async changeFiles(table: string): Promise<string[]> {
    const folder = table.replace('.', '/');
    const names = await readdir(join(this.path, 'staging', folder)).catch(() => []);
    return names
      .filter((name) => /^\d{8}-\d{9}\.csv$/.test(name))
      .sort()
      .map((name) => `${folder}/${basename(name)}`);
  }

  /** Waits for the n-th change file of a table and returns its key. */
  async changeFile(table: string, number: number): Promise<string> {
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await sleep(50)) {
      const key = (await this.changeFiles(table))[number - 1];
      if (key !== undefined) return key;
    }
    return expect.fail(`there is no ${number}. change file of ${table}`);
  }

  /** Waits until the checkpoint has the n-th change of a table: a file is there a moment before that. */
  async untilCheckpointed(table: string, number: number): Promise<void> {
    const staging = openLocalStore(join(this.path, 'staging'));
    const reached = async () => (await readCheckpoint(staging))?.tables[table]?.number;
    await expect.poll(reached, { timeout: PATIENCE_MS }).toBe(number);
  }

  async log(): Promise<string> {
    return await readFile(join(this.path, '.cdc', 'worker.log'), 'utf8').catch(() => '');
  }

  /** Ends what may still run here. */
  async stop(): Promise<void> {
    const text = await readFile(join(this.path, '.cdc', 'worker.log'), 'utf8').catch(() => '');
    // Whatever runs in the background has its files there.
    if (existsSync(join(this.path, '.cdc'))) await runCdc(['stop'], { cwd: this.path, env: this.env });
    running.delete(this);
    this.#keepsSecrets('the log', { code: 0, signal: null, stdout: text, stderr: '' });
  }

  #keepsSecrets(what: string, { stdout, stderr }: CdcResult): void {
    for (const secret of this.#secrets)
      expect((stdout + stderr).includes(secret), `a secret in what ${what} says`).toBe(false);
  }
}
