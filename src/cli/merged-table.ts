/** What a merge did to one table, as `merge --json` and `trigger --json` print it. */

import { formatTableName } from '../core/change.ts';
import type { TableMergeReport } from '../core/merge/merge-table.ts';
import { count } from './table.ts';

/** One table of the report; fields are a promise (`merge --json`). */
export interface MergedTable {
  schema: string;
  table: string;
  files: number;
  changes: number;
  inserted: number;
  updated: number;
  deleted: number;
  quarantined: number;
  /** The lake table's version now; -1 where there is none yet. */
  version: number;
  seconds: number;
  /** Why something that is there is not merged yet. */
  waiting?: string;
  error?: { code: string; message: string; hint?: string };
}

/** Field by field: what the core adds to its report is no promise of ours. */
export function mergedTable(report: TableMergeReport): MergedTable {
  const { schema, table, files, changes, inserted, updated, deleted, quarantined, version, seconds, waiting } = report;
  const counts = { files, changes, inserted, updated, deleted, quarantined, version, seconds };
  return { schema, table, ...counts, ...(waiting !== undefined && { waiting }) };
}

/** One line of `merge --watch`. */
export function mergedSentence(table: MergedTable): string {
  const { files, changes, version, seconds } = table;
  return `${formatTableName(table)}: ${count(changes, 'change')} of ${count(files, 'file')} in version ${version} (${seconds.toFixed(2)} s)`;
}
