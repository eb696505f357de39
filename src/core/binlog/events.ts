/** What the binlog says, as the capture hears it: transactions, rows, statements, and whatever could hide a change. */

import type { TableName } from '../change.ts';
import type { BinlogPosition } from '../position.ts';

/** Identifies one event of the binlog; a server restored from a backup may repeat its position, hardly its time and checksum too. */
export interface EventMark {
  file: string;
  /** Where the event starts. */
  offset: number;
  /** Seconds since 1970, from the event's header. */
  timestamp: number;
  /** CRC32 of the event: the binlog's own, or computed where it has none. */
  checksum: number;
}

/** Tells a binlog file from one of the same name in another history. */
export interface BinlogFileMark {
  file: string;
  /** When the server began it, in seconds since 1970. */
  created: number;
}

/** The layout of a table's row events. The same object comes back as long as the server repeats the same map, so it can key a cache. */
export interface TableMap extends TableName {
  /** Field types of the binlog, one byte a column. */
  types: Uint8Array;
  /** Length, precision … per column; 0 where the type has none. */
  metadata: Uint16Array;
  /** Present as far as the server writes row metadata (`binlog_row_metadata`). */
  extra: TableMetadata;
}

/** Optional metadata of a table map. MINIMAL has signedness and character sets only, MariaDB's NO_LOG nothing. */
export interface TableMetadata {
  /** Per column; true for the numeric columns that are unsigned. */
  unsigned?: boolean[];
  /** Per column of a text type: the number of its collation. */
  collations?: (number | undefined)[];
  names?: string[];
  /** Per ENUM and SET column: its labels, as bytes in the column's character set. */
  labels?: (Buffer[] | undefined)[];
  /** Indexes of the primary key's columns. */
  key?: number[];
}

/** The rows of one event; the bytes are valid until the listener returns, or until the promise it returned is settled. */
export interface RowsEvent {
  bytes: Buffer;
  /** Where the column count stands, right after the table's id and flags. */
  offset: number;
  /** The end of the rows, checksum excluded. */
  end: number;
}

export type BinlogEvent =
  /** A transaction begins. `timestamp`: microseconds since 1970, its commit time where the server tells it. `gtid`: its own. */
  | { kind: 'begin'; start: BinlogPosition; timestamp: number; gtid?: string }
  | { kind: 'rows'; op: 'I' | 'U' | 'D'; table: TableMap; rows: RowsEvent }
  /** The transaction is complete: everything since `begin` counts, and reading can resume at `position`. */
  | { kind: 'commit'; mark: EventMark; position: BinlogPosition }
  /** The server logged the transaction and then took it back (MariaDB, when a temporary table kept it from being left out): its rows never were. */
  | { kind: 'rollback'; mark: EventMark; position: BinlogPosition }
  /** Any other statement: a DDL, or a data change that was logged as a statement. */
  | {
      kind: 'statement';
      schema: string;
      sql: string;
      /** The bits of the session's sql_mode, which say how its text is to be read. */
      sqlMode: bigint;
      inTransaction: boolean;
      /** Where reading would have to resume to see it again: its GTID event, if it has one. */
      start: BinlogPosition;
      position: BinlogPosition;
      /** Microseconds since 1970. */
      timestamp: number;
      mark: EventMark;
    }
  /** What follows stands in this file. */
  | { kind: 'rotate'; file: string }
  /** Nothing was sent for a while: the server has read its binlog up to here. */
  | { kind: 'heartbeat'; position: BinlogPosition }
  /** The server says that its binlog has a gap. */
  | { kind: 'incident'; message: string }
  /** Something that may hide a change: of that table, or of any. */
  | { kind: 'unsupported'; what: string; table?: TableName };

export type RowsBinlogEvent = Extract<BinlogEvent, { kind: 'rows' }>;
