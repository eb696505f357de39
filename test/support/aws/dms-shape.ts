/** How the files of a task look: what its target endpoint and its transformation rules say, in the words of DMS's API. */

import { z } from 'zod';
import type { TableDefinition } from '../../../src/core/table-definition.ts';

export interface DmsShape {
  /** CsvNullValue. */
  nullText: string;
  /** AddColumnName. */
  hasHeader: boolean;
  /** IncludeOpForFullLoad. */
  hasOpInLoad: boolean;
  /** TimestampColumnName; absent: no such column. */
  timestampColumn?: string | undefined;
  /** Names of columns with the sequence of the change. */
  sequenceColumns: readonly string[];
  /** Columns that say what a row was before an update. */
  before?: { prefix: string; suffix: string; keyOnly: boolean } | undefined;
  /** LobMaxSize in bytes: large values end there. Whether DMS counts bytes is not documented. */
  lobBytes?: number;
}

/** The endpoint that `init` makes and the rules of `replicate`, but for their NULL. */
export const OUR_SHAPE: DmsShape = {
  nullText: '<null 3kQ9>',
  hasHeader: true,
  hasOpInLoad: true,
  timestampColumn: 'dms_ts',
  sequenceColumns: ['dms_seq'],
  before: { prefix: 'BI_', suffix: '', keyOnly: true },
};

export const s3Settings = z
  .looseObject({
    BucketName: z.string(),
    BucketFolder: z.string().default(''),
    CsvNullValue: z.string().default('NULL'),
    AddColumnName: z.boolean().default(false),
    IncludeOpForFullLoad: z.boolean().default(false),
    TimestampColumnName: z.string().optional(),
    CdcMaxBatchInterval: z.number().default(60),
    /** KB */
    CdcMinFileSize: z.number().default(32_000),
  })
  .superRefine((settings, context) => {
    for (const [name, modelled] of Object.entries(MODELLED))
      if (name in settings && settings[name] !== modelled)
        context.addIssue({ code: 'custom', message: `${name} ${settings[name]} is not modelled` });
  });

/** What the stand-in can write; another value is an error, never another file. */
const MODELLED: Record<string, unknown> = {
  DataFormat: 'csv',
  CompressionType: 'none',
  Rfc4180: true,
  DatePartitionEnabled: false,
  PreserveTransactions: false,
  UseTaskStartTimeForFullLoadTimestamp: true,
  CsvDelimiter: ',',
  CsvRowDelimiter: '\n',
};

/** Of TargetMetadata. For S3 DMS knows limited mode alone, in which it cuts and writes no more than a line of its log. */
export const lobSettings = z.looseObject({
  SupportLobs: z.literal(true).default(true),
  FullLobMode: z.literal(false).default(false),
  LimitedSizeLobMode: z.literal(true).default(true),
  /** KB */
  LobMaxSize: z.number().default(32),
});

const locator = z.object({ 'schema-name': z.string(), 'table-name': z.string() });
export const mappingRule = z.discriminatedUnion('rule-type', [
  z.looseObject({
    'rule-type': z.literal('selection'),
    'rule-action': z.enum(['include', 'exclude', 'explicit']),
    'object-locator': locator,
  }),
  z.discriminatedUnion('rule-action', [
    z.looseObject({
      'rule-type': z.literal('transformation'),
      'rule-action': z.literal('add-column'),
      'object-locator': locator,
      value: z.string(),
      expression: z.literal('$AR_H_CHANGE_SEQ'),
    }),
    z.looseObject({
      'rule-type': z.literal('transformation'),
      'rule-action': z.literal('add-before-image-columns'),
      'object-locator': locator,
      'before-image-def': z.object({
        'column-prefix': z.string(),
        'column-suffix': z.string(),
        'column-filter': z.enum(['pk-only', 'non-lob', 'all']),
      }),
    }),
  ]),
]);

export type MappingRule = z.output<typeof mappingRule>;

/** Rules of transformation count for every table here. */
export function readShape(
  settings: z.output<typeof s3Settings>,
  rules: readonly MappingRule[],
  task: { TargetMetadata: z.output<typeof lobSettings> },
): DmsShape {
  const shape: DmsShape = {
    nullText: settings.CsvNullValue,
    hasHeader: settings.AddColumnName,
    hasOpInLoad: settings.IncludeOpForFullLoad,
    timestampColumn: settings.TimestampColumnName,
    sequenceColumns: rules.flatMap((rule) => (rule['rule-action'] === 'add-column' ? [rule.value] : [])),
    lobBytes: task.TargetMetadata.LobMaxSize * 1024,
  };
  for (const rule of rules) {
    if (rule['rule-action'] !== 'add-before-image-columns') continue;
    const { 'column-prefix': prefix, 'column-suffix': suffix, 'column-filter': filter } = rule['before-image-def'];
    shape.before = { prefix, suffix, keyOnly: filter === 'pk-only' };
  }
  return shape;
}

/** Places of the columns whose before-image is written. */
export function beforePlaces({ before }: DmsShape, { columns, key }: TableDefinition): number[] {
  if (before === undefined) return [];
  const named = before.keyOnly ? key : columns.map(({ name }) => name);
  return named.map((name) => columns.findIndex((column) => column.name === name));
}

/** Of the source's tables those that the selection rules choose; `%`, `_` and `[…]` are wildcards, names are case-sensitive. */
export function selectTables<T extends { schema: string; table: string }>(
  tables: readonly T[],
  rules: readonly MappingRule[],
): T[] {
  const fits =
    ({ schema, table }: T) =>
    (rule: MappingRule) => {
      const { 'schema-name': schemas, 'table-name': names } = rule['object-locator'];
      if (rule['rule-action'] === 'explicit') return schema === schemas && table === names;
      return wildcard(schemas).test(schema) && wildcard(names).test(table);
    };
  const selections = rules.filter((rule) => rule['rule-type'] === 'selection');
  const excluding = selections.filter((rule) => rule['rule-action'] === 'exclude');
  const including = selections.filter((rule) => rule['rule-action'] !== 'exclude');
  return tables.filter((one) => including.some(fits(one)) && !excluding.some(fits(one)));
}

function wildcard(pattern: string): RegExp {
  const parts = pattern.match(/\[[^\]]*\]|[\s\S]/gu) ?? [];
  const source = parts.map((part) => {
    if (part === '%') return '.*';
    if (part === '_') return '.';
    return part.length > 1 && part.startsWith('[')
      ? `[${part.slice(1, -1).replace(/[\\^[\]]/g, '\\$&')}]`
      : part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  });
  return new RegExp(`^${source.join('')}$`, 'su');
}
