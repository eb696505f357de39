/** `replicate --ongoing --from`: follows tables from a position without a load; their lake tables begin empty. */

import type { Connection } from 'mysql2/promise';
import { connectSource, type SourceAddress } from '../binlog/connection.ts';
import { findGtid } from '../binlog/find-gtid.ts';
import { parseGtids } from '../binlog/gtid.ts';
import { assertPosition, readFileMark } from '../binlog/probe.ts';
import type { Checkpoint, CheckpointWriter, TableCheckpoint } from '../capture/checkpoint.ts';
import { writeDefinition } from '../capture/follow-statement.ts';
import { formatTableName, type TableName } from '../change.ts';
import { publishLoadRecord } from '../change-file/load-record.ts';
import { changeNumber } from '../change-number.ts';
import { CdcError, UsageError } from '../errors.ts';
import { type BinlogPosition, comparePositions, formatPosition, parsePosition } from '../position.ts';
import type { SnapshotTable } from '../snapshot/snapshot.ts';
import { queryRows } from '../source/query.ts';
import { readDefinition } from '../source/read-definition.ts';
import { positionOf, readBinlogStatus, readServer, type SourceServer } from '../source/server.ts';
import type { Lease } from '../store/lease.ts';
import type { Store } from '../store/store.ts';
import { firstEntry, goesOn, highestRun } from './load-tables.ts';

export type StartAt = 'now' | BinlogPosition | { gtid: string };

/** `now`, FILE:OFFSET or a GTID set; throws UsageError. */
export function parseStartAt(text: string): StartAt {
  if (text === 'now') return 'now';
  try {
    if (/^\s*(\d+-\d+-\d+|[0-9a-f]{8}-[0-9a-f-]{27}:)/i.test(text)) return { gtid: parseGtids(text).toString() };
    return parsePosition(text);
  } catch {
    throw new UsageError(
      `--from ${text}: this is no position`,
      'give --from now, --from FILE:OFFSET as in --from mysql-bin.000042:1234, or --from GTID as @@gtid_executed (MySQL) or @@gtid_binlog_pos (MariaDB) tells it',
    );
  }
}

export interface StartAtOptions {
  at: StartAt;
  source: SourceAddress;
  staging: Store;
  tables: SnapshotTable[];
  checkpoint: Checkpoint | undefined;
  writer: CheckpointWriter;
  lease: Lease;
  /** Ours among the source's replicas. */
  serverId: number;
  merge: boolean;
  ledgerRun(table: TableName): Promise<number>;
  signal: AbortSignal;
}

/** As it is given on the command line. */
export function formatStartAt(at: StartAt): string {
  if (at === 'now') return at;
  return 'file' in at ? formatPosition(at) : at.gtid;
}

/** The definition is the one of now: a DDL between the position and now stops the table when its rows do not fit. */
export async function startAt(options: StartAtOptions): Promise<Checkpoint> {
  const { staging, checkpoint, serverId, signal } = options;
  const connection = await connectSource(options.source, { signal });
  try {
    const server = await readServer(connection, signal);
    const position = await findStart(options, connection, server);
    const probe = { address: options.source, position, serverId, signal };
    const binlogFile = await (options.at === 'now' ? readFileMark(probe) : assertPosition(probe));
    const names = options.tables.map(({ name }) => formatTableName(name));
    const from = goesOn(checkpoint, Object.fromEntries(names.map((name) => [name, true]))) ?? { position, binlogFile };
    if (comparePositions(position, from.position) < 0) throw behind(names, position, from.position);
    await assertNoLakeTable(options, position);

    const entries: Record<string, TableCheckpoint> = {};
    for (const { name, keyOverride, zeroDates } of options.tables) {
      const run = 1 + (await highestRun(options, name));
      const number = changeNumber(run, 0);
      const definition = await readDefinition(connection, name, { number, zeroDates, keyOverride, signal });
      await writeDefinition(staging, definition);
      await publishLoadRecord(staging, {
        format: 1,
        ...name,
        kind: 'start',
        number,
        position: formatPosition(position),
        definition,
        files: [],
      });
      entries[formatTableName(name)] = { ...(await firstEntry(staging, name, run, position)), loaded: true };
    }
    const next: Checkpoint = {
      ...from,
      format: 1,
      server,
      lease: options.lease.generation,
      merge: options.merge,
      tables: { ...checkpoint?.tables, ...entries },
      writtenAt: new Date().toISOString(),
    };
    await options.writer.write(next);
    return next;
  } finally {
    connection.destroy();
  }
}

async function findStart(
  { at, source: address, serverId, signal }: StartAtOptions,
  connection: Connection,
  server: SourceServer,
): Promise<BinlogPosition> {
  if (at === 'now') return positionOf(await readBinlogStatus(connection, server, signal));
  if ('file' in at) return at;
  const logs = await queryRows({ connection, sql: 'SHOW BINARY LOGS', doing: 'listing the binlog files', signal });
  const files = logs.map(({ log_name }) => log_name ?? '');
  return findGtid({ address, gtid: at.gtid, files, serverId, signal });
}

/** An empty start replaces the lake table: only where there is none. */
async function assertNoLakeTable(options: StartAtOptions, position: BinlogPosition): Promise<void> {
  for (const { name } of options.tables)
    if ((await options.ledgerRun(name)) > 0)
      throw new CdcError(
        'load.needed',
        `following ${formatTableName(name)} from ${formatPosition(position)}: its lake table exists, and what happened since it was followed is not known`,
        { hint: 'cdc replicate   # loads it again' },
      );
}

/** Changes before where capture stands are read no more, so these tables would lack them. */
function behind(tables: string[], position: BinlogPosition, stands: BinlogPosition): CdcError {
  return new CdcError(
    'position.passed',
    `following ${tables.join(', ')} from ${formatPosition(position)}: capture stands at ${formatPosition(stands)} already`,
    { hint: 'give --from now, or cdc replicate to load them' },
  );
}
