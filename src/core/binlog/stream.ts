/** Follows the binlog of a server from a position on. */

import type { TableName } from '../change.ts';
import type { BinlogPosition } from '../position.ts';
import type { SourceAddress } from './connection.ts';
import type { BinlogEvent } from './events.ts';

export interface FollowOptions {
  address: SourceAddress;
  /** The start of an event. */
  from: BinlogPosition;
  /** Ours among the source's replicas; another connection with the same one would end this one. */
  serverId: number;
  heartbeatSeconds?: number;
  signal: AbortSignal;
  /** Whether row events of this table are wanted; asked again whenever the table turns up. */
  wants(table: TableName): boolean;
  /** A promise holds the stream until it is settled. */
  onEvent(event: BinlogEvent): void | Promise<void>;
}

/** Resolves when the signal fires; rejects with a CdcError, or with what `onEvent` threw. */
export async function followBinlog(options: FollowOptions): Promise<void> {
  throw new Error(`not built yet ${options.serverId}`);
}
