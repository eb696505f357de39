/** The kills of one run, in order: first at exact points, then at random times. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { CrashPoint } from '../../../src/core/crash-point.ts';
import type { TestServer } from '../../support/servers.ts';
import { expectWholeTransactions } from './checks.ts';
import type { Kill, KillRun } from './kill-run.ts';
import type { Random } from './random.ts';
import { TABLES } from './writer.ts';

const CAPTURE: CrashPoint[] = ['capture.file-open', 'capture.synced', 'capture.published', 'capture.checkpointed'];
/** Of those that the sample must meet several times; `killApart` leaves to chance which of capture's it meets. */
const AT_LEAST: Partial<Record<CrashPoint, number>> = {
  'capture.file-open': 3,
  'capture.synced': 3,
  'capture.published': 3,
  'merge.committed': 2,
};
const MERGE: CrashPoint[] = [
  'merge.planned',
  'merge.written',
  'merge.committed',
  'merge.cleaned',
  'lake.checkpoint-written',
];

export interface Amount {
  /** How often each point is met in each way of working. */
  perPoint: number;
  /** Kills at random times, of each way of working. */
  random: number;
  /** Kills of the database server. */
  server: number;
  /** Every point of a load, or one. */
  allOfLoad: boolean;
}

const LOST_CONNECTIONS = 5;
const HISTORY = 'shop.journal';
const WORKER = ['replicate', '--foreground'];
const CAPTURING = [...WORKER, '--no-merge'];

/** The first start is killed again and again: each begins the load anew. */
export async function killLoads(run: KillRun, amount: Amount): Promise<void> {
  const kills: Kill[] = amount.allOfLoad
    ? [
        { afterMs: 700, from: 'start' },
        { point: 'load.file-published', time: 1 },
        { point: 'load.file-published', time: 4 },
        // Tables that are done stay loaded: two that come anew, and the second of those left.
        { point: 'load.recorded', time: 1 },
        { point: 'load.recorded', time: 1 },
        { point: 'load.recorded', time: 2 },
        { afterMs: 100, from: 'first point' },
      ]
    : [
        { point: 'load.file-published', time: 2 },
        { point: 'load.recorded', time: 2 },
      ];
  for (const kill of kills) await run.killed(WORKER, kill);
}

/** A worker that captures and merges. */
export async function killWorkers(run: KillRun, random: Random, amount: Amount): Promise<void> {
  const kills: Kill[] = [];
  for (const point of [...CAPTURE, ...MERGE]) {
    const turns = Math.max(amount.perPoint, AT_LEAST[point] ?? 0);
    for (let turn = 0; turn < turns; turn++) kills.push({ point, time: timeFor(point, random, turn) });
  }
  for (let turn = 0; turn < amount.random; turn++) kills.push(atRandom(random, turn, 1000));
  for (const [index, kill] of kills.entries()) {
    await run.killed(WORKER, kill);
    if (index % 4 === 3) await expectWholeTransactions(run);
  }
}

/** Capture and `cdc merge` as two processes, each killed while the other goes on. */
export async function killApart(run: KillRun, random: Random, amount: Amount): Promise<void> {
  let merging = true;
  const capture = async () => {
    for (let turn = 0; merging; turn++) {
      const point = random.pick(CAPTURE);
      await run.killed(
        CAPTURING,
        turn % 2 === 0 ? atRandom(random, turn / 2, 2000) : { point, time: timeFor(point, random, 1) },
      );
    }
  };
  const merge = async () => {
    // Of the history, where alone a batch done twice shows; `cdc merge` commits too seldom to come to a checkpoint of the log.
    for (const point of MERGE.filter((one) => !one.startsWith('lake.')))
      for (let turn = 0; turn < amount.perPoint; turn++) {
        await untilPending(run);
        await run.killed(['merge', '--table', HISTORY], { point, time: 1 });
      }
    for (let turn = 0; turn < amount.random; turn++) await run.killed(['merge'], atRandom(random, turn, 400));
    await expectWholeTransactions(run);
  };
  const merges = merge().finally(() => {
    merging = false;
  });
  await Promise.all([capture(), merges]);
}

/** The database server ends the worker's connections, then dies under it; half of the time the worker follows it. */
export async function killServers(run: KillRun, random: Random, amount: Amount): Promise<void> {
  for (let turn = 0; turn < amount.server; turn++) {
    const worker = await run.startWorker();
    for (let lost = 0; lost < LOST_CONNECTIONS; lost++) {
      await sleep(random.integer(500));
      await endDumps(run.server);
    }
    await sleep(random.integer(700));
    await run.server.kill9();
    run.log.push('the database server was killed');
    if (turn % 2 === 0) {
      await run.server.restart();
      // It finds its way back by itself.
      await sleep(1000);
      await run.kill(worker);
    } else {
      await run.kill(worker);
      await run.server.restart();
    }
  }
}

/** A worker in the background, of which only the pid is known. */
export async function killInBackground(run: KillRun): Promise<void> {
  const result = await run.expectSuccess(['replicate', '--json']);
  const { pid }: { pid: number } = JSON.parse(result.stdout);
  await sleep(300);
  process.kill(pid, 'SIGKILL');
  run.log.push('the worker in the background was killed');
}

/** A reload that dies half-way: the next worker loads the table. */
export async function killReload(run: KillRun, point: CrashPoint): Promise<void> {
  const result = await run.cdc(['reload', 'shop.orders', '--yes'], { CDC_KILL_AT: `${point}:1` });
  run.log.push(`reload at ${point}: ended with ${result.code}`);
  if (result.code === 0) throw new Error(`the reload was to die at ${point}`);
}

/** Capture is killed all the time, and may have published nothing since the last merge. */
async function untilPending(run: KillRun): Promise<void> {
  for (let tries = 0; tries < 50; tries++) {
    const { stdout } = await run.expectSuccess(['merge', '--dry-run', '--table', HISTORY, '--json']);
    const report: { tables: { files: number }[] } = JSON.parse(stdout);
    if (report.tables.some(({ files }) => files > 0)) return;
    await sleep(200);
  }
}

async function endDumps(server: TestServer): Promise<void> {
  const dumps = await server.query("SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'");
  // It may have ended by itself.
  for (const { id } of dumps) await server.query(`KILL ${id}`).catch(() => undefined);
}

/** A passing that is sure to come; a worker merges its tables in turn, so that each is met. */
function timeFor(point: CrashPoint, random: Random, turn: number): number {
  if (point.startsWith('lake.')) return 1;
  if (point.startsWith('merge.')) return 1 + random.integer(2 * TABLES.length);
  return turn === 0 ? 1 : 1 + random.integer(point === 'capture.file-open' ? 30 : 5);
}

/** One in four dies on its way to its work. */
function atRandom(random: Random, turn: number, withinMs: number): Kill {
  return turn % 4 === 3
    ? { afterMs: random.integer(1500), from: 'start' }
    : { afterMs: random.integer(withinMs), from: 'first point' };
}
