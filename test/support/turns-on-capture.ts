/** Random histories of a table that our own capture follows, merged by the engines in turn. */

import fc from 'fast-check';
import { expect } from 'vitest';
import type { Engine } from '../../src/core/engine/engine.ts';
import { tableState } from '../../src/core/merge/table-state.ts';
import { type Delivery, delivery, type Event, events, NASTY, PLAIN } from './random-history.ts';
import { runSparkSql } from './spark.ts';
import { type StagedTable, TABLE } from './staged-table.ts';
import { type History, play, rowsAt, textRows } from './table-history.ts';
import type { TablePlace } from './table-place.ts';
import { type EngineName, takeTurns, twoTables } from './take-turns.ts';

export interface CaptureCase {
  mode: 'merge' | 'append';
  keyType: string;
  happened: Event[];
  how: Delivery;
  /** Who merges, by turns. */
  turns: EngineName[];
}

export const someTurns = fc.shuffledSubarray<EngineName>(['spark', 'local', 'spark', 'local', 'spark'], {
  minLength: 4,
});

export const captureCase = (lengths: fc.ArrayConstraints): fc.Arbitrary<CaptureCase> =>
  fc
    .record({
      mode: fc.constantFrom('merge' as const, 'merge' as const, 'merge' as const, 'append' as const),
      isNasty: fc.boolean(),
    })
    .chain(({ mode, isNasty }) =>
      fc.record({
        mode: fc.constant(mode),
        keyType: fc.constant(isNasty ? 'varchar(20)' : 'int'),
        // A history keeps its columns: no load makes other ones of them.
        happened: events(isNasty ? NASTY : PLAIN, lengths).map((all) =>
          all.filter(({ does }) => mode === 'merge' || (does !== 'retype' && does !== 'drop column')),
        ),
        how: delivery,
        turns: someTurns,
      }),
    );

/** Both tables get the same files; after each merge they must be alike, and in the end they are the source. */
export async function turnsOnCapture(
  engine: Engine,
  place: TablePlace,
  root: string,
  { mode, keyType, happened, how, turns }: CaptureCase,
): Promise<Record<string, unknown>> {
  const { both, alone } = twoTables(root, place);
  const [history, twin] = [play(both, happened, how, keyType), play(alone, happened, how, keyType)];
  const { merges, batches } = await takeTurns({
    both,
    alone,
    engine,
    turns,
    merges: how.merges,
    toBoth: history.deliveries,
    toAlone: twin.deliveries,
    options: { mode, sizes: how.large ? { smallBytes: 0 } : {} },
    afterEach: async () => {
      if (mode === 'merge') await expectSource(both, engine, history);
    },
  });
  const rows = await expectReaders({ place, both, alone, history, mode });
  return { mode, key_type: keyType, events: happened.length, merges, batches, rows };
}

async function expectSource(table: StagedTable, engine: Engine, history: History): Promise<void> {
  const state = await tableState({ staging: table.staging, lake: table.lake, table: TABLE, engine });
  if (state === undefined) return;
  const { names, rows } = rowsAt(history, state.watermark);
  expect(textRows((await table.lakeRows(engine)) ?? [], names)).toEqual(rows);
}

async function expectReaders(of: {
  place: TablePlace;
  both: StagedTable;
  alone: StagedTable;
  history: History;
  mode: CaptureCase['mode'];
}): Promise<number> {
  const { place, both, alone, history, mode } = of;
  const [found, expected] = [await place.read(both.lake, TABLE), await place.read(alone.lake, TABLE)];
  const all = Object.keys(expected[0] ?? {});
  expect(textRows(found, all)).toEqual(textRows(expected, all));
  if (mode === 'append') return found.length;
  const { names, rows } = rowsAt(history, history.states.at(-1)?.number ?? 0n);
  expect(textRows(found, names)).toEqual(rows);
  const bySpark = await runSparkSql(`SELECT * FROM delta.\`${place.uri(both.lake, TABLE)}\``);
  expect(textRows(bySpark, names)).toEqual(rows);
  return found.length;
}
