/** Writes checkpoints with DuckDB, and the hint where the newest is. */

import { rm } from 'node:fs/promises';
import { reach } from '../crash-point.ts';
import { quoteName, quotePaths, quoteText } from '../engine/quote.ts';
import { writeSynced } from '../store/durable.ts';
import { CHECKPOINT_COLUMNS } from './checkpoint.ts';
import { checkpointKey, type LakeTable, lastCheckpointKey } from './lake-table.ts';
import { rawJson } from './raw-json.ts';
import { deletedFileRetentionMs } from './retention.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * Writes the checkpoint of a snapshot and then the hint. Only under the table's lease, with a snapshot below the tip read
 * from the log (contract.md 9): no one can then replace the commit it stands for. A crash between the two is harmless.
 */
export async function writeCheckpoint(table: LakeTable, snapshot: Snapshot, now: Date): Promise<void> {
  const { store, engine, folder } = table;
  const expired = now.getTime() - deletedFileRetentionMs(snapshot.metaData.configuration);
  const lines = checkpointLines(snapshot, expired);
  // DuckDB takes twice this much memory a thread at once.
  const longestLine = lines.reduce((longest, line) => Math.max(longest, Buffer.byteLength(line)), 1_000_000) + 1;
  const source = await store.scratchPath('checkpoint.ndjson');
  const target = await store.scratchPath('checkpoint.parquet');
  try {
    await writeSynced(source, lines.join('\n'));
    const columns = Object.entries(CHECKPOINT_COLUMNS).map(([name, type]) => `${quoteName(name)}: ${quoteText(type)}`);
    await engine.withConnection((connection) =>
      connection.run(
        `COPY (SELECT * FROM read_json(${quotePaths([source])}, format='newline_delimited', maximum_object_size=${longestLine}, columns={${columns.join(', ')}})) ` +
          `TO ${quoteText(target)} (FORMAT parquet, COMPRESSION zstd)`,
      ),
    );
    const key = checkpointKey(folder, snapshot.version);
    // Taken: a run before this one wrote it and did not come to the hint.
    await store.publish(target, key);
    reach('lake.checkpoint-written');
    const size = (await store.stat(key))?.size ?? 0;
    const hint = {
      version: snapshot.version,
      size: lines.length,
      sizeInBytes: size,
      numOfAddFiles: snapshot.files.size,
    };
    await store.put(lastCheckpointKey(folder), JSON.stringify(hint));
  } finally {
    await rm(source, { force: true });
    await rm(target, { force: true });
  }
}

function checkpointLines(snapshot: Snapshot, expired: number): string[] {
  const removed = [...snapshot.tombstones.values()].filter((remove) => (remove.deletionTimestamp ?? 0) > expired);
  return [
    rawJson({ protocol: snapshot.protocol }),
    rawJson({ metaData: snapshot.metaData }),
    ...[...snapshot.txns.values()].map((txn) => rawJson({ txn })),
    ...removed.map((remove) => rawJson({ remove: { ...remove, dataChange: false } })),
    ...[...snapshot.files.values()].map((add) => rawJson({ add: { ...add, dataChange: false } })),
  ];
}
