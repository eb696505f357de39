/**
 * MySQL's binary JSON printed exactly as the server prints the column (`{"a": 1, "b": [1, 2]}`): keys in stored order, DOUBLE
 * always with a point or an exponent, dates and times as strings, what JSON has no word for as base64.
 */

import { type OutputBuffer, putAscii } from '../change-file/encode.ts';
import { formatDouble } from '../change-file/number-text.ts';
import { CdcError } from '../errors.ts';
import { decimalBytes, putDecimal } from './decimal.ts';
import { DATE, DATETIME_OLD, NEWDECIMAL, TIME_OLD, TIMESTAMP_OLD } from './field-type.ts';
import { putHours } from './temporal.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The letter after the backslash for the characters that JSON escapes by letter; 1 for those written as \u00XX. */
const ESCAPES = new Uint8Array(256).fill(1, 0, 32);
for (const [char, letter] of ['\bb', '\tt', '\nn', '\ff', '\rr', '""', '\\\\'])
  ESCAPES[char?.charCodeAt(0) ?? 0] = letter?.charCodeAt(0) ?? 0;

const LITERALS = ['null', 'true', 'false'];

/** Types of values; objects and arrays come in a small (2-byte offsets) and a large (4-byte) form. */
const LARGE_OBJECT = 1;
const SMALL_ARRAY = 2;
const LARGE_ARRAY = 3;
const LITERAL = 4;
const INT16 = 5;
const UINT16 = 6;
const INT32 = 7;
const UINT32 = 8;
const INT64 = 9;
const UINT64 = 10;
const DOUBLE = 11;
const TEXT = 12;
const OPAQUE = 15;

/** Appends the text of the document in `from` to `out`. An empty document is what MySQL stores for JSON null where NULL is not allowed. */
export function appendJson(out: OutputBuffer, from: Buffer, start: number, length: number): void {
  if (length === 0) {
    append(out, 'null');
    return;
  }
  try {
    appendValue(out, from, start + length, from[start] ?? 0, start + 1);
  } catch (error) {
    // An offset that points out of the buffer.
    throw error instanceof RangeError ? corrupt() : error;
  }
}

function appendValue(out: OutputBuffer, from: Buffer, end: number, type: number, at: number): void {
  if (at > end) throw corrupt();
  if (type <= LARGE_ARRAY) {
    appendContainer(out, from, end, type, at);
  } else if (type === TEXT) {
    const { length, next } = readLength(from, at);
    appendText(out, from, next, checked(next + length, end) - next);
  } else if (type === OPAQUE) {
    const { length, next } = readLength(from, at + 1);
    appendOpaque(out, from, from[at] ?? 0, next, checked(next + length, end) - next);
  } else {
    append(out, scalarText(from, type, at));
  }
}

function scalarText(from: Buffer, type: number, at: number): string {
  switch (type) {
    case LITERAL:
      return LITERALS[from[at] ?? 0] ?? 'null';
    case INT16:
      return String(from.readInt16LE(at));
    case UINT16:
      return String(from.readUInt16LE(at));
    case INT32:
      return String(from.readInt32LE(at));
    case UINT32:
      return String(from.readUInt32LE(at));
    case INT64:
      return String(from.readBigInt64LE(at));
    case UINT64:
      return String(from.readBigUInt64LE(at));
    case DOUBLE: {
      const text = formatDouble(from.readDoubleLE(at));
      return /[.e]/.test(text) ? text : `${text}.0`;
    }
    default:
      throw corrupt();
  }
}

function appendContainer(out: OutputBuffer, from: Buffer, end: number, type: number, at: number): void {
  const isArray = type === SMALL_ARRAY || type === LARGE_ARRAY;
  const isLarge = type === LARGE_OBJECT || type === LARGE_ARRAY;
  const width = isLarge ? 4 : 2;
  const offset = (where: number) => (isLarge ? from.readUInt32LE(where) : from.readUInt16LE(where));
  const count = offset(at);
  const keys = at + 2 * width;
  const values = isArray ? keys : keys + count * (width + 2);
  checked(values + count * (width + 1), end);
  append(out, isArray ? '[' : '{');
  for (let i = 0; i < count; i++) {
    if (i > 0) append(out, ', ');
    if (!isArray) {
      const key = keys + i * (width + 2);
      const keyStart = at + offset(key);
      const keyLength = from.readUInt16LE(key + width);
      appendText(out, from, keyStart, checked(keyStart + keyLength, end) - keyStart);
      append(out, ': ');
    }
    const entry = values + i * (width + 1);
    const valueType = from[entry] ?? 0;
    const inlined =
      valueType === LITERAL ||
      valueType === INT16 ||
      valueType === UINT16 ||
      (isLarge && (valueType === INT32 || valueType === UINT32));
    appendValue(out, from, end, valueType, inlined ? entry + 1 : at + offset(entry + 1));
  }
  append(out, isArray ? ']' : '}');
}

function appendText(out: OutputBuffer, from: Uint8Array, start: number, length: number): void {
  out.ensure(6 * length + 2);
  const bytes = out.bytes;
  let to = out.length;
  bytes[to++] = QUOTE;
  for (let i = start; i < start + length; i++) {
    const byte = from[i] ?? 0;
    const letter = ESCAPES[byte] ?? 0;
    if (letter === 0) bytes[to++] = byte;
    else if (letter === 1) to = putAscii(bytes, to, `\\u${byte.toString(16).padStart(4, '0')}`);
    else {
      bytes[to++] = BACKSLASH;
      bytes[to++] = letter;
    }
  }
  bytes[to++] = QUOTE;
  out.length = to;
}

function appendOpaque(out: OutputBuffer, from: Buffer, type: number, start: number, length: number): void {
  if (type === NEWDECIMAL) {
    const precision = from[start] ?? 0;
    const scale = from[start + 1] ?? 0;
    if (length !== 2 + decimalBytes(precision, scale)) throw corrupt();
    out.ensure(precision + 4);
    out.length = putDecimal(out.bytes, out.length, from, start + 2, precision, scale);
  } else if (type === DATE || type === DATETIME_OLD || type === TIMESTAMP_OLD) {
    appendMoment(out, from.readBigInt64LE(start), type !== DATE);
  } else if (type === TIME_OLD) {
    appendTime(out, from.readBigInt64LE(start));
  } else {
    // The server breaks base64 after 76 characters, and then escapes the break.
    const base64 = from.toString('base64', start, start + length).replace(/.{76}(?=.)/g, '$&\n');
    const text = Buffer.from(`base64:type${type}:${base64}`);
    appendText(out, text, 0, text.length);
  }
}

/** 17 bits year x 13 + month, 5 day, 5 hour, 6 minute, 6 second, 24 millionths. */
function appendMoment(out: OutputBuffer, packed: bigint, withTime: boolean): void {
  const whole = Number(packed >> 24n);
  const micros = Number(packed & 0xffffffn);
  const day = Math.floor(whole / 2 ** 17);
  const clock = whole % 2 ** 17;
  const yearMonth = day >> 5;
  const two = (value: number) => String(value).padStart(2, '0');
  const date = `${String(Math.floor(yearMonth / 13)).padStart(4, '0')}-${two(yearMonth % 13)}-${two(day & 31)}`;
  const time = ` ${two(clock >> 12)}:${two((clock >> 6) & 63)}:${two(clock & 63)}.${String(micros).padStart(6, '0')}`;
  append(out, `"${date}${withTime ? time : ''}"`);
}

function appendTime(out: OutputBuffer, packed: bigint): void {
  const positive = packed < 0n ? -packed : packed;
  append(out, packed < 0n ? '"-' : '"');
  out.ensure(20);
  out.length = putHours(out.bytes, out.length, Number(positive >> 24n), Number(positive & 0xffffffn), 6);
  append(out, '"');
}

/** ASCII only. */
function append(out: OutputBuffer, text: string): void {
  out.ensure(text.length);
  out.length = putAscii(out.bytes, out.length, text);
}

/** A length in groups of 7 bits, the lowest first. */
function readLength(from: Uint8Array, at: number): { length: number; next: number } {
  let length = 0;
  for (let shift = 0; shift < 5; shift++) {
    const byte = from[at++] ?? 0;
    length += (byte & 0x7f) * 128 ** shift;
    if (byte < 0x80) return { length, next: at };
  }
  throw corrupt();
}

function checked(at: number, end: number): number {
  if (at > end) throw corrupt();
  return at;
}

function corrupt(): CdcError {
  return new CdcError(
    'row.corrupt',
    'reading a JSON value from the binlog: it does not have the shape of a JSON document',
    {
      hint: 'please report it, with the server version',
    },
  );
}
