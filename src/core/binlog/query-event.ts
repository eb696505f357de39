/** Reads a QUERY event: the statement, where it ran, and how its text is to be read. */

import { decodeStatement } from './charset.ts';
import { HEADER_BYTES } from './event-type.ts';

export interface Query {
  schema: string;
  sql: string;
  /** The bits of the session's sql_mode: whether `"` quotes names, whether `\\` escapes … */
  sqlMode: bigint;
}

/** Thread id 4, seconds 4, length of the schema 1, error 2, length of the status variables 2. */
const POST_HEADER_BYTES = 13;
/** LOAD DATA carries the number of its file and three more in front of the variables. */
const LOAD_EXTRA_BYTES = 13;

/** `end` excludes the checksum. */
export function readQuery(bytes: Buffer, start: number, end: number, isLoad: boolean): Query {
  const post = start + HEADER_BYTES;
  const schemaLength = bytes[post + 8] ?? 0;
  const variables = post + POST_HEADER_BYTES + (isLoad ? LOAD_EXTRA_BYTES : 0);
  const schemaStart = variables + bytes.readUInt16LE(post + 11);
  const sqlStart = schemaStart + schemaLength + 1;
  const { sqlMode, collation } = readVariables(bytes, variables, schemaStart);
  const text = bytes.subarray(sqlStart, end);
  return {
    schema: bytes.toString('utf8', schemaStart, schemaStart + schemaLength),
    // A client of another character set wrote its statement in that; names outside ASCII would come out wrong as UTF-8.
    sql: decodeStatement(text, collation),
    sqlMode,
  };
}

/** Whether the event is this very word; asked of every event before anything of it is decoded. */
export function isQuery(bytes: Buffer, start: number, end: number, word: string): boolean {
  const from = end - word.length;
  if (from < start + HEADER_BYTES + POST_HEADER_BYTES || bytes[from - 1] !== 0) return false;
  for (let i = 0; i < word.length; i++) if (bytes[from + i] !== word.charCodeAt(i)) return false;
  return true;
}

function readVariables(bytes: Buffer, at: number, end: number): { sqlMode: bigint; collation: number } {
  let sqlMode = 0n;
  while (at < end) {
    const code = bytes[at++];
    switch (code) {
      case 0: // flags
      case 3: // auto_increment
        at += 4;
        break;
      case 1: // sql_mode
        sqlMode = bytes.readBigUInt64LE(at);
        at += 8;
        break;
      case 2: // catalog with a zero byte behind it
        at += (bytes[at] ?? 0) + 2;
        break;
      case 5: // time zone
      case 6: // catalog
        at += (bytes[at] ?? 0) + 1;
        break;
      case 4: // character_set_client as a collation, collation_connection, collation_server
        return { sqlMode, collation: bytes.readUInt16LE(at) };
      default: // stands after those that matter
        return { sqlMode, collation: 0 };
    }
  }
  return { sqlMode, collation: 0 };
}
