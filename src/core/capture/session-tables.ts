/** The tables of a session: those it follows, and the entries of those that are stopped or not loaded, which it carries on. */

import { formatTableName } from '../change.ts';
import { CdcError } from '../errors.ts';
import { type StopReason, type TableCheckpoint, tablesOf } from './checkpoint.ts';
import { FollowedTable } from './followed-table.ts';
import type { SessionOptions } from './session-options.ts';

export class SessionTables {
  /** By `schema.table`. */
  readonly followed = new Map<string, FollowedTable>();
  readonly parked: Record<string, TableCheckpoint> = {};
  /** A table could not be opened, which no checkpoint says yet. */
  stoppedNow = false;
  /** Stopped, and what came before the stop is to be published. */
  readonly #ending = new Set<FollowedTable>();

  /** Follows the table no longer. */
  park(table: FollowedTable): void {
    this.followed.delete(formatTableName(table.name));
    this.#ending.add(table);
  }

  /** Those whose files and entries the next checkpoint takes. */
  open(): FollowedTable[] {
    return [...this.followed.values(), ...this.#ending];
  }

  /** A checkpoint was written. */
  settle(): void {
    for (const table of this.#ending) this.parked[formatTableName(table.name)] = table.saved;
    this.#ending.clear();
  }

  discardFiles(): void {
    for (const table of this.open()) table.discardFile();
  }
}

/** A table whose definition is gone is stopped; it holds up no other. */
export async function openTables(options: SessionOptions): Promise<SessionTables> {
  const tables = new SessionTables();
  for (const { name, entry } of tablesOf(options.checkpoint)) {
    const key = formatTableName(name);
    if (entry.stopped !== undefined || !entry.loaded) {
      tables.parked[key] = entry;
      continue;
    }
    try {
      tables.followed.set(key, await FollowedTable.open(options.staging, name, entry));
    } catch (error) {
      if (!(error instanceof CdcError) || !error.code.startsWith('definition.')) throw error;
      const stopped: StopReason = { code: error.code, message: error.message, hint: `cdc reload ${key}` };
      tables.parked[key] = { ...entry, stopped, stoppedAt: options.checkpoint.position };
      tables.stoppedNow = true;
      options.onStopped(name, stopped);
    }
  }
  return tables;
}
