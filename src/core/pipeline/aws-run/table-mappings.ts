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
  value: z.string().nullish(),
  expression: z.string().nullish(),
  'before-image-def': z
    .object({
      'column-prefix': z.string().nullish(),
      'column-suffix': z.string().nullish(),
      'column-filter': z.string(),
    })
    .nullish(),
});
const mappingsSchema = z.object({ rules: z.array(ruleSchema) });

/** Whether two mappings choose the same tables, however DMS has rewritten them. */
export function choosesTheSame(a: string, b: string): boolean {
  const [left, right] = [selectionsOf(a), selectionsOf(b)];
  return left.size === right.size && [...left].every((rule) => right.has(rule));
}

/** Whether a task adds the columns that merge needs beside a table's own, whatever it adds or changes besides. */
export function addsTheColumns(wanted: string, found: string): boolean {
  return isPartOf(
    [...addedColumns(wanted), ...beforeColumns(wanted)],
    [...addedColumns(found), ...beforeColumns(found)],
  );
}

/** Whether a task says of an update what the key was, under the names by which merge knows it. */
export function saysTheKeyBefore(wanted: string, found: string): boolean {
  return isPartOf(beforeColumns(wanted), beforeColumns(found));
}

function isPartOf(part: readonly string[], whole: readonly string[]): boolean {
  const known = new Set(whole);
  return part.every((one) => known.has(one));
}

function addedColumns(text: string): string[] {
  return rulesOf(text)
    .filter((rule) => rule['rule-action'] === 'add-column')
    .map((rule) => JSON.stringify([...locatorOf(rule), rule.value, rule.expression]));
}

/** Each holds those before it. */
const BEFORE_FILTERS = ['pk-only', 'non-lob', 'all'];

function beforeColumns(text: string): string[] {
  return rulesOf(text).flatMap((rule) => {
    const images = rule['before-image-def'];
    if (rule['rule-action'] !== 'add-before-image-columns' || images == null) return [];
    const { 'column-prefix': prefix, 'column-suffix': suffix, 'column-filter': filter } = images;
    return BEFORE_FILTERS.slice(0, BEFORE_FILTERS.indexOf(filter) + 1).map((held) =>
      JSON.stringify([...locatorOf(rule), prefix ?? '', suffix ?? '', held]),
    );
  });
}

function selectionsOf(text: string): Set<string> {
  return new Set(
    rulesOf(text)
      .filter((rule) => rule['rule-type'] === 'selection')
      .map((rule) => JSON.stringify([rule['rule-action'], ...locatorOf(rule)])),
  );
}

function rulesOf(text: string): z.output<typeof ruleSchema>[] {
  const parsed = mappingsSchema.safeParse(parseJson(text));
  return parsed.success ? parsed.data.rules : [];
}

function locatorOf(rule: z.output<typeof ruleSchema>): (string | undefined)[] {
  return [rule['object-locator']?.['schema-name'], rule['object-locator']?.['table-name']];
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
