import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Engine, openEngine } from '../../../src/core/engine/engine.ts';
import { mergeTable } from '../../../src/core/merge/merge-table.ts';
import {
  type DmsDelivery,
  type DmsEvent,
  dmsArrival,
  dmsEvent,
  HISTORY_NAMES,
  lateArrivals,
  playDms,
} from '../../support/dms-history.ts';
import { StagedTable } from '../../support/staged-table.ts';
import { sorted, textRows } from '../../support/table-history.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

/** Each random history on a table of its own, all by one engine. */
async function eachHistory(
  numRuns: number,
  check: (table: StagedTable, engine: Engine, events: DmsEvent[], how: DmsDelivery) => Promise<void>,
): Promise<void> {
  const root = await temporaryFolder();
  const engine = await openEngine({ tempDirectory: join(root, '.tmp-engine'), threads: 1 });
  onTestFinished(() => engine.close());
  let folder = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(dmsEvent, { minLength: 1, maxLength: 40 }), dmsArrival, (events, how) =>
      check(new StagedTable(join(root, String(++folder))), engine, events, how),
    ),
    { numRuns },
  );
}

describe('random histories of DMS', () => {
  it('with key changes, repetitions of resumed tasks, reloads and late files, merged as they arrive: the lake is the source in the end', async () => {
    await eachHistory(40, async (table, engine, events, how) => {
      const { arrivals, rows } = await playDms(table, events);
      const options = { ...table.options(engine), replayWaitMs: how.waits ? 600_000 : -1 };
      for (const [index, { put }] of lateArrivals(arrivals, how.delays).entries()) {
        await put();
        if (how.merges[index % how.merges.length] === true) await mergeTable(options);
      }
      // What a repetition lacks comes no more: it is taken as it is.
      const report = await mergeTable({ ...options, replayWaitMs: -1 });
      expect(report.waits).toBeUndefined();
      const found = (await table.lakeRows(engine)) ?? [];
      const text = (value: unknown) => (value === null || value === undefined ? null : String(value));
      expect(found.map((row) => [text(row.id), text(row.name), text(row.qty)])).toEqual(
        [...rows.values()].sort((a, b) => Number(a[0]) - Number(b[0])),
      );
      expect(await mergeTable(options)).toMatchObject({ already: true });
    });
  }, 300_000);

  it('kept as a history: its loads, and every change once, however often and in whatever file it comes', async () => {
    await eachHistory(30, async (table, engine, events, how) => {
      const { arrivals, history } = await playDms(table, events);
      const options = { ...table.options(engine), mode: 'append' as const };
      for (const [index, { put, completes }] of lateArrivals(arrivals, how.delays, false).entries()) {
        await put();
        if (completes === true || how.merges[index % how.merges.length] === true) await mergeTable(options);
      }
      expect((await mergeTable(options)).waits).toBeUndefined();
      const found = (await table.lakeRows(engine)) ?? [];
      expect(textRows(found, HISTORY_NAMES)).toEqual(sorted(history));
    });
  }, 300_000);
});
