import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DeltaType } from '../../../src/core/column-type.ts';
import { formatStats, type WrittenFile, writtenFile } from '../../../src/core/delta/stats.ts';

function file(column: string, stats: Record<string, string>): WrittenFile {
  const columns = new Map([[column, new Map(Object.entries(stats))]]);
  return { filename: 'f', count: 3, sizeBytes: 1, columns };
}

/** The text of `{min, max}` for a column of the type, or 'none'. */
function bounds(delta: DeltaType, min: string, max: string, more: Record<string, string> = {}): string {
  const text = formatStats(file('c', { min, max, null_count: '0', ...more }), [{ lake: 'c', delta }], []);
  const match = /"minValues":\{(?:"c":(.*?))?\},"maxValues":\{(?:"c":(.*?))?\},"nullCount"/s.exec(text);
  return match?.[1] === undefined ? 'none' : `${match[1]} … ${match[2]}`;
}

describe('the statistics of a data file', () => {
  it('say rows, bounds and NULLs as Delta has them', () => {
    const text = formatStats(
      file('id', { min: '1', max: '3', null_count: '2' }),
      [{ lake: 'id', delta: 'long' }],
      ['id'],
    );
    expect(text).toBe('{"numRecords":3,"minValues":{"id":1},"maxValues":{"id":3},"nullCount":{"id":2}}');
  });

  it.each<[DeltaType, string, string, string]>([
    ['long', '-9223372036854775808', '9223372036854775807', '-9223372036854775808 … 9223372036854775807'],
    [
      'decimal(38,10)',
      '-0.0000000001',
      '9999999999999999999999999999.9999999999',
      '-0.0000000001 … 9999999999999999999999999999.9999999999',
    ],
    ['double', '-1.5e+300', '2e-7', '-1.5e+300 … 2e-7'],
    ['double', '-0.0', '-0.0', '-0.0 … 0.0'],
    ['double', '0.0', '0.0', '-0.0 … 0.0'],
    ['double', '1.0', 'inf', 'none'],
    ['float', '-inf', '1.0', 'none'],
    ['boolean', '0', '1', 'none'],
    ['binary', '00', 'FF', 'none'],
    ['date', '0001-01-01', '9999-12-31', '"0001-01-01" … "9999-12-31"'],
    ['date', '0044-03-15 (BC)', '2024-01-01', 'none'],
    [
      'timestamp',
      '1899-12-31 23:59:59.999999+00',
      '2024-02-29 12:00:00.000001+00',
      '"1899-12-31T23:59:59.999Z" … "2024-02-29T12:00:00.001Z"',
    ],
    [
      'timestamp',
      '0001-01-01 00:00:00.000001+00',
      '2024-01-01 00:00:00+00',
      '"0001-01-01T00:00:00.000Z" … "2024-01-01T00:00:00.000Z"',
    ],
    [
      'timestamp',
      '2024-01-01 00:00:00.5+00',
      '9999-12-31 23:59:59.999+00',
      '"2024-01-01T00:00:00.500Z" … "9999-12-31T23:59:59.999Z"',
    ],
    ['timestamp', '2024-01-01 00:00:00+00', '9999-12-31 23:59:59.999999+00', 'none'],
    ['string', '', 'a"\\\0', '"" … "a\\"\\\\\\u0000"'],
  ])('of a %s from %s to %s are %s', (delta, min, max, expected) => {
    expect(bounds(delta, min, max)).toBe(expected);
  });

  it('have no bounds where NaN hides what the greatest is', () => {
    expect(bounds('double', '1.0', '2.0', { has_nan: 'true' })).toBe('none');
  });

  it('cut strings on a character, so that the bounds still hold by UTF-8 bytes', () => {
    const character = fc.oneof(
      fc.constantFrom('a', 'ü', '\ud7ff', '～', '😀', '\u{10ffff}'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    );
    const text = fc.array(character, { maxLength: 60, size: 'max' }).map((characters) => characters.join(''));
    fc.assert(
      fc.property(text, text, (a, b) => {
        const [min, max] = Buffer.compare(Buffer.from(a), Buffer.from(b)) <= 0 ? [a, b] : [b, a];
        const stats = JSON.parse(formatStats(file('c', { min, max }), [{ lake: 'c', delta: 'string' }], []));
        if (stats.minValues.c === undefined) {
          expect([...max].slice(0, 32).every((character) => character === '\u{10ffff}')).toBe(true);
          return;
        }
        expect(Buffer.compare(Buffer.from(stats.minValues.c), Buffer.from(min))).toBeLessThanOrEqual(0);
        expect(Buffer.compare(Buffer.from(stats.maxValues.c), Buffer.from(max))).toBeGreaterThanOrEqual(0);
        for (const bound of [stats.minValues.c, stats.maxValues.c]) {
          expect([...bound].length).toBeLessThanOrEqual(32);
          expect(Buffer.from(bound).toString()).toBe(bound);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('are kept for the first 32 columns and for the key', () => {
    const names = Array.from({ length: 40 }, (_, index) => `c${index}`);
    const columns = new Map(
      names.map((name) => [
        name,
        new Map([
          ['min', '1'],
          ['max', '2'],
          ['null_count', '0'],
        ]),
      ]),
    );
    const written = { filename: 'f', count: 1, sizeBytes: 1, columns };
    const stats = JSON.parse(
      formatStats(
        written,
        names.map((lake) => ({ lake, delta: 'integer' as const })),
        ['c39'],
      ),
    );
    expect(Object.keys(stats.minValues)).toEqual([...names.slice(0, 32), 'c39']);
    expect(Object.keys(stats.nullCount)).toEqual([...names.slice(0, 32), 'c39']);
  });

  it('are read from what DuckDB answers, under names with quotes and dots', () => {
    const row = {
      filename: '/x',
      count: '2',
      file_size_bytes: '10',
      footer_size_bytes: '5',
      partition_keys: null,
      column_statistics: [
        {
          key: '"a""b.c"',
          value: [
            { key: 'min', value: '1' },
            { key: 'max', value: null },
          ],
        },
      ],
    };
    expect(writtenFile(row)).toEqual({
      filename: '/x',
      count: 2,
      sizeBytes: 10,
      columns: new Map([['a"b.c', new Map([['min', '1']])]]),
    });
  });
});
