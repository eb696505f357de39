/** Files, then the checkpoint: after it the binlog up to there may be forgotten (contract.md 1). */

import { formatTableName } from '../change.ts';
import { tableFolder } from '../change-file/layout.ts';
import { changeNumber } from '../change-number.ts';
import { reach } from '../crash-point.ts';
import { CdcError } from '../errors.ts';
import type { Lease } from '../store/lease.ts';
import type { Store } from '../store/store.ts';
import type { Checkpoint, CheckpointWriter, TableCheckpoint } from './checkpoint.ts';
import type { FollowedTable } from './followed-table.ts';
import type { PublishedFile } from './table-file.ts';

export interface PublishOptions {
  staging: Store;
  writer: CheckpointWriter;
  lease: Lease;
  tables: Iterable<FollowedTable>;
  /** Entries of tables that are not followed any more; they stay as they are. */
  parked: Readonly<Record<string, TableCheckpoint>>;
  /** Everything but the tables; its position is the end of the last transaction in the files. */
  checkpoint: Omit<Checkpoint, 'tables' | 'writtenAt' | 'lease'>;
}

export interface Published {
  checkpoint: Checkpoint;
  files: { table: FollowedTable; file: PublishedFile }[];
}

/** Publishes every open file and writes the checkpoint. Call between transactions only. */
export async function publishFiles(options: PublishOptions): Promise<Published> {
  const { writer, lease } = options;
  const tables = [...options.tables];
  await lease.assertHeld();
  const files: Published['files'] = [];
  for (const table of tables) {
    const file = await publishFile(options.staging, table);
    if (file !== undefined) files.push({ table, file });
  }
  const entries = Object.fromEntries(tables.map((table) => [formatTableName(table.name), table.checkpoint()]));
  const checkpoint: Checkpoint = {
    ...options.checkpoint,
    lease: lease.generation,
    tables: { ...options.parked, ...entries },
    writtenAt: new Date().toISOString(),
  };
  await writer.write(checkpoint);
  reach('capture.checkpointed');
  for (const table of tables) table.saved = entries[formatTableName(table.name)] ?? table.saved;
  return { checkpoint, files };
}

async function publishFile(staging: Store, table: FollowedTable): Promise<PublishedFile | undefined> {
  const { file } = table;
  if (file === undefined) return undefined;
  table.file = undefined;
  const key = tableFolder(table.name) + table.nextFileName(new Date());
  if (!(await file.publish(staging, key, () => reach('capture.synced'))))
    throw new CdcError('capture.name-taken', `publishing ${staging.location}/${key}: a file of this name is there`, {
      hint: 'nothing is lost: its changes are captured again under the next name',
    });
  reach('capture.published');
  table.markDurable();
  return {
    key,
    size: file.size,
    first: changeNumber(table.run, table.fileFirst),
    last: table.last,
    changes: table.number - table.fileFirst + 1,
  };
}
