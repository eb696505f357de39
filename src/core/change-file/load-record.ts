/**
 * The record that makes a load count (contract.md 4): `_cdc/loads/<schema>/<table>/<number>.json`, put-if-absent, named by
 * the change number the load stands at. LOAD files that no record lists do not exist for merge.
 */

import { z } from 'zod';
import { formatTableName, type TableName } from '../change.ts';
import { type ChangeNumber, formatChangeNumber, parseChangeNumber } from '../change-number.ts';
import { CdcError, messageOf } from '../errors.ts';
import type { Store } from '../store/store.ts';
import { definitionFromJson, definitionToJson, type TableDefinition } from '../table-definition.ts';
import { loadRecordFolder } from './layout.ts';

export interface LoadFile {
  /** Relative to staging. */
  key: string;
  /** Bytes. */
  size: number;
  rows: number;
}

export interface LoadRecord extends TableName {
  format: 1;
  /** `load`: a full load; `truncate`: the table was emptied at this number; `start`: followed from a position without a load. */
  kind: 'load' | 'truncate' | 'start';
  /** The number the load stands at; changes up to it are part of it. */
  number: ChangeNumber;
  /** Where in the binlog that is, as `file:offset`. */
  position: string;
  /** The table as the load read it. */
  definition: TableDefinition;
  files: LoadFile[];
}

const recordFile = z.object({
  format: z.literal(1),
  schema: z.string(),
  table: z.string(),
  kind: z.enum(['load', 'truncate', 'start']),
  number: z.string().transform(parseChangeNumber),
  position: z.string(),
  definition: definitionFromJson,
  files: z.array(z.object({ key: z.string(), size: z.number(), rows: z.number() })),
});

/** Publishes the record: from here the load counts. A second record at the same number gets `-2`, `-3` …; the same record again is nothing new. */
export async function publishLoadRecord(staging: Store, record: LoadRecord): Promise<void> {
  const body = JSON.stringify(
    { ...record, number: formatChangeNumber(record.number), definition: definitionToJson(record.definition) },
    null,
    2,
  );
  const base = `${loadRecordFolder(record)}${formatChangeNumber(record.number)}`;
  for (let attempt = 1; ; attempt++) {
    const key = attempt === 1 ? `${base}.json` : `${base}-${attempt}.json`;
    if (await staging.putIfAbsent(key, body)) return;
    if ((await staging.get(key)).toString() === body) return;
  }
}

/** A record as it lies in staging. */
export interface StoredLoadRecord extends LoadRecord {
  key: string;
  /** 1, or the `2`, `3` … of a later record at the same number. */
  suffix: number;
  /** When it was published. */
  modified: Date;
}

/** All records of a table by number, then by suffix: the order in which they replace the table. Throws CdcError `load.corrupt`. */
export async function readLoadRecords(staging: Store, table: TableName): Promise<StoredLoadRecord[]> {
  const objects = await staging.list(loadRecordFolder(table));
  const records = await Promise.all(
    objects.map(async ({ key }) => {
      const body = await staging.get(key);
      try {
        return recordFile.parse(JSON.parse(body.toString()));
      } catch (error) {
        throw new CdcError(
          'load.corrupt',
          `reading ${staging.location}/${key}: it is not the record of a load (${messageOf(error)})`,
          { hint: `cdc reload ${formatTableName(table)}`, cause: error },
        );
      }
    }),
  );
  return records
    .map((record, index): StoredLoadRecord => {
      const { key = '', modified = new Date(0) } = objects[index] ?? {};
      return { ...record, key, suffix: Number(/-(\d+)\.json$/.exec(key)?.[1] ?? 1), modified };
    })
    .sort((a, b) => (a.number < b.number ? -1 : a.number > b.number ? 1 : a.suffix - b.suffix));
}
