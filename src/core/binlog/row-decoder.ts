/** Turns the rows of binlog events into lines of change files, bytes to bytes. */

import type { OutputBuffer } from '../change-file/encode.ts';
import type { ColumnDefinition, TableDefinition } from '../table-definition.ts';
import type { RowsBinlogEvent, TableMap } from './events.ts';

export class RowDecoder {
  constructor(table: TableMap, definition: TableDefinition) {
    throw new Error(`not built yet ${table.table} ${definition.table}`);
  }
}

export interface EncodedRows {
  changes: number;
  inserted: number;
  updated: number;
  deleted: number;
}

export function encodeRows(options: {
  event: RowsBinlogEvent;
  decoder: RowDecoder;
  out: OutputBuffer;
  /** Text of the column `cdc_ts`. */
  ts: string;
  /** The first 20 digits of `cdc_seq`: 16 of commit time, 4 of run. */
  seqPrefix: string;
  /** The number within the run that the first change gets. */
  firstNumber: number;
}): EncodedRows {
  throw new Error(`not built yet ${options.ts}`);
}

/** Why a column cannot be followed (type or character set), for `check`; undefined when it can. */
export function unsupportedReason(column: Pick<ColumnDefinition, 'type' | 'charset'>): string | undefined {
  throw new Error(`not built yet ${column.type}`);
}
