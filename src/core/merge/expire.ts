/** Takes merged change files, and what described them, out of staging once nobody can need them any more (contract.md 8). */

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TableName } from '../change.ts';
import { tableFolder } from '../change-file/layout.ts';
import { readLoadRecords } from '../change-file/load-record.ts';
import type { ChangeNumber } from '../change-number.ts';
import { readSnapshot } from '../delta/snapshot.ts';
import { type Engine, withEngine } from '../engine/engine.ts';
import type { Store, StoredObject } from '../store/store.ts';
import { expiredDmsFiles } from './expire-dms.ts';
import { expireRecords } from './expire-records.ts';
import { type Plan, readPlan, readState } from './ledger.ts';
import { compareEpochs, type KnownRanges } from './pending.ts';
import { listFiles } from './staged.ts';
import { appIdOf } from './target-schema.ts';

export interface ExpireOptions {
  staging: Store;
  lake: Store;
  table: TableName;
  /** As the table's properties say unless told. */
  appId?: string | undefined;
  /** How long a file stays after it was published. */
  keepMs: number;
  /** The number that a load in progress stands at: changes above it are still needed. */
  neededAbove?: ChangeNumber | undefined;
  known?: KnownRanges | undefined;
  engine?: Engine;
  signal?: AbortSignal | undefined;
}

/** So many commits must lie above the one that applied a file: a commit that Spark overwrites is applied again (delta.md 3). */
const COMMITS = 10;

/** Says which files went. */
export async function expireChangeFiles(options: ExpireOptions): Promise<string[]> {
  const { engine, signal } = options;
  if (engine !== undefined) return await expire(options, engine);
  return await withEngine({ tempDirectory: join(tmpdir(), 'cdc'), signal }, (own) => expire(options, own));
}

async function expire(options: ExpireOptions, engine: Engine): Promise<string[]> {
  const { staging, lake, table, keepMs, neededAbove, known } = options;
  const snapshot = await readSnapshot({ store: lake, folder: tableFolder(table), engine });
  const settled = await settledState(
    lake,
    table,
    await readState(lake, table, snapshot, options.appId ?? appIdOf(snapshot)),
  );
  const watermark = settled?.watermark.after;
  if (settled === undefined || watermark == null) return [];
  const cutoff = (await staging.now()).getTime() - keepMs;
  // Only what is old enough is read: of half-second files those of a few minutes, not those of a day.
  const isOld = ({ modified }: StoredObject) => modified.getTime() < cutoff;
  if (settled.dms !== undefined) {
    const expired = await expiredDmsFiles(staging, table, { settled: settled.dms, isOld });
    for (const key of expired) await staging.delete(key);
    return expired;
  }
  const { files } = await listFiles(staging, table, known ?? new Map(), isOld);
  const gone: string[] = [];
  for (const { key, last } of files)
    if (last <= watermark && !(neededAbove !== undefined && last > neededAbove)) gone.push(key);
  for (const record of await readLoadRecords(staging, table)) {
    // A load that has not been applied, and was not overtaken, is still to come.
    if (settled.epoch === null || compareEpochs(record, settled.epoch) > 0) continue;
    for (const { key } of record.files) {
      const object = await staging.stat(key);
      if (object !== undefined && isOld(object)) gone.push(key);
    }
  }
  for (const key of gone) {
    await staging.delete(key);
    known?.delete(key);
  }
  gone.push(...(await expireRecords({ staging, table, settled, cutoff: new Date(cutoff) })));
  return gone;
}

/** The state as it was `COMMITS` batches ago; undefined while there have been fewer. */
async function settledState(lake: Store, table: TableName, state: Plan | undefined): Promise<Plan | undefined> {
  let plan = state;
  for (let back = 0; back < COMMITS; back++) {
    if (plan === undefined || plan.previous === null) return undefined;
    plan = await readPlan(lake, table, plan.previous);
  }
  return plan;
}
