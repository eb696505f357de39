/** What a pipeline's lake tables hold, in a few words: for the question that `destroy` asks. */

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatTableName } from '../change.ts';
import { withEngine } from '../engine/engine.ts';
import { countRows, readLakeTables } from '../query/lake-views.ts';
import { lakeTables } from './own-files.ts';
import type { Pipeline } from './pipeline.ts';

/** `shop.orders: 1,200 rows, …`; '' when no table has rows. */
export async function describeLake(pipeline: Pipeline): Promise<string> {
  const names = await lakeTables(pipeline);
  if (names.length === 0) return '';
  // Not in .cdc/, which is about to go, or gone already.
  return withEngine({ ...pipeline.engineOptions, tempDirectory: join(tmpdir(), 'cdc') }, async (engine) => {
    const tables = await readLakeTables(pipeline.lake, engine, names);
    return tables
      .map((found) => ({ name: formatTableName(found), rows: countRows(found.snapshot) }))
      .filter(({ rows }) => rows !== 0)
      .map(({ name, rows }) => `${name}: ${rows === undefined ? 'rows' : `${rows.toLocaleString('en-US')} rows`}`)
      .join(', ');
  });
}
