/**
 * What a replication task of DMS writes, for tests: what our own capture and loader write of a real server into `from` comes
 * into `to` in the shape that DMS gives it, files named by the time they are written, with repetitions after a restart.
 */

import { formatTableName, type TableName } from '../../../src/core/change.ts';
import { readDefinitions } from '../../../src/core/change-file/definitions.ts';
import { tableFolder } from '../../../src/core/change-file/layout.ts';
import { parseStagedName } from '../../../src/core/change-file/name.ts';
import { readHeader } from '../../../src/core/change-file/number-range.ts';
import { type ChangeRow, readChanges } from '../../../src/core/change-file/read.ts';
import { type ChangeNumber, parseChangeNumber } from '../../../src/core/change-number.ts';
import type { Store, StoredObject } from '../../../src/core/store/store.ts';
import type { TableDefinition } from '../../../src/core/table-definition.ts';
import { type DmsShape, OUR_SHAPE } from './dms-shape.ts';
import { type DmsChange, type DmsRow, putDmsChanges, putDmsLoad } from './dms-writer.ts';

export interface Followed {
  files: number;
  inserts: number;
  updates: number;
  deletes: number;
}

/** What a task keeps while it is stopped. */
export interface StandInState {
  done: string[];
  recent: [table: string, changes: DmsChange[]][];
}

/** Changes of each table that a task can repeat. */
const RECENT = 100;

export class DmsStandIn {
  readonly #from: Store;
  readonly #to: Pick<Store, 'put'>;
  readonly #shape: DmsShape;
  readonly #onDefinition: (definition: TableDefinition) => Promise<void>;
  readonly #done: Set<string>;
  readonly #reached = new Map<string, ChangeNumber>();
  readonly #recent: Map<string, DmsChange[]>;
  /** What a resumed task has still to write again: at once, and with what comes next. */
  readonly #again = new Map<string, { first: DmsChange[]; rest: DmsChange[] }>();
  #named = 0;

  /** `onDefinition`: called before files of these columns are written. */
  constructor(options: {
    from: Store;
    to: Pick<Store, 'put'>;
    shape?: DmsShape;
    state?: StandInState | undefined;
    onDefinition?: (definition: TableDefinition) => Promise<void>;
  }) {
    this.#from = options.from;
    this.#to = options.to;
    this.#shape = options.shape ?? OUR_SHAPE;
    this.#onDefinition = options.onDefinition ?? (async () => {});
    this.#done = new Set(options.state?.done);
    this.#recent = new Map(options.state?.recent);
  }

  get state(): StandInState {
    return { done: [...this.#done], recent: [...this.#recent] };
  }

  /** Writes LOAD files of rows that lie in files of ours; returns how many. Changes up to `reached` are part of them. */
  async load(
    definition: TableDefinition,
    keys: readonly string[],
    more: { reached?: ChangeNumber; rowsPerFile?: number; started?: Date } = {},
  ): Promise<number> {
    const { reached, ...options } = more;
    const rows: DmsRow[] = [];
    for (const key of keys)
      for await (const { values } of readChanges(this.#from, key, { columns: definition })) rows.push(values);
    await putDmsLoad(this.#to, definition, rows, { ...options, shape: this.#shape });
    if (reached !== undefined) this.#reached.set(formatTableName(definition), reached);
    return rows.length;
  }

  /** Change files that have come since. */
  async pending(table: TableName): Promise<StoredObject[]> {
    const folder = tableFolder(table);
    return (await this.#from.list(folder)).filter(
      ({ key }) => !this.#done.has(key) && parseStagedName(key.slice(folder.length))?.kind === 'changes',
    );
  }

  /**
   * Writes what has come since: one file, or one for each set of columns. A task that was resumed writes half of what it
   * repeats at once, the other half before what comes next: in between the sequence has fallen and is not back.
   */
  async follow(table: TableName): Promise<Followed> {
    const name = formatTableName(table);
    const definitions = await readDefinitions(this.#from, table);
    const again = this.#again.get(name);
    const newest = definitions.at(-1);
    if (again !== undefined && again.first.length > 0 && newest !== undefined) {
      await this.#put(newest, again.first);
      again.first = [];
    }
    const sum = { files: 0, inserts: 0, updates: 0, deletes: 0 };
    let gathered: { definition: TableDefinition; rows: ChangeRow[]; keys: string[] } | undefined;
    const write = async () => {
      if (gathered === undefined) return;
      const { definition, rows, keys } = gathered;
      const changes = asDms(rows, definition);
      if (changes.length > 0) {
        await this.#onDefinition(definition);
        await this.#put(definition, [...(this.#again.get(name)?.rest ?? []), ...changes]);
        this.#again.delete(name);
        this.#recent.set(name, [...(this.#recent.get(name) ?? []), ...changes].slice(-RECENT));
        sum.files++;
        for (const { op } of changes) sum[op === 'I' ? 'inserts' : op === 'U' ? 'updates' : 'deletes']++;
      }
      for (const key of keys) this.#done.add(key);
    };
    for (const { key } of await this.pending(table)) {
      const columns = (await readHeader(this.#from, key)).slice(2, -1).join();
      const definition = definitions.findLast((one) => one.columns.map(({ name }) => name).join() === columns);
      if (definition === undefined) throw new Error(`nobody knows the columns of ${key}`);
      if (gathered?.definition !== definition) {
        await write();
        gathered = { definition, rows: [], keys: [] };
      }
      gathered.keys.push(key);
      for await (const row of readChanges(this.#from, key, { columns: definition }))
        if (row.seq !== undefined && parseChangeNumber(row.seq) > (this.#reached.get(name) ?? 0n))
          gathered.rows.push(row);
    }
    await write();
    return sum;
  }

  /** The task has stopped and goes on: it repeats so many changes of each of these tables. */
  restart(repeats: number, tables: readonly TableName[]): void {
    for (const name of tables.map(formatTableName)) {
      const changes = repeats === 0 ? [] : (this.#recent.get(name) ?? []).slice(-repeats);
      const half = Math.ceil(changes.length / 2);
      this.#again.set(name, { first: changes.slice(0, half), rest: changes.slice(half) });
    }
  }

  async #put(definition: TableDefinition, changes: DmsChange[]): Promise<void> {
    await putDmsChanges(this.#to, definition, changes, { named: this.#nextName(), shape: this.#shape });
  }

  #nextName(): Date {
    this.#named = Math.max(Date.now(), this.#named + 1);
    return new Date(this.#named);
  }
}

/** D of one key, then I of another in the next number of the same transaction, is one U to DMS. */
function asDms(rows: readonly ChangeRow[], { columns, key }: TableDefinition): DmsChange[] {
  const keyOf = ({ values }: ChangeRow) =>
    JSON.stringify(columns.flatMap(({ name }, at) => (key.includes(name) ? [values[at]] : [])));
  const changes: DmsChange[] = [];
  for (let index = 0; index < rows.length; index++) {
    const [row, next] = [rows[index], rows[index + 1]];
    if (row?.op === undefined || row.seq === undefined) throw new Error('a change without Op or number');
    const isMove =
      row.op === 'D' &&
      next?.op === 'I' &&
      next.seq?.slice(0, 16) === row.seq.slice(0, 16) &&
      keyOf(next) !== keyOf(row);
    if (isMove) {
      changes.push({ op: 'U', row: next.values, before: row.values, sequence: next.seq ?? '' });
      index++;
    } else changes.push({ op: row.op, row: row.values, sequence: row.seq });
  }
  return changes;
}
