/**
 * The part of mysql2 that has no types: its queue of commands, each of which is handed the packets of its answer. mysql2 does
 * authentication and TLS, and joins packets of 16 MB and more; nothing of it parses an event.
 */

import type mysql from 'mysql2/promise';

export interface Packet {
  buffer: Buffer;
  /** The payload's first byte. */
  offset: number;
  end: number;
}

/** What mysql2 calls while a command is the current one. */
export interface PacketCommand {
  /** First without a packet: send the request. True ends the command. */
  execute(packet: Packet | undefined, connection: PacketConnection): boolean;
  /** The connection failed. */
  onResult(error: unknown): void;
}

interface OutgoingPacket {
  buffer: Buffer;
  length(): number;
  writeHeader(sequenceId: number): void;
}

export interface PacketConnection {
  addCommand(command: PacketCommand): void;
  writePacket(packet: OutgoingPacket): void;
  _resetSequenceId(): void;
  pause(): void;
  resume(): void;
  stream: { destroy(): void };
}

function isPacketConnection(value: unknown): value is PacketConnection {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['addCommand', 'writePacket', '_resetSequenceId', 'pause', 'resume', 'stream'].every((name) => name in value)
  );
}

/** The connection behind mysql2's promises. */
export function packetConnection(connection: mysql.Connection): PacketConnection {
  const inner: unknown = 'connection' in connection ? connection.connection : undefined;
  if (!isPacketConnection(inner))
    throw new TypeError('this version of mysql2 has another packet stream than cdc was built for');
  return inner;
}

/** Sends `payload` as the request of a command. */
export function sendCommand(connection: PacketConnection, payload: Buffer): void {
  const buffer = Buffer.concat([Buffer.alloc(4), payload]);
  connection._resetSequenceId();
  connection.writePacket({
    buffer,
    length: () => buffer.length,
    writeHeader(sequenceId) {
      buffer.writeUIntLE(payload.length, 0, 3);
      buffer[3] = sequenceId;
    },
  });
}
