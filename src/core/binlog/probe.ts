/** Short looks at a binlog position before anything is built on it. */

import { CancelledError, CdcError } from '../errors.ts';
import { type BinlogPosition, formatPosition } from '../position.ts';
import type { SourceAddress } from './connection.ts';
import type { BinlogFileMark } from './events.ts';
import { followBinlog } from './stream.ts';

export interface ProbeOptions {
  address: SourceAddress;
  position: BinlogPosition;
  serverId: number;
  signal: AbortSignal;
}

/** What tells the position's file from one of the same name in another history. */
export function readFileMark(options: ProbeOptions): Promise<BinlogFileMark> {
  return look(options, false);
}

/** The same, once it is certain that a transaction can begin there. Throws `position.invalid`, `position.unknown` and `position.purged`. */
export function assertPosition(options: ProbeOptions): Promise<BinlogFileMark> {
  return look(options, true);
}

async function look(options: ProbeOptions, untilEvent: boolean): Promise<BinlogFileMark> {
  const { address, position, serverId, signal } = options;
  const seen = new AbortController();
  let mark: BinlogFileMark | undefined;
  await followBinlog({
    address,
    from: position,
    serverId,
    // An idle server says so at once.
    heartbeatSeconds: 0.2,
    signal: AbortSignal.any([signal, seen.signal]),
    wants: () => true,
    onFile(found) {
      mark ??= found;
      if (!untilEvent) seen.abort();
    },
    onEvent(event) {
      if (event.kind === 'rows' || event.kind === 'commit')
        throw new CdcError('position.invalid', `looking at ${formatPosition(position)}: it lies within a transaction`, {
          hint: 'name the end of a transaction, as `SHOW BINLOG EVENTS` on the source lists it',
        });
      if (event.kind !== 'rotate') seen.abort();
    },
  });
  if (signal.aborted || mark === undefined) throw new CancelledError();
  return mark;
}
