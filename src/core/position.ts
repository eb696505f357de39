/** A place in the source's binlog: the end of a transaction (or an event) as file and offset, with the GTID set there if the server has one. */

import { CdcError } from './errors.ts';

export interface BinlogPosition {
  file: string;
  /** Bytes from the start of the file. */
  offset: number;
  /** MySQL: the executed GTID set; MariaDB: the GTID position (`0-1-42`). Absent when the server runs without GTIDs. */
  gtid?: string;
}

/** The single text form: `mysql-bin.000042:1234`. */
export function formatPosition(position: BinlogPosition): string {
  return `${position.file}:${position.offset}`;
}

/** Reads `mysql-bin.000042:1234`; throws CdcError `position.invalid`. */
export function parsePosition(text: string): BinlogPosition {
  const match = /^(.+\.\d+):(\d+)$/.exec(text);
  const [, file, offset] = match ?? [];
  if (file === undefined || offset === undefined)
    throw new CdcError('position.invalid', `"${text}" is not a binlog position`, {
      hint: 'write it as FILE:OFFSET, as in mysql-bin.000042:1234',
    });
  return { file, offset: Number(offset) };
}

/** Orders two positions of one server: by the number of the file, then by offset. */
export function comparePositions(a: BinlogPosition, b: BinlogPosition): number {
  return fileNumber(a.file) - fileNumber(b.file) || a.offset - b.offset;
}

function fileNumber(file: string): number {
  return Number(file.slice(file.lastIndexOf('.') + 1));
}
