/** The rows of one table into LOAD files: the text protocol's bytes become CSV bytes with no value object in between. */

import type { Connection } from 'mysql2/promise';
import { sourceError } from '../binlog/connection.ts';
import { commitTime } from '../capture/commit-time.ts';
import { formatTableName } from '../change.ts';
import { OutputBuffer, putAscii, putNull, putText, textRoom } from '../change-file/encode.ts';
import { changeHeader } from '../change-file/header.ts';
import type { LoadFile } from '../change-file/load-record.ts';
import { formatDouble, formatFloat } from '../change-file/number-text.ts';
import { parseColumnType, selectSql } from '../column-type.ts';
import { CdcError } from '../errors.ts';
import type { Progress } from '../progress.ts';
import { quoteName, quoteTable } from '../source/query.ts';
import { rawQuery } from '../source/raw-query.ts';
import type { Store } from '../store/store.ts';
import type { TableDefinition } from '../table-definition.ts';
import { LoadFileWriter } from './load-file-writer.ts';
import { nextLoadNumber } from './load-files.ts';

export interface LoadTableOptions {
  definition: TableDefinition;
  /** A condition in SQL, to read some rows only. */
  where?: string | undefined;
  staging: Store;
  /** A file is full when it reaches this; rows are never split. */
  maxFileBytes: number;
  signal?: AbortSignal | undefined;
  progress: Progress;
}

/** What a field needs on its way: nothing but quotes, or the shortest digits of its number. */
const TEXT = 0;
const FLOAT = 1;
const DOUBLE = 2;

const FLUSH_BYTES = 1 << 20;
const REPORT_ROWS = 50_000;
/** Room for a number that is printed anew, and for `,\N`. */
const FIELD_ROOM = 32;

export async function loadTable(
  options: LoadTableOptions & { connection: Connection; takenAt: Date },
): Promise<LoadFile[]> {
  const { connection, definition, where, staging, maxFileBytes, takenAt, signal, progress } = options;
  const name = formatTableName(definition);
  const plan = definition.columns.map((column) => {
    const type = parseColumnType(column.type);
    if (type === undefined)
      throw new CdcError('type.unsupported', `loading ${name}: column ${column.name} has type ${column.type}`);
    return {
      sql: selectSql(type, quoteName(column.name)),
      kind: type.text === 'float' ? FLOAT : type.text === 'double' ? DOUBLE : TEXT,
    };
  });
  const sql = `SELECT ${plan.map((column) => column.sql).join(', ')} FROM ${quoteTable(definition)}${where === undefined ? '' : ` WHERE ${where}`}`;
  const files = new LoadFileWriter({
    staging,
    definition,
    firstNumber: await nextLoadNumber(staging, definition),
    header: changeHeader(definition),
  });
  const encoder = new RowEncoder(
    plan.map((column) => column.kind),
    commitTime(takenAt.getTime() * 1000).text,
  );
  let rows = 0;
  let rotation: Promise<void> = Promise.resolve();
  try {
    await files.open();
    await rawQuery(connection, Buffer.from(sql), {
      signal,
      onRow(bytes, start, end) {
        encoder.put(bytes, start, end);
        rows++;
        if (rows % REPORT_ROWS === 0) progress.update(`loading ${name}: ${rows.toLocaleString('en')} rows`);
        if (encoder.out.length < FLUSH_BYTES && files.size + encoder.out.length < maxFileBytes) return;
        files.write(encoder.take());
        // The server waits while the full file is published: nothing piles up here.
        if (files.size < maxFileBytes) return;
        rotation = files.rotate(rows);
        return rotation;
      },
    });
    files.write(encoder.take());
    await files.close(rows);
    return files.published;
  } catch (error) {
    throw sourceError(error, `loading ${name}`);
  } finally {
    // A cancelled load may be publishing still; nothing of ours goes on after this returns.
    await rotation.catch(() => {});
    await files.discard();
  }
}

/** Text-protocol rows to lines `I,<time>,<fields>,`. */
class RowEncoder {
  readonly out = new OutputBuffer(FLUSH_BYTES + (1 << 18));
  readonly #kinds: readonly number[];
  readonly #prefix: Buffer;

  constructor(kinds: readonly number[], time: string) {
    this.#kinds = kinds;
    this.#prefix = Buffer.from(`I,${time},`);
  }

  put(row: Buffer, start: number, end: number): void {
    const kinds = this.#kinds;
    this.out.ensure(this.#prefix.length + textRoom(end - start) + kinds.length * FIELD_ROOM);
    const { bytes } = this.out;
    let to = this.out.length;
    to += this.#prefix.copy(bytes, to);
    let from = start;
    let column = 0;
    while (from < end) {
      let length = row[from++] ?? 0;
      if (length === 251) {
        to = putNull(bytes, to);
      } else {
        if (length === 252) {
          length = row.readUInt16LE(from);
          from += 2;
        } else if (length === 253) {
          length = row.readUIntLE(from, 3);
          from += 3;
        } else if (length === 254) {
          length = Number(row.readBigUInt64LE(from));
          from += 8;
        }
        const kind = kinds[column];
        if (kind === TEXT) to = putText(bytes, to, row, from, length);
        else {
          const value = Number(row.toString('latin1', from, from + length));
          to = putAscii(bytes, to, kind === FLOAT ? formatFloat(value) : formatDouble(value));
        }
        from += length;
      }
      column++;
      bytes[to++] = 0x2c;
    }
    // `cdc_seq` is empty: the load's record says where its rows stand.
    bytes[to++] = 0x0a;
    this.out.length = to;
  }

  /** What was written since the last time; valid until the next row. */
  take(): Buffer {
    const written = this.out.written();
    this.out.clear();
    return written;
  }
}
