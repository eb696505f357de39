/** The table maps in force: row events name their table by a number that a TABLE_MAP event before them explains. */

import type { TableName } from '../change.ts';
import { CdcError } from '../errors.ts';
import { HEADER_BYTES } from './event-type.ts';
import type { TableMap } from './events.ts';
import { readTableMap, readTableName } from './table-map.ts';

export type WantsTable = (table: TableName) => boolean;

interface Entry {
  /** The event's bytes from the table's number on, to see whether it says anything new. */
  body: Buffer;
  name: TableName;
  /** Read when the table is wanted for the first time. */
  map: TableMap | undefined;
  wanted: boolean;
}

export class TableMaps {
  readonly #entries = new Map<number, Entry>();
  readonly #wants: WantsTable;

  constructor(wants: WantsTable) {
    this.#wants = wants;
  }

  /** Takes in a TABLE_MAP event; the same map keeps its object. */
  see(bytes: Buffer, start: number, end: number): void {
    const body = start + HEADER_BYTES;
    const number = tableNumber(bytes, body);
    let entry = this.#entries.get(number);
    if (entry === undefined || entry.body.compare(bytes, body, end) !== 0) {
      const { schema, table } = readTableName(bytes, body);
      entry = { body: Buffer.from(bytes.subarray(body, end)), name: { schema, table }, map: undefined, wanted: false };
      this.#entries.set(number, entry);
    }
    entry.wanted = this.#wants(entry.name);
    if (entry.wanted) entry.map ??= readTableMap(entry.body, 0, entry.body.length);
  }

  /** The table of a row event; undefined where it is not wanted. */
  of(bytes: Buffer, start: number): TableMap | undefined {
    const entry = this.#entries.get(tableNumber(bytes, start + HEADER_BYTES));
    if (entry === undefined)
      throw new CdcError('position.invalid', 'reading the binlog: rows come without the table they belong to', {
        hint: 'the position lies within a transaction; start at the end of one',
      });
    return entry.wanted ? entry.map : undefined;
  }

  /** Numbers are given anew after a start of the server. */
  clear(): void {
    this.#entries.clear();
  }
}

/** Six bytes. */
function tableNumber(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt16LE(at + 4) * 2 ** 32;
}
