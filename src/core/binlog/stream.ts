/** Follows the binlog of a server from a position on: asks for it as a replica does, and holds the stream while the listener is busy. */

import { setInterval } from 'node:timers';
import type mysql from 'mysql2/promise';
import type { TableName } from '../change.ts';
import { CancelledError, CdcError, messageOf } from '../errors.ts';
import { type BinlogPosition, formatPosition } from '../position.ts';
import { connectSource, type SourceAddress, sourceError } from './connection.ts';
import { dumpError } from './dump-error.ts';
import { EventReader } from './event-reader.ts';
import type { BinlogEvent, BinlogFileMark } from './events.ts';
import { type Packet, type PacketConnection, packetConnection, sendCommand } from './packet-stream.ts';

export interface FollowOptions {
  address: SourceAddress;
  /** The start of an event. */
  from: BinlogPosition;
  /** Ours among the source's replicas; another connection with the same one would end this one. */
  serverId: number;
  /** How often an idle server says that it is there; without a sign for three times as long the connection counts as lost. */
  heartbeatSeconds?: number;
  signal: AbortSignal;
  /** Whether row events of this table are wanted; asked again whenever the table turns up. */
  wants(table: TableName): boolean;
  /** Each file that is begun, the first one included, before anything of it is handed out; what it throws ends the stream. */
  onFile?(mark: BinlogFileMark): void;
  /** A promise holds the stream until it is settled. */
  onEvent(event: BinlogEvent): void | Promise<void>;
}

const COM_BINLOG_DUMP = 0x12;
/** The first byte of a packet. */
const OK = 0x00;
const END = 0xfe;
const ERROR = 0xff;
/** The request has four bytes for the offset. */
const MAX_START = 0xffffffff;

/** Resolves when the signal fires, after the listener's promise if one is pending; rejects with a CdcError, or with what `onEvent` threw. */
export async function followBinlog(options: FollowOptions): Promise<void> {
  const { address, from, signal, heartbeatSeconds = 5 } = options;
  if (from.offset > MAX_START)
    throw new CdcError(
      'position.too-far',
      `following the binlog from ${formatPosition(from)}: the server can be asked only for offsets below 4 GB`,
      {
        hint: 'load the tables again: cdc replicate',
      },
    );
  let connection: mysql.Connection;
  try {
    connection = await connectSource(address, { signal });
  } catch (error) {
    if (error instanceof CancelledError) return;
    throw error;
  }
  try {
    await prepareDump(connection, heartbeatSeconds).catch((error: unknown) => {
      // It failed because we ended the connection.
      if (!signal.aborted) throw error;
    });
    if (!signal.aborted) await new Dump(packetConnection(connection), options, heartbeatSeconds).run();
  } finally {
    connection.destroy();
    packetConnection(connection).stream.destroy();
  }
}

/** What a replica says of itself: it reads checksums, MariaDB's own events, and wants heartbeats. Each server ignores the other's names. */
async function prepareDump(connection: mysql.Connection, heartbeatSeconds: number): Promise<void> {
  const nanoseconds = Math.round(heartbeatSeconds * 1e9);
  try {
    await connection.query(
      `SET @master_binlog_checksum = 'CRC32', @source_binlog_checksum = 'CRC32', @mariadb_slave_capability = 4,
        @master_heartbeat_period = ${nanoseconds}, @source_heartbeat_period = ${nanoseconds}`,
    );
  } catch (error) {
    throw sourceError(error, 'preparing to follow the binlog');
  }
}

/** The dump request as a command of mysql2, from the request to the end of the connection. */
class Dump {
  readonly #connection: PacketConnection;
  readonly #options: FollowOptions;
  readonly #reader: EventReader;
  readonly #silenceMs: number;
  #lastSign = performance.now();
  #pending: Promise<void> | undefined;
  #settle: { resolve(): void; reject(error: unknown): void } | undefined;

  constructor(connection: PacketConnection, options: FollowOptions, heartbeatSeconds: number) {
    this.#connection = connection;
    this.#options = options;
    this.#reader = new EventReader({ ...options, onFile: (mark) => options.onFile?.(mark) });
    this.#silenceMs = Math.max(3 * heartbeatSeconds, 1) * 1000;
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    const stop = () => this.#end();
    const watch = setInterval(() => this.#checkSilence(), this.#silenceMs / 3);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#settle = { resolve, reject };
        if (signal.aborted) resolve();
        signal.addEventListener('abort', stop, { once: true });
        this.#connection.addCommand({
          execute: (packet) => this.#execute(packet),
          onResult: (error) => this.#end(this.#lost(messageOf(error), error)),
        });
      });
    } finally {
      this.#settle = undefined;
      clearInterval(watch);
      signal.removeEventListener('abort', stop);
      // The listener is done before we say that we are, and a failure of its last work is ours.
      await this.#pending;
    }
  }

  #end(error?: unknown): void {
    const settle = this.#settle;
    this.#settle = undefined;
    if (error === undefined) settle?.resolve();
    else settle?.reject(error);
  }

  #execute(packet: Packet | undefined): boolean {
    if (packet === undefined) {
      sendCommand(this.#connection, this.#request());
      return false;
    }
    // What was on its way when we stopped is not handed out any more.
    if (this.#settle === undefined) return false;
    this.#lastSign = performance.now();
    const { buffer, offset, end } = packet;
    switch (buffer[offset]) {
      case OK:
        this.#event(buffer, offset + 1, end);
        return false;
      case ERROR:
        this.#end(dumpError(buffer, offset, end, this.#options));
        return true;
      case END:
        // A killed dump thread says no more than this.
        this.#end(this.#lost('the server ended the stream'));
        return true;
      default:
        this.#end(this.#lost('the server answered with something that is no binlog event'));
        return true;
    }
  }

  #request(): Buffer {
    const { from, serverId } = this.#options;
    const file = Buffer.from(from.file);
    const request = Buffer.alloc(11 + file.length);
    request[0] = COM_BINLOG_DUMP;
    request.writeUInt32LE(from.offset, 1);
    request.writeUInt32LE(serverId, 7);
    file.copy(request, 11);
    return request;
  }

  #event(bytes: Buffer, start: number, end: number): void {
    try {
      const event = this.#reader.read(bytes, start, end);
      if (event === undefined) return;
      const busy = this.#options.onEvent(event);
      if (busy !== undefined) this.#hold(busy);
    } catch (error) {
      this.#end(error);
    }
  }

  /** Stops reading from the socket until the listener is done. */
  #hold(busy: Promise<void>): void {
    this.#connection.pause();
    this.#pending = busy;
    busy.then(
      () => {
        this.#pending = undefined;
        this.#lastSign = performance.now();
        if (this.#settle !== undefined) this.#connection.resume();
      },
      (error) => {
        this.#pending = undefined;
        this.#end(error);
      },
    );
  }

  #checkSilence(): void {
    if (this.#pending !== undefined || performance.now() - this.#lastSign < this.#silenceMs) return;
    this.#end(this.#lost(`the server gave no sign for ${Math.round(this.#silenceMs / 1000)} s`));
  }

  #lost(why: string, cause?: unknown): CdcError {
    return new CdcError('source.lost', `following the binlog at ${formatPosition(this.#reader.position)}: ${why}`, {
      hint: 'check that the server runs; following goes on from the last checkpoint',
      ...(cause === undefined ? {} : { cause }),
    });
  }
}
