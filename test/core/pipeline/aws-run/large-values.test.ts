import { expect, test } from 'vitest';
import { mayBeCut, roomFor, tooLongFindings } from '../../../../src/core/pipeline/aws-run/large-values.ts';

test('a task is told double of the longest value there is, in whole powers of two', () => {
  expect([0, 1, 512, 513, 16 * 1024, 16 * 1024 + 1, 100_000].map(roomFor)).toEqual([1, 1, 1, 2, 32, 64, 256]);
});

test('a limit is enough for a value only when a cut one would be longer', () => {
  expect([32_764, 32_765, 32_768].map((bytes) => mayBeCut(bytes, 32))).toEqual([false, true, true]);
});

test('a value that no limit holds leaves its table out', () => {
  const most = 102_400 * 1024;
  const longest = new Map([
    ['shop.fits', most - 4],
    ['shop.docs', most],
  ]);
  expect(tooLongFindings(longest)).toMatchObject([
    { level: 'error', code: 'lob.too-long', table: 'shop.docs', message: expect.stringContaining('104,857,600 bytes') },
  ]);
});
