import { describe, expect, it } from 'vitest';
import { matchesPattern, matchesTables, splitPattern } from '../../src/core/table-pattern.ts';

const name = (text: string) => {
  const dot = text.indexOf('.');
  return { schema: text.slice(0, dot), table: text.slice(dot + 1) };
};

describe('a table pattern', () => {
  it.each([
    ['shop.orders', 'shop.orders', true],
    ['shop.orders', 'shop.Orders', false],
    ['shop.%', 'shop.orders', true],
    ['shop.%', 'shop2.orders', false],
    ['%.orders', 'shop.orders', true],
    ['%.%', 'a.b', true],
    ['shop.o%s', 'shop.orders', true],
    ['shop.o%s', 'shop.order', false],
    ['shop.%', 'shop.', true],
    ['shop.tmp_1', 'shop.tmpX1', true],
    ['shop.tmp_1', 'shop.tmp1', false],
    ['shop.tmp[_]1', 'shop.tmp_1', true],
    ['shop.tmp[_]1', 'shop.tmpX1', false],
    ['shop.[ab]%', 'shop.beta', true],
    ['shop.[ab]%', 'shop.gamma', false],
    ['shop.[a-d]', 'shop.c', true],
    ['shop.[a-d]', 'shop.e', false],
    ['shop.[^a]', 'shop.^', true],
    ['shop.[^a]', 'shop.b', false],
    ['shop.a.b', 'shop.a.b', true],
    ['shop.a+b', 'shop.aab', false],
    ['shop.a$(b)', 'shop.a$(b)', true],
    ['shop.a_b', 'shop.a😀b', true],
    ['shop.a%b', 'shop.a\nb', true],
    ['orders', 'shop.orders', false],
  ])('%s against %s is %s', (pattern, table, fits) => {
    expect(matchesPattern(pattern, name(table))).toBe(fits);
  });

  it('parts schema and table at the first dot outside brackets', () => {
    expect(splitPattern('a[.]b.c.d')).toEqual({ schema: 'a[.]b', table: 'c.d' });
    for (const text of ['', 'a', 'a.', '.a', 'a.[b', 'a].b']) expect(splitPattern(text)).toBeUndefined();
  });
});

describe('the tables of a pipeline', () => {
  it('are those that fit one pattern and no exclusion', () => {
    expect(matchesTables(['a.%', 'b.%'], ['%.tmp'], name('b.x'))).toBe(true);
    expect(matchesTables(['a.%', 'b.%'], ['%.tmp'], name('b.tmp'))).toBe(false);
    expect(matchesTables([], [], name('b.x'))).toBe(false);
  });

  it('are never the system’s, whatever the pattern', () => {
    for (const table of [
      'mysql.user',
      'sys.x',
      'information_schema.TABLES',
      'performance_schema.threads',
      'MySQL.user',
    ])
      expect(matchesTables(['%.%', 'mysql.user'], [], name(table))).toBe(false);
  });
});
