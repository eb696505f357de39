import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeField,
  OutputBuffer,
  putHex,
  putNull,
  putPadded,
  putText,
  putTwo,
  putUnsigned,
  textRoom,
} from '../../../src/core/change-file/encode.ts';

function written(put: (out: Buffer) => number, room = 64): string {
  const out = Buffer.alloc(room, '#');
  return out.toString('latin1', 0, put(out));
}

/** The field's bytes, with a guard behind the room it may use. */
function textField(value: string): string {
  const from = Buffer.from(`<${value}>`);
  const out = Buffer.alloc(1 + textRoom(from.length - 2) + 1, '#');
  const end = putText(out, 1, from, 1, from.length - 2);
  expect(out[0]).toBe(0x23);
  expect(end).toBeLessThan(out.length);
  return out.toString('utf8', 1, end);
}

/** Reads a field as contract.md 1 says. */
function readField(field: string): string | null {
  if (field.startsWith('"')) return field.slice(1, -1).replaceAll('""', '"');
  if (field === '\\N') return null;
  return /^\\+N$/.test(field) ? field.slice(1) : field;
}

const nasty = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc
    .array(fc.constantFrom('\\', 'N', '"', ',', '\n', '\r', 'a', '', '\0', '\ufeff', '😀'), { maxLength: 8 })
    .map((all) => all.join('')),
);

describe('the text of a field', () => {
  it.each([
    ['', ''],
    ['plain', 'plain'],
    ['a,b', '"a,b"'],
    ['say "x"', '"say ""x"""'],
    ['"', '""""'],
    ['a\nb', '"a\nb"'],
    ['a\r', '"a\r"'],
    ['\\N', '\\\\N'],
    ['\\\\N', '\\\\\\N'],
    ['N', 'N'],
    ['\\', '\\'],
    ['x\\N', 'x\\N'],
    ['\\Nx', '\\Nx'],
    ['\\N\n', '"\\N\n"'],
    [' x ', ' x '],
    ['\t\0', '\t\0'],
  ])('of %j is %j', (value, expected) => {
    expect(textField(value)).toBe(expected);
    expect(encodeField(value)).toBe(expected);
  });

  it('of any value reads back as that value, and never as NULL', () => {
    fc.assert(
      fc.property(nasty, (value) => {
        expect(readField(textField(value))).toBe(value);
        expect(encodeField(value)).toBe(textField(value));
      }),
      { numRuns: 2000 },
    );
  });

  it('of NULL is a backslash and N', () => {
    expect(written((out) => putNull(out, 0))).toBe('\\N');
    expect(encodeField(null)).toBe('\\N');
  });
});

describe('numbers', () => {
  it('print every unsigned integer up to 2^53', () => {
    const edges = [...Array(17).keys()]
      .flatMap((n) => [10 ** n - 1, 10 ** n, 10 ** n + 1])
      .filter(Number.isSafeInteger);
    for (const value of [...edges, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53])
      expect(written((out) => putUnsigned(out, 0, value))).toBe(String(value));
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        expect(written((out) => putUnsigned(out, 0, value))).toBe(String(value));
      }),
    );
  });

  it('print with zeros in front to the width asked for', () => {
    expect(written((out) => putPadded(out, 0, 42, 15))).toBe('000000000000042');
    expect(written((out) => putPadded(out, 0, 999_999_999_999_999, 15))).toBe('999999999999999');
    expect(written((out) => putTwo(out, 0, 7))).toBe('07');
  });
});

it('prints bytes as lower-case hex', () => {
  const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  expect(written((out) => putHex(out, 0, all, 0, 256), 600)).toBe(all.toString('hex'));
  expect(written((out) => putHex(out, 0, all, 10, 3))).toBe('0a0b0c');
});

describe('an output buffer', () => {
  it('grows and keeps what was written', () => {
    const out = new OutputBuffer(4);
    out.length += out.bytes.write('abcd');
    out.ensure(1000);
    expect(out.bytes.length).toBeGreaterThanOrEqual(1004);
    expect(out.written().toString()).toBe('abcd');
    out.clear();
    expect(out.written()).toHaveLength(0);
  });
});
