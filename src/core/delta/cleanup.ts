/** Takes away what no version that can still be read needs: old files of the log, and data files that were removed. */

import { objectPath } from './actions.ts';
import { type LakeTable, logFolder, parseLogFile } from './lake-table.ts';
import { deletedFileRetentionMs, logRetentionMs } from './retention.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * Deletes commits and checkpoints older than the table's log retention, up to the newest checkpoint of that age, which
 * stays with its own commit (readers ask for both). Without such a checkpoint nothing goes. Only under the table's lease.
 * Says how many files went.
 */
export async function cleanLog(table: LakeTable, snapshot: Snapshot, now: Date): Promise<number> {
  const cutoff = now.getTime() - logRetentionMs(snapshot.metaData.configuration);
  const folder = logFolder(table.folder);
  const log = (await table.store.list(folder)).flatMap((object) => {
    const file = parseLogFile(object.key.slice(folder.length));
    return file === undefined ? [] : [{ key: object.key, file, modified: object.modified.getTime() }];
  });
  const commits = new Map(
    log.filter(({ file }) => file.kind === 'commit').map(({ file, modified }) => [file.version, modified]),
  );
  const kept = log
    .filter(({ file }) => file.kind === 'checkpoint' && file.parts === 1 && file.version < snapshot.version)
    .map(({ file }) => file.version)
    .filter((version) => (commits.get(version) ?? Number.POSITIVE_INFINITY) <= cutoff);
  const first = Math.max(-1, ...kept);
  // Oldest first: whatever a crash leaves is a log without gaps.
  const old = log.filter(({ file }) => file.version < first).sort((a, b) => a.file.version - b.file.version);
  for (const { key } of old) await table.store.delete(key);
  return old.length;
}

/**
 * Deletes files in the table's folder that neither the snapshot nor a removal within the retention names, and that are
 * older than it: a writer under way has files that no commit names yet. Nothing under `_…` or `.…` is looked at.
 * Only under the table's lease. Says how many files went.
 */
export async function vacuum(table: LakeTable, snapshot: Snapshot, now: Date): Promise<number> {
  const cutoff = now.getTime() - deletedFileRetentionMs(snapshot.metaData.configuration);
  const recentlyRemoved = [...snapshot.tombstones.values()].filter((file) => (file.deletionTimestamp ?? 0) > cutoff);
  const needed = new Set([...snapshot.files.values(), ...recentlyRemoved].map((file) => objectPath(file.path)));
  let deleted = 0;
  for (const { key, modified } of await table.store.list(table.folder)) {
    const path = key.slice(table.folder.length);
    if (isHidden(path) || needed.has(path) || modified.getTime() > cutoff) continue;
    await table.store.delete(key);
    deleted++;
  }
  return deleted;
}

function isHidden(path: string): boolean {
  // A deletion vector's file is named by an encoded uuid inside an action, not by a path: left alone.
  return path.split('/').some((part) => /^(_|\.|deletion_vector_)/.test(part));
}
