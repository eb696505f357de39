import { DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDouble, formatFloat } from '../../../src/core/change-file/number-text.ts';

const digitsOf = (text: string) =>
  text.replace(/e.*/, '').replace(/[-.]/g, '').replace(/^0+/, '').replace(/0+$/, '').length;

describe('a DOUBLE', () => {
  it.each([
    [0, '0'],
    [-0, '-0'],
    [1, '1'],
    [-1.5, '-1.5'],
    [0.1, '0.1'],
    [100, '100'],
    [123456789012345, '123456789012345'],
    [1e15, '1e15'],
    [1234567890123456, '1.234567890123456e15'],
    [1e20, '1e20'],
    [1435343423402452.5, '1435343423402452.5'],
    [1e-15, '0.000000000000001'],
    [1.5e-15, '0.0000000000000015'],
    [1e-16, '1e-16'],
    [5e-324, '5e-324'],
    [1.7976931348623157e308, '1.7976931348623157e308'],
    [-2.5e-7, '-0.00000025'],
  ])('%d prints as the server prints it: %s', (value, text) => {
    expect(formatDouble(value)).toBe(text);
  });

  it('reads back as the same bits', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(Object.is(Number(formatDouble(value)), value)).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('a FLOAT', () => {
  it.each([
    [0, '0'],
    [-0, '-0'],
    [0.1, '0.1'],
    [16777216, '16777216'],
    [3.4028234663852886e38, '3.4028235e38'],
    [1.1754943508222875e-38, '1.1754944e-38'],
    [1.401298464324817e-45, '1e-45'],
    [123456.789, '123456.79'],
    [1e6, '1000000'],
    [999999.9, '999999.9'],
    [100000, '100000'],
    [0.3, '0.3'],
    [33554432, '33554432'],
  ])('%d prints as %s', (value, text) => {
    expect(formatFloat(Math.fround(value))).toBe(text);
  });

  it('reads back as the same bits with the fewest digits, in this engine and in one that reads 32 bits directly', async () => {
    const values = fc.sample(fc.float({ noNaN: true, noDefaultInfinity: true }), { numRuns: 20_000, seed: 7 });
    const texts = values.map(formatFloat);
    for (const [i, text] of texts.entries()) {
      const value = values[i]!;
      expect(Object.is(Math.fround(Number(text)), value)).toBe(true);
      const digits = digitsOf(text);
      // Half way to the next number is not taken: readers round it by different ways.
      const shorter = Number(value.toPrecision(Math.max(digits - 1, 1)));
      if (digits > 1) expect(Math.fround(shorter + (shorter - value) * 1e-6)).not.toBe(value);
    }
    const duckdb = await (await DuckDBInstance.create()).connect();
    await duckdb.run('CREATE TABLE f (i INTEGER, t VARCHAR)');
    const appender = await duckdb.createAppender('f');
    for (const [i, text] of texts.entries()) {
      appender.appendInteger(i);
      appender.appendVarchar(text);
      appender.endRow();
    }
    appender.closeSync();
    const rows = await (await duckdb.run('SELECT t::REAL FROM f ORDER BY i')).getRows();
    expect(rows.map(([value]) => value)).toEqual(values);
  });
});
