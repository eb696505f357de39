/** What the binlog may hide a change behind: the table that it concerns stops, or everything does. */

import { formatTableName, type TableName } from '../change.ts';
import { CdcError } from '../errors.ts';
import { type BinlogPosition, formatPosition } from '../position.ts';
import type { StopReason } from './checkpoint.ts';

export function hidesTable(what: string, table: TableName): StopReason {
  const name = formatTableName(table);
  return {
    code: 'event.unsupported',
    message: `${name} was changed by ${what}, which this version does not follow`,
    hint: `cdc reload ${name}`,
  };
}

/** A break: nobody can tell which tables it concerns, and reading cannot pass it. */
export function hidesAnything(what: string, position: BinlogPosition): CdcError {
  return new CdcError(
    'event.unsupported',
    `the binlog after ${formatPosition(position)} holds ${what}, which this version does not follow`,
    { hint: 'turn it off on the source (`cdc check` names the setting), then load every table again: cdc replicate' },
  );
}

/** A break as well: the server says itself that changes may be missing. */
export function incident(message: string, position: BinlogPosition): CdcError {
  return new CdcError(
    'capture.incident',
    `the source reports an incident after ${formatPosition(position)}: ${message}; changes may be missing from the binlog`,
    { hint: 'once the source is sound, load every table again: cdc replicate' },
  );
}
