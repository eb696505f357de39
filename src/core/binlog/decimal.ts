/** DECIMAL as it lies in row events and in binary JSON: groups of nine digits in four bytes each, printed with its fixed scale. */

import { putPadded, putUnsigned } from '../change-file/encode.ts';

/** Bytes that hold 0 to 9 digits. */
const GROUP_BYTES = new Uint8Array([0, 1, 1, 2, 2, 3, 3, 4, 4, 4]);

export function decimalBytes(precision: number, scale: number): number {
  return digitBytes(precision - scale) + digitBytes(scale);
}

function digitBytes(digits: number): number {
  const groups = (digits / 9) | 0;
  return 4 * groups + (GROUP_BYTES[digits - 9 * groups] ?? 0);
}

/** Reads from `start` as many bytes as `decimalBytes` says. The sign is the first bit, inverted; a negative number has all bits inverted. */
export function putDecimal(
  out: Uint8Array,
  at: number,
  from: Uint8Array,
  start: number,
  precision: number,
  scale: number,
): number {
  const whole = precision - scale;
  const negative = ((from[start] ?? 0) & 0x80) === 0;
  const mask = negative ? 0xff : 0;
  // The sign's bit belongs to no digit.
  let sign = 0x80;
  if (negative) out[at++] = 0x2d;
  const wholeGroups = (whole / 9) | 0;
  let read = start;
  let started = false;
  const first = GROUP_BYTES[whole - 9 * wholeGroups] ?? 0;
  if (first > 0) {
    let value = 0;
    for (const end = read + first; read < end; read++) {
      value = value * 256 + ((from[read] ?? 0) ^ mask ^ sign);
      sign = 0;
    }
    if (value > 0) {
      at = putUnsigned(out, at, value);
      started = true;
    }
  }
  for (let group = 0; group < wholeGroups; group++) {
    const value = fourBytes(from, read, mask, sign);
    sign = 0;
    read += 4;
    if (started) at = putPadded(out, at, value, 9);
    else if (value > 0) {
      at = putUnsigned(out, at, value);
      started = true;
    }
  }
  if (!started) out[at++] = 0x30;
  if (scale === 0) return at;
  out[at++] = 0x2e;
  const scaleGroups = (scale / 9) | 0;
  for (let group = 0; group < scaleGroups; group++) {
    at = putPadded(out, at, fourBytes(from, read, mask, sign), 9);
    sign = 0;
    read += 4;
  }
  const rest = scale - 9 * scaleGroups;
  if (rest === 0) return at;
  let value = 0;
  for (const end = read + (GROUP_BYTES[rest] ?? 0); read < end; read++) {
    value = value * 256 + ((from[read] ?? 0) ^ mask ^ sign);
    sign = 0;
  }
  return putPadded(out, at, value, rest);
}

function fourBytes(from: Uint8Array, at: number, mask: number, sign: number): number {
  return (
    ((from[at] ?? 0) ^ mask ^ sign) * 0x1000000 +
    ((((from[at + 1] ?? 0) ^ mask) << 16) | (((from[at + 2] ?? 0) ^ mask) << 8) | ((from[at + 3] ?? 0) ^ mask))
  );
}
