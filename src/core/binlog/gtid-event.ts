/** Reads the GTID events of both servers: what begins here, when it was committed, and how the position's GTID part moves on. */

import * as eventType from './event-type.ts';
import { DomainPosition, GtidSet } from './gtid.ts';

export interface GtidEvent {
  /** Absent for an anonymous transaction. */
  gtid?: string;
  /** Microseconds since 1970. */
  timestamp: number;
  /** MariaDB: the GTID itself begins the transaction, there is no BEGIN. */
  begins: boolean;
  /** MariaDB: the XA transaction that ends at PREPARE, or that an XA COMMIT or ROLLBACK follows for; as statements write it. */
  xa?: string;
  /** MariaDB: a part of an ALTER TABLE that is logged in two phases. */
  splitAlter: boolean;
}

/** Bits of MariaDB's flags. */
const STANDALONE = 0x01;
const HAS_COMMIT_ID = 0x02;
const PREPARED_XA = 0x40;
const COMPLETED_XA = 0x80;
/** Bits of its second flags: the start, commit and rollback of a two-phase ALTER. */
const SPLIT_ALTER = 0x02 | 0x04 | 0x08;

const { HEADER_BYTES } = eventType;

/** GTID and ANONYMOUS_GTID: flags 1, UUID 16, number 8, logical clock 17, then from MySQL 8.0.1 the commit time in 7 bytes. */
export function readMysqlGtid(bytes: Buffer, start: number, end: number, seconds: number): GtidEvent {
  const body = start + HEADER_BYTES;
  const event: GtidEvent = { timestamp: seconds * 1e6, begins: false, splitAlter: false };
  if (bytes[start + 4] === eventType.GTID) event.gtid = `${uuidAt(bytes, body + 1)}:${uint64(bytes, body + 17)}`;
  if (end - body >= 49) {
    // The highest bit says that the time on the original server follows.
    event.timestamp = bytes.readUInt32LE(body + 42) + ((bytes.readUInt32LE(body + 45) >>> 8) % 2 ** 23) * 2 ** 32;
  }
  return event;
}

/** MariaDB's GTID: number 8, domain 4, flags 1, then what the flags announce. */
export function readMariadbGtid(
  bytes: Buffer,
  start: number,
  end: number,
  seconds: number,
): GtidEvent & { gtid: string; domain: number } {
  const body = start + HEADER_BYTES;
  const domain = bytes.readUInt32LE(body + 8);
  const flags = bytes[body + 12] ?? 0;
  let at = body + 13;
  if ((flags & HAS_COMMIT_ID) !== 0) at += 8;
  let xa: string | undefined;
  if ((flags & (PREPARED_XA | COMPLETED_XA)) !== 0) {
    const middle = at + 6 + (bytes[at + 4] ?? 0);
    const last = middle + (bytes[at + 5] ?? 0);
    xa = `X'${bytes.toString('hex', at + 6, middle)}',X'${bytes.toString('hex', middle, last)}',${bytes.readUInt32LE(at)}`;
    at = last;
  }
  const more = at < end ? (bytes[at] ?? 0) : 0;
  return {
    gtid: `${domain}-${bytes.readUInt32LE(start + 5)}-${uint64(bytes, body)}`,
    domain,
    timestamp: seconds * 1e6,
    begins: (flags & STANDALONE) === 0,
    ...(xa === undefined ? {} : { xa }),
    splitAlter: (more & SPLIT_ALTER) !== 0,
  };
}

/** PREVIOUS_GTIDS: everything executed before this file. */
export function readPreviousGtids(bytes: Buffer, start: number): GtidSet | undefined {
  let at = start + HEADER_BYTES;
  const count = bytes.readUInt32LE(at);
  // From MySQL 8.3 the highest byte tells a format with tags.
  if ((bytes[at + 7] ?? 0) !== 0) return undefined;
  at += 8;
  const members: string[] = [];
  for (let i = 0; i < count; i++) {
    let member = uuidAt(bytes, at);
    const intervals = Number(bytes.readBigUInt64LE(at + 16));
    at += 24;
    for (let j = 0; j < intervals; j++, at += 16)
      member += `:${bytes.readBigUInt64LE(at)}-${bytes.readBigUInt64LE(at + 8) - 1n}`;
    members.push(member);
  }
  return new GtidSet(members.join(','));
}

/** MariaDB's GTID_LIST: what had happened before this file; of several servers in a domain the last one listed is the latest. */
export function readGtidList(bytes: Buffer, start: number): DomainPosition {
  const body = start + HEADER_BYTES;
  const count = bytes.readUInt32LE(body) & 0x0fffffff;
  const position = new DomainPosition();
  for (let i = 0, at = body + 4; i < count; i++, at += 16) {
    const domain = bytes.readUInt32LE(at);
    position.add(domain, `${domain}-${bytes.readUInt32LE(at + 4)}-${bytes.readBigUInt64LE(at + 8)}`);
  }
  return position;
}

/** Numbers of transactions stay far below 2^53. */
function uint64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + 4) * 2 ** 32 + bytes.readUInt32LE(at);
}

/** The server that the last transaction came from: as a rule the next comes from there too. */
const lastUuid = { bytes: Buffer.alloc(16), text: '00000000-0000-0000-0000-000000000000' };

function uuidAt(bytes: Buffer, at: number): string {
  for (let i = 0; i < 16; i++) if (bytes[at + i] !== lastUuid.bytes[i]) return readUuid(bytes, at);
  return lastUuid.text;
}

function readUuid(bytes: Buffer, at: number): string {
  bytes.copy(lastUuid.bytes, 0, at, at + 16);
  const hex = bytes.toString('hex', at, at + 16);
  lastUuid.text = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  return lastUuid.text;
}
