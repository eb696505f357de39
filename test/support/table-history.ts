/** Plays a history of one table: the source's rows after every number, and what capture and loader put into staging. */

import { type ChangeNumber, changeNumber } from '../../src/core/change-number.ts';
import type { TableDefinition } from '../../src/core/table-definition.ts';
import type { Delivery, Event } from './random-history.ts';
import type { Change, StagedTable } from './staged-table.ts';

export type Row = (string | null)[];
export type State = Map<string, Row>;

/** The source: its rows after every number, and what capture and loader make of it. */
export interface History {
  /** By number, rising: the table's rows once that change is applied. */
  states: { number: ChangeNumber; rows: State; columns: string[] }[];
  /** What staging gets, in the order in which it may appear. */
  deliveries: (() => Promise<unknown>)[];
}

const MOST_COLUMNS = 9;

/** Puts nothing into staging yet: `deliveries` does. `keyType`: of the column `id`. */
export function play(table: StagedTable, happened: readonly Event[], how: Delivery, keyType = 'int'): History {
  let run = 1;
  let count = 0;
  let columns = [`id ${keyType} not null`, 'name varchar(50)', 'qty int'];
  let rows: State = new Map();
  const states: History['states'] = [];
  const deliveries: History['deliveries'] = [];
  let open: { definition: TableDefinition; changes: Change[] } | undefined;
  const files: { definition: TableDefinition; changes: Change[] }[] = [];
  let turn = 0;
  const at = <T>(list: readonly T[], index: number): T => list[index % list.length] as T;

  const number = () => changeNumber(run, count);
  const note = () => states.push({ number: number(), rows: new Map(rows), columns });
  const full = (id: string, name: string | null): Row => [id, name, ...columns.slice(2).map(() => String(count))];
  let definition = table.define(number(), columns.join(', '), ['id']);

  const close = () => {
    if (open === undefined || open.changes.length === 0) return;
    const file = open;
    files.push(file);
    deliveries.push(() => table.putChanges(file.definition, file.changes));
    open = undefined;
    turn++;
    // Captured again after a restart: the tail of the file, and what follows it comes in the next.
    const repeat = at(how.repeats, turn);
    if (repeat > 0) open = { definition: file.definition, changes: file.changes.slice(-repeat) };
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
  const putDefinition = () => {
    definition = table.define(number(), columns.join(', '), ['id']);
    const described = definition;
    deliveries.push(() => table.putDefinition(described));
    note();
  };
  const begin = () => {
    putDefinition();
    putLoad('load');
  };
  /** Takes a number, as a truncation and a change of the definition do. */
  const interrupt = () => {
    close();
    open = undefined;
    count++;
  };
  begin();
  for (const one of happened) {
    if (one.does === 'upsert') emit(rows.has(one.key) ? 'U' : 'I', full(one.key, one.value));
    else if (one.does === 'delete') emit('D', rows.get(one.key) ?? full(one.key, 'gone'));
    else if (one.does === 'move') {
      const old = rows.get(one.from);
      if (old === undefined || one.from === one.to) continue;
      emit('D', old);
      emit('I', [one.to, ...old.slice(1)]);
    } else if (one.does === 'load') {
      // Published once capture has published everything up to it.
      close();
      putLoad('load');
    } else if (one.does === 'truncate') {
      interrupt();
      rows = new Map();
      note();
      putLoad('truncate');
    } else if (one.does === 'add column') {
      if (columns.length === MOST_COLUMNS) continue;
      interrupt();
      columns = [...columns, `extra${columns.length - 2} int`];
      rows = new Map([...rows].map(([id, row]) => [id, [...row, null]]));
      putDefinition();
    } else if (one.does === 'retype') {
      interrupt();
      columns = columns.map((column, place) =>
        place === 2 ? (column === 'qty int' ? 'qty bigint' : 'qty int') : column,
      );
      begin();
    } else if (one.does === 'drop column') {
      if (columns.length === 3) continue;
      interrupt();
      columns = columns.slice(0, -1);
      rows = new Map([...rows].map(([id, row]) => [id, row.slice(0, -1)]));
      begin();
    } else if (one.does === 'break') {
      close();
      open = undefined;
      for (const { key: id, value: name } of one.lost) rows.set(id, full(id, name));
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

/** The table's rows when the change of that number was applied, sorted; columns by name, values as texts. */
export function rowsAt(history: History, number: ChangeNumber): { names: string[]; rows: Row[] } {
  const then = history.states.findLast((state) => state.number <= number);
  const names = (then?.columns ?? []).map((column) => column.split(' ')[0] ?? '');
  return { names, rows: sorted([...(then?.rows.values() ?? [])]) };
}

/** Rows of a reader in the same form. */
export function textRows(rows: readonly Record<string, unknown>[], names: readonly string[]): Row[] {
  const text = (value: unknown) => (value === null || value === undefined ? null : String(value));
  return sorted(rows.map((row) => names.map((name) => text(row[name]))));
}

export function sorted(rows: Row[]): Row[] {
  const place = (row: Row) => JSON.stringify(row);
  return rows.sort((a, b) => (place(a) < place(b) ? -1 : 1));
}
