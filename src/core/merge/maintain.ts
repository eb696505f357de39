/** What a lake table needs now and then beside its merges, under its lease: old plans and data files that no version needs go. */

import type { TableName } from '../change.ts';
import { batchFolder, tableFolder } from '../change-file/layout.ts';
import type { LakeTable } from '../delta/lake-table.ts';
import { vacuumTable } from '../delta/maintenance.ts';
import { logRetentionMs } from '../delta/retention.ts';
import { readSnapshot, type Snapshot } from '../delta/snapshot.ts';
import type { Engine } from '../engine/engine.ts';
import type { Store } from '../store/store.ts';
import { type MergeLeaseRequest, withMergeLease } from './lake-lease.ts';
import { readPlan, seqOfKey } from './ledger.ts';
import { appIdOf } from './target-schema.ts';

export interface MaintainOptions extends MergeLeaseRequest {
  lake: Store;
  table: TableName;
  engine: Engine;
}

export interface MaintainReport {
  dataFiles: number;
  plans: number;
}

/** Says how many files went. */
export async function maintainTable(options: MaintainOptions): Promise<MaintainReport> {
  const { lake, table, engine } = options;
  const lakeTable: LakeTable = { store: lake, folder: tableFolder(table), engine };
  if ((await readSnapshot(lakeTable)) === undefined) return { dataFiles: 0, plans: 0 };
  return await withMergeLease(options, async (lease) => {
    const now = await lake.now();
    const assertHeld = () => lease.assertHeld();
    const dataFiles = await vacuumTable(lakeTable, { assertHeld, now });
    const snapshot = await readSnapshot(lakeTable);
    await assertHeld();
    return { dataFiles, plans: snapshot === undefined ? 0 : await cleanPlans(lake, table, snapshot, now) };
  });
}

/** This many of the newest plans stay whatever their age: the expiry of change files looks back at them. */
const PLANS_KEPT = 20;

/**
 * Plans go with the log versions they belong to: those older than the log's retention. The state stays, and so do the
 * plans of loose files, which say what has been applied.
 */
async function cleanPlans(lake: Store, table: TableName, snapshot: Snapshot, now: Date): Promise<number> {
  const txn = snapshot.txns.get(appIdOf(snapshot));
  if (txn === undefined) return 0;
  const state = await readPlan(lake, table, Number(txn.version));
  if (state.contents !== undefined) return 0;
  const cutoff = now.getTime() - logRetentionMs(snapshot.metaData.configuration);
  const plans = (await lake.list(batchFolder(table))).filter(({ key }) => seqOfKey(key) < state.seq);
  const old = plans.slice(0, -PLANS_KEPT).filter(({ modified }) => modified.getTime() < cutoff);
  for (const { key } of old) await lake.delete(key);
  return old.length;
}
