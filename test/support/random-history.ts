/** What random histories of a table are made of: what happens on the source, and how it reaches staging. */

import fc from 'fast-check';
import type { CrashPoint } from '../../src/core/crash-point.ts';

/** What happens on the source, each in turn. */
export type Event =
  | { does: 'upsert'; key: string; value: string | null }
  | { does: 'delete'; key: string }
  | { does: 'move'; from: string; to: string }
  | { does: 'truncate' }
  | { does: 'add column' }
  /** A change of the columns that needs a load, and that load. */
  | { does: 'retype' | 'drop column' }
  /** A load is read at this moment; its record appears with the files around it. */
  | { does: 'load' }
  /** Capture breaks off; changes until the next load are lost to it. */
  | { does: 'break'; lost: { key: string; value: string }[] };

export interface Texts {
  keys: readonly string[];
  values: readonly (string | null)[];
}

export const PLAIN: Texts = {
  keys: ['1', '2', '3', '4', '5', '6'],
  values: ['a', 'b', '', '\\N', '\\\\N', 'x,"y"\n', null],
};

export function events({ keys, values }: Texts, lengths: fc.ArrayConstraints): fc.Arbitrary<Event[]> {
  const key = fc.constantFrom(...keys);
  const value = fc.constantFrom(...values);
  const does = <T extends string>(what: T) => fc.record({ does: fc.constant(what) });
  const event: fc.Arbitrary<Event> = fc.oneof(
    { weight: 24, arbitrary: fc.record({ does: fc.constant('upsert' as const), key, value }) },
    { weight: 10, arbitrary: fc.record({ does: fc.constant('delete' as const), key }) },
    { weight: 4, arbitrary: fc.record({ does: fc.constant('move' as const), from: key, to: key }) },
    { weight: 2, arbitrary: does('truncate') },
    { weight: 2, arbitrary: does('add column') },
    { weight: 1, arbitrary: does('retype') },
    { weight: 1, arbitrary: does('drop column') },
    { weight: 2, arbitrary: does('load') },
    {
      weight: 2,
      arbitrary: fc.record({
        does: fc.constant('break' as const),
        lost: fc.array(fc.record({ key, value: fc.constant('lost') }), { maxLength: 3 }),
      }),
    },
  );
  return fc.array(event, lengths);
}

/** Keys and values that one reader or the other might take for something else. */
export const NASTY: Texts = {
  keys: ['a', 'A', 'a ', ' a', '', '\\N', 'é', 'e\u0301', 'a\u0000', '"x",\n', '007'],
  values: [
    'NULL',
    '',
    ' ',
    '\\',
    '\\N',
    '\\\\N',
    '"',
    "'",
    '\r',
    '\r\n',
    '\u0000',
    '\u001a',
    '\ufeff',
    '🙂',
    'x,"y"\n',
    null,
  ],
};

/** How the history reaches staging. */
export interface Delivery {
  /** Lengths of files, used in turn. */
  lengths: number[];
  /** After a file, so many changes are captured again. */
  repeats: number[];
  /** Files that come this many places late. */
  delays: number[];
  /** Whether a merge runs after each thing that appears, and where it crashes. */
  merges: { runs: boolean; crash: CrashPoint | undefined }[];
  /** A whole earlier file is delivered again. */
  again: number[];
  /** Whether data files are large: rewritten alone, new rows in files of their own. */
  large: boolean;
}

export const delivery: fc.Arbitrary<Delivery> = fc.record({
  lengths: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 6 }),
  repeats: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 6 }),
  delays: fc.array(fc.constantFrom(0, 0, 0, 1, 2), { minLength: 1, maxLength: 6 }),
  merges: fc.array(
    fc.record({
      runs: fc.boolean(),
      crash: fc.constantFrom(
        undefined,
        undefined,
        'merge.planned' as const,
        'merge.written' as const,
        'merge.committed' as const,
      ),
    }),
    { minLength: 1, maxLength: 8 },
  ),
  again: fc.array(fc.nat(10), { maxLength: 2 }),
  large: fc.boolean(),
});
