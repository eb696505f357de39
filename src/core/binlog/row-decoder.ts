/**
 * Turns the rows of binlog events into lines of change files, bytes to bytes: no JavaScript value per field, and the write
 * pointer in a local variable (peers.md).
 */

import {
  OutputBuffer,
  putAscii,
  putHex,
  putNull,
  putPadded,
  putText,
  putUnsigned,
  textRoom,
} from '../change-file/encode.ts';
import { formatDouble, formatFloat } from '../change-file/number-text.ts';
import { CdcError } from '../errors.ts';
import type { TableDefinition } from '../table-definition.ts';
import {
  BITS,
  DATE,
  DATETIME,
  DECIMAL,
  DOUBLE,
  ENUM,
  FLOAT,
  HEX,
  INT8,
  INT16,
  INT24,
  INT32,
  INT64,
  JSON_BINARY,
  LATIN1,
  PADDED_HEX,
  planColumns,
  SET,
  TEXT,
  TIME,
  TIMESTAMP,
  UINT8,
  UINT16,
  UINT24,
  UINT32,
  UINT64,
  YEAR,
} from './column-plan.ts';
import { putDecimal } from './decimal.ts';
import type { RowsBinlogEvent, TableMap } from './events.ts';
import { appendJson } from './json-text.ts';
import { LATIN1_GROWTH, latin1ToUtf8 } from './latin1.ts';
import { putDatetime, putPackedDate, putTime, putTimestamp } from './temporal.ts';

export { unsupportedReason } from './column-plan.ts';

const COMMA = 0x2c;
const MINUS = 0x2d;
const LINE_FEED = 0x0a;
const ZERO = 0x30;
const LETTERS = { I: 0x49, U: 0x55, D: 0x44 };
/** `,<35 digits>\n` and the op with its comma. */
const FRAME_ROOM = 64;

/** Reads the rows of one table in one definition. Make a new one when the table map or the definition is another object. */
export class RowDecoder {
  readonly table: TableMap;
  readonly definition: TableDefinition;
  readonly width: number;
  readonly #kinds: Uint8Array;
  readonly #sizes: Int32Array;
  readonly #details: Int32Array;
  readonly #labels: Buffer[][];
  /** Indexes of the key's columns, ascending. */
  readonly #key: number[];
  /** Where the key's values of the row before an update stand, two numbers each. */
  readonly #keySpans: Int32Array;
  readonly #otherSpans: Int32Array;
  /** Room for a row without its values of variable length. */
  readonly #room: number;
  readonly #scratch = new OutputBuffer(1024);

  /** Throws CdcError `table.mismatch` when table map and definition do not fit, `type.unsupported` for a column that cannot be followed. */
  constructor(table: TableMap, definition: TableDefinition) {
    const plans = planColumns(table, definition);
    this.table = table;
    this.definition = definition;
    this.width = plans.length;
    this.#kinds = Uint8Array.from(plans, (plan) => plan.kind);
    this.#sizes = Int32Array.from(plans, (plan) => plan.size);
    this.#details = Int32Array.from(plans, (plan) => plan.detail);
    this.#labels = plans.map((plan) => plan.labels);
    this.#key = definition.columns.flatMap((column, i) => (definition.key.includes(column.name) ? [i] : []));
    this.#keySpans = new Int32Array(2 * this.#key.length);
    this.#otherSpans = new Int32Array(2 * this.#key.length);
    this.#room = plans.reduce((sum, plan) => sum + Math.max(plan.room, 2) + 1, FRAME_ROOM);
  }

  /** The end of the row image that begins at `at`. */
  skip(bytes: Buffer, at: number): number {
    return this.#walk(bytes, at, this.width, undefined);
  }

  /** The end of the row image before an update; remembers where its key stands. */
  skipRememberingKey(bytes: Buffer, at: number): number {
    return this.#walk(bytes, at, this.width, this.#keySpans);
  }

  /** Whether the key of the row at `at` differs in its bytes from the remembered one: also `a` and `A` of a collation that calls them equal. */
  hasOtherKey(bytes: Buffer, at: number): boolean {
    const last = this.#key.at(-1);
    if (last === undefined) return false;
    const before = this.#keySpans;
    const after = this.#otherSpans;
    this.#walk(bytes, at, last + 1, after);
    for (let i = 0; i < after.length; i += 2) {
      const length = (before[i + 1] ?? 0) - (before[i] ?? 0);
      if ((after[i + 1] ?? 0) - (after[i] ?? 0) !== length) return true;
      for (let j = 0; j < length; j++) if (bytes[(before[i] ?? 0) + j] !== bytes[(after[i] ?? 0) + j]) return true;
    }
    return false;
  }

  #walk(bytes: Buffer, start: number, count: number, keySpans: Int32Array | undefined): number {
    let at = start + ((this.width + 7) >> 3);
    let nextKey = 0;
    for (let i = 0; i < count; i++) {
      const from = at;
      if (((bytes[start + (i >> 3)] ?? 0) & (1 << (i & 7))) === 0) {
        const size = this.#sizes[i] ?? 0;
        at += size >= 0 ? size : readLength(bytes, at, -size) - size;
      }
      if (keySpans !== undefined && this.#key[nextKey] === i) {
        keySpans[2 * nextKey] = from;
        keySpans[2 * nextKey + 1] = at;
        nextKey++;
      }
    }
    return at;
  }

  /** Appends the line of the row image at `start`, up to and with the comma before `cdc_seq`; returns the end of the image. */
  putRow(buffer: OutputBuffer, letter: number, ts: string, bytes: Buffer, start: number, end: number): number {
    const kinds = this.#kinds;
    const sizes = this.#sizes;
    const width = this.width;
    const room = this.#room + ts.length;
    buffer.ensure(room);
    let out = buffer.bytes;
    let to = buffer.length;
    out[to++] = letter;
    out[to++] = COMMA;
    to = putAscii(out, to, ts);
    out[to++] = COMMA;
    let at = start + ((width + 7) >> 3);
    for (let i = 0; i < width; i++) {
      if (((bytes[start + (i >> 3)] ?? 0) & (1 << (i & 7))) !== 0) {
        to = putNull(out, to);
        out[to++] = COMMA;
        continue;
      }
      const kind = kinds[i] ?? 0;
      let size = sizes[i] ?? 0;
      if (size < 0) {
        const prefix = -size;
        size = readLength(bytes, at, prefix);
        at += prefix;
        if (at + size > end) throw corrupt(this.definition);
        // Enough for the value in any of these forms, and for the rest of the row.
        const needed = to + LATIN1_GROWTH * size + textRoom(size) + room;
        if (needed > out.length) {
          buffer.length = to;
          buffer.ensure(needed - to);
          out = buffer.bytes;
        }
      }
      switch (kind) {
        case INT8: {
          let value = ((bytes[at] ?? 0) << 24) >> 24;
          if (value < 0) {
            out[to++] = MINUS;
            value = -value;
          }
          to = putUnsigned(out, to, value);
          break;
        }
        case UINT8:
          to = putUnsigned(out, to, bytes[at] ?? 0);
          break;
        case INT16: {
          let value = (((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8)) << 16) >> 16;
          if (value < 0) {
            out[to++] = MINUS;
            value = -value;
          }
          to = putUnsigned(out, to, value);
          break;
        }
        case UINT16:
          to = putUnsigned(out, to, (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8));
          break;
        case INT24: {
          let value = (((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16)) << 8) >> 8;
          if (value < 0) {
            out[to++] = MINUS;
            value = -value;
          }
          to = putUnsigned(out, to, value);
          break;
        }
        case UINT24:
          to = putUnsigned(out, to, (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16));
          break;
        case INT32: {
          let value = int32(bytes, at);
          if (value < 0) {
            out[to++] = MINUS;
            value = -value;
          }
          to = putUnsigned(out, to, value);
          break;
        }
        case UINT32:
          to = putUnsigned(out, to, int32(bytes, at) >>> 0);
          break;
        case INT64: {
          const high = int32(bytes, at + 4);
          let value = high * 4294967296 + (int32(bytes, at) >>> 0);
          if (high >= 0x200000 || high < -0x200000) {
            to = putAscii(out, to, String(bytes.readBigInt64LE(at)));
            break;
          }
          if (value < 0) {
            out[to++] = MINUS;
            value = -value;
          }
          to = putUnsigned(out, to, value);
          break;
        }
        case UINT64: {
          const high = int32(bytes, at + 4) >>> 0;
          if (high >= 0x200000) to = putAscii(out, to, String(bytes.readBigUInt64LE(at)));
          else to = putUnsigned(out, to, high * 4294967296 + (int32(bytes, at) >>> 0));
          break;
        }
        case YEAR: {
          const value = bytes[at] ?? 0;
          to = putUnsigned(out, to, value === 0 ? 0 : 1900 + value);
          break;
        }
        case FLOAT:
          to = putAscii(out, to, formatFloat(bytes.readFloatLE(at)));
          break;
        case DOUBLE:
          to = putAscii(out, to, formatDouble(bytes.readDoubleLE(at)));
          break;
        case DECIMAL: {
          const detail = this.#details[i] ?? 0;
          to = putDecimal(out, to, bytes, at, detail >> 8, detail & 0xff);
          break;
        }
        case DATE:
          to = putPackedDate(out, to, bytes, at);
          break;
        case DATETIME:
          to = putDatetime(out, to, bytes, at, this.#details[i] ?? 0);
          break;
        case TIMESTAMP:
          to = putTimestamp(out, to, bytes, at, this.#details[i] ?? 0);
          break;
        case TIME:
          to = putTime(out, to, bytes, at, this.#details[i] ?? 0);
          break;
        case BITS: {
          const value = bigEndian(bytes, at, size);
          if (value < 2 ** 53) to = putUnsigned(out, to, value);
          else to = putAscii(out, to, String(bytes.readBigUInt64BE(at)));
          break;
        }
        case ENUM: {
          const label = this.#labels[i]?.[size === 1 ? (bytes[at] ?? 0) : bytes.readUInt16LE(at)];
          if (label === undefined) throw noLabel(this.definition, i);
          for (let j = 0; j < label.length; j++) out[to++] = label[j] ?? 0;
          break;
        }
        case SET:
          to = this.#putSet(out, to, bytes, at, size, i);
          break;
        case TEXT:
          to = putText(out, to, bytes, at, size);
          break;
        case LATIN1:
          to = this.#putLatin1(out, to, bytes, at, size);
          break;
        case HEX:
          to = putHex(out, to, bytes, at, size);
          break;
        case PADDED_HEX: {
          to = putHex(out, to, bytes, at, size);
          // The server cuts trailing zero bytes off.
          for (let missing = (this.#details[i] ?? 0) - size; missing > 0; missing--) {
            out[to++] = ZERO;
            out[to++] = ZERO;
          }
          break;
        }
        case JSON_BINARY: {
          const text = this.#scratch;
          text.clear();
          appendJson(text, bytes, at, size);
          buffer.length = to;
          buffer.ensure(textRoom(text.length) + room);
          out = buffer.bytes;
          to = putText(out, to, text.bytes, 0, text.length);
          break;
        }
      }
      at += size;
      out[to++] = COMMA;
    }
    if (at > end) throw corrupt(this.definition);
    buffer.length = to;
    return at;
  }

  #putLatin1(out: Uint8Array, to: number, bytes: Buffer, at: number, size: number): number {
    let high = 0;
    for (let i = at; i < at + size; i++) high |= bytes[i] ?? 0;
    if (high < 0x80) return putText(out, to, bytes, at, size);
    const text = this.#scratch;
    text.clear();
    text.ensure(LATIN1_GROWTH * size);
    return putText(out, to, text.bytes, 0, latin1ToUtf8(text.bytes, 0, bytes, at, size));
  }

  #putSet(out: Uint8Array, to: number, bytes: Buffer, at: number, size: number, column: number): number {
    const labels = this.#labels[column] ?? [];
    const text = this.#scratch;
    text.clear();
    for (let bit = 0; bit < 8 * size; bit++) {
      if (((bytes[at + (bit >> 3)] ?? 0) & (1 << (bit & 7))) === 0) continue;
      const label = labels[bit];
      if (label === undefined) throw noLabel(this.definition, column);
      text.ensure(label.length + 1);
      if (text.length > 0) text.bytes[text.length++] = COMMA;
      text.length += label.copy(text.bytes, text.length);
    }
    return putText(out, to, text.bytes, 0, text.length);
  }
}

function readLength(bytes: Uint8Array, at: number, size: number): number {
  const low = bytes[at] ?? 0;
  if (size === 1) return low;
  const two = low | ((bytes[at + 1] ?? 0) << 8);
  if (size === 2) return two;
  const three = two | ((bytes[at + 2] ?? 0) << 16);
  return size === 3 ? three : three + (bytes[at + 3] ?? 0) * 0x1000000;
}

function int32(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
}

function bigEndian(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = at; i < at + size; i++) value = value * 256 + (bytes[i] ?? 0);
  return value;
}

export interface EncodedRows {
  /** Lines written, and numbers used: a key change has two. */
  changes: number;
  inserted: number;
  updated: number;
  deleted: number;
}

/**
 * Appends a line `Op,cdc_ts,<fields>,cdc_seq` per change of the event. An update that changes the key's bytes becomes D of the
 * old row and I of the new one. Throws CdcError `row.partial-image` when the server logged only some columns: a column that is
 * not there would look like NULL.
 */
export function encodeRows(options: {
  event: RowsBinlogEvent;
  decoder: RowDecoder;
  out: OutputBuffer;
  /** Text of the column `cdc_ts`; no character of it may need quoting. */
  ts: string;
  /** The first 20 digits of `cdc_seq`: 16 of commit time, 4 of run. */
  seqPrefix: string;
  /** The number within the run that the first change gets. */
  firstNumber: number;
}): EncodedRows {
  const { event, decoder, out, ts, seqPrefix, firstNumber } = options;
  const { bytes, end } = event.rows;
  const isUpdate = event.op === 'U';
  let at = firstRow(event, decoder);
  const result: EncodedRows = { changes: 0, inserted: 0, updated: 0, deleted: 0 };
  const put = (letter: number, start: number): number => {
    const next = decoder.putRow(out, letter, ts, bytes, start, end);
    // The room for these was reserved with the row.
    let to = putAscii(out.bytes, out.length, seqPrefix);
    to = putPadded(out.bytes, to, firstNumber + result.changes, 15);
    out.bytes[to++] = LINE_FEED;
    out.length = to;
    result.changes++;
    return next;
  };
  try {
    while (at < end) {
      if (isUpdate) {
        const after = decoder.skipRememberingKey(bytes, at);
        if (after >= end) throw corrupt(decoder.definition);
        if (decoder.hasOtherKey(bytes, after)) {
          put(LETTERS.D, at);
          result.deleted++;
          at = put(LETTERS.I, after);
          result.inserted++;
        } else {
          at = put(LETTERS.U, after);
          result.updated++;
        }
      } else {
        at = put(LETTERS[event.op], at);
        if (event.op === 'I') result.inserted++;
        else result.deleted++;
      }
    }
  } catch (error) {
    // A value that would be read beyond the end of the buffer.
    throw error instanceof RangeError ? corrupt(decoder.definition) : error;
  }
  return result;
}

/** Where the first row image begins, after the column count and the bitmaps of the columns present. */
function firstRow(event: RowsBinlogEvent, decoder: RowDecoder): number {
  const { bytes, offset } = event.rows;
  const { definition, width } = decoder;
  const first = bytes[offset] ?? 0;
  const found = first < 251 ? first : bytes.readUInt16LE(offset + 1);
  if (found !== width)
    throw new CdcError(
      'table.mismatch',
      `reading the binlog of ${definition.schema}.${definition.table}: a row has ${found} columns, the definition ${width}`,
      { hint: `cdc reload ${definition.schema}.${definition.table}` },
    );
  let at = offset + (first < 251 ? 1 : 3);
  for (let image = 0; image < (event.op === 'U' ? 2 : 1); image++) {
    for (let i = 0; i < width; i++) {
      if (((bytes[at + (i >> 3)] ?? 0) & (1 << (i & 7))) !== 0) continue;
      throw new CdcError(
        'row.partial-image',
        `reading the binlog of ${definition.schema}.${definition.table}: a row lacks the column ${definition.columns[i]?.name ?? i}`,
        {
          hint: `SET GLOBAL binlog_row_image = FULL, connect the writers anew, then cdc reload ${definition.schema}.${definition.table}`,
        },
      );
    }
    at += (width + 7) >> 3;
  }
  return at;
}

function corrupt(definition: TableDefinition): CdcError {
  return new CdcError(
    'row.corrupt',
    `reading the binlog of ${definition.schema}.${definition.table}: a row ends outside its event`,
    { hint: `the definition does not fit the rows: cdc reload ${definition.schema}.${definition.table}` },
  );
}

function noLabel(definition: TableDefinition, column: number): CdcError {
  const name = `${definition.schema}.${definition.table}`;
  return new CdcError(
    'table.mismatch',
    `reading the binlog of ${name}: a value of ${definition.columns[column]?.name ?? column} has no label in the definition`,
    { hint: `the column was changed in a way that was not followed: cdc reload ${name}` },
  );
}
