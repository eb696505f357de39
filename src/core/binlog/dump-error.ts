/** What the server's refusal to send its binlog means. */

import { CdcError } from '../errors.ts';
import { type BinlogPosition, formatPosition } from '../position.ts';
import type { SourceAddress } from './connection.ts';

/** ER_MASTER_FATAL_ERROR_READING_BINLOG, now ER_SOURCE_…: one number for many reasons, told apart by the text only. */
const FATAL_READING = 1236;
/** Privileges: ER_SPECIFIC_ACCESS_DENIED_ERROR, ER_ACCESS_DENIED_ERROR. */
const DENIED = new Set([1227, 1045]);
/** The connection ends, not the binlog: shutdown, KILL, KILL of MariaDB, idle too long. */
const ENDING = new Set([1053, 1317, 1927, 4031]);

/** Reads an ERR packet: 0xff, number 2, `#` and the state 6, text. */
export function dumpError(
  bytes: Buffer,
  start: number,
  end: number,
  { from, address }: { from: BinlogPosition; address: SourceAddress },
): CdcError {
  const number = bytes.readUInt16LE(start + 1);
  const text = bytes.toString('utf8', bytes[start + 3] === 0x23 ? start + 9 : start + 3, end);
  const doing = `following the binlog from ${formatPosition(from)}`;
  const cause = new Error(`${text} (error ${number})`);
  if (DENIED.has(number))
    return new CdcError('source.access-denied', `${doing}: ${text}`, {
      hint: `GRANT REPLICATION SLAVE ON *.* TO '${address.user}'@'%'`,
      cause,
    });
  if (ENDING.has(number))
    return new CdcError('source.lost', `${doing}: ${text}`, {
      hint: 'check that the server runs; following goes on from the last checkpoint',
      cause,
    });
  if (number === FATAL_READING) {
    if (/could not find first log|purged/i.test(text))
      return new CdcError(
        'position.purged',
        `${doing}: the server does not have this file any more, and with it the changes are gone (${text})`,
        {
          hint: 'cdc replicate   # loads the tables again',
          cause,
        },
      );
    if (/position > file size|impossible position|bogus data|could not find next log|past the end/i.test(text))
      return new CdcError('position.unknown', `${doing}: the server's binlog has no event there (${text})`, {
        hint: 'cdc replicate   # loads the tables again: this is another history than the one that was followed',
        cause,
      });
    if (/same server_(uuid|id)/i.test(text))
      return new CdcError('source.lost', `${doing}: another replica uses our server id (${text})`, {
        hint: 'stop the other capture, or give this one another server id',
        cause,
      });
  }
  return new CdcError('source.failed', `${doing}: ${text}`, { cause });
}
