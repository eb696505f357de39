/** What a table looks like from one change number on (contract.md 3): kept beside the change files as `_cdc/tables/<schema>/<table>/<n>.json`. */

import { z } from 'zod';
import type { TableName } from './change.ts';
import { type ChangeNumber, formatChangeNumber, parseChangeNumber } from './change-number.ts';
import { type DeltaType, deltaTypeOf, parseColumnType, type ZeroDates } from './column-type.ts';
import { CdcError } from './errors.ts';

export interface ColumnDefinition {
  name: string;
  /** MySQL's COLUMN_TYPE: `varchar(50)`, `int unsigned`. */
  type: string;
  nullable: boolean;
  /** The DEFAULT as information_schema gives it; null when there is none. */
  default: string | null;
  charset?: string | undefined;
  collation?: string | undefined;
  generated?: boolean | undefined;
  invisible?: boolean | undefined;
  /** The column's name in the lake. */
  lake: string;
  delta: DeltaType;
}

export interface TableDefinition extends TableName {
  format: 1;
  /** The change number this definition begins at. */
  number: ChangeNumber;
  columns: ColumnDefinition[];
  /** Names of the key's columns in key order; empty for a table without a key. */
  key: string[];
  /** The unique index behind a key chosen by `key:` in cdc.yaml; absent when the key is the primary key. */
  keyIndex?: string | undefined;
  /** The table's own default character set and collation: what an ADD COLUMN without one gets. */
  charset?: string | undefined;
  collation?: string | undefined;
  zeroDates: ZeroDates;
}

/** A column before it is known how it is called in the lake. */
export type SourceColumn = Omit<ColumnDefinition, 'lake' | 'delta'>;

/** Completes a definition with lake names and Delta types; throws `type.unsupported` naming the first column whose type is not known yet. */
export function defineTable(
  table: TableName,
  source: Pick<TableDefinition, 'number' | 'key' | 'keyIndex' | 'charset' | 'collation' | 'zeroDates'> & {
    columns: SourceColumn[];
  },
): TableDefinition {
  const names = lakeNames(source.columns.map((column) => column.name));
  const columns = source.columns.map((column, index) => {
    const type = parseColumnType(column.type);
    if (type === undefined)
      throw new CdcError(
        'type.unsupported',
        `${table.schema}.${table.table}: column ${column.name} has type ${column.type}, which this version does not follow`,
        {
          hint: 'leave the table out with `exclude:` in cdc.yaml, or change the column',
        },
      );
    return { ...column, lake: names[index] ?? column.name, delta: deltaTypeOf(type, source.zeroDates) };
  });
  return {
    format: 1,
    schema: table.schema,
    table: table.table,
    number: source.number,
    columns,
    key: source.key,
    ...(source.keyIndex === undefined ? {} : { keyIndex: source.keyIndex }),
    ...(source.charset === undefined ? {} : { charset: source.charset }),
    ...(source.collation === undefined ? {} : { collation: source.collation }),
    zeroDates: source.zeroDates,
  };
}

/** Lake names: what Delta forbids becomes `_`; a clash, also of case, gets `_2` (contract.md 3). */
export function lakeNames(names: string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    const clean = name.replace(/[ ,;{}()\n\t=]/g, '_');
    let free = clean;
    for (let suffix = 2; taken.has(free.toLowerCase()); suffix++) free = `${clean}_${suffix}`;
    taken.add(free.toLowerCase());
    return free;
  });
}

const DELTA_TYPE = /^(byte|short|integer|long|float|double|boolean|string|binary|date|timestamp|decimal\(\d+,\d+\))$/;
const deltaType = z.custom<DeltaType>((value) => typeof value === 'string' && DELTA_TYPE.test(value));

const definitionFile = z.object({
  format: z.literal(1),
  schema: z.string(),
  table: z.string(),
  number: z.string().transform(parseChangeNumber),
  columns: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      nullable: z.boolean(),
      default: z.string().nullable(),
      charset: z.string().optional(),
      collation: z.string().optional(),
      generated: z.boolean().optional(),
      invisible: z.boolean().optional(),
      lake: z.string(),
      delta: deltaType,
    }),
  ),
  key: z.array(z.string()),
  key_index: z.string().optional(),
  charset: z.string().optional(),
  collation: z.string().optional(),
  zero_dates: z.enum(['null', 'fail', 'text']),
});

/** A plain object for JSON, as it stands in definition files, load records and merge plans. */
export function definitionToJson(definition: TableDefinition): Record<string, unknown> {
  const { zeroDates, keyIndex, number, ...rest } = definition;
  return { ...rest, number: formatChangeNumber(number), key_index: keyIndex, zero_dates: zeroDates };
}

/** The schema other files embed a definition with; throws zod's error for anything else. */
export const definitionFromJson = definitionFile.transform(
  ({ zero_dates, key_index, ...rest }): TableDefinition => ({
    ...rest,
    ...(key_index === undefined ? {} : { keyIndex: key_index }),
    zeroDates: zero_dates,
  }),
);
