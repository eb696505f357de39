/**
 * A replication task of DMS for tests: what our own capture writes of a real server into `from` comes into `to` in the shape
 * that DMS gives it, with the load first, files named by the time they are written, and repetitions after a restart.
 */

import { formatTableName, type TableName } from '../../../src/core/change.ts';
import { readDefinitions } from '../../../src/core/change-file/definitions.ts';
import { putDmsEpoch } from '../../../src/core/change-file/dms-epoch.ts';
import { definitionKey, tableFolder } from '../../../src/core/change-file/layout.ts';
import { readLoadRecords } from '../../../src/core/change-file/load-record.ts';
import { parseStagedName } from '../../../src/core/change-file/name.ts';
import { readHeader } from '../../../src/core/change-file/number-range.ts';
import { type ChangeRow, readChanges } from '../../../src/core/change-file/read.ts';
import { type ChangeNumber, parseChangeNumber } from '../../../src/core/change-number.ts';
import type { Store } from '../../../src/core/store/store.ts';
import { definitionToJson, type TableDefinition } from '../../../src/core/table-definition.ts';
import { type DmsChange, type DmsRow, putDialect, putDmsChanges, putDmsLoad } from './dms-writer.ts';

export class DmsStandIn {
  readonly #from: Store;
  readonly #to: Store;
  readonly #done = new Set<string>();
  readonly #reached = new Map<string, ChangeNumber>();
  readonly #recent = new Map<string, DmsChange[]>();
  #repeats = 0;
  #named = 0;

  constructor({ from, to }: { from: Store; to: Store }) {
    this.#from = from;
    this.#to = to;
  }

  /** Writes the load of a table, and what `replicate` on AWS writes down of it. */
  async load(table: TableName, rowsPerFile?: number): Promise<void> {
    const record = (await readLoadRecords(this.#from, table)).findLast(({ kind }) => kind === 'load');
    if (record === undefined) throw new Error(`${formatTableName(table)} is not loaded`);
    await putDialect(this.#to);
    const definition = await this.#define(record.definition);
    const epoch = { ...table, kind: 'load' as const, task: 'stand-in', caches: true, definition: definition.number };
    const started = await this.#to.now();
    await putDmsEpoch(this.#to, { ...epoch, started, state: 'loading' });
    const rows: DmsRow[] = [];
    for (const { key } of record.files)
      for await (const { values } of readChanges(this.#from, key, { columns: record.definition })) rows.push(values);
    await putDmsLoad(this.#to, definition, rows, rowsPerFile === undefined ? {} : { rowsPerFile });
    await putDmsEpoch(this.#to, { ...epoch, started, state: 'complete', rows: rows.length });
    this.#reached.set(formatTableName(table), record.number);
  }

  /** Writes each change file that has come since, as a file of its own. Returns how many. */
  async follow(table: TableName): Promise<number> {
    const name = formatTableName(table);
    const folder = tableFolder(table);
    const definitions = await readDefinitions(this.#from, table);
    let files = 0;
    for (const { key } of await this.#from.list(folder)) {
      if (this.#done.has(key) || parseStagedName(key.slice(folder.length))?.kind !== 'changes') continue;
      this.#done.add(key);
      const columns = (await readHeader(this.#from, key)).slice(2, -1).join();
      const written = definitions.findLast((one) => one.columns.map(({ name: column }) => column).join() === columns);
      if (written === undefined) throw new Error(`nobody knows the columns of ${key}`);
      const definition = await this.#define(written);
      const rows: ChangeRow[] = [];
      for await (const row of readChanges(this.#from, key, { columns: written }))
        if (row.seq !== undefined && parseChangeNumber(row.seq) > (this.#reached.get(name) ?? 0n)) rows.push(row);
      const changes = asDms(rows, definition);
      const again = this.#repeats === 0 ? [] : (this.#recent.get(name) ?? []).slice(-this.#repeats);
      if (changes.length === 0) continue;
      this.#recent.set(name, changes);
      await putDmsChanges(this.#to, definition, [...again, ...changes], { named: await this.#nextName() });
      files++;
    }
    this.#repeats = 0;
    return files;
  }

  /** The task stops; when it follows again it repeats so many changes. */
  restart(repeats: number): void {
    this.#repeats = repeats;
  }

  async #nextName(): Promise<Date> {
    this.#named = Math.max((await this.#to.now()).getTime(), this.#named + 1);
    return new Date(this.#named);
  }

  /** In the run that DMS has, which is none of our capture's. */
  async #define(definition: TableDefinition): Promise<TableDefinition> {
    const known = await readDefinitions(this.#to, definition);
    const content = ({ columns, key }: TableDefinition) => JSON.stringify([columns, key]);
    const found = known.find((one) => content(one) === content(definition));
    if (found !== undefined) return found;
    const numbered = { ...definition, number: (known.at(-1)?.number ?? 0n) + 1n };
    await this.#to.put(definitionKey(numbered, numbered.number), JSON.stringify(definitionToJson(numbered)));
    return numbered;
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
