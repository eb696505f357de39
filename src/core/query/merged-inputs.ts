/** Which files the batches of a lake table have read, as far back as the plans go. */

import type { TableName } from '../change.ts';
import { CdcError } from '../errors.ts';
import { type Plan, type PlanInput, readPlan } from '../merge/ledger.ts';
import type { TableState } from '../merge/table-state.ts';
import type { Store } from '../store/store.ts';

export interface MergedInput extends PlanInput {
  /** The lake table's version that its batch made. */
  version: number;
}

/** The newest first. */
export async function mergedInputs(
  lake: Store,
  table: TableName,
  state: TableState | undefined,
): Promise<MergedInput[]> {
  const inputs: MergedInput[] = [];
  for (let seq: number | null = state?.seq ?? null; seq !== null; ) {
    let plan: Plan;
    try {
      plan = await readPlan(lake, table, seq);
    } catch (error) {
      // Old plans go with the log's old versions.
      if (error instanceof CdcError && seq !== state?.seq) return inputs;
      throw error;
    }
    // Only the commit right after the version it builds on makes a plan count.
    const version = (plan.version ?? -1) + 1;
    inputs.push(...plan.inputs.map((input) => ({ ...input, version })));
    seq = plan.previous;
  }
  return inputs;
}

/** In which version each file was merged; the last time, where a batch read it again. */
export function versionsOf(inputs: readonly MergedInput[]): Map<string, number> {
  const versions = new Map<string, number>();
  for (const { key, version } of inputs) if (!versions.has(key)) versions.set(key, version);
  return versions;
}
