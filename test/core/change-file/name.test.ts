import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareStagedNames,
  loadFileName,
  loadNumberOf,
  nextChangeFileName,
  parseStagedName,
} from '../../../src/core/change-file/name.ts';

const csv = { format: 'csv', gzip: false };

describe('the name of a staged file', () => {
  it.each([
    ['LOAD00000001.csv', { kind: 'load', ...csv, rank: '00000001' }],
    ['LOAD0000000A.parquet', { kind: 'load', format: 'parquet', gzip: false, rank: '0000000A' }],
    ['LOAD00000001.csv.gz', { kind: 'load', format: 'csv', gzip: true, rank: '00000001' }],
    ['SEGMENT1_LOAD00000001.csv', { kind: 'load', ...csv, rank: '00000001', segment: 'SEGMENT1' }],
    ['p2024/LOAD00000001.csv', { kind: 'load', ...csv, rank: '00000001', segment: 'p2024' }],
    ['20261122-101530123.csv', { kind: 'changes', ...csv, rank: '20261122-101530123' }],
    ['20141029-1134010000.csv', { kind: 'changes', ...csv, rank: '20141029-1134010000' }],
    [
      '2021/11/23/20211123-013830913.parquet',
      { kind: 'changes', format: 'parquet', gzip: false, rank: '20211123-013830913' },
    ],
    ['2021/11/23/04/20211123-013830913.csv', { kind: 'changes', ...csv, rank: '20211123-013830913' }],
    ['2022-10-24/20221024-175902985.csv', { kind: 'changes', ...csv, rank: '20221024-175902985' }],
    ['2024_06_01/20240601-101500123.csv', { kind: 'changes', ...csv, rank: '20240601-101500123' }],
    ['20240601/20240601-101500123.csv.gz', { kind: 'changes', format: 'csv', gzip: true, rank: '20240601-101500123' }],
    ['CDC_TXN-20201117153046033.csv', { kind: 'transactions', ...csv, rank: '20201117153046033' }],
  ])('%s is read', (path, expected) => {
    expect(parseStagedName(path)).toEqual(expected);
  });

  it.each([
    'notes.txt',
    'LOAD0000001.csv',
    'load00000001.csv',
    'LOAD0000000a.csv',
    '20261122-10153012.csv',
    '20261122-101530123.json',
    'x/20261122-101530123.csv',
    '.tmp-20261122-101530123.csv',
    'a/CDC_TXN-20201117153046033.csv',
    '20261122-101530123.csv.tmp',
  ])('%s is none', (path) => {
    expect(parseStagedName(path)).toBeUndefined();
  });

  it('orders loads by their hexadecimal number, then changes by base name whatever their folder', () => {
    const paths = [
      '2021/11/23/20211123-013830913.csv',
      'LOAD0000000A.csv',
      '20211122-235959999.csv',
      'LOAD00000009.csv',
    ];
    const sorted = paths.sort((a, b) => compareStagedNames(parseStagedName(a)!, parseStagedName(b)!));
    expect(sorted).toEqual([
      'LOAD00000009.csv',
      'LOAD0000000A.csv',
      '20211122-235959999.csv',
      '2021/11/23/20211123-013830913.csv',
    ]);
  });

  it('of a load counts in upper-case hexadecimal', () => {
    expect(loadFileName(31)).toBe('LOAD0000001F.csv');
    expect(loadNumberOf('LOAD0000001F.csv')).toBe(31);
    expect(loadNumberOf('20261122-101530123.csv')).toBeUndefined();
  });
});

describe('the next change file', () => {
  it('is named after the time in UTC', () => {
    expect(nextChangeFileName(undefined, new Date('2026-11-22T10:15:30.123Z'))).toBe('20261122-101530123.csv');
  });

  it('comes a millisecond after the last where the clock has gone back, also over the end of a year', () => {
    expect(nextChangeFileName('20261231-235959999.csv', new Date('2026-11-22T10:15:30.123Z'))).toBe(
      '20270101-000000000.csv',
    );
  });

  it('rises whatever the clock does', () => {
    const times = fc.array(fc.date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true }), {
      maxLength: 20,
    });
    fc.assert(
      fc.property(times, (clock) => {
        let last: string | undefined;
        for (const now of clock) {
          const next = nextChangeFileName(last, now);
          expect(parseStagedName(next)?.kind).toBe('changes');
          if (last !== undefined) expect(next > last).toBe(true);
          last = next;
        }
      }),
    );
  });

  it('refuses to follow a name that is not ours', () => {
    expect(() => nextChangeFileName('20141029-1134010000.csv', new Date())).toThrow(
      /not the name of a change file of ours/,
    );
  });
});
