/** What the first commit of a lake table says, and how its schema changes later. */

import { randomUUID } from 'node:crypto';
import type { Action, AddFile, MetaData, RemoveFile } from './actions.ts';
import { DELETED_FILE_RETENTION, LOG_RETENTION } from './retention.ts';
import { formatSchema, type LakeColumn } from './schema.ts';

export interface TableRequest {
  columns: readonly LakeColumn[];
  /** Properties beside the retention, such as `cdc.appId`. */
  properties?: Record<string, string>;
  /** A day unless told: older versions and removed files are kept that long. */
  retention?: { log: string; deletedFiles: string };
  now: Date;
}

/** Protocol 1/2: every reader there is can read the table. */
export function createTableActions(request: TableRequest): Action[] {
  const { columns, properties = {}, retention, now } = request;
  const metaData: MetaData = {
    id: randomUUID(),
    format: { provider: 'parquet', options: {} },
    schemaString: formatSchema(columns),
    partitionColumns: [],
    createdTime: now.getTime(),
    configuration: {
      [LOG_RETENTION]: retention?.log ?? 'interval 1 day',
      [DELETED_FILE_RETENTION]: retention?.deletedFiles ?? 'interval 1 day',
      ...properties,
    },
  };
  return [{ protocol: { minReaderVersion: 1, minWriterVersion: 2 } }, { metaData }];
}

/** The remove that takes a live file out of the table. */
export function removeOf(file: AddFile, now: Date): RemoveFile {
  return {
    path: file.path,
    deletionTimestamp: now.getTime(),
    dataChange: true,
    extendedFileMetadata: true,
    partitionValues: file.partitionValues,
    size: file.size,
    ...(file.deletionVector === undefined ? {} : { deletionVector: file.deletionVector }),
  };
}
