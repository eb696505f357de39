import { describe, expect, it } from 'vitest';
import { nearestWord } from '../../src/core/nearest-word.ts';

describe('the nearest word', () => {
  it.each([
    ['mrege', 'merge'],
    ['merg', 'merge'],
    ['MERGE', 'merge'],
    ['statsu', 'status'],
    ['repl', 'replicate'],
    ['stat', 'start'],
    ['xyzzy', undefined],
    ['a', undefined],
    ['', undefined],
  ])('to %j is %s', (typed, word) => {
    expect(nearestWord(typed, ['merge', 'status', 'start', 'stop', 'replicate'])).toBe(word);
  });
});
