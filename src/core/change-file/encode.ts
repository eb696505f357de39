/**
 * The bytes of a change file (contract.md 1): RFC 4180 with minimal quoting, NULL as `\N`, and a value that looks like one
 * (`^\\+N$`) with one more backslash. Everything here writes into a buffer at an offset and returns the next offset: the hot
 * loop keeps that offset in a local variable, which is worth a quarter of its speed (peers.md).
 */

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const LETTER_N = 0x4e;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** 1 for each byte that makes a field need quotes, 2 for the `N` that may end an escaped NULL. */
const SPECIAL = new Uint8Array(256);
for (const byte of [QUOTE, COMMA, LINE_FEED, CARRIAGE_RETURN]) SPECIAL[byte] = 1;

/** `00` to `99`, two bytes each. */
const PAIRS = Buffer.from(Array.from({ length: 100 }, (_, i) => String(i).padStart(2, '0')).join(''), 'latin1');
const HEX = Buffer.from(Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0')).join(''), 'latin1');

/** A growing byte buffer. `length` is what counts; writers work on `bytes` with their own offset and set `length` when done. */
export class OutputBuffer {
  bytes: Buffer;
  length = 0;

  constructor(capacity = 1 << 20) {
    this.bytes = Buffer.allocUnsafe(capacity);
  }

  /** Makes room for `count` bytes after `length`; `bytes` may be another buffer afterwards. */
  ensure(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  /** A view of what was written, valid until the next write. */
  written(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  clear(): void {
    this.length = 0;
  }
}

/** Room that `putText` may need for `length` bytes of text: every byte a quote, the two around it, and one backslash. */
export function textRoom(length: number): number {
  return 2 * length + 3;
}

/** A text value that is not NULL, quoted and escaped where it must be. */
export function putText(out: Uint8Array, at: number, from: Uint8Array, start: number, length: number): number {
  const end = start + length;
  let to = at;
  let special = 0;
  for (let i = start; i < end; i++) {
    const byte = from[i] ?? 0;
    out[to++] = byte;
    special |= SPECIAL[byte] ?? 0;
  }
  if (special !== 0) return quoteText(out, at, from, start, end);
  if (length > 1 && out[at] === BACKSLASH && out[to - 1] === LETTER_N) return escapeNullLike(out, at, to);
  return to;
}

function quoteText(out: Uint8Array, at: number, from: Uint8Array, start: number, end: number): number {
  out[at++] = QUOTE;
  for (let i = start; i < end; i++) {
    const byte = from[i] ?? 0;
    out[at++] = byte;
    if (byte === QUOTE) out[at++] = QUOTE;
  }
  out[at++] = QUOTE;
  return at;
}

/** Adds the backslash when everything between the ends is backslashes too. */
function escapeNullLike(out: Uint8Array, at: number, to: number): number {
  for (let i = at + 1; i < to - 1; i++) if (out[i] !== BACKSLASH) return to;
  out[to - 1] = BACKSLASH;
  out[to] = LETTER_N;
  return to + 1;
}

/** `\N`. */
export function putNull(out: Uint8Array, at: number): number {
  out[at] = BACKSLASH;
  out[at + 1] = LETTER_N;
  return at + 2;
}

/** Characters of plain ASCII that need no quoting: digits, signs, hex. */
export function putAscii(out: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) out[at++] = text.charCodeAt(i);
  return at;
}

/** Decimal digits of an integer from 0 to 2^53. */
export function putUnsigned(out: Uint8Array, at: number, value: number): number {
  if (value < 10) {
    out[at] = 48 + value;
    return at + 1;
  }
  if (value > 0xffffffff) {
    const high = Math.floor(value / 1e9);
    return putPadded(out, putUnsigned(out, at, high), value - high * 1e9, 9);
  }
  const digits =
    value < 1e5
      ? value < 100
        ? 2
        : value < 1e3
          ? 3
          : value < 1e4
            ? 4
            : 5
      : value < 1e6
        ? 6
        : value < 1e7
          ? 7
          : value < 1e8
            ? 8
            : value < 1e9
              ? 9
              : 10;
  const end = at + digits;
  let to = end;
  let rest = value >>> 0;
  while (rest >= 100) {
    const quotient = (rest / 100) >>> 0;
    const pair = (rest - quotient * 100) << 1;
    rest = quotient;
    out[--to] = PAIRS[pair + 1] ?? 0;
    out[--to] = PAIRS[pair] ?? 0;
  }
  if (rest >= 10) {
    out[--to] = PAIRS[2 * rest + 1] ?? 0;
    out[--to] = PAIRS[2 * rest] ?? 0;
  } else {
    out[--to] = 48 + rest;
  }
  return end;
}

/** An integer from 0 to 2^53 in exactly `digits` digits, zeros in front. */
export function putPadded(out: Uint8Array, at: number, value: number, digits: number): number {
  const end = at + digits;
  let to = end;
  let rest: number;
  if (digits > 9) {
    // Division of 32-bit integers is what is fast.
    const high = Math.floor(value / 1e9);
    to = putPadded(out, at, high, digits - 9);
    rest = (value - high * 1e9) >>> 0;
    at = to;
    to = end;
  } else {
    rest = value >>> 0;
  }
  while (to > at + 1) {
    const quotient = (rest / 100) >>> 0;
    const pair = (rest - quotient * 100) << 1;
    rest = quotient;
    out[--to] = PAIRS[pair + 1] ?? 0;
    out[--to] = PAIRS[pair] ?? 0;
  }
  if (to > at) out[at] = 48 + (rest % 10);
  return end;
}

/** 0 to 99 in two digits. */
export function putTwo(out: Uint8Array, at: number, value: number): number {
  out[at] = PAIRS[2 * value] ?? 0;
  out[at + 1] = PAIRS[2 * value + 1] ?? 0;
  return at + 2;
}

/** Lower-case hex. */
export function putHex(out: Uint8Array, at: number, from: Uint8Array, start: number, length: number): number {
  for (let i = start; i < start + length; i++) {
    const pair = 2 * (from[i] ?? 0);
    out[at++] = HEX[pair] ?? 0;
    out[at++] = HEX[pair + 1] ?? 0;
  }
  return at;
}

/** One field as text, for headers and other cold paths; the same rules as the bytes above. */
export function encodeField(value: string | null): string {
  if (value === null) return '\\N';
  if (/[",\n\r]/.test(value)) return `"${value.replaceAll('"', '""')}"`;
  return /^\\+N$/.test(value) ? `\\${value}` : value;
}
