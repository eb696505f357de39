import { expect, it } from 'vitest';
import { UsageError } from '../../../src/core/errors.ts';
import { parseStartAt } from '../../../src/core/pipeline/start-at.ts';

it('reads now, a file with an offset, and a GTID of either kind', () => {
  expect(parseStartAt('now')).toBe('now');
  expect(parseStartAt('mysql-bin.000042:1234')).toEqual({ file: 'mysql-bin.000042', offset: 1234 });
  expect(parseStartAt('0-1-42')).toEqual({ gtid: '0-1-42' });
  const set = '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5';
  expect(parseStartAt(` ${set.toUpperCase()}`)).toEqual({ gtid: set });
});

it.each([
  ['0-1-42,x', 'no position'],
  ['yesterday', 'no position'],
  ['mysql-bin:4', 'no position'],
])('refuses --from %s', (text, why) => {
  expect(() => parseStartAt(text)).toThrow(UsageError);
  expect(() => parseStartAt(text)).toThrow(why);
});
