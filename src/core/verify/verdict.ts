/** What a comparison says of one table. */

import type { TableName } from '../change.ts';

export type DifferenceKind = 'missing' | 'extra' | 'different';

export interface WrongRow {
  kind: DifferenceKind;
  /** The key's values as text, in key order. */
  key: string[];
}

export interface TableVerdict extends TableName {
  source_rows: number;
  lake_rows: number;
  missing: number;
  extra: number;
  different: number;
  /** Rows that differ and were being written in every comparison: whether they are right cannot be said. */
  unsettled: number;
  /** Of a table that DMS writes: rows that differed were looked at again after so long, for its files name no position. */
  settle_seconds?: number;
  /** Rows of the lake's last batches that were set aside, because they did not fit. */
  quarantined: number;
  /** The first keys of the rows that are not right. */
  keys: WrongRow[];
  /** Why the table could not be compared. */
  error: { code: string; message: string; hint?: string } | null;
}

export function wrongRows(verdict: Pick<TableVerdict, DifferenceKind>): number {
  return verdict.missing + verdict.extra + verdict.different;
}

/** Nothing is wrong, as far as it could be said. */
export function isEqual(verdict: TableVerdict): boolean {
  return verdict.error === null && wrongRows(verdict) === 0;
}
