/** Full load of tables in one consistent snapshot, as the start of a new run of each: definition, checkpoint, LOAD files, record. */

import { connectSource, type SourceAddress } from '../binlog/connection.ts';
import { readFileMark } from '../binlog/probe.ts';
import type { Checkpoint, CheckpointWriter, TableCheckpoint } from '../capture/checkpoint.ts';
import { writeDefinition } from '../capture/follow-statement.ts';
import { lastFileOf } from '../capture/followed-table.ts';
import { formatTableName, type TableName } from '../change.ts';
import { definitionFolder, loadRecordFolder } from '../change-file/layout.ts';
import { publishLoadRecord } from '../change-file/load-record.ts';
import { changeNumber, parseChangeNumber, runOf } from '../change-number.ts';
import { reach } from '../crash-point.ts';
import { throwIfCancelled } from '../errors.ts';
import { type BinlogPosition, formatPosition } from '../position.ts';
import type { Progress } from '../progress.ts';
import { removeUnlistedLoads } from '../snapshot/load-files.ts';
import { openSnapshot, type SnapshotTable } from '../snapshot/snapshot.ts';
import type { Lease } from '../store/lease.ts';
import type { Store } from '../store/store.ts';

export interface LoadTablesOptions {
  source: SourceAddress;
  staging: Store;
  tables: SnapshotTable[];
  /** The checkpoint as it is; undefined when nothing was captured yet, or when it is to begin anew. */
  checkpoint: Checkpoint | undefined;
  writer: CheckpointWriter;
  lease: Lease;
  /** Ours among the source's replicas. */
  serverId: number;
  merge: boolean;
  /** The highest run that the lake's ledger knows of a table. */
  ledgerRun(table: TableName): Promise<number>;
  maxFileBytes: number;
  signal: AbortSignal;
  progress: Progress;
}

/** Returns the checkpoint from which capture goes on. */
export async function loadTables(options: LoadTablesOptions): Promise<Checkpoint> {
  const { staging, writer, progress, signal } = options;
  const snapshot = await openSnapshot({
    connect: () => connectSource(options.source, { signal }),
    tables: options.tables,
    signal,
    progress,
  });
  try {
    const { position } = snapshot;
    const runs = new Map<string, number>();
    for (const { name } of snapshot.tables) runs.set(formatTableName(name), 1 + (await highestRun(options, name)));
    const runOfTable = (name: TableName) => runs.get(formatTableName(name)) ?? 1;

    const entries: Record<string, TableCheckpoint> = {};
    for (const table of snapshot.tables) {
      const run = runOfTable(table.name);
      await writeDefinition(staging, table.define(changeNumber(run, 0)));
      entries[formatTableName(table.name)] = await firstEntry(staging, table.name, run, position);
    }
    // A pipeline that follows other tables already goes on from where it stands; these changes skip what the load has.
    const from = goesOn(options.checkpoint, entries) ?? {
      position,
      binlogFile: await readFileMark({ address: options.source, position, serverId: options.serverId, signal }),
    };
    // The checkpoint holds the new runs before any file of theirs exists; until `loaded`, a restart loads again.
    let checkpoint: Checkpoint = {
      ...from,
      format: 1,
      server: snapshot.server,
      lease: options.lease.generation,
      merge: options.merge,
      tables: { ...options.checkpoint?.tables, ...entries },
      writtenAt: new Date().toISOString(),
    };
    await writer.write(checkpoint);

    for (const table of snapshot.tables) {
      throwIfCancelled(signal);
      const number = changeNumber(runOfTable(table.name), 0);
      await removeUnlistedLoads(staging, table.name);
      const definition = table.define(number);
      const files = await snapshot.loadTable({
        definition,
        staging,
        maxFileBytes: options.maxFileBytes,
        signal,
        progress,
      });
      // One that slept must not publish what its successor has swept away.
      await options.lease.assertHeld();
      // From here the load counts.
      await publishLoadRecord(staging, {
        format: 1,
        ...table.name,
        kind: 'load',
        number,
        position: formatPosition(position),
        definition,
        files,
      });
      reach('load.recorded');
      const key = formatTableName(table.name);
      const entry = entries[key];
      if (entry !== undefined)
        checkpoint = {
          ...checkpoint,
          tables: { ...checkpoint.tables, [key]: { ...entry, loaded: true } },
          writtenAt: new Date().toISOString(),
        };
      await writer.write(checkpoint);
      const rows = files.reduce((sum, file) => sum + file.rows, 0);
      progress.done(
        `loaded ${key}: ${rows.toLocaleString('en')} rows in ${files.length} file${files.length === 1 ? '' : 's'}`,
      );
    }
    return checkpoint;
  } finally {
    await snapshot.close();
  }
}

/** Where capture stands, when it follows a table that is not among these; nobody needs a position that only they had. */
export function goesOn(
  checkpoint: Checkpoint | undefined,
  loading: Readonly<Record<string, unknown>>,
): Pick<Checkpoint, 'position' | 'lastEvent' | 'binlogFile'> | undefined {
  const isFollowed = ([key, entry]: [string, TableCheckpoint]) =>
    entry.loaded && entry.stopped === undefined && loading[key] === undefined;
  if (checkpoint === undefined || !Object.entries(checkpoint.tables).some(isFollowed)) return undefined;
  const { position, lastEvent, binlogFile } = checkpoint;
  return { position, lastEvent, binlogFile };
}

/** A table's place at the start of a run. */
export async function firstEntry(
  staging: Store,
  name: TableName,
  run: number,
  position: BinlogPosition,
): Promise<TableCheckpoint> {
  const lastFile = await lastFileOf(staging, name);
  return {
    run,
    number: 0,
    definitionNumber: 0,
    loadedAt: position,
    loaded: false,
    ...(lastFile === undefined ? {} : { lastFile }),
  };
}

/** Definitions are durable before any file of their run, so with records, ledger and checkpoint they know the highest run there ever was. */
export async function highestRun(
  options: Pick<LoadTablesOptions, 'staging' | 'checkpoint' | 'ledgerRun'>,
  name: TableName,
): Promise<number> {
  const listed = [
    ...(await options.staging.list(definitionFolder(name))),
    ...(await options.staging.list(loadRecordFolder(name))),
  ];
  const runs = listed.flatMap(({ key }) => {
    const digits = /\/(\d{19})(?:-\d+)?\.json$/.exec(key)?.[1];
    return digits === undefined ? [] : [runOf(parseChangeNumber(digits))];
  });
  const saved = options.checkpoint?.tables[formatTableName(name)];
  return Math.max(0, ...runs, await options.ledgerRun(name), saved?.run ?? 0);
}
