/** Which files of DMS nobody can need any more: those that a settled state has, or that lay before its load. */

import type { TableName } from '../change.ts';
import { dmsTime, readDmsEpochs } from '../change-file/dms-epoch.ts';
import { tableFolder } from '../change-file/layout.ts';
import { parseStagedName } from '../change-file/name.ts';
import type { Store, StoredObject } from '../store/store.ts';
import { timeOf } from './dms-file.ts';
import { beginOf, type DmsState } from './ledger.ts';

/** Their keys. What a load that has begun since may still need stays. */
export async function expiredDmsFiles(
  staging: Store,
  table: TableName,
  { settled, isOld }: { settled: DmsState; isOld(object: StoredObject): boolean },
): Promise<string[]> {
  const folder = tableFolder(table);
  const later = (await readDmsEpochs(staging, table)).filter(({ started }) => started > settled.epoch.started);
  const seconds = later.map(({ started }) => Math.floor(started.getTime() / 1000) * 1000);
  const neededFrom = seconds.length === 0 ? undefined : new Date(Math.min(...seconds));
  const applied = new Set(settled.applied.map(({ name }) => name));
  const start = dmsTime(beginOf(settled));
  return (await staging.list(folder)).flatMap((object) => {
    const name = object.key.slice(folder.length);
    const kind = parseStagedName(name)?.kind;
    if (!isOld(object) || (neededFrom !== undefined && object.modified >= neededFrom)) return [];
    if (kind === 'load') return [object.key];
    const isDone = applied.has(name) || timeOf(name) < start;
    const isNeeded = neededFrom !== undefined && timeOf(name) >= dmsTime(neededFrom);
    return kind === 'changes' && isDone && !isNeeded ? [object.key] : [];
  });
}
