/**
 * The keys that were written since a place in a table's history: the lake may be ahead of a snapshot of the source by these,
 * and by no others.
 */

import type { TableName } from '../change.ts';
import { readDefinitions } from '../change-file/definitions.ts';
import { ourLayout } from '../change-file/header.ts';
import { tableFolder } from '../change-file/layout.ts';
import { readLoadRecords } from '../change-file/load-record.ts';
import type { ChangeNumber } from '../change-number.ts';
import type { LakeColumn } from '../delta/schema.ts';
import type { EngineConnection } from '../engine/engine.ts';
import type { CsvSource } from '../merge/rows-sql.ts';
import { createRowTable, stageFiles } from '../merge/stage.ts';
import { listFiles } from '../merge/staged.ts';
import type { Store } from '../store/store.ts';

/** A place in a table's history; everything up to it is older than the snapshot. */
export interface Place {
  number: ChangeNumber;
  /** The last change file published up to there. */
  lastFile: string | undefined;
}

export interface WrittenKeysOptions {
  staging: Store;
  table: TableName;
  after: Place;
  /** The lake's watermark. */
  upTo: ChangeNumber;
  connection: EngineConnection;
  /** Columns of the lake's key. */
  key: readonly LakeColumn[];
}

export const WRITTEN = '"=written"';

/** Makes the table of these keys; false when any row may have been written: a load or a truncation came in between. */
export async function stageWrittenKeys(options: WrittenKeysOptions): Promise<boolean> {
  const { staging, table, after, upTo, connection, key } = options;
  const target = { connection, columns: key, key: key.map(({ lake }) => lake) };
  await createRowTable(target, WRITTEN);
  if (upTo <= after.number) return true;
  const records = await readLoadRecords(staging, table);
  if (records.some(({ number }) => number > after.number && number <= upTo)) return false;
  const folder = tableFolder(table);
  // Names only rise, so what was published before is not looked at.
  const isLater = (object: { key: string }) => after.lastFile === undefined || object.key > folder + after.lastFile;
  const { files } = await listFiles(staging, table, new Map(), isLater);
  const definitions = [...(await readDefinitions(staging, table)), ...records.map(({ definition }) => definition)];
  const sources: CsvSource[] = [];
  for (const file of files) {
    if (file.last <= after.number || file.first > upTo) continue;
    const definition = definitions
      .filter(({ number }) => number <= file.first)
      .sort((a, b) => (a.number < b.number ? 1 : -1))[0];
    if (definition === undefined) return false;
    const { key: label, size } = file;
    const layout = ourLayout(definition.columns.length);
    sources.push({ label, path: await staging.materialise(label), size, layout, definition });
  }
  const window = { after: after.number, end: upTo, taken: new Set<ChangeNumber>() };
  await stageFiles(target, WRITTEN, sources, { by: 'change', window });
  return true;
}
