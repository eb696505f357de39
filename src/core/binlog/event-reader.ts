/**
 * Events of the binlog as bytes -> BinlogEvents: keeps the position, the GTID set, the table maps and whether a transaction is
 * open. Whatever could carry a data change and is not understood comes out as `unsupported`; nothing of that kind is passed over.
 */

import { CdcError } from '../errors.ts';
import type { BinlogPosition } from '../position.ts';
import { crc32 } from './crc32.ts';
import * as eventType from './event-type.ts';
import type { BinlogEvent, BinlogFileMark, EventMark } from './events.ts';
import { type GtidEvent, readGtidList, readMariadbGtid, readMysqlGtid, readPreviousGtids } from './gtid-event.ts';
import { GtidTracker } from './gtid-tracker.ts';
import { isQuery, type Query, readQuery } from './query-event.ts';
import { TableMaps, type WantsTable } from './table-maps.ts';

const CHECKSUM_BYTES = 4;

/** The transaction or statement that is being read. */
interface OpenGroup {
  start: BinlogPosition;
  timestamp: number;
  gtid: GtidEvent | undefined;
}

export class EventReader {
  #file: string;
  /** The end of the last event of the file. */
  #offset: number;
  readonly #gtids: GtidTracker;
  readonly #tables: TableMaps;
  readonly #onFile: ((mark: BinlogFileMark) => void) | undefined;
  #hasChecksums = false;
  /** The start of the event being read. */
  #from = 0;
  /** Set by a GTID event: what it says belongs to the next BEGIN or statement. */
  #group: OpenGroup | undefined;
  #inTransaction = false;
  /** Rows of wanted tables were handed out since the transaction began, so it must not turn out to be rolled back. */
  #hasRows = false;
  /** The XA transaction that is open, `X'…',X'…',1`. */
  #xa: string | undefined;
  /** XA transactions seen to be prepared without a row of a wanted table: their end means nothing. */
  readonly #emptyXa = new Set<string>();

  constructor(options: { from: BinlogPosition; wants: WantsTable; onFile?: (mark: BinlogFileMark) => void }) {
    this.#onFile = options.onFile;
    this.#file = options.from.file;
    this.#offset = options.from.offset;
    this.#gtids = new GtidTracker(options.from.gtid);
    this.#tables = new TableMaps(options.wants);
  }

  /** Where the next event is expected. */
  get position(): BinlogPosition {
    return this.#at(this.#offset);
  }

  /** Reads the event that fills `bytes` from `start` to `end`; undefined when it means nothing to a listener. */
  read(bytes: Buffer, start: number, end: number): BinlogEvent | undefined {
    const type = bytes[start + 4] ?? 0;
    const size = bytes.readUInt32LE(start + 9);
    if (size !== end - start || size < eventType.HEADER_BYTES) throw this.#corrupt('an event has the wrong size');
    if (type === eventType.ROTATE) return this.#rotate(bytes, start, end);
    if (type === eventType.FORMAT_DESCRIPTION) return this.#describe(bytes, start, end);
    if (type === eventType.HEARTBEAT || type === eventType.HEARTBEAT_V2)
      return this.#heartbeat(bytes, start, end, type);
    this.#verify(bytes, start, end);
    const from = this.#advance(bytes, start, size);
    this.#from = from;
    const body = this.#hasChecksums ? end - CHECKSUM_BYTES : end;
    switch (type) {
      case eventType.TABLE_MAP:
        this.#tables.see(bytes, start, body);
        return undefined;
      case eventType.WRITE_ROWS:
      case eventType.WRITE_ROWS_V1:
        return this.#rows('I', bytes, start, body);
      case eventType.UPDATE_ROWS:
      case eventType.UPDATE_ROWS_V1:
        return this.#rows('U', bytes, start, body);
      case eventType.DELETE_ROWS:
      case eventType.DELETE_ROWS_V1:
        return this.#rows('D', bytes, start, body);
      case eventType.XID:
        return this.#commit(bytes, start, end);
      case eventType.QUERY:
        return this.#query(bytes, start, end, body);
      case eventType.EXECUTE_LOAD_QUERY:
        return this.#statement(readQuery(bytes, start, body, true), bytes, start, end);
      case eventType.GTID:
      case eventType.ANONYMOUS_GTID:
        return this.#begin(readMysqlGtid(bytes, start, body, bytes.readUInt32LE(start)), from);
      case eventType.MARIADB_GTID:
        return this.#begin(readMariadbGtid(bytes, start, body, bytes.readUInt32LE(start)), from);
      case eventType.PREVIOUS_GTIDS:
        this.#gtids.startFrom(() => readPreviousGtids(bytes, start));
        return undefined;
      case eventType.MARIADB_GTID_LIST:
        this.#gtids.startFrom(() => readGtidList(bytes, start));
        return undefined;
      case eventType.XA_PREPARE:
        if (this.#xa !== undefined && !this.#hasRows) this.#emptyXa.add(this.#xa);
        return this.#commit(bytes, start, end);
      case eventType.INCIDENT:
        return { kind: 'incident', message: incidentText(bytes, start, body) };
      case eventType.PARTIAL_UPDATE_ROWS:
        return this.#hidden(
          bytes,
          start,
          'an update of parts of JSON values (binlog_row_value_options = PARTIAL_JSON)',
        );
      case eventType.TRANSACTION_PAYLOAD:
        return { kind: 'unsupported', what: 'a compressed transaction (binlog_transaction_compression = ON)' };
      case eventType.QUERY_COMPRESSED:
        return { kind: 'unsupported', what: 'a compressed statement (log_bin_compress = ON)' };
      case eventType.GTID_TAGGED:
        return { kind: 'unsupported', what: 'a transaction with a tagged GTID' };
      case eventType.STOP:
      // What follows in a QUERY or EXECUTE_LOAD_QUERY event comes out as that statement.
      case eventType.INTVAR:
      case eventType.RAND:
      case eventType.USER_VAR:
      case eventType.BEGIN_LOAD_QUERY:
      case eventType.APPEND_BLOCK:
      case eventType.DELETE_FILE:
      case eventType.IGNORABLE:
      case eventType.ROWS_QUERY:
      case eventType.ANNOTATE_ROWS:
      case eventType.TRANSACTION_CONTEXT:
      case eventType.VIEW_CHANGE:
      case eventType.BINLOG_CHECKPOINT:
      // The server decrypts what it sends; where it did not, the next checksum is wrong.
      case eventType.START_ENCRYPTION:
        return undefined;
    }
    if (type >= eventType.WRITE_ROWS_COMPRESSED_V1 && type <= eventType.DELETE_ROWS_COMPRESSED)
      return this.#hidden(bytes, start, 'compressed rows (log_bin_compress = ON)');
    if ((bytes.readUInt16LE(start + 17) & eventType.IGNORABLE_FLAG) !== 0) return undefined;
    return { kind: 'unsupported', what: `a binlog event of type ${type}` };
  }

  #at(offset: number): BinlogPosition {
    const gtid = this.#gtids.toString();
    return gtid === undefined ? { file: this.#file, offset } : { file: this.#file, offset, gtid };
  }

  /** Moves to the end of the event; returns its start. The header tells only the low 32 bits of the end. */
  #advance(bytes: Buffer, start: number, size: number): number {
    const low = bytes.readUInt32LE(start + 13);
    const flags = bytes.readUInt16LE(start + 17);
    if (low === 0 || (flags & eventType.ARTIFICIAL_FLAG) !== 0) return this.#offset;
    let end = this.#offset - (this.#offset % 2 ** 32) + low;
    if (end < this.#offset) end += 2 ** 32;
    // Events that are not sent to us leave room in between, but none can begin before the last one ended.
    if (end - size < this.#offset) throw this.#corrupt(`an event ends at ${end}, which overlaps the one before`);
    this.#offset = end;
    return end - size;
  }

  /** Nothing has happened; up to where the server has read, events that it does not send (MariaDB's binlog checkpoints) included. */
  #heartbeat(bytes: Buffer, start: number, end: number, type: number): BinlogEvent {
    this.#verify(bytes, start, end);
    const body = this.#hasChecksums ? end - CHECKSUM_BYTES : end;
    const name = bytes.toString('utf8', start + eventType.HEADER_BYTES, body);
    const low = bytes.readUInt32LE(start + 13);
    const offset = this.#offset - (this.#offset % 2 ** 32) + low;
    const isKnown = type === eventType.HEARTBEAT && name === this.#file && offset >= this.#offset;
    return { kind: 'heartbeat', position: this.#at(isKnown ? offset : this.#offset) };
  }

  #verify(bytes: Buffer, start: number, end: number): void {
    if (this.#hasChecksums && bytes.readUInt32LE(end - CHECKSUM_BYTES) !== crc32(bytes, start, end - CHECKSUM_BYTES))
      throw this.#corrupt('the checksum of an event is wrong');
  }

  /** What identifies the event being read. */
  #mark(bytes: Buffer, start: number, end: number): EventMark {
    const checksum = this.#hasChecksums ? bytes.readUInt32LE(end - CHECKSUM_BYTES) : crc32(bytes, start, end);
    return { file: this.#file, offset: this.#from, timestamp: bytes.readUInt32LE(start), checksum };
  }

  /** The end of a file, or (made up by the server) the start of reading in one. Whether it has a checksum shows only in itself. */
  #rotate(bytes: Buffer, start: number, end: number): BinlogEvent | undefined {
    const hasChecksum =
      end - start > eventType.HEADER_BYTES + 8 + CHECKSUM_BYTES &&
      bytes.readUInt32LE(end - CHECKSUM_BYTES) === crc32(bytes, start, end - CHECKSUM_BYTES);
    const body = start + eventType.HEADER_BYTES;
    const file = bytes.toString('utf8', body + 8, hasChecksum ? end - CHECKSUM_BYTES : end);
    if (file === this.#file) return undefined;
    this.#file = file;
    this.#offset = Number(bytes.readBigUInt64LE(body));
    this.#tables.clear();
    return { kind: 'rotate', file };
  }

  /** FORMAT_DESCRIPTION: version 2, server 50, created 4, header length 1, the lengths of all types, then the kind of checksum. */
  #describe(bytes: Buffer, start: number, end: number): BinlogEvent | undefined {
    const lengths = start + eventType.HEADER_BYTES + 57;
    // The type's own length tells how many types there are.
    const types = (bytes[lengths + eventType.FORMAT_DESCRIPTION - 1] ?? 0) - 57;
    const algorithm = lengths + types;
    this.#hasChecksums = end - algorithm >= 1 + CHECKSUM_BYTES && bytes[algorithm] === 1;
    const isFirst = bytes.readUInt32LE(start + 13) !== 0;
    if (isFirst) {
      // While the file is written to, a bit is set that the checksum does not count.
      const flags = bytes.readUInt16LE(start + 17);
      bytes.writeUInt16LE(flags & ~eventType.IN_USE_FLAG, start + 17);
      this.#verify(bytes, start, end);
      this.#advance(bytes, start, end - start);
    }
    this.#tables.clear();
    this.#onFile?.({ file: this.#file, created: bytes.readUInt32LE(start) });
    const cutOff = isFirst && this.#inTransaction && this.#hasRows;
    if (isFirst) this.#close();
    // A file begins with no transaction open; one that is open was cut off by a crash, and replicas roll it back.
    return cutOff ? { kind: 'unsupported', what: 'a transaction that a crash of the server cut off' } : undefined;
  }

  #begin(gtid: GtidEvent, from: number): BinlogEvent | undefined {
    if (gtid.splitAlter)
      return { kind: 'unsupported', what: 'an ALTER TABLE in two phases (binlog_alter_two_phase = ON)' };
    this.#group = { start: this.#at(from), timestamp: gtid.timestamp, gtid };
    if (!gtid.begins) return undefined;
    return this.#open(from, gtid.timestamp, gtid.xa);
  }

  #open(from: number, timestamp: number, xa: string | undefined): BinlogEvent | undefined {
    const group = this.#group ?? { start: this.#at(from), timestamp, gtid: undefined };
    this.#group = group;
    this.#inTransaction = true;
    this.#hasRows = false;
    this.#xa = xa;
    if (xa !== undefined) return undefined;
    const { start } = group;
    const gtid = group.gtid?.gtid;
    return gtid === undefined
      ? { kind: 'begin', start, timestamp: group.timestamp }
      : { kind: 'begin', start, timestamp: group.timestamp, gtid };
  }

  /** What the open group did is over. */
  #close(): void {
    this.#group = undefined;
    this.#inTransaction = false;
    this.#hasRows = false;
    this.#xa = undefined;
  }

  #commit(bytes: Buffer, start: number, end: number): Extract<BinlogEvent, { kind: 'commit' }> {
    if (this.#group?.gtid !== undefined) this.#gtids.add(this.#group.gtid);
    this.#close();
    return { kind: 'commit', mark: this.#mark(bytes, start, end), position: this.position };
  }

  #rows(op: 'I' | 'U' | 'D', bytes: Buffer, start: number, end: number): BinlogEvent | undefined {
    const table = this.#tables.of(bytes, start);
    if (table === undefined) return undefined;
    this.#hasRows = true;
    // They count only at XA COMMIT, perhaps never.
    if (this.#xa !== undefined) return this.#hidden(bytes, start, 'rows of an XA transaction');
    const body = start + eventType.HEADER_BYTES + 8;
    const hasExtra = (bytes[start + 4] ?? 0) >= eventType.WRITE_ROWS;
    const offset = hasExtra ? body + bytes.readUInt16LE(body) : body;
    return { kind: 'rows', op, table, rows: { bytes, offset, end } };
  }

  /** Rows in a form that is not read: of no matter where the table is not wanted. */
  #hidden(bytes: Buffer, start: number, what: string): BinlogEvent | undefined {
    const table = this.#tables.of(bytes, start);
    if (table === undefined) return undefined;
    this.#hasRows = true;
    return { kind: 'unsupported', what, table: { schema: table.schema, table: table.table } };
  }

  /** `body`: the end without the checksum. */
  #query(bytes: Buffer, start: number, end: number, body: number): BinlogEvent | undefined {
    if (isQuery(bytes, start, body, 'BEGIN'))
      return this.#inTransaction ? undefined : this.#open(this.#from, bytes.readUInt32LE(start) * 1e6, undefined);
    if (isQuery(bytes, start, body, 'COMMIT')) return this.#commit(bytes, start, end);
    const query = readQuery(bytes, start, body, false);
    const { sql } = query;
    const xa = /^XA\s+(START|BEGIN|END|PREPARE|COMMIT|ROLLBACK)\s*(.*)$/is.exec(sql);
    if (xa !== null) return this.#xaQuery((xa[1] ?? '').toUpperCase(), (xa[2] ?? '').trim(), bytes, start, end);
    if (/^SAVEPOINT\s/i.test(sql)) return undefined;
    if (/^ROLLBACK\s+(WORK\s+)?TO\s/i.test(sql)) {
      if (!this.#hasRows) return undefined;
      return { kind: 'unsupported', what: 'a transaction rolled back to a savepoint after it was logged' };
    }
    if (/^ROLLBACK\s*$/i.test(sql)) {
      const hadRows = this.#hasRows;
      const commit = this.#commit(bytes, start, end);
      return hadRows ? { ...commit, kind: 'rollback' } : commit;
    }
    return this.#statement(query, bytes, start, end);
  }

  #xaQuery(verb: string, id: string, bytes: Buffer, start: number, end: number): BinlogEvent | undefined {
    if (verb === 'START' || verb === 'BEGIN') return this.#open(this.#from, 0, id);
    if (verb === 'END' || verb === 'PREPARE') return undefined;
    // Without its GTID event it is where reading began: whoever starts there has handled it.
    const isNothing = this.#emptyXa.delete(id) || verb === 'ROLLBACK' || this.#group === undefined;
    const commit = this.#commit(bytes, start, end);
    return isNothing ? commit : { kind: 'unsupported', what: 'the commit of an XA transaction prepared earlier' };
  }

  #statement(query: Query, bytes: Buffer, start: number, end: number): BinlogEvent {
    const inTransaction = this.#inTransaction;
    const group = this.#group;
    const begin = group?.start ?? this.#at(this.#from);
    const timestamp = group?.timestamp ?? bytes.readUInt32LE(start) * 1e6;
    if (!inTransaction) {
      if (group?.gtid !== undefined) this.#gtids.add(group.gtid);
      this.#close();
    }
    const mark = this.#mark(bytes, start, end);
    return { kind: 'statement', ...query, inTransaction, start: begin, position: this.position, timestamp, mark };
  }

  #corrupt(why: string): CdcError {
    return new CdcError('source.corrupt', `reading the binlog at ${this.#file}:${this.#offset}: ${why}`, {
      hint: 'start again; if it stays, the binlog or the network is damaged, or the position is not the start of an event',
    });
  }
}

/** INCIDENT: number 2, then the length of the message and the message. */
function incidentText(bytes: Buffer, start: number, end: number): string {
  const body = start + eventType.HEADER_BYTES;
  const text = bytes.toString('utf8', body + 3, Math.min(body + 3 + (bytes[body + 2] ?? 0), end));
  return text === '' ? `incident ${bytes.readUInt16LE(body)}` : text;
}
