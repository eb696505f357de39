import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  addsTheColumns,
  exactMappings,
  saysTheKeyBefore,
  tableMappings,
} from '../../../../src/core/pipeline/aws-run/table-mappings.ts';
import { matchesPattern } from '../../../../src/core/table-pattern.ts';

type Rule = Record<string, unknown> & { 'object-locator': { 'schema-name': string; 'table-name': string } };

function rules(text: string): Rule[] {
  return JSON.parse(text).rules;
}

function selections(text: string): string[] {
  return rules(text)
    .filter((rule) => rule['rule-type'] === 'selection')
    .map((rule) => {
      const { 'schema-name': schema, 'table-name': table } = rule['object-locator'];
      return `${rule['rule-action']} ${schema}.${table}`;
    });
}

const mirror = (pattern: string) => ({ pattern, mode: 'mirror' as const });

test('the patterns of cdc.yaml become selection rules, excludes after includes, each with an id of its own', () => {
  const text = tableMappings({
    config: { tables: [mirror('shop.%'), mirror('crm.person_'), mirror('shop.%')], exclude: ['shop.tmp[_]%'] },
    refused: [],
  });
  expect(selections(text)).toEqual(['include shop.%', 'include crm.person_', 'exclude shop.tmp[_]%']);
  const ids = rules(text).map((rule) => rule['rule-id']);
  expect(new Set(ids).size).toBe(ids.length);
});

test("a pattern that reaches them leaves the server's own schemas out", () => {
  const every = selections(tableMappings({ config: { tables: [mirror('%.%')], exclude: [] }, refused: [] }));
  expect(every).toEqual([
    'include %.%',
    'exclude mysql.%',
    'exclude information[_]schema.%',
    'exclude performance[_]schema.%',
    'exclude sys.%',
  ]);
  const some = selections(tableMappings({ config: { tables: [mirror('my%.%')], exclude: [] }, refused: [] }));
  expect(some).toEqual(['include my%.%', 'exclude mysql.%']);
});

test('a table that cannot be followed is left out by its exact name', () => {
  const refused = [{ schema: 'shop', table: 'no_key' }];
  const text = tableMappings({ config: { tables: [mirror('shop.%')], exclude: [] }, refused });
  expect(selections(text)).toContain('exclude shop.no[_]key');
});

test('changes carry their order and the key they had before', () => {
  const added = rules(tableMappings({ config: { tables: [mirror('shop.%')], exclude: [] }, refused: [] })).filter(
    (rule) => rule['rule-type'] === 'transformation',
  );
  expect(added).toMatchObject([
    { 'rule-action': 'add-column', value: 'dms_seq', expression: '$AR_H_CHANGE_SEQ' },
    {
      'rule-action': 'add-before-image-columns',
      'before-image-def': { 'column-prefix': 'BI_', 'column-filter': 'pk-only' },
    },
  ]);
});

test('a key chosen in cdc.yaml needs all columns as they were before', () => {
  const tables = [{ ...mirror('shop.orders'), key: ['number'] }];
  expect(tableMappings({ config: { tables, exclude: [] }, refused: [] })).toContain('"column-filter":"non-lob"');
});

test('a task that writes more before-images than are wanted is right, one that writes fewer is not', () => {
  const chosen = { ...mirror('shop.orders'), key: ['number'] };
  const keys = tableMappings({ config: { tables: [mirror('shop.%')], exclude: [] }, refused: [] });
  const columns = tableMappings({ config: { tables: [chosen], exclude: [] }, refused: [] });
  expect(addsTheColumns(keys, columns)).toBe(true);
  expect(addsTheColumns(columns, keys)).toBe(false);
  const renamed = keys.replace('"BI_"', '"old_"');
  expect(saysTheKeyBefore(keys, renamed)).toBe(false);
  const unordered = keys.replace('dms_seq', 'seq');
  expect([addsTheColumns(keys, unordered), saysTheKeyBefore(keys, unordered)]).toEqual([false, true]);
  expect(addsTheColumns(keys, 'no JSON')).toBe(false);
});

test('a table chosen by name is that table and no other, whatever its name', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: 'grapheme-ascii' }), fc.string({ minLength: 1 }), (schema, table) => {
      // A pattern of cdc.yaml cannot hold these; DMS's own can.
      fc.pre(!/[[\].]/.test(schema) && !/[[\]]/.test(table));
      const [rule] = rules(exactMappings({ tables: [] }, [{ schema, table }]));
      const { 'schema-name': left, 'table-name': right } = rule?.['object-locator'] ?? {
        'schema-name': '',
        'table-name': '',
      };
      const fits = (name: { schema: string; table: string }) => matchesPattern(`${left}.${right}`, name);
      expect(fits({ schema, table })).toBe(true);
      expect(fits({ schema: `${schema}x`, table })).toBe(false);
      expect(fits({ schema, table: `${table}x` })).toBe(false);
    }),
  );
});
