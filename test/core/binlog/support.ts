/** Reads the binlog of a test server with the code under test: events, and the lines their rows become. */

import type { Connection, RowDataPacket } from 'mysql2/promise';
import { connectSource, type SourceAddress } from '../../../src/core/binlog/connection.ts';
import type { BinlogEvent, TableMap } from '../../../src/core/binlog/events.ts';
import { encodeRows, RowDecoder } from '../../../src/core/binlog/row-decoder.ts';
import { followBinlog } from '../../../src/core/binlog/stream.ts';
import { OutputBuffer } from '../../../src/core/change-file/encode.ts';
import { type BinlogPosition, comparePositions } from '../../../src/core/position.ts';
import { readDefinition } from '../../../src/core/source/read-definition.ts';
import type { TableDefinition } from '../../../src/core/table-definition.ts';
import type { TestServer } from '../../support/servers.ts';

export function addressOf(server: TestServer, as: 'admin' | 'cdc' = 'cdc'): SourceAddress {
  return { host: server.host, port: server.port, ...server[as] };
}

export function connectAdmin(server: TestServer): Promise<Connection> {
  return connectSource(addressOf(server, 'admin'), { multipleStatements: true });
}

export type TextRow = (string | null)[];

/** Rows as the server prints them. */
export async function selectText(connection: Connection, sql: string): Promise<TextRow[]> {
  const [rows] = await connection.query<RowDataPacket[]>({ sql, rowsAsArray: true });
  return rows as unknown as TextRow[];
}

/** The end of the binlog, with the GTIDs there. */
export async function endOfBinlog(connection: Connection): Promise<BinlogPosition> {
  const [[row]] = (await connection.query('SHOW MASTER STATUS')) as unknown as [Record<string, string>[]];
  const [[gtid]] = (await connection
    .query('SELECT @@global.gtid_binlog_pos AS gtid')
    .catch(() => connection.query('SELECT @@global.gtid_executed AS gtid'))) as unknown as [{ gtid: string }[]];
  return { file: row!.File!, offset: Number(row!.Position), gtid: gtid!.gtid.replace(/\s/g, '') };
}

export function definitionOf(
  connection: Connection,
  schema: string,
  table: string,
  keyOverride?: string[],
): Promise<TableDefinition> {
  return readDefinition(connection, { schema, table }, { number: 0n, zeroDates: 'null', keyOverride });
}

/** A rows event as a test keeps it: without the bytes, which do not stay. */
export type SeenEvent =
  | Exclude<BinlogEvent, { kind: 'rows' }>
  | { kind: 'rows'; op: 'I' | 'U' | 'D'; table: TableMap; lines: string };

export interface ReadOptions {
  server: TestServer;
  from: BinlogPosition;
  until: BinlogPosition;
  /** Definitions of the wanted tables; rows of other tables do not come. */
  definitions?: TableDefinition[];
  as?: 'admin' | 'cdc';
  serverId?: number;
}

export const TS = '2026-11-22 10:15:30.12';
export const SEQ_PREFIX = '20261122101530120001';

/** Every event from one position to another. */
export async function readBinlog(options: ReadOptions): Promise<SeenEvent[]> {
  const { server, from, until, definitions = [] } = options;
  const stop = new AbortController();
  const seen: SeenEvent[] = [];
  let number = 1;
  const decoders = new Map<TableMap, RowDecoder>();
  await followBinlog({
    address: addressOf(server, options.as),
    from,
    serverId: options.serverId ?? 4711,
    heartbeatSeconds: 0.5,
    signal: AbortSignal.any([stop.signal, AbortSignal.timeout(50_000)]),
    wants: (table) => definitions.some((other) => other.schema === table.schema && other.table === table.table),
    onEvent(event) {
      if (event.kind === 'rows') {
        const definition = definitions.find(
          (other) => other.schema === event.table.schema && other.table === event.table.table,
        )!;
        const decoder = decoders.get(event.table) ?? new RowDecoder(event.table, definition);
        decoders.set(event.table, decoder);
        const out = new OutputBuffer(16);
        const { changes } = encodeRows({ event, decoder, out, ts: TS, seqPrefix: SEQ_PREFIX, firstNumber: number });
        number += changes;
        seen.push({ kind: 'rows', op: event.op, table: event.table, lines: out.written().toString('utf8') });
        return;
      }
      // The server has no more: after the last transaction it may have written an event of its own.
      if (event.kind === 'heartbeat') stop.abort();
      else seen.push(event);
      if ((event.kind === 'commit' || event.kind === 'statement') && comparePositions(event.position, until) >= 0)
        stop.abort();
    },
  });
  return seen;
}

export interface Line {
  op: string;
  ts: string;
  fields: TextRow;
  seq: string;
}

/** The lines of all row events, taken apart by the rules of the change file (contract.md 1). */
export function linesOf(events: SeenEvent[]): Line[] {
  return parseLines(events.map((event) => (event.kind === 'rows' ? event.lines : '')).join(''));
}

export function parseLines(text: string): Line[] {
  const lines: Line[] = [];
  let fields: TextRow = [];
  for (let at = 0; at < text.length; ) {
    let raw: string;
    if (text[at] === '"') {
      let end = at + 1;
      while (text[end] !== '"' || text[end + 1] === '"') {
        if (end >= text.length) throw new Error('a quoted field does not end');
        end += text[end] === '"' ? 2 : 1;
      }
      raw = text.slice(at + 1, end).replaceAll('""', '"');
      at = end + 1;
    } else {
      const end = text.slice(at).search(/[,\n]/) + at;
      raw = text.slice(at, end);
      if (raw.includes('"')) throw new Error(`a quote within an unquoted field: ${raw}`);
      at = end;
    }
    fields.push(raw === '\\N' ? null : /^\\+N$/.test(raw) ? raw.slice(1) : raw);
    if (text[at] === '\n') {
      lines.push(asLine(fields));
      fields = [];
    } else if (text[at] !== ',') throw new Error(`no separator after ${raw}`);
    at++;
  }
  return lines;
}

function asLine(fields: TextRow): Line {
  return { op: fields[0]!, ts: fields[1]!, fields: fields.slice(2, -1), seq: fields.at(-1)! };
}
