/** A consistent view of the source at one binlog position: every table read through it is as it was just there. */

import type { Connection } from 'mysql2/promise';
import type { TableName } from '../change.ts';
import type { LoadFile } from '../change-file/load-record.ts';
import type { ChangeNumber } from '../change-number.ts';
import type { ZeroDates } from '../column-type.ts';
import type { BinlogPosition } from '../position.ts';
import type { Progress } from '../progress.ts';
import { readSourceTable } from '../source/read-definition.ts';
import { readServer, type SourceServer } from '../source/server.ts';
import type { Store } from '../store/store.ts';
import { defineTable, type TableDefinition } from '../table-definition.ts';
import { insideSavepoint, openView } from './consistent-view.ts';
import { loadTable } from './load-table.ts';

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

export interface LoadTableOptions {
  definition: TableDefinition;
  staging: Store;
  /** A file is full when it reaches this; rows are never split. */
  maxFileBytes: number;
  signal?: AbortSignal | undefined;
  progress: Progress;
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

/** Nothing is locked when this returns. */
export async function openSnapshot(options: OpenSnapshotOptions): Promise<Snapshot> {
  const { tables, signal, progress } = options;
  const connection = await options.connect();
  try {
    const server = await readServer(connection, signal);
    const names = tables.map(({ name }) => name);
    const { position, takenAt } = await openView({
      connection,
      connect: options.connect,
      server,
      tables: names,
      signal,
      progress,
    });
    const loadable: LoadableTable[] = [];
    for (const { name, keyOverride, zeroDates } of tables) {
      const source = await insideSavepoint({ connection, table: name, signal }, () =>
        readSourceTable(connection, name, { keyOverride, signal }),
      );
      loadable.push({ name, define: (number) => defineTable(name, { ...source, number, zeroDates }) });
    }
    return {
      position,
      takenAt,
      server,
      tables: loadable,
      loadTable: (load) =>
        insideSavepoint({ connection, table: load.definition, signal: load.signal }, () =>
          loadTable({ ...load, connection, takenAt }),
        ),
      close: async () => connection.destroy(),
    };
  } catch (error) {
    connection.destroy();
    throw error;
  }
}
