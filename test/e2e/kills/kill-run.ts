/** One pipeline whose processes are killed again and again: starts them, ends them with SIGKILL, and notes what each kill met. */

import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CrashPoint } from '../../../src/core/crash-point.ts';
import { type CdcResult, type RunningCdc, startCdc } from '../../support/cli.ts';
import type { TestServer } from '../../support/servers.ts';
import { phasesMet, Tally } from './phases.ts';
import { TABLES } from './writer.ts';

/** Where a kill falls: at the nth passing of a crash point, or a while after the start or after the first point of any. */
export type Kill = { point: CrashPoint; time: number } | { afterMs: number; from: 'start' | 'first point' };

/** A point that is not passed in this time will not be: the process is killed where it is. */
const PATIENCE_MS = 60_000;
/** Shorter than the minute after which a lease is free by time: who needs longer was blocked by a dead process's lease. */
const TAKE_OVER_MS = 45_000;

/** No command of a run takes so long. */
const LONGEST_MS = 150_000;

export class KillRun {
  readonly folder: string;
  readonly server: TestServer;
  readonly tally = new Tally();
  /** A line for each kill. */
  readonly log: string[] = [];
  /** Kills for a point that the process did not come to. */
  missed = 0;
  readonly #env: Record<string, string>;
  readonly #alive = new Set<RunningCdc>();
  #traces = 0;

  constructor(server: TestServer, folder: string) {
    this.server = server;
    this.folder = folder;
    this.#env = { CDC_SOURCE_PASSWORD: server.cdc.password };
  }

  async init(): Promise<void> {
    const tables = TABLES.map((table) =>
      table === 'journal' ? `  - { table: shop.${table}, mode: append }` : `  - shop.${table}`,
    );
    const { user } = this.server.cdc;
    await mkdir(join(this.folder, 'traces'), { recursive: true });
    await writeFile(
      join(this.folder, 'cdc.yaml'),
      [
        'name: kills',
        `source: 'mysql://${user}@${this.server.host}:${this.server.port}'`,
        `tables:\n${tables.join('\n')}`,
        // Files close early and small loads take several, so that the points come often.
        'capture: { max_delay: 100ms, max_file_bytes: 8KB }',
        '',
      ].join('\n'),
    );
    await this.expectSuccess(['init', '--yes']);
  }

  /** A command that does not come to its end is killed, and says so by its signal. */
  async cdc(args: readonly string[], env: Record<string, string> = {}): Promise<CdcResult> {
    const child = await this.start(args, env);
    const timer = setTimeout(() => child.process.kill('SIGKILL'), LONGEST_MS);
    return child.ended.finally(() => clearTimeout(timer));
  }

  async expectSuccess(args: readonly string[]): Promise<CdcResult> {
    const result = await this.cdc(args);
    if (result.code !== 0) throw new Error(`cdc ${args.join(' ')} ended with ${describe(result)}`);
    return result;
  }

  /** Runs a command until the kill; throws when it ends with an error before, whatever it says: that is what a kill before it left. */
  async killed(args: readonly string[], kill: Kill): Promise<void> {
    const trace = join(this.folder, 'traces', `${++this.#traces}`);
    const atPoint = 'point' in kill ? { CDC_KILL_AT: `${kill.point}:${kill.time}` } : {};
    const child = await this.start(args, { CDC_TRACE_POINTS: trace, ...atPoint });
    const isOver = () => child.process.exitCode !== null || child.process.signalCode !== null;
    if ('from' in kill && kill.from === 'first point') while (!existsSync(trace) && !isOver()) await sleep(5);
    const timer = setTimeout(() => child.process.kill('SIGKILL'), 'point' in kill ? PATIENCE_MS : kill.afterMs);
    const result = await child.ended;
    clearTimeout(timer);
    if (result.code !== null && result.code !== 0)
      throw new Error(`cdc ${args.join(' ')} ended with ${describe(result)}`);
    const wanted = 'point' in kill ? `${kill.point}:${kill.time}` : `${kill.afterMs} ms after ${kill.from}`;
    if (result.code === 0) {
      this.log.push(`${args[0]} ${wanted}: it was done before`);
      if ('point' in kill) this.missed++;
      return;
    }
    const passed = await pointsPassed(trace);
    const met = 'point' in kill && count(passed, kill.point) >= kill.time;
    if ('point' in kill && !met) this.missed++;
    const phases = phasesMet(passed);
    this.tally.add(phases, met ? 'atPoints' : 'atRandom');
    this.log.push(`${args[0]} ${wanted}: ${phases.join(' and ')}${'point' in kill && !met ? ' (not reached)' : ''}`);
  }

  async start(args: readonly string[], env: Record<string, string> = {}): Promise<RunningCdc> {
    const child = await startCdc(args, { cwd: this.folder, env: { ...this.#env, ...env } });
    this.#alive.add(child);
    void child.ended.finally(() => this.#alive.delete(child));
    return child;
  }

  /** Starts a worker in the foreground right after a kill and waits until it has confirmed its position. */
  async startWorker(): Promise<RunningCdc> {
    const child = await this.start(['replicate', '--foreground']);
    const end = Date.now() + TAKE_OVER_MS;
    for (;;) {
      const state = await this.workerState();
      if (state?.pid === child.pid && state.state === 'following') return child;
      if (child.process.exitCode !== null || child.process.signalCode !== null)
        throw new Error(`the worker ended with ${describe(await child.ended)}`);
      if (Date.now() > end) throw new Error(`the worker does not come to follow the binlog: ${child.stderr}`);
      await sleep(50);
    }
  }

  /** The loads, into the lake and without a kill. */
  async loadAll(): Promise<void> {
    const worker = await this.startWorker();
    while ((await this.workerState())?.loadsMerged !== true) await sleep(50);
    await this.stopWorker(worker);
  }

  /** SIGTERM, and an end in good order: 130, as after Ctrl-C. */
  async stopWorker(child: RunningCdc): Promise<void> {
    child.process.kill('SIGTERM');
    const result = await child.ended;
    if (result.code !== 130) throw new Error(`the worker ended with ${describe(result)}`);
  }

  async kill(child: RunningCdc): Promise<void> {
    child.process.kill('SIGKILL');
    await child.ended;
  }

  async workerState(): Promise<{ pid: number; state: string; loadsMerged: boolean } | undefined> {
    const file = join(this.folder, '.cdc', 'worker.json');
    if (!existsSync(file)) return undefined;
    const { process, state, loadsMerged } = JSON.parse(await readFile(file, 'utf8'));
    return { pid: process.pid, state, loadsMerged };
  }

  /** Nothing of ours goes on when a test has failed. */
  async end(): Promise<void> {
    for (const child of this.#alive) await this.kill(child);
    // One in the background is no child of this process.
    await this.cdc(['stop']).catch(() => undefined);
  }
}

async function pointsPassed(trace: string): Promise<string[]> {
  const text = existsSync(trace) ? await readFile(trace, 'utf8') : '';
  return text.split('\n').filter((line) => line !== '');
}

function count(values: readonly string[], wanted: string): number {
  return values.filter((value) => value === wanted).length;
}

function describe({ code, signal, stdout, stderr }: CdcResult): string {
  return `${signal ?? `exit code ${code}`}: ${stdout}${stderr}`.slice(-3000);
}
