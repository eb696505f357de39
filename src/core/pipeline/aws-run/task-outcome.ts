/** The truth about a replication task: DMS lets tasks "end successfully" with tables that failed or were never loaded. Pure. */

import type { ReplicationTask, TableStatistics } from '../../aws/dms-task.ts';
import { formatTableName } from '../../change.ts';

export interface TableTrouble {
  /** `schema.table` */
  table: string;
  /** Why, in DMS's words where it has some. */
  reason: string;
}

const LOADED = 'Table completed';
/** States that never get better by themselves. */
const BROKEN: Readonly<Record<string, string>> = {
  'Table error': 'DMS stopped it after an error',
  'Table cancelled': 'its load was cancelled',
  'Table does not exist': 'the source has no such table any more',
};

/** Ends that are none of a failure. */
const GOOD_ENDS: ReadonlySet<string> = new Set([
  'NORMAL',
  'FULL_LOAD_ONLY_FINISHED',
  'STOPPED_AFTER_FULL_LOAD',
  'STOPPED_AFTER_CACHED_EVENTS',
  'STOPPED_AFTER_DDL_APPLY',
  'STOPPED_AT_SERVER_TIME',
  'STOPPED_AT_COMMIT_TIME',
]);

/** Tables that are wrong, whatever the task itself says. */
export function tableTroubles(tables: readonly TableStatistics[]): TableTrouble[] {
  return tables.flatMap((table) => {
    const reason =
      BROKEN[table.state] ??
      (table.loadErrorRows > 0 ? `${table.loadErrorRows} of its rows were not written` : undefined);
    return reason === undefined ? [] : [{ table: formatTableName(table), reason: `${reason} (${table.state})` }];
  });
}

/** Whether a load is over: every table has come to an end, good or bad. */
export function isLoadOver(tables: readonly TableStatistics[]): boolean {
  return tables.length > 0 && tables.every((table) => table.state === LOADED || table.state in BROKEN);
}

/** Why a load that is over is not whole; empty when it is. `expected`: the tables the source has, where they are known. */
export function loadTroubles(
  task: Pick<ReplicationTask, 'tables'>,
  tables: readonly TableStatistics[],
  expected: readonly string[] = [],
): TableTrouble[] {
  const troubles = tableTroubles(tables);
  const known = new Set(troubles.map(({ table }) => table));
  for (const table of tables) {
    const name = formatTableName(table);
    if (table.state !== LOADED && !known.has(name))
      troubles.push({ table: name, reason: `it was not loaded to the end (${table.state})` });
  }
  const seen = new Set(tables.map(formatTableName));
  for (const name of expected)
    if (!seen.has(name)) troubles.push({ table: name, reason: 'DMS did not load it: its user may lack the right to' });
  const { errored, queued, loading } = task.tables;
  if (troubles.length === 0 && errored + queued + loading > 0)
    troubles.push({
      table: `${errored + queued + loading} tables`,
      reason: `DMS counts ${errored} with errors, ${queued} queued and ${loading} loading`,
    });
  return troubles;
}

/** Why a task that does not run any more has failed; undefined for one that was stopped, or has done its work. */
export function taskFailure(task: Pick<ReplicationTask, 'status' | 'stopReason' | 'failure'>): string | undefined {
  const { status, stopReason, failure } = task;
  const isBad = status === 'failed' || (stopReason !== undefined && !GOOD_ENDS.has(stopReason));
  if (!isBad) return undefined;
  return failure ?? stopReason ?? 'DMS does not say why';
}
