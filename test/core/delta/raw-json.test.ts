import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRawJson, rawJson } from '../../../src/core/delta/raw-json.ts';

describe('JSON with exact integers', () => {
  it('keeps every 64-bit integer, wherever it stands', () => {
    const text =
      '{"a":9223372036854775807,"b":[-9223372036854775808, 4611686018427387905],"c":{"d":9007199254740993 }}';
    expect(parseRawJson(text)).toEqual({
      a: 9223372036854775807n,
      b: [-9223372036854775808n, 4611686018427387905n],
      c: { d: 9007199254740993n },
    });
    expect(rawJson(parseRawJson(text))).toBe(text.replaceAll(' ', ''));
  });

  it('keeps small integers and fractions as numbers', () => {
    expect(parseRawJson('{"v":9223372036854775807,"n":1,"f":-1.5e3,"z":0}')).toEqual({
      v: 9223372036854775807n,
      n: 1,
      f: -1500,
      z: 0,
    });
  });

  it('reads every JSON text as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.json({ depthSize: 'medium' }), fc.constantFrom('', ' ', '\n\t'), (text, blanks) => {
        // A long integer in front makes the exact reader take the whole text.
        const parsed = parseRawJson(`[ 9223372036854775807 ,${blanks}${text}${blanks}]`);
        expect(JSON.parse(rawJson(parsed))).toEqual([2 ** 63, JSON.parse(text)]);
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    '[9223372036854775807',
    '{"a":9223372036854775807,}',
    '[9223372036854775807]]',
    '[01,9223372036854775807]',
    '["\n",9223372036854775807]',
    '[9223372036854775807,tru]',
  ])('refuses %s', (text) => {
    expect(() => parseRawJson(text)).toThrow(SyntaxError);
  });

  it('takes __proto__ for the name it is', () => {
    const parsed = parseRawJson('{"__proto__":{"x":9223372036854775807}}');
    expect(Object.keys(parsed ?? {})).toEqual(['__proto__']);
  });

  it('leaves out what is undefined', () => {
    expect(rawJson({ a: undefined, b: [undefined], c: null })).toBe('{"b":[null],"c":null}');
  });
});
