/** Random histories of a table that DMS follows (contract.md 5), merged by the engines in turn. */

import fc from 'fast-check';
import { expect } from 'vitest';
import type { Engine } from '../../src/core/engine/engine.ts';
import { type DmsEvent, dmsArrival, dmsEvent, lateArrivals, playDms } from './dms-history.ts';
import { type Delivery, delivery } from './random-history.ts';
import { runSparkSql } from './spark.ts';
import { TABLE } from './staged-table.ts';
import { textRows } from './table-history.ts';
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
}

export const dmsCase = (lengths: fc.ArrayConstraints): fc.Arbitrary<DmsCase> =>
  fc.record({
    // Four files at least and a load: a history that fits one file has one batch.
    happened: fc
      .array(dmsEvent, lengths)
      .map((all) => all.flatMap((one, index) => (index % 4 === 3 ? [one, { does: 'flush' as const }] : [one]))),
    delays: dmsArrival.map(({ delays }) => delays),
    waits: fc.boolean(),
    how: delivery,
    turns: someTurns,
  });

export async function turnsOnDms(
  engine: Engine,
  place: TablePlace,
  root: string,
  { happened, delays, waits, how, turns }: DmsCase,
): Promise<Record<string, unknown>> {
  const { both, alone } = twoTables(root, place);
  const [history, twin] = [await playDms(both, happened), await playDms(alone, happened)];
  const deliveries = ({ arrivals }: typeof history) => lateArrivals(arrivals, delays).map(({ put }) => put);
  const { merges, batches } = await takeTurns({
    both,
    alone,
    engine,
    turns,
    merges: how.merges,
    toBoth: deliveries(history),
    toAlone: deliveries(twin),
    options: { replayWaitMs: waits ? LONG_MS : -1, sizes: how.large ? { smallBytes: 0 } : {} },
    // What a repetition lacks comes no more: it is taken as it is.
    lastOptions: { replayWaitMs: -1 },
  });
  const expected = textRows(
    [...history.rows.values()].map(([id, name, qty]) => ({ id, name, qty })),
    NAMES,
  );
  const found = await place.read(both.lake, TABLE);
  expect(textRows(found, NAMES)).toEqual(expected);
  expect(textRows(await runSparkSql(`SELECT * FROM delta.\`${place.uri(both.lake, TABLE)}\``), NAMES)).toEqual(
    expected,
  );
  return { kind: 'dms', events: happened.length, merges, batches, rows: found.length };
}
