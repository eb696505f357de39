/** Reads a TABLE_MAP event: which table, and how its rows are laid out. */

import type { TableMap, TableMetadata } from './events.ts';
import { ENUM, isCharacter, isNumeric, metadataSize, realType, SET } from './field-type.ts';

/** A place in a buffer that moves on as values are read. */
class Cursor {
  readonly bytes: Buffer;
  at: number;
  readonly end: number;

  constructor(bytes: Buffer, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  byte(): number {
    return this.bytes[this.at++] ?? 0;
  }

  /** A length-encoded integer. */
  packed(): number {
    const first = this.byte();
    if (first < 251) return first;
    const size = first === 252 ? 2 : first === 253 ? 3 : 6;
    const value = this.bytes.readUIntLE(this.at, size);
    this.at += first === 254 ? 8 : size;
    return value;
  }

  slice(length: number): Buffer {
    const slice = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return slice;
  }

  get done(): boolean {
    return this.at >= this.end;
  }
}

/** The names in the map whose body (table id first) begins at `start`; cheap enough to ask whether the table is wanted at all. */
export function readTableName(bytes: Buffer, start: number): { schema: string; table: string; next: number } {
  let at = start + 8;
  const schemaLength = bytes[at] ?? 0;
  const schema = bytes.toString('utf8', at + 1, at + 1 + schemaLength);
  at += schemaLength + 2;
  const tableLength = bytes[at] ?? 0;
  const table = bytes.toString('utf8', at + 1, at + 1 + tableLength);
  return { schema, table, next: at + tableLength + 2 };
}

/** The whole map; the result holds no reference to `bytes`. */
export function readTableMap(bytes: Buffer, start: number, end: number): TableMap {
  const { schema, table, next } = readTableName(bytes, start);
  const cursor = new Cursor(bytes, next, end);
  const width = cursor.packed();
  const types = new Uint8Array(cursor.slice(width));
  const metadataEnd = cursor.packed() + cursor.at;
  const metadata = new Uint16Array(width);
  for (let i = 0; i < width; i++) {
    const size = metadataSize(types[i] ?? 0);
    // A type we do not know: the decoder refuses the table, so the rest does not matter.
    if (size === undefined) break;
    if (size > 0) metadata[i] = cursor.byte();
    if (size > 1) metadata[i] = (metadata[i] ?? 0) | (cursor.byte() << 8);
  }
  cursor.at = metadataEnd + ((width + 7) >> 3);
  return { schema, table, types, metadata, extra: readMetadata(cursor, types, metadata) };
}

function readMetadata(cursor: Cursor, types: Uint8Array, metadata: Uint16Array): TableMetadata {
  const extra: TableMetadata = {};
  const real = Array.from(types, (type, i) => realType(type, metadata[i] ?? 0));
  const columnsOf = (matches: (type: number) => boolean) => real.flatMap((type, i) => (matches(type) ? [i] : []));
  const isLabelled = (type: number) => type === ENUM || type === SET;
  while (!cursor.done) {
    const kind = cursor.byte();
    const length = cursor.packed();
    const part = new Cursor(cursor.bytes, cursor.at, cursor.at + length);
    cursor.at += length;
    switch (kind) {
      case 1: {
        const unsigned: boolean[] = new Array(types.length).fill(false);
        columnsOf(isNumeric).forEach((column, i) => {
          unsigned[column] = ((part.bytes[part.at + (i >> 3)] ?? 0) & (0x80 >> (i & 7))) !== 0;
        });
        extra.unsigned = unsigned;
        break;
      }
      case 2:
        collations(extra, columnsOf(isCharacter), defaultCollations(part));
        break;
      case 3:
        collations(extra, columnsOf(isCharacter), () => part.packed());
        break;
      case 4:
        extra.names = [];
        while (!part.done) extra.names.push(part.slice(part.packed()).toString('utf8'));
        break;
      case 5:
      case 6:
        extra.labels ??= new Array(types.length).fill(undefined);
        for (const column of columnsOf((type) => type === (kind === 5 ? SET : ENUM)))
          extra.labels[column] = Array.from({ length: part.packed() }, () => Buffer.from(part.slice(part.packed())));
        break;
      case 8:
        extra.key = [];
        while (!part.done) extra.key.push(part.packed());
        break;
      case 9:
        extra.key = [];
        while (!part.done) {
          extra.key.push(part.packed());
          part.packed(); // the length of the prefix
        }
        break;
      case 10:
        collations(extra, columnsOf(isLabelled), defaultCollations(part));
        break;
      case 11:
        collations(extra, columnsOf(isLabelled), () => part.packed());
        break;
    }
  }
  return extra;
}

/** One collation for all, and pairs of (index among these columns, collation) for the exceptions. */
function defaultCollations(part: Cursor): (index: number) => number {
  const usual = part.packed();
  const exceptions = new Map<number, number>();
  while (!part.done) exceptions.set(part.packed(), part.packed());
  return (index) => exceptions.get(index) ?? usual;
}

function collations(extra: TableMetadata, columns: number[], collationOf: (index: number) => number): void {
  extra.collations ??= [];
  for (const [index, column] of columns.entries()) extra.collations[column] = collationOf(index);
}
