/** LOAD files among those of other loads of their table: the number of the next, and those that no load will ever list. */

import type { TableName } from '../change.ts';
import { tableFolder } from '../change-file/layout.ts';
import { readLoadRecords } from '../change-file/load-record.ts';
import { loadNumberOf } from '../change-file/name.ts';
import type { Store } from '../store/store.ts';

/**
 * LOAD numbers go on over epochs, so that a file of an old load is never taken for one of the new: not even when the old
 * one has left staging, for its record still names it.
 */
export async function nextLoadNumber(staging: Store, table: TableName): Promise<number> {
  const folder = tableFolder(table);
  const keys = [...(await staging.list(`${folder}LOAD`)).map(({ key }) => key), ...(await listedKeys(staging, table))];
  return 1 + keys.reduce((most, key) => Math.max(most, loadNumberOf(key.slice(folder.length)) ?? 0), 0);
}

const OUR_HEADER = 'Op,cdc_ts,';

/** Deletes what loads that were killed left behind. Call under the capture's lease: no other load is under way then. */
export async function removeUnlistedLoads(staging: Store, table: TableName): Promise<void> {
  const folder = tableFolder(table);
  const listed = await listedKeys(staging, table);
  for (const { key } of await staging.list(`${folder}LOAD`)) {
    if (listed.has(key) || loadNumberOf(key.slice(folder.length)) === undefined) continue;
    // A file that another program wrote is not ours to delete.
    const start = await staging.getRange(key, 0, OUR_HEADER.length);
    if (start.toString() === OUR_HEADER) await staging.delete(key);
  }
}

async function listedKeys(staging: Store, table: TableName): Promise<Set<string>> {
  const records = await readLoadRecords(staging, table);
  return new Set(records.flatMap(({ files }) => files.map(({ key }) => key)));
}
