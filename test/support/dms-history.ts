/** Random histories of a table that a task of DMS follows: what happens on the source, and what arrives in staging. */

import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { dmsTime, putDmsEpoch } from '../../src/core/change-file/dms-epoch.ts';
import { definitionKey } from '../../src/core/change-file/layout.ts';
import { definitionToJson } from '../../src/core/table-definition.ts';
import { type DmsChange, type DmsRow, dmsSequence, putDialect, putDmsChanges, putDmsLoad } from './aws/dms-writer.ts';
import { type StagedTable, TABLE } from './staged-table.ts';

/** What happens on the source, and to the task that follows it. */
export type DmsEvent =
  | { does: 'upsert'; key: number; value: string | null }
  | { does: 'delete'; key: number }
  | { does: 'move'; from: number; to: number }
  /** The file that is open is written. */
  | { does: 'flush' }
  /** The task stops, and repeats this many changes when it goes on. */
  | { does: 'resume'; repeats: number }
  /** The table is loaded again; with leftovers of a load before it where there are any. */
  | { does: 'reload' };

const key = fc.integer({ min: 1, max: 6 });
export const dmsEvent: fc.Arbitrary<DmsEvent> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      does: fc.constant('upsert' as const),
      key,
      value: fc.constantFrom('a', 'b', '', '\\N', 'NULL', 'x,"y"\n', null),
    }),
  },
  { weight: 4, arbitrary: fc.record({ does: fc.constant('delete' as const), key }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('move' as const), from: key, to: key }) },
  { weight: 5, arbitrary: fc.constant({ does: 'flush' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constant('resume' as const), repeats: fc.integer({ min: 1, max: 8 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ does: 'reload' as const }) },
);

/** How the files arrive. */
export const dmsArrival = fc.record({
  /** Files that come so many places late. */
  delays: fc.array(fc.constantFrom(0, 0, 0, 1, 2, 3), { minLength: 1, maxLength: 6 }),
  /** Whether a merge follows each thing that arrives, and whether it waits for what a resumed task repeats. */
  merges: fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }),
  waits: fc.boolean(),
});

/** Rows of the source by key. */
type State = Map<string, DmsRow>;

/** What dmsArrival makes. */
export type DmsDelivery = typeof dmsArrival extends fc.Arbitrary<infer T> ? T : never;

export interface Arrival {
  /** When it may come at the earliest: an epoch's record never comes after its files. */
  fixed: boolean;
  /** With it a load is complete: a history holds that load when a merge follows before the next one begins. */
  completes?: boolean;
  put(): Promise<unknown>;
}

/** Columns of a history's rows that say what happened. */
export const HISTORY_NAMES = ['id', 'name', 'qty', '_op', '_seq'];

const START = Date.parse('2026-11-22T10:00:00Z');

/**
 * Puts the dialect and the definition there; all else does `arrivals`. `rows`: of the source in the end; `history`: those of
 * the loads and every change once, as HISTORY_NAMES has them.
 */
export async function playDms(
  table: StagedTable,
  events: readonly DmsEvent[],
): Promise<{ arrivals: Arrival[]; rows: State; history: (string | null)[][] }> {
  const definition = table.define(1n);
  await putDialect(table.staging);
  await table.staging.put(definitionKey(TABLE, 1n), JSON.stringify(definitionToJson(definition)));
  let clock = START;
  let counter = 0;
  const rows: State = new Map([
    ['1', ['1', 'loaded', '1']],
    ['2', ['2', null, null]],
  ]);
  const arrivals: Arrival[] = [];
  const history: (string | null)[][] = [];
  let open: DmsChange[] = [];
  let since: DmsChange[] = [];
  const tick = (ms = 1000) => {
    clock += ms;
    return new Date(clock);
  };

  const flush = () => {
    if (open.length === 0) return;
    const [changes, named] = [open, tick()];
    arrivals.push({ fixed: false, put: () => putDmsChanges(table.staging, definition, changes, { named }) });
    open = [];
  };
  const change = (op: DmsChange['op'], row: DmsRow, before?: DmsRow) => {
    counter += 1 + (counter % 3);
    const sequence = dmsSequence(tick(20), counter);
    const one = { op, row, before, sequence };
    const isMove = op === 'U' && before !== undefined && before[0] !== row[0];
    if (isMove) history.push([...before, 'D', sequence]);
    history.push([...row, isMove ? 'I' : op, sequence]);
    open.push(one);
    since.push(one);
    if (before !== undefined) rows.delete(before[0] ?? '');
    if (op === 'D') rows.delete(row[0] ?? '');
    else rows.set(row[0] ?? '', row);
  };
  const load = (isFirst: boolean) => {
    const started = tick(5000);
    const content = [...rows.values()];
    const sequence = `${dmsTime(started).replace('-', '').slice(0, 16)}${'0'.repeat(19)}`;
    history.push(...content.map((row) => [...row, 'L', sequence]));
    const written = tick(2000);
    const epoch = { ...TABLE, kind: 'load' as const, started, task: 'test', caches: isFirst, definition: 1n };
    arrivals.push({ fixed: true, put: () => putDmsEpoch(table.staging, { ...epoch, state: 'loading' }) });
    arrivals.push({
      fixed: true,
      put: async () => {
        for (const file of await putDmsLoad(table.staging, definition, content, { rowsPerFile: 3 }))
          await utimes(join(table.staging.location, file), written, written);
      },
    });
    const rowCount = content.length;
    arrivals.push({
      fixed: true,
      completes: true,
      put: () => putDmsEpoch(table.staging, { ...epoch, state: 'complete', rows: rowCount }),
    });
  };
  load(true);
  for (const one of events) {
    if (one.does === 'upsert') {
      const row = [String(one.key), one.value, String(counter)];
      const before = rows.get(String(one.key));
      change(before === undefined ? 'I' : 'U', row, before);
    } else if (one.does === 'delete') {
      const row = rows.get(String(one.key));
      if (row !== undefined) change('D', row);
    } else if (one.does === 'move') {
      const before = rows.get(String(one.from));
      if (before !== undefined && !rows.has(String(one.to))) change('U', [String(one.to), ...before.slice(1)], before);
    } else if (one.does === 'flush') flush();
    else if (one.does === 'resume') {
      flush();
      open = since.slice(-one.repeats);
    } else {
      flush();
      load(false);
      since = [];
    }
  }
  flush();
  return { arrivals, rows, history };
}

/** Change files come a few places late, past each other and, unless told otherwise, past loads. */
export function lateArrivals(arrivals: readonly Arrival[], delays: readonly number[], pastLoads = true): Arrival[] {
  return arrivals
    .map((one, index) => {
      const late = index + (one.fixed ? 0 : (delays[index % delays.length] ?? 0)) * 1.5;
      const load = arrivals.findIndex(({ completes }, at) => at > index && completes === true);
      return { one, place: pastLoads || load < 0 ? late : Math.min(late, load - 0.5) };
    })
    .sort((a, b) => a.place - b.place)
    .map(({ one }) => one);
}
