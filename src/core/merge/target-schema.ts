/** The lake table's columns after a batch, and the metaData action where they change (contract.md 3). */

import { formatTableName } from '../change.ts';
import type { Action, MetaData } from '../delta/actions.ts';
import { createTableActions } from '../delta/create-table.ts';
import { addColumns, formatSchema, type LakeColumn, parseSchema } from '../delta/schema.ts';
import type { Snapshot } from '../delta/snapshot.ts';
import { CdcError } from '../errors.ts';
import type { ColumnDefinition, TableDefinition } from '../table-definition.ts';
import type { MergeMode } from './ledger.ts';

/** Table properties of ours. */
export const APP_ID = 'cdc.appId';
export const KEY = 'cdc.key';

/** Who keeps the table; empty for a table that is not ours, or not there. */
export function appIdOf(snapshot: Snapshot | undefined): string {
  return snapshot?.metaData.configuration[APP_ID] ?? '';
}

/** What `mode: append` adds to each row: the change that brought it. */
export const HISTORY_COLUMNS: readonly LakeColumn[] = [
  { lake: '_op', delta: 'string' },
  { lake: '_ts', delta: 'timestamp' },
  { lake: '_seq', delta: 'string' },
];

export interface TargetSchema {
  columns: LakeColumn[];
  key: LakeColumn[];
  /** protocol and metaData of a new table, metaData of a changed one, or nothing. */
  actions: Action[];
}

export interface TargetRequest {
  snapshot: Snapshot | undefined;
  definition: TableDefinition;
  /** Definitions that rows of the batch, or rows that stay, follow. */
  earlier: readonly TableDefinition[];
  /** All rows are replaced, so the columns may become anything. */
  replace: boolean;
  mode: MergeMode;
  appId: string;
  now: Date;
}

export function targetSchema(request: TargetRequest): TargetSchema {
  const { snapshot, definition, replace, mode, appId, now } = request;
  if (definition.key.length === 0 && mode === 'merge')
    throw new CdcError('table.no-key', `merging ${formatTableName(definition)}: the table has no key`, {
      hint: 'name a unique key with `key:` in cdc.yaml, or keep its rows as a history with `mode: append`',
    });
  const given = [...definition.columns, ...(mode === 'append' ? HISTORY_COLUMNS : [])].map(({ lake, delta }) => ({
    lake,
    delta,
  }));
  assertDistinct(definition, given);
  for (const earlier of request.earlier) assertFollows(earlier, definition);
  if (snapshot === undefined) {
    const key = keyColumns(definition, given);
    const properties = { [APP_ID]: appId, [KEY]: JSON.stringify(key.map(({ lake }) => lake)) };
    return { columns: given, key, actions: createTableActions({ columns: given, properties, now }) };
  }
  const existing = existingColumns(snapshot);
  if (replace && mode === 'merge') {
    const key = keyColumns(definition, given);
    return { columns: given, key, actions: changed(snapshot, given, key, formatSchema(given)) };
  }
  const added = addedColumns(definition, existing, given);
  const columns = [...existing, ...added];
  const key = keyColumns(definition, columns);
  const schemaString = addColumns(snapshot.metaData.schemaString, added);
  return { columns, key, actions: added.length === 0 ? [] : changed(snapshot, columns, key, schemaString) };
}

function existingColumns(snapshot: Snapshot): LakeColumn[] {
  return parseSchema(snapshot.metaData.schemaString).map(({ name, delta, type }) => {
    // assertWritable has refused such a table already.
    if (delta === undefined) throw new Error(`column ${name} has the type ${type}`);
    return { lake: name, delta };
  });
}

/** New nullable columns without a default; any other difference needs what this version does not do, and stops the table. */
function assertFollows(earlier: TableDefinition, later: TableDefinition): void {
  const find = (definition: TableDefinition, { lake }: LakeColumn) =>
    definition.columns.find((column) => column.lake.toLowerCase() === lake.toLowerCase());
  for (const column of later.columns) {
    const before = find(earlier, column);
    if (before === undefined && !canAdd(column))
      throw unsupported(later, `column ${column.name} was added with a value for the rows that are there`);
    if (before !== undefined && before.delta !== column.delta)
      throw unsupported(later, `column ${column.name} was ${before.type} and is ${column.type}`);
  }
  const gone = earlier.columns.find((column) => find(later, column) === undefined);
  if (gone !== undefined) throw unsupported(later, `column ${gone.name} is gone`);
  if (lowerKey(earlier) !== lowerKey(later))
    throw unsupported(later, `the key was (${earlier.key.join(', ')}) and is (${later.key.join(', ')})`);
}

/** Columns that the lake table does not have yet. */
function addedColumns(definition: TableDefinition, existing: LakeColumn[], given: LakeColumn[]): LakeColumn[] {
  return given.filter((column) => {
    const known = findColumn(existing, column.lake);
    if (known !== undefined && known.delta !== column.delta)
      throw unsupported(definition, `column ${column.lake} is ${known.delta} in the lake and ${column.delta} by now`);
    return known === undefined;
  });
}

function canAdd(column: ColumnDefinition): boolean {
  return column.nullable && column.default === null && column.generated !== true;
}

function lowerKey(definition: TableDefinition): string {
  return JSON.stringify(definition.key.map((name) => name.toLowerCase()));
}

export function findColumn(columns: readonly LakeColumn[], name: string): LakeColumn | undefined {
  return columns.find(({ lake }) => lake.toLowerCase() === name.toLowerCase());
}

/** The key's columns as the lake spells them. */
function keyColumns(definition: TableDefinition, columns: readonly LakeColumn[]): LakeColumn[] {
  return definition.key.map((name) => {
    const source = definition.columns.find((column) => column.name.toLowerCase() === name.toLowerCase());
    const found = source === undefined ? undefined : findColumn(columns, source.lake);
    if (found === undefined) throw new Error(`the key column ${name} is no column of ${formatTableName(definition)}`);
    return found;
  });
}

function changed(snapshot: Snapshot, columns: LakeColumn[], key: LakeColumn[], schemaString: string): Action[] {
  const existing = existingColumns(snapshot);
  const keyText = JSON.stringify(key.map(({ lake }) => lake));
  const isSame =
    JSON.stringify(existing) === JSON.stringify(columns) && snapshot.metaData.configuration[KEY] === keyText;
  if (isSame) return [];
  const metaData: MetaData = {
    ...snapshot.metaData,
    schemaString,
    configuration: { ...snapshot.metaData.configuration, [KEY]: keyText },
  };
  return [{ metaData }];
}

function assertDistinct(definition: TableDefinition, columns: readonly LakeColumn[]): void {
  const seen = new Set<string>();
  for (const { lake } of columns) {
    if (seen.has(lake.toLowerCase()))
      throw new CdcError(
        'column.clash',
        `merging ${formatTableName(definition)}: two columns are called ${lake} in the lake`,
        {
          hint: 'rename the column in the source, or leave the table out',
        },
      );
    seen.add(lake.toLowerCase());
  }
}

function unsupported(definition: TableDefinition, reason: string): CdcError {
  return new CdcError(
    'schema.unsupported',
    `merging ${formatTableName(definition)}: ${reason}, and this version follows only new nullable columns without a default`,
    { hint: `cdc reload ${formatTableName(definition)}` },
  );
}
