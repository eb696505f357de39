/** kill -9 of whatever runs, while transactions go on: afterwards the lake is the source, and nothing is there twice. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { repeatable } from '../support/day-sample.ts';
import { appendResult } from '../support/proof-result.ts';
import { hasDeltaReader } from '../support/python.ts';
import { describeOnServerOfTheDay, startTestServer } from '../support/servers.ts';
import {
  expectConsecutiveNumbers,
  expectHistoryOnce,
  expectLakeEqualsSource,
  expectVerified,
  expectWholeTransactions,
} from './kills/checks.ts';
import { KillRun } from './kills/kill-run.ts';
import { PHASES_TO_MEET } from './kills/phases.ts';
import { randomFrom } from './kills/random.ts';
import {
  type Amount,
  killApart,
  killInBackground,
  killLoads,
  killReload,
  killServers,
  killWorkers,
} from './kills/rounds.ts';
import { makeTables, Writer } from './kills/writer.ts';

/** `npm run proof -- kills` sets these: every point several times, for each seed, and a file for what came of it. */
const { CDC_PROOF_SEEDS: SEEDS, CDC_PROOF_RESULTS: RESULTS } = process.env;
const SAMPLE: Amount = { perPoint: 1, random: 4, server: 1, allOfLoad: false };
const WHOLE: Amount = { perPoint: 3, random: 10, server: 4, allOfLoad: true };
const seeds = SEEDS === undefined ? [20_261_122] : SEEDS.split(',').map(Number);
const amount = RESULTS === undefined ? SAMPLE : WHOLE;

const canRead = await hasDeltaReader();

describeOnServerOfTheDay('kill -9', (flavor) => {
  for (const seed of seeds)
    it.skipIf(!canRead)(`loses and doubles nothing (seed ${seed})`, { timeout: 900_000 }, async () => {
      repeatable('test/e2e/kills.test.ts', `kill -9 on ${flavor}`, seed);
      const started = Date.now();
      const folder = await mkdtemp(join(tmpdir(), 'cdc-kills-'));
      const server = await startTestServer(flavor);
      const run = new KillRun(server, folder);
      const writer = new Writer(server, seed);
      const result: Record<string, unknown> = { server: `${flavor} ${server.version}`, seed };
      try {
        const random = randomFrom(seed);
        await makeTables(server);
        await run.init();
        writer.start();
        await killLoads(run, amount);
        await run.loadAll();
        writer.withDdl = true;
        await killWorkers(run, random, amount);
        await killApart(run, random, amount);
        await killServers(run, random, amount);
        await killInBackground(run);
        await writer.stopDdl();
        await killReload(run, amount.allOfLoad ? 'load.file-published' : 'load.recorded');
        if (amount.allOfLoad) await killReload(run, 'load.recorded');

        const worker = await run.startWorker();
        await writer.stop();
        await expectVerified(run);
        await run.stopWorker(worker);
        await expectWholeTransactions(run);
        const rows = await expectLakeEqualsSource(run);
        // verify leaves the history to itself.
        await run.expectSuccess(['merge']);
        const changes = await expectHistoryOnce(run);
        const { lines, repeated } = await expectConsecutiveNumbers(run);
        Object.assign(result, { commits: writer.commits, rows, history: changes, lines, repeated });
        expect(repeated, 'kills between rename and checkpoint leave numbers twice in staging').toBeGreaterThan(0);
        for (const phase of PHASES_TO_MEET)
          expect(run.tally.count(phase), `kills that met ${phase}`).toBeGreaterThanOrEqual(3);
      } catch (error) {
        result.failure = error instanceof Error ? error.message : String(error);
        throw new Error(`${result.failure}\n${run.log.slice(-20).join('\n')}`, { cause: error });
      } finally {
        Object.assign(result, { kills: run.tally.kills, not_reached: run.missed, met: run.tally.counts() });
        const said = [`kill -9 on ${flavor}, seed ${seed}`, ...run.log, run.tally.table(), JSON.stringify(result)];
        process.stdout.write(`\n${said.join('\n  ')}\n`);
        await writer.stop().catch(() => undefined);
        await run.end();
        await server.stop();
        await rm(folder, { recursive: true, force: true });
        result.seconds = Math.round((Date.now() - started) / 1000);
        appendResult(result);
      }
    });
});
