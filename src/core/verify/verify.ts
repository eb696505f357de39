/** Is the copy right? Compares lake tables with the source at one position, after everything up to it is merged. */

import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Connection } from 'mysql2/promise';
import { formatTableName, type TableName } from '../change.ts';
import type { Engine } from '../engine/engine.ts';
import { CdcError, throwIfCancelled } from '../errors.ts';
import type { BinlogPosition } from '../position.ts';
import type { Progress } from '../progress.ts';
import { openSnapshot, type Snapshot } from '../snapshot/snapshot.ts';
import { readTables } from '../source/read-definition.ts';
import { openLocalStore } from '../store/local.ts';
import type { Store } from '../store/store.ts';
import { compareTable, type Judge } from './compare-table.ts';
import { type TableVerdict, wrongRows } from './verdict.ts';
import type { Place } from './written-keys.ts';

/** What a look at the tables needs, whoever writes their files. */
export interface LookOptions {
  connect(): Promise<Connection>;
  staging: Store;
  lake: Store;
  /** Of a table's merges. */
  appIdOf(table: TableName): string;
  engine: Engine;
  /** Returns when everything that the source committed up to the position is merged, or cannot be. */
  catchUp(position: BinlogPosition, tables: readonly TableName[]): Promise<void>;
  /** A folder for the time of the comparison. */
  scratchFolder: string;
  maxFileBytes: number;
  signal: AbortSignal;
  progress: Progress;
}

export interface VerifyOptions extends LookOptions {
  tables: readonly TableName[];
  /** Where capture stands with each table, by `schema.table`. */
  places(): Promise<ReadonlyMap<string, Place>>;
}

/** While the source is written to, the lake is ahead of the snapshot by some rows: these are compared again, so many times. */
const ROUNDS = 5;
/** A DDL in the wrong moment takes the snapshot away; a new one is taken so many times. */
const SNAPSHOT_TRIES = 5;

/**
 * A difference counts at once when its key was not written between the last checkpoint before the snapshot and what the lake
 * has: nothing else can bring lake and snapshot apart. What was written in between is compared again.
 */
export async function verifyTables(options: VerifyOptions): Promise<TableVerdict[]> {
  const folder = join(options.scratchFolder, `verify-${randomUUID()}`);
  try {
    const verdicts = new Map<string, TableVerdict>();
    let tables = options.tables;
    for (let round = 1; tables.length > 0 && round <= ROUNDS; round++) {
      const judge = async () => {
        const places = await options.places();
        return (table: TableName): Judge => ({ by: 'position', since: places.get(formatTableName(table)) });
      };
      for (const verdict of await lookAtTables(options, { tables, folder: join(folder, String(round)), judge }))
        verdicts.set(formatTableName(verdict), verdict);
      tables = tables.filter((table) => {
        const verdict = verdicts.get(formatTableName(table));
        // What is wrong is wrong; only where nothing is known to be, it is worth another look.
        return verdict !== undefined && wrongRows(verdict) === 0 && verdict.unsettled > 0;
      });
    }
    for (const table of tables)
      options.progress.warn(
        `${formatTableName(table)}: ${verdicts.get(formatTableName(table))?.unsettled} rows were being written in each of ${ROUNDS} comparisons: whether they are right cannot be said`,
      );
    return options.tables.flatMap((table) => verdicts.get(formatTableName(table)) ?? []);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Look {
  tables: readonly TableName[];
  /** For the rows of the source, which are removed. */
  folder: string;
  /** Called before the snapshot is taken, so that everything up to what it finds is in the snapshot. */
  judge(): Promise<(table: TableName) => Judge>;
}

/** One comparison of each of the tables, all at one position of the source. */
export async function lookAtTables(options: LookOptions, look: Look): Promise<TableVerdict[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await compareOnce(options, look);
    } catch (error) {
      const isGone = error instanceof CdcError && /^(snapshot\.table-changed|table\.missing)$/.test(error.code);
      if (!isGone || attempt === SNAPSHOT_TRIES) throw error;
    }
  }
}

async function compareOnce(options: LookOptions, { tables, folder, judge }: Look): Promise<TableVerdict[]> {
  const { signal, progress } = options;
  const there = await existing(options, tables);
  const isThere = (table: TableName) => there.has(formatTableName(table));
  const judgeOf = await judge();
  const snapshot = await openSnapshot({
    connect: options.connect,
    tables: tables.filter(isThere).map((name) => ({ name, zeroDates: 'null' })),
    signal,
    progress,
  });
  try {
    await options.catchUp(snapshot.position, tables);
    const verdicts: TableVerdict[] = [];
    for (const table of tables) {
      throwIfCancelled(signal);
      progress.update(`comparing ${formatTableName(table)}`);
      verdicts.push(
        isThere(table)
          ? await verdictOn({ ...options, folder, snapshot, judge: judgeOf(table) }, table)
          : failed(table, new CdcError('table.missing', 'the source has no such table any more')),
      );
    }
    return verdicts;
  } finally {
    await snapshot.close();
  }
}

async function existing(options: LookOptions, tables: readonly TableName[]): Promise<Set<string>> {
  const connection = await options.connect();
  try {
    const all = await readTables(connection, { tables: ['%.%'], exclude: [] }, options.signal);
    const names = new Set(all.map(formatTableName));
    return new Set(tables.map(formatTableName).filter((name) => names.has(name)));
  } finally {
    connection.destroy();
  }
}

/** What stands against one table holds up no other. */
async function verdictOn(
  options: LookOptions & { folder: string; snapshot: Snapshot; judge: Judge },
  name: TableName,
): Promise<TableVerdict> {
  const { snapshot, folder } = options;
  const key = formatTableName(name);
  const table = snapshot.tables.find((one) => formatTableName(one.name) === key);
  if (table === undefined) throw new Error(`${key} is not part of the snapshot`);
  const scratch = openLocalStore(join(folder, 'rows'));
  try {
    return await compareTable({
      ...options,
      table,
      appId: options.appIdOf(name),
      scratch,
    });
  } catch (error) {
    if (!(error instanceof CdcError) || !/^(verify|type|lake|ledger|definition)\./.test(error.code)) throw error;
    return failed(name, error);
  } finally {
    await rm(scratch.location, { recursive: true, force: true });
  }
}

function failed(name: TableName, { code, message, hint }: CdcError): TableVerdict {
  const none = { source_rows: 0, lake_rows: 0, missing: 0, extra: 0, different: 0, unsettled: 0, quarantined: 0 };
  return { ...name, ...none, keys: [], error: { code, message, ...(hint === undefined ? {} : { hint }) } };
}
