/** Rows set aside: one file per batch, which counts once the batch is committed. */

import type { TableName } from '../change.ts';
import { quarantineFolder } from '../change-file/layout.ts';
import type { Store } from '../store/store.ts';
import type { Plan } from './ledger.ts';

export function quarantineKey(table: TableName, seq: number): string {
  return `${quarantineFolder(table)}${String(seq).padStart(12, '0')}/rows.jsonl`;
}

/** Rows in quarantine of every batch that was committed, the one that `state` is included. */
export async function countQuarantined(lake: Store, state: Plan): Promise<number> {
  const rows = await lake.getIfPresent(quarantineKey(state.definition, state.seq));
  return state.quarantinedBefore + (rows?.toString().split('\n').length ?? 1) - 1;
}
