/** Two engines on one table, by turns: batch for batch what the local engine does alone. */

import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { tableFolder } from '../../../src/core/change-file/layout.ts';
import { type CrashPoint, onCrashPoint } from '../../../src/core/crash-point.ts';
import { readCommit } from '../../../src/core/delta/snapshot.ts';
import { type Engine, openEngine } from '../../../src/core/engine/engine.ts';
import { CdcError } from '../../../src/core/errors.ts';
import { type MergeTableOptions, mergeTable } from '../../../src/core/merge/merge-table.ts';
import { tableState } from '../../../src/core/merge/table-state.ts';
import { recordResult } from '../../support/proof-result.ts';
import { hasDeltaReader, readDeltaTable } from '../../support/python.ts';
import { type Delivery, delivery, type Event, events, NASTY, PLAIN } from '../../support/random-history.ts';
import { mergeBySpark, runSparkSql } from '../../support/spark.ts';
import { hasSpark } from '../../support/spark-parts.ts';
import { StagedTable, TABLE } from '../../support/staged-table.ts';
import { type History, play, rowsAt, textRows } from '../../support/table-history.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

/** `npm run proof -- engines` sets it: a history for each seed. */
const SEEDS = process.env.CDC_PROOF_SEEDS;
const seeds = SEEDS === undefined ? [21] : SEEDS.split(',').map(Number);
const [FEWEST, MOST] = SEEDS === undefined ? [6, 8] : [12, 24];
const EVENTS: fc.ArrayConstraints = { minLength: FEWEST, maxLength: MOST, size: 'max' };
/** How long a failing history is made smaller. */
const SHRINK_MS = 240_000;

const isThere = (await hasSpark()) && (await hasDeltaReader());

type EngineName = 'local' | 'spark';

interface Case {
  mode: 'merge' | 'append';
  keyType: string;
  happened: Event[];
  how: Delivery;
  /** Who merges, by turns. */
  turns: EngineName[];
}

const aCase: fc.Arbitrary<Case> = fc
  .record({
    mode: fc.constantFrom('merge' as const, 'merge' as const, 'merge' as const, 'append' as const),
    isNasty: fc.boolean(),
  })
  .chain(({ mode, isNasty }) =>
    fc.record({
      mode: fc.constant(mode),
      keyType: fc.constant(isNasty ? 'varchar(20)' : 'int'),
      // A history keeps its columns: no load makes other ones of them.
      happened: events(isNasty ? NASTY : PLAIN, EVENTS).map((all) =>
        all.filter(({ does }) => mode === 'merge' || (does !== 'retype' && does !== 'drop column')),
      ),
      how: delivery,
      turns: fc.shuffledSubarray<EngineName>(['spark', 'local', 'spark', 'local', 'spark'], { minLength: 4 }),
    }),
  );

class Crash extends Error {}

/** What a merge came to, alike for both engines. */
async function merge(by: EngineName, options: MergeTableOptions, crash?: CrashPoint): Promise<Record<string, unknown>> {
  onCrashPoint((point) => {
    if (point === crash) throw new Crash();
  });
  try {
    const report = by === 'spark' ? await mergeBySpark({ ...options, crash }) : await mergeTable(options);
    if ('crashed' in report) return { crashed: crash };
    const { files, changes, inserted, updated, deleted, quarantined, already, waits, waiting } = {
      ...report,
    } as Record<string, unknown>;
    return { files, changes, inserted, updated, deleted, quarantined, already, waits, waiting };
  } catch (error) {
    if (error instanceof Crash) return { crashed: crash };
    if (!(error instanceof CdcError)) throw error;
    return { error: error.code, message: error.message };
  } finally {
    onCrashPoint(undefined);
  }
}

/** The plans that a table has, without what they say of time and of the lake's versions. */
async function ledgerOf({ lake }: StagedTable): Promise<unknown[]> {
  const plans: unknown[] = [];
  for (const { key } of await lake.list(`${tableFolder(TABLE)}_cdc/batches/`)) {
    const { created: _created, version: _version, ...plan } = JSON.parse((await lake.get(key)).toString());
    plans.push(plan);
  }
  return plans;
}

async function expectSource(table: StagedTable, engine: Engine, history: History): Promise<void> {
  const state = await tableState({ staging: table.staging, lake: table.lake, table: TABLE, engine });
  if (state === undefined) return;
  const { names, rows } = rowsAt(history, state.watermark);
  expect(textRows((await table.lakeRows(engine)) ?? [], names)).toEqual(rows);
}

/** Commits with a batch in them, by the engine that made them. */
async function batchesOf(table: StagedTable, engine: Engine): Promise<Record<EngineName, number>> {
  const lakeTable = { store: table.lake, folder: tableFolder(TABLE), engine };
  const state = await tableState({ staging: table.staging, lake: table.lake, table: TABLE, engine });
  const count = { local: 0, spark: 0 };
  for (let version = 0; version <= (state?.version ?? -1); version++) {
    const actions = await readCommit(lakeTable, version);
    if (!actions.some((action) => 'txn' in action)) continue;
    const info = actions.flatMap((action) => ('commitInfo' in action ? [action.commitInfo.engineInfo] : []))[0];
    count[info === 'cdc' ? 'local' : 'spark']++;
  }
  return count;
}

async function expectReaders(
  both: StagedTable,
  alone: StagedTable,
  history: History,
  mode: Case['mode'],
): Promise<number> {
  const path = ({ lake }: StagedTable) => join(lake.location, 'shop', 'orders');
  const [found, expected] = [await readDeltaTable(path(both)), await readDeltaTable(path(alone))];
  const all = Object.keys(expected[0] ?? {});
  expect(textRows(found, all)).toEqual(textRows(expected, all));
  if (mode === 'append') return found.length;
  const { names, rows } = rowsAt(history, history.states.at(-1)?.number ?? 0n);
  expect(textRows(found, names)).toEqual(rows);
  expect(textRows(await runSparkSql(`SELECT * FROM delta.\`file://${path(both)}\``), names)).toEqual(rows);
  return found.length;
}

/** Both tables get the same files; after each merge they must be alike. */
async function takeTurns(engine: Engine, root: string, { mode, keyType, happened, how, turns }: Case) {
  const [both, alone] = [new StagedTable(join(root, 'both')), new StagedTable(join(root, 'alone'))];
  const [history, twin] = [play(both, happened, how, keyType), play(alone, happened, how, keyType)];
  const sizes = how.large ? { smallBytes: 0 } : {};
  let merges = 0;
  const step = async (crash?: CrashPoint) => {
    const by = turns[merges++ % turns.length] ?? 'spark';
    const expected = await merge('local', { ...alone.options(engine), mode, sizes }, crash);
    expect(await merge(by, { ...both.options(engine), mode, sizes }, crash)).toEqual(expected);
    if (mode === 'merge') await expectSource(both, engine, history);
    return expected;
  };
  for (const [index, put] of history.deliveries.entries()) {
    await put();
    await twin.deliveries[index]?.();
    const { runs = false, crash } = how.merges[index % how.merges.length] ?? {};
    if (runs) await step(crash);
  }
  expect(await step()).toMatchObject({ waits: undefined });
  expect(await ledgerOf(both)).toEqual(await ledgerOf(alone));
  const rows = await expectReaders(both, alone, history, mode);
  return { mode, key_type: keyType, events: happened.length, merges, batches: await batchesOf(both, engine), rows };
}

describe.runIf(isThere)('a table on which the engines take turns', () => {
  for (const seed of seeds)
    it(`is, batch for batch, what the local engine alone makes of it, and in the end the source (seed ${seed})`, async () => {
      const root = await temporaryFolder();
      const engine = await openEngine({ tempDirectory: join(root, '.tmp-engine'), threads: 1 });
      onTestFinished(() => engine.close());
      let folder = 0;
      let failedAt: number | undefined;
      let result: Record<string, unknown> | undefined;
      const property = fc.asyncProperty(aCase, async (one) => {
        if (failedAt !== undefined && Date.now() - failedAt > SHRINK_MS) return;
        try {
          result = await takeTurns(engine, join(root, String(++folder)), one);
        } catch (error) {
          failedAt ??= Date.now();
          throw error;
        }
      });
      await recordResult({ history: seed }, async () => {
        await fc.assert(property, { seed, numRuns: 1, unbiased: true });
        return result;
      });
    }, 1_200_000);
});
