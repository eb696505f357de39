/** Takes load records and definitions that nobody can need any more out of staging: a table truncated every minute would have half a million of them in a year. */

import type { TableName } from '../change.ts';
import { definitionFolder } from '../change-file/layout.ts';
import { readLoadRecords } from '../change-file/load-record.ts';
import { parseChangeNumber } from '../change-number.ts';
import type { Store } from '../store/store.ts';
import type { Plan } from './ledger.ts';
import { compareEpochs } from './pending.ts';

export interface ExpireRecordsOptions {
  staging: Store;
  table: TableName;
  /** A state of the lake table that is old enough to count on. */
  settled: Plan;
  /** What is younger stays. */
  cutoff: Date;
}

/** Says which went. */
export async function expireRecords(options: ExpireRecordsOptions): Promise<string[]> {
  const gone = [...(await oldRecords(options)), ...(await oldDefinitions(options))];
  for (const key of gone) await options.staging.delete(key);
  return gone;
}

/** Overtaken by a later load or truncation, and without files. */
async function oldRecords({ staging, table, settled, cutoff }: ExpireRecordsOptions): Promise<string[]> {
  const { epoch } = settled;
  if (epoch === null) return [];
  const keys: string[] = [];
  for (const record of await readLoadRecords(staging, table)) {
    if (compareEpochs(record, epoch) >= 0 || record.modified >= cutoff) continue;
    const files = await Promise.all(record.files.map(({ key }) => staging.stat(key)));
    if (files.every((file) => file === undefined)) keys.push(record.key);
  }
  return keys;
}

/** Those with a later one that the lake has had for so long that no file of the one before is left. */
async function oldDefinitions({ staging, table, settled, cutoff }: ExpireRecordsOptions): Promise<string[]> {
  const folder = definitionFolder(table);
  const versions = (await staging.list(folder)).flatMap(({ key, modified }) => {
    const digits = /^(\d{19})\.json$/.exec(key.slice(folder.length))?.[1];
    return digits === undefined ? [] : [{ key, modified, number: parseChangeNumber(digits) }];
  });
  return versions.flatMap(({ key }, index) => {
    const next = versions[index + 1];
    return next !== undefined && next.number <= settled.definition.number && next.modified < cutoff ? [key] : [];
  });
}
