/**
 * One statement sent as bytes, its rows handed over as the bytes of the text protocol: mysql2's row objects cost four times
 * as much (peers.md), and a dump may hold bytes that are no UTF-8. It plugs into mysql2 as a command of its own.
 */

import type { Connection } from 'mysql2/promise';
import { CdcError } from '../errors.ts';
import { interruptible } from './query.ts';

/** A packet as mysql2 hands it on; the bytes are valid until the handler returns. */
interface Packet {
  buffer: Buffer;
  offset: number;
  end: number;
  asError(encoding: string): Error;
}

interface OutgoingPacket {
  buffer: Buffer;
  length(): number;
  writeHeader(sequence: number): void;
}

/** The part of mysql2's core connection that a command needs; its typings leave it out. */
interface PacketConnection {
  addCommand(command: RawCommand): void;
  writePacket(packet: OutgoingPacket): void;
  _resetSequenceId(): void;
  pause(): void;
  resume(): void;
  clientEncoding: string;
  config: { clientFlags: number };
  serverCapabilityFlags: number;
  stream: { destroy(): void };
}

export interface RawQueryHandlers {
  /** One row: its fields, each a length-encoded text or 251 for NULL. A promise pauses the server's stream until it is settled. */
  onRow?(bytes: Buffer, start: number, end: number): void | Promise<void>;
  signal?: AbortSignal | undefined;
}

/** What the session says with the statement's end. */
export interface RawQueryStatus {
  noBackslashEscapes: boolean;
}

/** Rejects with the driver's error, or with what `onRow` threw; after the latter the connection is no longer usable. */
export async function rawQuery(
  connection: Connection,
  sql: Buffer,
  handlers: RawQueryHandlers = {},
): Promise<RawQueryStatus> {
  const core = coreOf(connection);
  let command: RawCommand | undefined;
  try {
    return await interruptible(
      handlers.signal,
      new Promise<RawQueryStatus>((resolve, reject) => {
        command = new RawCommand(core, sql, handlers, resolve, reject);
        core.addCommand(command);
      }),
    );
  } catch (error) {
    // The server may still be sending the rest: nothing else can be asked here.
    if (handlers.signal?.aborted) {
      command?.abandon();
      core.stream.destroy();
    }
    throw error;
  }
}

function coreOf(connection: Connection): PacketConnection {
  const core: unknown = 'connection' in connection ? connection.connection : undefined;
  if (!isPacketConnection(core)) throw new TypeError('this version of mysql2 takes no commands');
  return core;
}

function isPacketConnection(value: unknown): value is PacketConnection {
  return typeof value === 'object' && value !== null && 'addCommand' in value && 'writePacket' in value;
}

const COM_QUERY = 3;
const CLIENT_QUERY_ATTRIBUTES = 0x08000000;
const SERVER_MORE_RESULTS_EXISTS = 8;
const SERVER_STATUS_NO_BACKSLASH_ESCAPES = 512;
const ERR = 0xff;
const EOF = 0xfe;
const LOCAL_INFILE = 0xfb;
const OK = 0;

type Phase = 'send' | 'header' | 'columns' | 'rows' | 'refused';

class RawCommand {
  readonly #core: PacketConnection;
  readonly #sql: Buffer;
  readonly #handlers: RawQueryHandlers;
  readonly #resolve: (status: RawQueryStatus) => void;
  readonly #reject: (error: unknown) => void;
  #phase: Phase = 'send';
  #abandoned = false;

  constructor(
    core: PacketConnection,
    sql: Buffer,
    handlers: RawQueryHandlers,
    resolve: (status: RawQueryStatus) => void,
    reject: (error: unknown) => void,
  ) {
    this.#core = core;
    this.#sql = sql;
    this.#handlers = handlers;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Rows that have arrived already are dropped from here on. */
  abandon(): void {
    this.#abandoned = true;
  }

  /** mysql2 calls this when the connection breaks; it must be an own or inherited member that is a function. */
  onResult(error: unknown): void {
    this.#reject(error);
  }

  /** mysql2 listens to its commands as emitters; nobody does here. */
  on(): void {}
  once(): void {}
  emit(): void {}

  /** True: the command is done. */
  execute(packet: Packet | undefined): boolean {
    if (this.#abandoned) return false;
    if (packet === undefined || this.#phase === 'send') return this.#send();
    const { buffer, offset, end } = packet;
    const first = buffer[offset];
    if (first === ERR) {
      this.#reject(this.#phase === 'refused' ? localInfileRefused() : packet.asError(this.#core.clientEncoding));
      return true;
    }
    const isEof = first === EOF && end - offset < 9;
    switch (this.#phase) {
      case 'header':
        if (first === LOCAL_INFILE) return this.#refuseLocalInfile();
        if (first === OK) return this.#finish(statusOfOk(buffer, offset, end));
        this.#phase = 'columns';
        return false;
      case 'columns':
        if (isEof) this.#phase = 'rows';
        return false;
      case 'rows':
        if (isEof) return this.#finish(buffer.readUInt16LE(offset + 3));
        this.#row(buffer, offset, end);
        return false;
      default:
        this.#reject(localInfileRefused());
        return true;
    }
  }

  #send(): boolean {
    const attributes = this.#core.config.clientFlags & this.#core.serverCapabilityFlags & CLIENT_QUERY_ATTRIBUTES;
    const head = attributes === 0 ? 5 : 7;
    const buffer = Buffer.allocUnsafe(head + this.#sql.length);
    buffer[4] = COM_QUERY;
    if (head === 7) {
      // No attributes, and the one set of them that there always is.
      buffer[5] = 0;
      buffer[6] = 1;
    }
    this.#sql.copy(buffer, head);
    this.#core._resetSequenceId();
    this.#phase = 'header';
    this.#core.writePacket({
      buffer,
      length: () => buffer.length,
      writeHeader: (sequence) => {
        buffer.writeUIntLE(buffer.length - 4, 0, 3);
        buffer[3] = sequence;
      },
    });
    return false;
  }

  #finish(status: number): boolean {
    if ((status & SERVER_MORE_RESULTS_EXISTS) !== 0) {
      this.#phase = 'header';
      return false;
    }
    this.#resolve({ noBackslashEscapes: (status & SERVER_STATUS_NO_BACKSLASH_ESCAPES) !== 0 });
    return true;
  }

  #row(buffer: Buffer, start: number, end: number): void {
    try {
      const pending = this.#handlers.onRow?.(buffer, start, end);
      if (pending === undefined) return;
      this.#core.pause();
      pending.then(
        () => this.#core.resume(),
        (error: unknown) => this.#fail(error),
      );
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.abandon();
    this.#reject(error);
    this.#core.stream.destroy();
  }

  /** An empty packet says that there is no file; the server answers with OK or an error. */
  #refuseLocalInfile(): boolean {
    const buffer = Buffer.alloc(4);
    this.#phase = 'refused';
    this.#core.writePacket({ buffer, length: () => 4, writeHeader: (sequence) => void buffer.writeUInt8(sequence, 3) });
    return false;
  }
}

function localInfileRefused(): CdcError {
  return new CdcError('sql.local-infile', 'the statement asks for a file of this machine (LOAD DATA LOCAL)', {
    hint: 'use the server’s own client for it',
  });
}

/** The status flags stand behind two length-encoded numbers. */
function statusOfOk(buffer: Buffer, offset: number, end: number): number {
  let at = skipLength(buffer, offset + 1);
  at = skipLength(buffer, at);
  return at + 2 <= end ? buffer.readUInt16LE(at) : 0;
}

function skipLength(buffer: Buffer, at: number): number {
  const first = buffer[at] ?? 0;
  return at + (first < 251 ? 1 : first === 252 ? 3 : first === 253 ? 4 : 9);
}
