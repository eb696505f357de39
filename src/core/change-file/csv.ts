/** RFC 4180 as change files use it: bytes in, records with their line numbers out; anything broken is refused by file and line, never repaired. */

import { isUtf8 } from 'node:buffer';
import { CdcError } from '../errors.ts';

export interface CsvRecord {
  fields: string[];
  /** The line its first byte stands on, from 1. */
  line: number;
}

export interface CsvOptions {
  /** Names the file in errors. */
  file: string;
  delimiter?: string;
}

const QUOTE = 0x22;
const LF = 0x0a;
const CR = 0x0d;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** Records of a stream of bytes, in order. Memory holds one piece and one record. */
export async function* readCsv(pieces: AsyncIterable<Buffer>, options: CsvOptions): AsyncGenerator<CsvRecord> {
  const reader = new CsvReader(options);
  for await (const piece of pieces) yield* reader.push(piece);
  yield* reader.end();
}

/** A record as one line of CSV without its newline: quoted only where a field needs it. */
export function formatCsv(fields: readonly string[]): string {
  return fields.map(quoteField).join(',');
}

export function quoteField(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

class CsvReader {
  readonly #file: string;
  readonly #delimiter: number;
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** An unfinished record is looked at again only when this much has come, so that a huge one is not scanned once per piece. */
  #lookAt = BYTE_ORDER_MARK.length;
  #line = 1;
  #first = true;

  constructor({ file, delimiter = ',' }: CsvOptions) {
    this.#file = file;
    this.#delimiter = delimiter.charCodeAt(0);
  }

  *push(piece: Buffer): Generator<CsvRecord> {
    this.#held.push(piece);
    this.#heldBytes += piece.length;
    if (this.#heldBytes >= this.#lookAt) yield* this.#take();
  }

  /** Every record ends with a newline, the last one too: without it nobody can tell a whole last value from a cut one. */
  *end(): Generator<CsvRecord> {
    yield* this.#take();
    if (this.#heldBytes > 0) throw cutFile(this.#file, this.#line);
  }

  *#take(): Generator<CsvRecord> {
    let bytes = Buffer.concat(this.#held);
    if (this.#first && bytes.length >= BYTE_ORDER_MARK.length) {
      if (bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK))
        bytes = bytes.subarray(BYTE_ORDER_MARK.length);
      this.#first = false;
    }
    let start = 0;
    for (;;) {
      const end = this.#endOfRecord(bytes, start);
      if (end === undefined) break;
      yield this.#record(bytes.subarray(start, end));
      start = end + 1;
    }
    this.#held = [bytes.subarray(start)];
    this.#heldBytes = bytes.length - start;
    this.#lookAt = Math.max(this.#heldBytes * 2, BYTE_ORDER_MARK.length);
  }

  /** The index of the newline that ends the record starting at `start`; undefined when it is not there yet. */
  #endOfRecord(bytes: Buffer, start: number): number | undefined {
    let position = start;
    for (;;) {
      if (bytes[position] === QUOTE) {
        position = this.#endOfQuotes(bytes, position + 1);
        const next = bytes[position];
        if (next === undefined) return undefined;
        if (next === LF) return position;
        if (next !== this.#delimiter)
          throw this.#broken(bytes, start, position, 'text follows a closing quote', 'file.quote');
        position++;
        continue;
      }
      for (; ; position++) {
        const byte = bytes[position];
        if (byte === undefined) return undefined;
        if (byte === LF) return position;
        if (byte === this.#delimiter) break;
        if (byte === QUOTE)
          throw this.#broken(bytes, start, position, 'a quote stands inside a field that is not quoted', 'file.quote');
        if (byte === CR)
          throw this.#broken(bytes, start, position, 'a carriage return stands outside quotes', 'file.newline');
      }
      position++;
    }
  }

  /** The index after the closing quote; the buffer's length or more when it is not there yet. */
  #endOfQuotes(bytes: Buffer, from: number): number {
    for (let position = from; ; position += 2) {
      position = bytes.indexOf(QUOTE, position);
      if (position < 0) return bytes.length;
      if (bytes[position + 1] !== QUOTE) return position + 1;
    }
  }

  #record(bytes: Buffer): CsvRecord {
    const line = this.#line;
    if (!isUtf8(bytes))
      throw new CdcError('file.encoding', `reading ${this.#file}, line ${line}: the row is not UTF-8`, {
        hint: 'convert the file to UTF-8, for example with iconv',
      });
    const fields: string[] = [];
    for (let start = 0; start <= bytes.length; ) {
      if (bytes[start] === QUOTE) {
        const end = this.#endOfQuotes(bytes, start + 1);
        fields.push(bytes.toString('utf8', start + 1, end - 1).replaceAll('""', '"'));
        start = end + 1;
      } else {
        const delimiter = bytes.indexOf(this.#delimiter, start);
        const end = delimiter < 0 ? bytes.length : delimiter;
        fields.push(bytes.toString('utf8', start, end));
        start = end + 1;
      }
    }
    this.#line += 1 + countNewlines(bytes);
    return { fields, line };
  }

  #broken(bytes: Buffer, start: number, position: number, why: string, code: string): CdcError {
    const line = this.#line + countNewlines(bytes.subarray(start, position));
    return new CdcError(code, `reading ${this.#file}, line ${line}: ${why}`, {
      hint:
        code === 'file.newline'
          ? `rows end with a line feed alone: sed -i 's/\\r$//' ${this.#file}`
          : 'fields follow RFC 4180: quote a field that holds a quote, comma or line break, and double its quotes',
    });
  }
}

/** The error for a file whose last row has no end. */
export function cutFile(file: string, line: number): CdcError {
  return new CdcError('file.cut', `reading ${file}, line ${line}: the file ends inside a row`, {
    hint: 'copy the file again; if its last row is whole, end it with a newline',
  });
}

function countNewlines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) count++;
  return count;
}
