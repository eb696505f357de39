/** Whether something new of a table lies in staging since the last look, for those whom nobody tells. */

import type { TableName } from '../change.ts';
import { dmsEpochFolder, loadRecordFolder, tableFolder } from '../change-file/layout.ts';
import { parseStagedName } from '../change-file/name.ts';
import type { Store } from '../store/store.ts';

/** What was seen of a table: the last change file, and how many records of loads. */
export interface Seen {
  lastFile: string;
  records: number;
}

/** Names of change files only rise, so only what comes after the last one is listed; loads count by their records. */
export async function seeNew(staging: Store, table: TableName, seen: Seen): Promise<boolean> {
  const folder = tableFolder(table);
  const after = seen.lastFile === '' ? {} : { after: seen.lastFile };
  const [objects, loads, epochs] = await Promise.all([
    staging.list(folder, after),
    staging.list(loadRecordFolder(table)),
    staging.list(dmsEpochFolder(table)),
  ]);
  const files = objects.filter(({ key }) => parseStagedName(key.slice(folder.length))?.kind === 'changes');
  const records = loads.length + epochs.length;
  const isNew = files.length > 0 || records > seen.records;
  seen.lastFile = files.at(-1)?.key ?? seen.lastFile;
  seen.records = records;
  return isNew;
}
