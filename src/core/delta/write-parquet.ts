/** Writes data files: DuckDB makes Parquet of a SELECT, the store makes it durable under a name of its own. */

import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { duckdbTypeOf } from '../column-type.ts';
import type { EngineConnection } from '../engine/engine.ts';
import { quoteText } from '../engine/quote.ts';
import type { AddFile } from './actions.ts';
import type { LakeTable } from './lake-table.ts';
import type { LakeColumn } from './schema.ts';
import { formatStats, writtenFile } from './stats.ts';

export interface DataFileRequest {
  /** Gives the columns below, by name and in order, with exactly their types; its order is kept. */
  select: string;
  columns: readonly LakeColumn[];
  /** Lake names of the key's columns. */
  key: readonly string[];
  /** Where a file ends; 96 MiB unless told. */
  targetFileBytes?: number;
  now: Date;
}

const TARGET_FILE_BYTES = 96 * 1024 * 1024;

/**
 * Spark asks the file who wrote its dates: from 3.0 on they are Gregorian throughout, and not to be shifted before 1582.
 */
const KEY_VALUES = `{"org.apache.spark.version": '3.5.6'}`;

/** The files of a SELECT, durable but in no commit yet; none where it gives no rows. `connection` is the one that sees its tables. */
export async function writeDataFiles(
  table: LakeTable,
  connection: EngineConnection,
  request: DataFileRequest,
): Promise<AddFile[]> {
  const { select, columns, key, targetFileBytes = TARGET_FILE_BYTES, now } = request;
  await assertColumns(connection, select, columns);
  const folder = await table.store.scratchPath('data');
  await mkdir(folder, { recursive: true });
  try {
    const rows = await connection.rows(
      `COPY (${select}) TO ${quoteText(join(folder, 'files'))} ` +
        `(FORMAT parquet, COMPRESSION zstd, RETURN_STATS, FILE_SIZE_BYTES ${targetFileBytes}, KV_METADATA ${KEY_VALUES})`,
    );
    const adds: AddFile[] = [];
    for (const file of rows.map(writtenFile)) {
      if (file.count === 0) continue;
      const path = `part-${randomUUID()}.zstd.parquet`;
      // Durable before the commit that names it.
      await table.store.publish(file.filename, `${table.folder}${path}`);
      adds.push({
        path,
        partitionValues: {},
        size: file.sizeBytes,
        modificationTime: now.getTime(),
        dataChange: true,
        stats: formatStats(file, columns, key),
      });
    }
    return adds;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A column of another type would be written as another Delta type than the schema says (delta.md 1.3): a bug of the caller. */
async function assertColumns(
  connection: EngineConnection,
  select: string,
  columns: readonly LakeColumn[],
): Promise<void> {
  const duckdbNames: Record<string, string> = { REAL: 'FLOAT', TIMESTAMPTZ: 'TIMESTAMP WITH TIME ZONE' };
  const wanted = columns.map(({ lake, delta }) => {
    const type = duckdbTypeOf(delta);
    return `${lake} ${duckdbNames[type] ?? type}`;
  });
  const described = await connection.rows(`DESCRIBE ${select}`);
  const given = described.map((column) => `${column.column_name} ${column.column_type}`);
  if (given.join('\n') !== wanted.join('\n'))
    throw new Error(`a data file needs the columns ${wanted.join(', ')}; the statement gives ${given.join(', ')}`);
}
