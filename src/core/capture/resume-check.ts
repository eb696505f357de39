/**
 * Is the binlog the one that was captured? What the checkpoint remembers of it (the last event, when its file was begun) is
 * compared with what the server sends: a restored server, or one that lost its unsynced tail, may carry the same names and ids.
 */

import type { BinlogEvent, BinlogFileMark } from '../binlog/events.ts';
import { CdcError } from '../errors.ts';
import { formatPosition } from '../position.ts';
import type { Checkpoint } from './checkpoint.ts';

type Memory = Pick<Checkpoint, 'position' | 'lastEvent' | 'binlogFile'>;

/** Compares the first event after a resume. Throws `position.other-history`. */
export function assertLastEvent({ position, lastEvent }: Memory, event: BinlogEvent): void {
  const mark = event.kind === 'commit' || event.kind === 'statement' ? event.mark : undefined;
  if (
    lastEvent !== undefined &&
    mark?.offset === lastEvent.offset &&
    mark.timestamp === lastEvent.timestamp &&
    mark.checksum === lastEvent.checksum
  )
    return;
  throw otherHistory(lastEvent ?? position, 'the event there is not the one that was captured');
}

/** Compares a file that is begun. Throws `position.other-history`. */
export function assertSameFile({ binlogFile }: Memory, mark: BinlogFileMark): void {
  if (binlogFile === undefined || binlogFile.file !== mark.file || binlogFile.created === mark.created) return;
  const at = (seconds: number) => new Date(seconds * 1000).toISOString();
  throw otherHistory(
    { file: mark.file, offset: 4 },
    `the file was begun at ${at(mark.created)}, and the one that was captured at ${at(binlogFile.created)}`,
  );
}

function otherHistory(at: { file: string; offset: number }, why: string): CdcError {
  return new CdcError(
    'position.other-history',
    `resuming at ${formatPosition({ file: at.file, offset: at.offset })}: ${why}; the source was restored or replaced`,
    { hint: 'cdc replicate   # loads the tables again' },
  );
}
