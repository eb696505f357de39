import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { type ChangeNumber, changeNumber } from '../../../src/core/change-number.ts';
import { type CrashPoint, onCrashPoint } from '../../../src/core/crash-point.ts';
import { type Engine, openEngine } from '../../../src/core/engine/engine.ts';
import { type MergeTableOptions, mergeTable } from '../../../src/core/merge/merge-table.ts';
import { tableState } from '../../../src/core/merge/table-state.ts';
import type { TableDefinition } from '../../../src/core/table-definition.ts';
import { type Change, StagedTable, TABLE } from '../../support/staged-table.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

/** What happens on the source, each in turn. */
type Event =
  | { does: 'upsert'; key: number; value: string | null }
  | { does: 'delete'; key: number }
  | { does: 'move'; from: number; to: number }
  | { does: 'truncate' }
  | { does: 'add column' }
  /** A load is read at this moment; its record appears with the files around it. */
  | { does: 'load' }
  /** Capture breaks off; changes until the next load are lost to it. */
  | { does: 'break'; lost: { key: number; value: string }[] };

const key = fc.integer({ min: 1, max: 6 });
const value = fc.constantFrom('a', 'b', '', '\\N', '\\\\N', 'x,"y"\n', null);
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ does: fc.constant('upsert' as const), key, value }) },
  { weight: 5, arbitrary: fc.record({ does: fc.constant('delete' as const), key }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('move' as const), from: key, to: key }) },
  { weight: 1, arbitrary: fc.constant({ does: 'truncate' as const }) },
  { weight: 1, arbitrary: fc.constant({ does: 'add column' as const }) },
  { weight: 1, arbitrary: fc.constant({ does: 'load' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      does: fc.constant('break' as const),
      lost: fc.array(fc.record({ key, value: fc.constant('lost') }), { maxLength: 3 }),
    }),
  },
);

/** How the history reaches staging. */
interface Delivery {
  /** Lengths of files, used in turn. */
  lengths: number[];
  /** After a file, so many changes are captured again. */
  repeats: number[];
  /** Files that come this many places late. */
  delays: number[];
  /** Whether a merge runs after each thing that appears, and where it crashes. */
  merges: { runs: boolean; crash: CrashPoint | undefined }[];
  /** A whole earlier file is delivered again. */
  again: number[];
  /** Whether data files are large: rewritten alone, new rows in files of their own. */
  large: boolean;
}

const delivery: fc.Arbitrary<Delivery> = fc.record({
  lengths: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 6 }),
  repeats: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 6 }),
  delays: fc.array(fc.constantFrom(0, 0, 0, 1, 2), { minLength: 1, maxLength: 6 }),
  merges: fc.array(
    fc.record({
      runs: fc.boolean(),
      crash: fc.constantFrom(
        undefined,
        undefined,
        'merge.planned' as const,
        'merge.written' as const,
        'merge.committed' as const,
      ),
    }),
    { minLength: 1, maxLength: 8 },
  ),
  again: fc.array(fc.nat(10), { maxLength: 2 }),
  large: fc.boolean(),
});

type Row = (string | null)[];
type State = Map<string, Row>;

/** The source: its rows after every number, and what capture and loader make of it. */
interface History {
  /** By number, rising: the table's rows once that change is applied. */
  states: { number: ChangeNumber; rows: State; columns: number }[];
  /** What staging gets, in the order in which it may appear. */
  deliveries: (() => Promise<unknown>)[];
}

const COLUMNS = [
  'id int not null',
  'name varchar(50)',
  'extra1 int',
  'extra2 int',
  'extra3 int',
  'extra4 int',
  'extra5 int',
  'extra6 int',
];

function play(table: StagedTable, events: readonly Event[], how: Delivery): History {
  let run = 1;
  let count = 0;
  let columns = 2;
  let rows: State = new Map();
  const states: History['states'] = [];
  const deliveries: History['deliveries'] = [];
  let open: { definition: TableDefinition; changes: Change[] } | undefined;
  let recent: Change[] = [];
  const files: { definition: TableDefinition; changes: Change[] }[] = [];
  let turn = 0;
  const at = <T>(list: readonly T[], index: number): T => list[index % list.length] as T;

  const number = () => changeNumber(run, count);
  const define = () => table.define(number(), COLUMNS.slice(0, columns).join(', '), ['id']);
  const note = () => states.push({ number: number(), rows: new Map(rows), columns });
  const full = (id: number, name: string | null): Row => [
    String(id),
    name,
    ...Array.from({ length: columns - 2 }, () => String(count)),
  ];
  let definition = define();

  const close = () => {
    if (open === undefined || open.changes.length === 0) return;
    const file = open;
    files.push(file);
    deliveries.push(() => table.putChanges(file.definition, file.changes));
    recent = file.changes;
    open = undefined;
    turn++;
    // Captured again after a restart: the tail of the file, and what follows it comes in the next.
    const repeat = at(how.repeats, turn);
    if (repeat > 0) open = { definition: file.definition, changes: recent.slice(-repeat) };
  };
  const emit = (op: Change['op'], values: Row) => {
    count++;
    open ??= { definition, changes: [] };
    open.changes.push({ number: number(), op, values });
    if (op === 'D') rows.delete(values[0] ?? '');
    else rows.set(values[0] ?? '', values);
    note();
    if (open.changes.length >= at(how.lengths, turn)) close();
  };
  const putLoad = (kind: 'load' | 'truncate') => {
    const [stands, described, content] = [number(), definition, [...rows.values()]];
    deliveries.push(() => table.putLoad(described, kind === 'load' ? content : [], { number: stands, kind, files: 2 }));
  };

  const begin = () => {
    definition = define();
    const first = definition;
    deliveries.push(() => table.putDefinition(first));
    note();
    putLoad('load');
  };
  begin();
  for (const one of events) {
    if (one.does === 'upsert') emit(rows.has(String(one.key)) ? 'U' : 'I', full(one.key, one.value));
    else if (one.does === 'delete') emit('D', rows.get(String(one.key)) ?? full(one.key, 'gone'));
    else if (one.does === 'move') {
      const old = rows.get(String(one.from));
      if (old === undefined || one.from === one.to) continue;
      emit('D', old);
      emit('I', [String(one.to), ...old.slice(1)]);
    } else if (one.does === 'load') {
      // Published once capture has published everything up to it.
      close();
      putLoad('load');
    } else if (one.does === 'truncate') {
      close();
      open = undefined;
      count++;
      rows = new Map();
      note();
      putLoad('truncate');
    } else if (one.does === 'add column') {
      if (columns === COLUMNS.length) continue;
      close();
      open = undefined;
      count++;
      columns++;
      rows = new Map([...rows].map(([id, row]) => [id, [...row, null]]));
      definition = define();
      const next = definition;
      deliveries.push(() => table.putDefinition(next));
      note();
    } else {
      close();
      open = undefined;
      for (const { key: id, value: name } of one.lost) rows.set(String(id), full(id, name));
      run++;
      count = 0;
      begin();
    }
  }
  close();
  // A file that only repeats what is there already may be left open: it is delivered as well.
  if (open !== undefined) close();
  for (const index of how.again) {
    const file = files[index];
    if (file !== undefined) deliveries.push(() => table.putChanges(file.definition, file.changes));
  }
  return { states, deliveries: late(deliveries, how.delays) };
}

/** Things that come a few places late. */
function late<T>(deliveries: readonly T[], delays: readonly number[]): T[] {
  return deliveries
    .map((one, index) => ({ one, place: index + (index < 2 ? 0 : (delays[index % delays.length] ?? 0)) * 1.5 }))
    .sort((a, b) => a.place - b.place)
    .map(({ one }) => one);
}

class Crash extends Error {}

async function tryMerge(options: MergeTableOptions, crash: CrashPoint | undefined): Promise<void> {
  onCrashPoint((point) => {
    if (point === crash) throw new Crash();
  });
  try {
    await mergeTable(options);
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
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
  const then = history.states.findLast(({ number }) => number <= state.watermark);
  const rows = (await table.lakeRows(engine)) ?? [];
  const names = COLUMNS.slice(0, then?.columns).map((column) => column.split(' ')[0] ?? '');
  const text = (value: unknown) => (value === null || value === undefined ? null : String(value));
  const found = rows.map((row) => names.map((name) => text(row[name])));
  expect(found).toEqual([...(then?.rows.values() ?? [])].sort((a, b) => Number(a[0]) - Number(b[0])));
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
      fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 40 }), delivery, async (events, how) => {
        const table = new StagedTable(join(root, String(++folder)));
        const history = play(table, events, how);
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
