/** kill -9 of Spark's JVM and Python together while the statement runs that commits: afterwards either engine goes on. */

import { watch } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { changeNumber } from '../../../src/core/change-number.ts';
import { openEngine } from '../../../src/core/engine/engine.ts';
import { mergeTable } from '../../../src/core/merge/merge-table.ts';
import { tableState } from '../../../src/core/merge/table-state.ts';
import { recordResult } from '../../support/proof-result.ts';
import { hasDeltaReader, readDeltaTable } from '../../support/python.ts';
import { mergeBySpark } from '../../support/spark.ts';
import { startSparkJob } from '../../support/spark-job.ts';
import { hasSpark } from '../../support/spark-parts.ts';
import { StagedTable, TABLE } from '../../support/staged-table.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

/** `npm run proof -- engines` sets it: a kill for each seed. */
const SEEDS = process.env.CDC_PROOF_SEEDS;

/** What appears in the folder of the table, or of its log, when it is time. */
const MOMENTS: Record<string, RegExp> = {
  'the plan': /^_cdc\/batches\/\d+\.json$/,
  'a data file': /^part-.*\.parquet$/,
  "the log's temporary file": /^_delta_log\/\.0{19}2\.json\..*\.tmp$/,
  "the log's file": /^_delta_log\/0{19}2\.json$/,
};
/** How long after that, at most. */
const LATER_MS: Record<string, number> = { 'the plan': 8000, 'a data file': 500 };

interface Kill {
  seed: number;
  moment: string;
  laterMs: number;
  mode: 'merge' | 'append';
  next: 'local' | 'spark';
}

const kills: Kill[] = (SEEDS === undefined ? [2] : SEEDS.split(',').map(Number)).map((seed) => {
  const moment = Object.keys(MOMENTS)[seed % 4] ?? '';
  const turn = Math.floor(seed / 4);
  // Spread over the time there is, differently for each seed.
  const share = (seed * 0.618) % 1;
  const most = LATER_MS[moment] ?? 20;
  return {
    seed,
    moment,
    laterMs: Math.round(share * most),
    mode: turn % 3 === 1 ? 'append' : 'merge',
    next: turn % 2 === 0 ? 'local' : 'spark',
  };
});

const isThere = (await hasSpark()) && (await hasDeltaReader());

/** Resolves with the first file that the pattern matches; `undefined` when the job was faster than the eye. */
async function appears(folder: string, pattern: RegExp, ended: Promise<unknown>): Promise<string | undefined> {
  const places = ['', '_delta_log/', '_cdc/batches/'];
  return await new Promise((resolve, reject) => {
    const watchers = places.map((place) =>
      watch(join(folder, place), (_event, name) => {
        if (pattern.test(`${place}${name}`)) end(`${place}${name}`);
      }),
    );
    const end = (name: string | undefined) => {
      for (const watcher of watchers) watcher.close();
      resolve(name);
    };
    ended.then(() => end(undefined), reject);
  });
}

async function killAndGoOn({ moment, laterMs, mode, next }: Kill) {
  const root = await temporaryFolder();
  const engine = await openEngine({ tempDirectory: join(root, '.tmp-engine'), threads: 1 });
  onTestFinished(() => engine.close());
  const table = new StagedTable(root);
  const options = { ...table.options(engine), appId: 'cdc/shop/shop.orders', mode };
  const folder = join(table.lake.location, 'shop', 'orders');
  const rows = async () => (await readDeltaTable(folder)).map(({ id, name, qty }) => `${id} ${name} ${qty}`).sort();
  const change = (number: number, op: 'I' | 'U' | 'D', ...values: string[]) => ({
    number: changeNumber(1, number),
    op,
    values,
  });

  const definition = table.define(changeNumber(1, 0));
  await table.putDefinition(definition);
  await table.putLoad(
    definition,
    [
      ['1', 'a', '1'],
      ['2', 'b', '2'],
    ],
    { number: changeNumber(1, 0) },
  );
  await mergeTable(options);
  await table.putChanges(definition, [change(1, 'U', '1', 'A', '3')]);
  await mergeTable(options);
  const before = await rows();
  await table.putChanges(definition, [
    change(2, 'U', '1', 'x', '4'),
    change(3, 'D', '2', 'b', '2'),
    change(4, 'I', '3', 'c', '5'),
  ]);
  const after = mode === 'merge' ? ['1 x 4', '3 c 5'] : [...before, '1 x 4', '2 b 2', '3 c 5'].sort();

  const job = await startSparkJob(table, { words: mode === 'append' ? ['--append', 'shop.orders'] : [] });
  await mkdir(join(folder, '_cdc', 'batches'), { recursive: true });
  const seen = await appears(folder, MOMENTS[moment] ?? /^$/, job.ended);
  if (laterMs > 0) await sleep(laterMs);
  job.kill();
  const { code } = await job.ended;

  const state = await tableState({ staging: table.staging, lake: table.lake, table: TABLE, engine });
  const isCommitted = state?.watermark === changeNumber(1, 4);
  // Readers see the batch whole or not at all.
  expect(await rows()).toEqual(isCommitted ? after : before);
  const report = next === 'local' ? await mergeTable(options) : await mergeBySpark(options);
  expect(report.changes).toBe(isCommitted ? 0 : 3);
  expect(await rows()).toEqual(after);
  expect(seen).toBeDefined();
  return { committed: isCommitted, was_over: code !== null };
}

describe.runIf(isThere)('a batch of Spark that kill -9 ends while it is committed', () => {
  it.each(kills.map((kill) => [kill.seed, kill.moment, kill.laterMs, kill.mode, kill.next, kill] as const))(
    'seed %i, from %s on %i ms, %s: the %s engine goes on, and every change is there once',
    async (_seed, _moment, _later, _mode, _next, { seed, ...kill }) => {
      await recordResult({ kill: seed, ...kill }, () => killAndGoOn({ seed, ...kill }));
    },
    300_000,
  );
});
