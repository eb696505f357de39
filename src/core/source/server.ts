/** Which server the source is, and where its binlog stands. */

import type { Connection } from 'mysql2/promise';
import { CdcError } from '../errors.ts';
import type { BinlogPosition } from '../position.ts';
import { queryRows, type Row } from './query.ts';
import { versionNumber } from './sql-tokens.ts';

export interface SourceServer {
  flavor: 'mariadb' | 'mysql';
  /** `8.0.31`, `10.11.19-MariaDB-log`. */
  version: string;
  serverId: number;
  /** 0: names of schemas and tables count with their case; 1: the server keeps them in lower case; 2: as written, and compares without case. */
  lowerCaseTableNames?: number | undefined;
  /** MySQL only. */
  uuid?: string | undefined;
}

export async function readServer(connection: Connection, signal?: AbortSignal): Promise<SourceServer> {
  const doing = 'asking the source what it is';
  const [row] = await queryRows({
    connection,
    sql: 'SELECT VERSION() AS version, @@server_id AS id, @@lower_case_table_names AS lower_case',
    doing,
    signal,
  });
  const version = row?.version ?? '';
  const flavor = /mariadb/i.test(version) ? 'mariadb' : 'mysql';
  const lowerCaseTableNames = Number(row?.lower_case ?? 0);
  const server: SourceServer = { flavor, version, serverId: Number(row?.id ?? 0), lowerCaseTableNames };
  if (flavor === 'mariadb') return server;
  const [uuid] = await queryRows({ connection, sql: 'SELECT @@server_uuid AS uuid', doing, signal });
  return { ...server, uuid: uuid?.uuid ?? undefined };
}

/** SHOW MASTER STATUS, by the name the server knows it; undefined when the binlog is off. */
export async function readBinlogStatus(
  connection: Connection,
  server: SourceServer,
  signal?: AbortSignal,
): Promise<Row | undefined> {
  const renamed = server.flavor === 'mysql' && versionNumber(server.version) >= 80_200;
  const sql = renamed ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS';
  const [row] = await queryRows({ connection, sql, doing: 'reading the binlog position', signal });
  return row;
}

/** The position of a SHOW MASTER STATUS row; throws `source.no-binlog`. */
export function positionOf(status: Row | undefined): BinlogPosition {
  const file = status?.file ?? '';
  if (file === '')
    throw new CdcError('source.no-binlog', 'reading the binlog position: the source writes no binlog', {
      hint: 'cdc check',
    });
  // MySQL breaks a long set into lines.
  const gtid = status?.executed_gtid_set?.replace(/\s+/g, '') ?? '';
  return { file, offset: Number(status?.position ?? 0), ...(gtid === '' ? {} : { gtid }) };
}
