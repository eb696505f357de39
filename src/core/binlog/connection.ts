/** Connections to the source: one way to connect, one session, and what driver errors mean to a user. */

import net from 'node:net';
import { type ConnectionOptions, createConnection } from 'mysql2';
import type { Connection } from 'mysql2/promise';
import { CdcError, messageOf, nativeCodeOf, throwIfCancelled } from '../errors.ts';

export interface SourceAddress {
  host: string;
  port: number;
  /** A Unix socket, used instead of host and port. */
  socket?: string;
  user: string;
  password: string;
  database?: string;
  /** `verify`: the chain and the host name, against `ca` (PEM text) or the system's list. */
  tls?: { mode: 'off' | 'verify'; ca?: string };
}

/**
 * What values mean must not depend on the server's defaults (contract.md 10). PAD_CHAR_TO_FULL_LENGTH must be off: the binlog
 * has CHAR without its blanks.
 */
const SESSION = `SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'`;

/**
 * Opens a connection whose session reads times in UTC and text in utf8mb4. Every value of a row comes as its text or null: no
 * number, date or JSON value passes through a JavaScript value that could change it. Binary columns are selected as HEX().
 */
export async function connectSource(
  address: SourceAddress,
  options: { signal?: AbortSignal; multipleStatements?: boolean } = {},
): Promise<Connection> {
  const { signal } = options;
  throwIfCancelled(signal);
  const socket = openSocket(address);
  const abort = () => socket.destroy();
  signal?.addEventListener('abort', abort, { once: true });
  socket.once('close', () => signal?.removeEventListener('abort', abort));
  let connection: Connection;
  try {
    connection = await openConnection({
      stream: () => socket,
      host: address.host,
      port: address.port,
      ...(address.socket === undefined ? {} : { socketPath: address.socket }),
      user: address.user,
      password: address.password,
      ...(address.database === undefined ? {} : { database: address.database }),
      ...(address.tls?.mode === 'verify' ? { ssl: tlsOptions(address.tls.ca) } : {}),
      charset: 'utf8mb4_general_ci',
      multipleStatements: options.multipleStatements ?? false,
      connectTimeout: 10_000,
      typeCast: (field: { string(encoding: string): string | null }) => field.string('utf8'),
    });
  } catch (error) {
    socket.destroy();
    throwIfCancelled(signal);
    throw connectError(error, address);
  }
  try {
    await connection.query(SESSION);
  } catch (error) {
    connection.destroy();
    throwIfCancelled(signal);
    throw sourceError(error, `preparing the session on ${describe(address)}`);
  }
  return connection;
}

/**
 * mysql2's own promise takes one error and then stops listening: a connection that dies while nobody waits for it, or a second
 * error of one that failed (a TLS handshake whose socket is destroyed), would take the process with it. The next query reports it.
 */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  const connection = createConnection(options);
  await new Promise<void>((resolve, reject) => {
    connection.once('connect', () => resolve());
    connection.on('error', reject);
  });
  return connection.promise();
}

function openSocket(address: SourceAddress): net.Socket {
  if (address.socket !== undefined) return net.connect(address.socket);
  const socket = net.connect({ port: address.port, host: address.host, noDelay: true, keepAlive: true });
  // TLS compares the certificate with the name it is told, or with this. mysql2 tells no name when the host is an IP address,
  // and Node itself notes only names; without either it would accept a certificate for "localhost".
  return Object.assign(socket, { _host: address.host });
}

function tlsOptions(ca: string | undefined) {
  return { rejectUnauthorized: true, verifyIdentity: true, minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) };
}

function describe(address: SourceAddress): string {
  return address.socket ?? `${address.host}:${address.port}`;
}

const LOST = new Set(['PROTOCOL_CONNECTION_LOST', 'ECONNRESET', 'EPIPE', 'ER_SERVER_SHUTDOWN', 'ER_CONNECTION_KILLED']);
const DENIED = new Set([
  'ER_ACCESS_DENIED_ERROR',
  'ER_DBACCESS_DENIED_ERROR',
  'ER_ACCESS_DENIED_NO_PASSWORD_ERROR',
  'ER_SPECIFIC_ACCESS_DENIED_ERROR',
  'ER_TABLEACCESS_DENIED_ERROR',
  'ER_COLUMNACCESS_DENIED_ERROR',
  'ER_HOST_NOT_PRIVILEGED',
]);

/** Native codes in words; `connect ECONNREFUSED 10.0.0.1:3306` says the address a second time and the reason in code. */
const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (ECONNREFUSED)',
  ENOTFOUND: 'there is no host of that name (ENOTFOUND)',
  EAI_AGAIN: 'the name of the host cannot be looked up now (EAI_AGAIN)',
  ETIMEDOUT: 'nothing answers there within 10 s (ETIMEDOUT)',
  EHOSTUNREACH: 'there is no way to that host (EHOSTUNREACH)',
  ENETUNREACH: 'there is no way to that network (ENETUNREACH)',
};

function connectError(error: unknown, address: SourceAddress): CdcError {
  const where = describe(address);
  const code = nativeCodeOf(error) ?? '';
  const why = messageOf(error);
  if (DENIED.has(code))
    return new CdcError('source.access-denied', `connecting to ${where} as ${address.user}: ${why}`, {
      hint:
        address.password === ''
          ? 'no password was given: export CDC_SOURCE_PASSWORD=…, or refer to it with `password:` in cdc.yaml'
          : `check the user name, the password and the host that ${address.user} may connect from`,
      cause: error,
    });
  if (code === 'ER_BAD_DB_ERROR')
    return new CdcError('source.no-database', `connecting to ${where}: ${why}`, {
      hint: 'check the database in `source:` of cdc.yaml',
      cause: error,
    });
  if (code === 'HANDSHAKE_NO_SSL_SUPPORT' || /CERT|SSL|TLS|ALTNAME|SELF_SIGNED|ISSUER/.test(code))
    return new CdcError('source.tls', `connecting to ${where} over TLS: ${why}`, {
      hint: 'give the authority that signed the server with `source.tls.ca` or CDC_TLS_CA, and the host by the name in its certificate',
      cause: error,
    });
  const reason = UNREACHABLE[code] ?? (why === '' ? code : why);
  return new CdcError('source.unreachable', `connecting to ${where}: ${reason}`, {
    hint: `check that the server runs, and that ${where} can be reached from here (address, port, firewall)`,
    cause: error,
  });
}

/** What a driver error from a later query means; `doing` reads "reading the columns of shop.orders". */
export function sourceError(error: unknown, doing: string): CdcError {
  if (error instanceof CdcError) return error;
  const code = nativeCodeOf(error) ?? '';
  const message = `${doing}: ${messageOf(error)}`;
  if (DENIED.has(code))
    return new CdcError('source.access-denied', message, {
      hint: 'grant what is missing; `cdc check` lists it',
      cause: error,
    });
  if (LOST.has(code) || /closed state|Connection lost/.test(messageOf(error)))
    return new CdcError('source.lost', message, { hint: 'check that the server runs, then try again', cause: error });
  return new CdcError('source.failed', message, { cause: error });
}
