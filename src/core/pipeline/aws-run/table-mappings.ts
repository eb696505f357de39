/** What a DMS task copies: the patterns of cdc.yaml as its selection rules, and the columns that it adds for the merge. Pure. */

import { z } from 'zod';
import type { TableName } from '../../change.ts';
import { BEFORE_PREFIX, SEQUENCE_COLUMN } from '../../change-file/dms-layout.ts';
import type { Config } from '../../config.ts';
import { matchesPattern, SYSTEM_SCHEMAS, splitPattern } from '../../table-pattern.ts';

/** Names are matched with the same wildcards, and as case-sensitively, as cdc.yaml has them. */
export function tableMappings(options: {
  config: Pick<Config, 'tables' | 'exclude'>;
  /** Tables that cannot be followed; the rest is. */
  refused: readonly TableName[];
}): string {
  const { config, refused } = options;
  const included = unique(config.tables.map(({ pattern }) => pattern));
  const isReached = (schema: string) =>
    included.some((pattern) => matchesPattern(`${halves(pattern).schema}.%`, { schema, table: 'x' }));
  const systems = SYSTEM_SCHEMAS.filter(isReached).map((schema) => ({ schema: exactly(schema), table: '%' }));
  const excluded = [...unique(config.exclude).map(halves), ...systems, ...refused.map(exactTable)];
  return mappings(config, [
    ...included.map((pattern) => selection('include', halves(pattern))),
    ...excluded.map((pattern) => selection('exclude', pattern)),
  ]);
}

/** These tables and no other. */
export function exactMappings(config: Pick<Config, 'tables'>, tables: readonly TableName[]): string {
  return mappings(
    config,
    tables.map((name) => selection('include', exactTable(name))),
  );
}

function mappings(config: Pick<Config, 'tables'>, selections: readonly object[]): string {
  const rules: object[] = [
    ...selections,
    addColumn(SEQUENCE_COLUMN, '$AR_H_CHANGE_SEQ'),
    // A key that cdc.yaml chose is not the primary key: then every column says what it was.
    beforeImages(config.tables.some(({ key }) => key !== undefined) ? 'non-lob' : 'pk-only'),
  ];
  return JSON.stringify({
    rules: rules.map((rule, index) => ({ ...rule, 'rule-id': String(index + 1), 'rule-name': String(index + 1) })),
  });
}

const ruleSchema = z.object({
  'rule-type': z.string(),
  'rule-action': z.string().optional(),
  'object-locator': z.object({ 'schema-name': z.string(), 'table-name': z.string() }).optional(),
});
const mappingsSchema = z.object({ rules: z.array(ruleSchema) });

/** Whether two mappings choose the same tables, however DMS has rewritten them. */
export function choosesTheSame(a: string, b: string): boolean {
  const [left, right] = [selectionsOf(a), selectionsOf(b)];
  return left.size === right.size && [...left].every((rule) => right.has(rule));
}

function selectionsOf(text: string): Set<string> {
  const parsed = mappingsSchema.safeParse(parseJson(text));
  if (!parsed.success) return new Set();
  return new Set(
    parsed.data.rules
      .filter((rule) => rule['rule-type'] === 'selection')
      .map((rule) =>
        JSON.stringify([
          rule['rule-action'],
          rule['object-locator']?.['schema-name'],
          rule['object-locator']?.['table-name'],
        ]),
      ),
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function exactTable({ schema, table }: TableName): TableName {
  return { schema: exactly(schema), table: exactly(table) };
}

/** A name without wildcards: `my_table` would fit `myXtable` too. */
function exactly(name: string): string {
  return name.replace(/[%_[]/g, '[$&]');
}

function selection(action: 'include' | 'exclude', { schema, table }: TableName) {
  return {
    'rule-type': 'selection',
    'object-locator': { 'schema-name': schema, 'table-name': table },
    'rule-action': action,
    filters: [],
  };
}

const EVERYWHERE = { 'schema-name': '%', 'table-name': '%' };

function addColumn(name: string, expression: string) {
  return {
    'rule-type': 'transformation',
    'rule-target': 'column',
    'object-locator': EVERYWHERE,
    'rule-action': 'add-column',
    value: name,
    expression,
    'data-type': { type: 'string', length: 50 },
  };
}

function beforeImages(filter: 'pk-only' | 'non-lob') {
  return {
    'rule-type': 'transformation',
    'rule-target': 'column',
    'object-locator': EVERYWHERE,
    'rule-action': 'add-before-image-columns',
    'before-image-def': { 'column-prefix': BEFORE_PREFIX, 'column-suffix': '', 'column-filter': filter },
  };
}

function halves(pattern: string): TableName {
  const parts = splitPattern(pattern);
  if (parts === undefined) throw new RangeError(`"${pattern}" is no pattern`);
  return parts;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
