import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import type { ChangeNumber } from '../../../src/core/change-number.ts';
import { type CrashPoint, onCrashPoint } from '../../../src/core/crash-point.ts';
import { type Engine, openEngine } from '../../../src/core/engine/engine.ts';
import { CdcError } from '../../../src/core/errors.ts';
import { type MergeTableOptions, mergeTable } from '../../../src/core/merge/merge-table.ts';
import { tableState } from '../../../src/core/merge/table-state.ts';
import { delivery, events, PLAIN } from '../../support/random-history.ts';
import { StagedTable, TABLE } from '../../support/staged-table.ts';
import { type History, play, rowsAt, textRows } from '../../support/table-history.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

class Crash extends Error {}

async function tryMerge(options: MergeTableOptions, crash: CrashPoint | undefined): Promise<void> {
  onCrashPoint((point) => {
    if (point === crash) throw new Crash();
  });
  try {
    await mergeTable(options);
  } catch (error) {
    // The load that a change of the columns needs may come late.
    const awaitsLoad = error instanceof CdcError && error.code === 'schema.unsupported';
    if (!(error instanceof Crash) && !awaitsLoad) throw error;
  } finally {
    onCrashPoint(undefined);
  }
}

/** The lake table is exactly what the source was at the watermark: never behind it, never between. */
async function compare(
  table: StagedTable,
  engine: Engine,
  history: History,
  least: ChangeNumber,
): Promise<ChangeNumber> {
  const state = await tableState({ staging: table.staging, lake: table.lake, table: TABLE, engine });
  if (state === undefined) return least;
  expect(state.watermark >= least).toBe(true);
  const { names, rows } = rowsAt(history, state.watermark);
  expect(textRows((await table.lakeRows(engine)) ?? [], names)).toEqual(rows);
  return state.watermark;
}

afterEach(() => onCrashPoint(undefined));

describe('random histories', () => {
  it('cut into files with overlaps, repetitions and late comers, merged with crashes: the lake is the source at its watermark, and in the end all of it', async () => {
    const root = await temporaryFolder();
    const engine = await openEngine({ tempDirectory: join(root, '.tmp-engine'), threads: 1 });
    onTestFinished(() => engine.close());
    let folder = 0;
    await fc.assert(
      fc.asyncProperty(events(PLAIN, { minLength: 1, maxLength: 40 }), delivery, async (happened, how) => {
        const table = new StagedTable(join(root, String(++folder)));
        const history = play(table, happened, how);
        const options = { ...table.options(engine), sizes: how.large ? { smallBytes: 0 } : {} };
        let least = 0n;
        for (const [index, put] of history.deliveries.entries()) {
          await put();
          const step = how.merges[index % how.merges.length];
          if (step?.runs !== true) continue;
          await tryMerge(options, step.crash);
          least = await compare(table, engine, history, least);
        }
        const report = await mergeTable(options);
        expect(report.waits).toBeUndefined();
        const end = await compare(table, engine, history, least);
        expect(end).toBe(history.states.at(-1)?.number);
      }),
      { numRuns: 40 },
    );
  }, 300_000);
});
