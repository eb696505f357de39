import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatTableName, readTableName } from '../../src/core/change.ts';
import { matchesPattern } from '../../src/core/table-pattern.ts';

it('writes a table as schema.table', () => {
  expect(formatTableName({ schema: 'shop', table: 'orders' })).toBe('shop.orders');
  expect(readTableName('shop.orders')).toEqual({ schema: 'shop', table: 'orders' });
});

it('keeps apart two tables whose names together spell the same', () => {
  expect(formatTableName({ schema: 'a.b', table: 'c' })).toBe('a[.]b.c');
  expect(formatTableName({ schema: 'a', table: 'b.c' })).toBe('a.b.c');
});

it('reads back every name that it writes', () => {
  const name = fc.oneof(fc.string({ minLength: 1 }), fc.string({ minLength: 1, unit: fc.constantFrom(...'.[]a%/') }));
  fc.assert(
    fc.property(name, name, (schema, table) => {
      expect(readTableName(formatTableName({ schema, table }))).toEqual({ schema, table });
    }),
  );
});

it('names a table as a pattern that fits it', () => {
  const name = { schema: 'a.b', table: 'c.d' };
  expect(matchesPattern(formatTableName(name), name)).toBe(true);
});

it.each(['shop', '.orders', 'shop.', ''])('finds no table in "%s"', (text) => {
  expect(readTableName(text)).toBeUndefined();
});
