/** Random histories of a table that DMS follows (contract.md 5), merged by the engines in turn. */

import fc from 'fast-check';
import { expect } from 'vitest';
import type { Engine } from '../../src/core/engine/engine.ts';
import { type DmsEvent, dmsArrival, dmsEvent, HISTORY_NAMES, lateArrivals, playDms } from './dms-history.ts';
import { type Delivery, delivery } from './random-history.ts';
import { runSparkSql } from './spark.ts';
import { TABLE } from './staged-table.ts';
import { sorted, textRows } from './table-history.ts';
import type { TablePlace } from './table-place.ts';
import { type EngineName, takeTurns, twoTables } from './take-turns.ts';
import { someTurns } from './turns-on-capture.ts';

const NAMES = ['id', 'name', 'qty'];
/** Longer than any test. */
const LONG_MS = 3_600_000;

export interface DmsCase {
  happened: DmsEvent[];
  delays: number[];
  /** Whether a merge waits for what a resumed task repeats. */
  waits: boolean;
  how: Delivery;
  turns: EngineName[];
  /** The table keeps its history. */
  append: boolean;
}

export const dmsCase = (lengths: fc.ArrayConstraints, append = fc.boolean()): fc.Arbitrary<DmsCase> =>
  fc.record({
    // Four files at least and a load: a history that fits one file has one batch.
    happened: fc
      .array(dmsEvent, lengths)
      .map((all) => all.flatMap((one, index) => (index % 4 === 3 ? [one, { does: 'flush' as const }] : [one]))),
    delays: dmsArrival.map(({ delays }) => delays),
    waits: fc.boolean(),
    how: delivery,
    turns: someTurns,
    // Last, so that a seed keeps its history.
    append,
  });

export async function turnsOnDms(
  engine: Engine,
  place: TablePlace,
  root: string,
  { happened, delays, waits, how, turns, append }: DmsCase,
): Promise<Record<string, unknown>> {
  const { both, alone } = twoTables(root, place);
  const [history, twin] = [await playDms(both, happened), await playDms(alone, happened)];
  // A history has no change that comes only after the load that follows it.
  const inOrder = lateArrivals(history.arrivals, delays, !append);
  const deliveries = ({ arrivals }: typeof history) => lateArrivals(arrivals, delays, !append).map(({ put }) => put);
  const given = (index: number) => how.merges[index % how.merges.length] ?? { runs: false, crash: undefined };
  const { merges, batches } = await takeTurns({
    both,
    alone,
    engine,
    turns,
    // A history has a load that was merged before the next one began.
    merges: append
      ? inOrder.map(({ completes }, index) => (completes === true ? { runs: true, crash: undefined } : given(index)))
      : how.merges,
    toBoth: deliveries(history),
    toAlone: deliveries(twin),
    options: {
      replayWaitMs: waits ? LONG_MS : -1,
      sizes: how.large ? { smallBytes: 0 } : {},
      mode: append ? 'append' : 'merge',
    },
    // What a repetition lacks comes no more: it is taken as it is.
    lastOptions: { replayWaitMs: -1 },
  });
  const names = append ? HISTORY_NAMES : NAMES;
  const expected = sorted(append ? history.history : [...history.rows.values()].map((row) => [...row]));
  const found = await place.read(both.lake, TABLE);
  expect(textRows(found, names)).toEqual(expected);
  expect(textRows(await runSparkSql(`SELECT * FROM delta.\`${place.uri(both.lake, TABLE)}\``), names)).toEqual(
    expected,
  );
  return { kind: append ? 'dms history' : 'dms', events: happened.length, merges, batches, rows: found.length };
}
