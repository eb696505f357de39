/**
 * MySQL's latin1 is cp1252, whose five holes it maps to the control characters of the same number. Written as UTF-8, as
 * change files are.
 */

const CODE_POINTS_80_TO_9F = [
  0x20ac, 0x81, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8d, 0x017d,
  0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d,
  0x017e, 0x0178,
];

/** A latin1 byte becomes at most three bytes of UTF-8. */
export const LATIN1_GROWTH = 3;

function codePointOf(byte: number): number {
  return byte >= 0x80 && byte < 0xa0 ? (CODE_POINTS_80_TO_9F[byte - 0x80] ?? byte) : byte;
}

/** Writes the UTF-8 of `length` latin1 bytes; returns the next offset. */
export function latin1ToUtf8(out: Uint8Array, at: number, from: Uint8Array, start: number, length: number): number {
  for (let i = start; i < start + length; i++) {
    const byte = from[i] ?? 0;
    if (byte < 0x80) {
      out[at++] = byte;
      continue;
    }
    const point = codePointOf(byte);
    if (point < 0x800) {
      out[at++] = 0xc0 | (point >> 6);
    } else {
      out[at++] = 0xe0 | (point >> 12);
      out[at++] = 0x80 | ((point >> 6) & 63);
    }
    out[at++] = 0x80 | (point & 63);
  }
  return at;
}

/** The text of latin1 bytes. */
export function decodeLatin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(codePointOf(byte))).join('');
}
