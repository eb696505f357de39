/** Reads checkpoints: the whole state of a table in one Parquet file, so that a reader need not replay every commit. */

import { z } from 'zod';
import { quoteName, quotePaths } from '../engine/quote.ts';
import { CdcError, messageOf } from '../errors.ts';
import { type Action, actionFromJson } from './actions.ts';
import { type LakeTable, lastCheckpointKey } from './lake-table.ts';
import { parseRawJson } from './raw-json.ts';

const TEXTS = 'MAP(VARCHAR, VARCHAR)';
const VECTOR =
  'STRUCT(storageType VARCHAR, pathOrInlineDv VARCHAR, "offset" INTEGER, sizeInBytes INTEGER, cardinality BIGINT)';

/** The Parquet columns, in DuckDB's words: one per kind of action. */
export const CHECKPOINT_COLUMNS = {
  txn: 'STRUCT(appId VARCHAR, version BIGINT, lastUpdated BIGINT)',
  add: `STRUCT(path VARCHAR, partitionValues ${TEXTS}, size BIGINT, modificationTime BIGINT, dataChange BOOLEAN, tags ${TEXTS}, deletionVector ${VECTOR}, stats VARCHAR)`,
  remove: `STRUCT(path VARCHAR, deletionTimestamp BIGINT, dataChange BOOLEAN, extendedFileMetadata BOOLEAN, partitionValues ${TEXTS}, size BIGINT, deletionVector ${VECTOR})`,
  metaData: `STRUCT(id VARCHAR, name VARCHAR, description VARCHAR, format STRUCT(provider VARCHAR, options ${TEXTS}), schemaString VARCHAR, partitionColumns VARCHAR[], createdTime BIGINT, configuration ${TEXTS})`,
  protocol:
    'STRUCT(minReaderVersion INTEGER, minWriterVersion INTEGER, readerFeatures VARCHAR[], writerFeatures VARCHAR[])',
};

/** The actions of a checkpoint, of one part or several, whoever wrote it. Throws CdcError `lake.corrupt`, `store.not-found`. */
export async function readCheckpoint(table: LakeTable, keys: readonly string[]): Promise<Action[]> {
  const paths = quotePaths(await Promise.all(keys.map((key) => table.store.materialise(key))));
  try {
    return await table.engine.withConnection(async (connection) => {
      const source = `read_parquet(${paths}, union_by_name=true)`;
      const described = await connection.rows(`DESCRIBE SELECT * FROM ${source}`);
      const present = Object.keys(CHECKPOINT_COLUMNS).filter((name) =>
        described.some((column) => column.column_name === name),
      );
      const actions: Action[] = [];
      for (const name of present) {
        const column = quoteName(name);
        // As text: to_json prints 64-bit integers whole.
        for (const row of await connection.rows(
          `SELECT to_json(${column})::VARCHAR AS action FROM ${source} WHERE ${column} IS NOT NULL`,
        ))
          if (typeof row.action === 'string') actions.push(actionFromJson({ [name]: parseRawJson(row.action) }));
      }
      return actions;
    });
  } catch (error) {
    if (error instanceof CdcError) throw error;
    throw new CdcError(
      'lake.corrupt',
      `reading ${table.store.location}/${keys[0]}: it is not a checkpoint of a Delta log (${messageOf(error)})`,
      {
        hint: 'delete the checkpoint if every commit from version 0 is there; else bring it back from a copy',
        cause: error,
      },
    );
  }
}

const hintFile = z.looseObject({ version: z.int() });

/** The version that `_last_checkpoint` names. Only a hint: undefined on any doubt. */
export async function readCheckpointHint(table: LakeTable): Promise<number | undefined> {
  const body = await table.store.getIfPresent(lastCheckpointKey(table.folder));
  if (body === undefined) return undefined;
  try {
    return hintFile.parse(JSON.parse(body.toString())).version;
  } catch {
    return undefined;
  }
}
