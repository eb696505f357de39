import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compareKeys } from '../../../src/core/store/key.ts';

it('orders keys by their UTF-8 bytes', () => {
  const character = fc.oneof(
    fc.constantFrom('a', '/', 'é', '\ud7ff', '\ue000', '～', '\uffff', '\u{10000}', '😀'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  );
  const key = fc.array(character).map((characters) => characters.join(''));
  fc.assert(
    fc.property(key, key, (a, b) => {
      expect(Math.sign(compareKeys(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
    { numRuns: 5000 },
  );
});
