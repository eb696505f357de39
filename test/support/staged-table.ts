/** A table in staging for merge tests: change files, loads and definitions, written with the code that capture and loader use. */

import { join } from 'node:path';
import type { Op, TableName } from '../../src/core/change.ts';
import { encodeField } from '../../src/core/change-file/encode.ts';
import { definitionKey, tableFolder } from '../../src/core/change-file/layout.ts';
import { publishLoadRecord } from '../../src/core/change-file/load-record.ts';
import { loadFileName } from '../../src/core/change-file/name.ts';
import { changeHeader } from '../../src/core/change-file/read.ts';
import { type ChangeNumber, formatChangeNumber } from '../../src/core/change-number.ts';
import { objectPath } from '../../src/core/delta/actions.ts';
import { readSnapshot } from '../../src/core/delta/snapshot.ts';
import type { Engine } from '../../src/core/engine/engine.ts';
import { quotePaths } from '../../src/core/engine/quote.ts';
import { parseColumnList } from '../../src/core/merge/loose-columns.ts';
import type { MergeTableOptions } from '../../src/core/merge/merge-table.ts';
import { silent } from '../../src/core/progress.ts';
import { openLocalStore } from '../../src/core/store/local.ts';
import type { Store } from '../../src/core/store/store.ts';
import { defineTable, definitionToJson, type TableDefinition } from '../../src/core/table-definition.ts';

export const TABLE = { schema: 'shop', table: 'orders' };

export interface Change {
  number: ChangeNumber;
  op: Op;
  /** By column; the first is the key. */
  values: (string | null)[];
}

export class StagedTable {
  readonly root: string;
  readonly staging: Store;
  readonly lake: Store;
  #loads = 0;
  #files = 0;

  /** In folders below `root` unless other stores are given. */
  readonly table: TableName;

  constructor(root: string, stores?: { staging: Store; lake: Store }, table: TableName = TABLE) {
    this.root = root;
    this.table = table;
    this.staging = stores?.staging ?? openLocalStore(join(root, 'staging'));
    this.lake = stores?.lake ?? openLocalStore(join(root, 'lake'));
  }

  /** What mergeTable takes. */
  options(engine: Engine): MergeTableOptions {
    return {
      staging: this.staging,
      lake: this.lake,
      table: this.table,
      appId: 'test/shop.orders',
      engine,
      policies: { unfit: 'fail' },
      progress: silent,
    };
  }

  define(number: ChangeNumber, columns = 'id int not null, name varchar(50), qty int', key = ['id']): TableDefinition {
    return defineTable(this.table, { number, columns: parseColumnList(columns), key, zeroDates: 'null' });
  }

  async putDefinition(definition: TableDefinition): Promise<void> {
    await this.staging.put(definitionKey(this.table, definition.number), JSON.stringify(definitionToJson(definition)));
  }

  /** Returns the key; `name` for a place in the order of names other than the next. */
  async putChanges(definition: TableDefinition, changes: readonly Change[], name?: string): Promise<string> {
    const digits = String(++this.#files).padStart(9, '0');
    const key = `${tableFolder(this.table)}${name ?? `20261122-${digits}.csv`}`;
    const lines = changes.map(({ op, number, values }) =>
      line(op, values, `2026112210153012${formatChangeNumber(number)}`),
    );
    await this.staging.putIfAbsent(key, changeHeader(definition) + lines.join(''));
    return key;
  }

  async putLoad(
    definition: TableDefinition,
    rows: readonly (string | null)[][],
    options: { number: ChangeNumber; kind?: 'load' | 'truncate' | 'start'; files?: number },
  ): Promise<void> {
    const { number, kind = 'load', files: count = 1 } = options;
    const files: { key: string; size: number; rows: number }[] = [];
    for (let index = 0; index < count && kind === 'load'; index++) {
      const part = rows.filter((_, at) => at % count === index);
      const key = `${tableFolder(this.table)}${loadFileName(++this.#loads)}`;
      const body = changeHeader(definition) + part.map((values) => line('I', values, '')).join('');
      await this.staging.putIfAbsent(key, body);
      files.push({ key, size: Buffer.byteLength(body), rows: part.length });
    }
    await publishLoadRecord(this.staging, {
      format: 1,
      ...this.table,
      kind,
      number,
      position: 'binlog.000001:4',
      definition,
      files,
    });
  }

  /** The lake table's rows, `null` where there is no table; columns by name, values as DuckDB prints them. */
  async lakeRows(engine: Engine): Promise<Record<string, unknown>[] | null> {
    const folder = tableFolder(this.table);
    const snapshot = await readSnapshot({ store: this.lake, folder, engine });
    if (snapshot === undefined) return null;
    const paths = await Promise.all(
      [...snapshot.files.values()].map(({ path }) => this.lake.materialise(folder + (objectPath(path) ?? ''))),
    );
    if (paths.length === 0) return [];
    return await engine.withConnection((connection) =>
      connection.rows(
        `SELECT * FROM read_parquet(${quotePaths(paths)}, union_by_name=true, hive_partitioning=false) ORDER BY 1`,
      ),
    );
  }
}

function line(op: Op, values: readonly (string | null)[], seq: string): string {
  return `${[op, '2026-11-22 10:15:30.120000', ...values.map(encodeField), seq].join(',')}\n`;
}
