/** Finds the place in a server's binlog up to which exactly the transactions of a GTID set have happened. */

import { CancelledError, CdcError } from '../errors.ts';
import type { BinlogPosition } from '../position.ts';
import type { SourceAddress } from './connection.ts';
import { parseGtids } from './gtid.ts';
import { followBinlog } from './stream.ts';

export interface FindGtidOptions {
  address: SourceAddress;
  /** MySQL's set (`uuid:1-5`) or MariaDB's position (`0-1-42`), all domains of it. */
  gtid: string;
  /** The server's binlog files, oldest first (SHOW BINARY LOGS). */
  files: readonly string[];
  serverId: number;
  signal: AbortSignal;
}

/** The first byte of a file's events: four of its own come before. */
const START_OF_FILE = 4;

/** Throws `position.invalid`, `position.purged` and, where the set is at no place of this binlog, `position.unknown`. */
export async function findGtid(options: FindGtidOptions): Promise<BinlogPosition> {
  const { gtid, files } = options;
  const wanted = parseGtids(gtid);
  for (const file of files.toReversed()) {
    const found = await search({ ...options, file, wanted: wanted.toString(), covers: (set) => wanted.covers(set) });
    if (found === 'in an older file') continue;
    if (found !== undefined) return found;
    throw new CdcError(
      'position.unknown',
      `looking for GTID ${gtid} in the binlog: at no place have exactly these transactions happened`,
      { hint: 'copy it whole from @@gtid_executed (MySQL) or @@gtid_binlog_pos (MariaDB), or give --from FILE:OFFSET' },
    );
  }
  throw new CdcError(
    'position.purged',
    `looking for GTID ${gtid} in the binlog: it lies before ${files[0] ?? 'the first file'}, the oldest file that the source still has`,
    { hint: 'cdc replicate   # loads the tables and follows them from there' },
  );
}

async function search(
  options: FindGtidOptions & { file: string; wanted: string; covers(gtid: string): boolean },
): Promise<BinlogPosition | 'in an older file' | undefined> {
  const { address, file, wanted, serverId, signal } = options;
  const done = new AbortController();
  let isFirst = true;
  let found: BinlogPosition | 'in an older file' | undefined;
  const end = (result: typeof found) => {
    found = result;
    done.abort();
  };
  const look = (position: BinlogPosition) => {
    const here = position.gtid ?? '';
    if (here === wanted) return end(position);
    if (isFirst && !options.covers(here)) return end('in an older file');
    isFirst = false;
  };
  await followBinlog({
    address,
    from: { file, offset: START_OF_FILE },
    serverId,
    // An idle server says so at once.
    heartbeatSeconds: 0.2,
    signal: AbortSignal.any([signal, done.signal]),
    wants: () => false,
    onEvent(event) {
      if (done.signal.aborted) return;
      if (event.kind === 'begin' || (event.kind === 'statement' && !event.inTransaction)) look(event.start);
      if (done.signal.aborted) return;
      if (event.kind === 'commit' || event.kind === 'rollback' || event.kind === 'heartbeat') look(event.position);
      if (event.kind === 'statement' && !event.inTransaction) look(event.position);
      // What comes after was searched before.
      if (event.kind === 'rotate' || event.kind === 'heartbeat') done.abort();
    },
  });
  if (signal.aborted) throw new CancelledError();
  return found;
}
