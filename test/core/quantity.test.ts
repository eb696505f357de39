import { describe, expect, it } from 'vitest';
import { formatBytes, parseBytes, parseDuration } from '../../src/core/quantity.ts';

describe('a size', () => {
  it.each([
    ['64MB', 64_000_000],
    ['64 mb', 64_000_000],
    ['1.5GB', 1_500_000_000],
    ['1MiB', 1_048_576],
    ['10B', 10],
    ['64', undefined],
    ['64 megs', undefined],
    ['-1MB', undefined],
    ['MB', undefined],
    ['1MB2', undefined],
  ])('%s is %s bytes', (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });

  it.each([
    [0, '0B'],
    [999, '999B'],
    [64e6, '64MB'],
    [768e6, '768MB'],
    [1_234_567, '1.23MB'],
    [20e9, '20GB'],
  ])('of %s bytes is shown as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});

describe('a duration', () => {
  it.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['5 min', 300_000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
    ['7', undefined],
    ['7 weeks', undefined],
    ['', undefined],
  ])('%s is %s ms', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });
});
