/** A consistent view of the source at one binlog position: every table read through it is as it was just there. */

import type { Connection } from 'mysql2/promise';
import { formatTableName, type TableName } from '../change.ts';
import type { LoadFile } from '../change-file/load-record.ts';
import type { ChangeNumber } from '../change-number.ts';
import type { ZeroDates } from '../column-type.ts';
import type { BinlogPosition } from '../position.ts';
import type { Progress } from '../progress.ts';
import { readSourceTable, type SourceTable } from '../source/read-definition.ts';
import { readServer, type SourceServer } from '../source/server.ts';
import { defineTable, type TableDefinition } from '../table-definition.ts';
import { insideSavepoint, openView, tableChanged } from './consistent-view.ts';
import { type LoadTableOptions, loadTable } from './load-table.ts';

export interface SnapshotTable {
  name: TableName;
  zeroDates: ZeroDates;
  /** `key:` of cdc.yaml; absent: the primary key. */
  keyOverride?: readonly string[] | undefined;
}

/** A table as the snapshot sees it. */
export interface LoadableTable {
  name: TableName;
  /** Its definition, beginning at this number. */
  define(number: ChangeNumber): TableDefinition;
}

export interface Snapshot {
  position: BinlogPosition;
  takenAt: Date;
  server: SourceServer;
  tables: LoadableTable[];
  /**
   * Writes the table's rows to new LOAD files, durable when it returns. Rows come in the order the server reads them, which
   * for InnoDB is that of the primary key. Throws `snapshot.table-changed` when a DDL came in between: take a new snapshot.
   */
  loadTable(options: LoadTableOptions): Promise<LoadFile[]>;
  close(): Promise<void>;
}

export interface OpenSnapshotOptions {
  /** A new connection of `connectSource`; called once, twice where the view needs a lock for its first instant. */
  connect(): Promise<Connection>;
  tables: readonly SnapshotTable[];
  signal?: AbortSignal | undefined;
  progress: Progress;
}

/** Nothing is locked when this returns. Throws `snapshot.table-changed` when a DDL came in between: take a new snapshot. */
export async function openSnapshot(options: OpenSnapshotOptions): Promise<Snapshot> {
  const { signal, progress } = options;
  const connection = await options.connect();
  try {
    const server = await readServer(connection, signal);
    const before = await Promise.all(options.tables.map((table) => readTable(connection, table, signal)));
    const view = await openView({
      connection,
      connect: options.connect,
      server,
      tables: options.tables.map(({ name }) => name),
      signal,
      progress,
    });
    /** The server reports most DDL by itself, but not MariaDB's instant ones: what was read before must still be so. */
    const unchanged = <T>(source: SourceTable, table: SnapshotTable, work: () => Promise<T>, stop = signal) =>
      insideSavepoint({ connection, table: source.name, signal: stop }, async () => {
        const now = await readTable(connection, table, stop);
        if (JSON.stringify(now) !== JSON.stringify(source)) throw tableChanged(source.name);
        return work();
      });
    const loaders = new Map<string, (load: LoadTableOptions) => Promise<LoadFile[]>>();
    const tables: LoadableTable[] = [];
    for (const [index, table] of options.tables.entries()) {
      const source = before[index];
      if (source === undefined) continue;
      await unchanged(source, table, async () => {});
      loaders.set(formatTableName(table.name), (load) =>
        unchanged(source, table, () => loadTable({ ...load, connection, takenAt: view.takenAt }), load.signal),
      );
      tables.push({
        name: table.name,
        define: (number) => defineTable(table.name, { ...source, number, zeroDates: table.zeroDates }),
      });
    }
    return {
      ...view,
      server,
      tables,
      async loadTable(load) {
        const loader = loaders.get(formatTableName(load.definition));
        if (loader === undefined) throw new Error(`${formatTableName(load.definition)} is not part of this snapshot`);
        return loader(load);
      },
      close: async () => connection.destroy(),
    };
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

function readTable(
  connection: Connection,
  table: SnapshotTable,
  signal: AbortSignal | undefined,
): Promise<SourceTable> {
  return readSourceTable(connection, table.name, { keyOverride: table.keyOverride, signal });
}
