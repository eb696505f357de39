/** `verify` of a pipeline: every table that it follows, at one position of its source. */

import { connectSource } from '../binlog/connection.ts';
import { readCheckpoint, tablesOf } from '../capture/checkpoint.ts';
import { formatTableName, type TableName } from '../change.ts';
import { changeNumber } from '../change-number.ts';
import { withEngine } from '../engine/engine.ts';
import { CdcError } from '../errors.ts';
import { didYouMean } from '../nearest-word.ts';
import type { Progress } from '../progress.ts';
import type { TableVerdict } from '../verify/verdict.ts';
import { verifyTables } from '../verify/verify.ts';
import { catchUp } from './catch-up.ts';
import type { Pipeline } from './pipeline.ts';

export async function verifyPipeline(options: {
  pipeline: Pipeline;
  /** These only; all when there are none. */
  only: readonly TableName[];
  progress: Progress;
  signal: AbortSignal;
}): Promise<TableVerdict[]> {
  const { pipeline, progress, signal } = options;
  const tables: TableName[] = [];
  for (const name of await chosen(pipeline, options.only))
    if (pipeline.mergeOf(name).mode !== 'append') tables.push(name);
    else progress.warn(`${formatTableName(name)} keeps a history (mode: append): there is nothing to compare it with`);
  const address = await pipeline.address();
  return await withEngine({ ...pipeline.engineOptions, signal }, (engine) =>
    verifyTables({
      connect: () => connectSource(address, { signal }),
      tables,
      staging: pipeline.staging,
      lake: pipeline.lake,
      appIdOf: (table) => pipeline.mergeOf(table).appId,
      engine,
      places: () => placesOf(pipeline),
      catchUp: (position, waited) => catchUp({ pipeline, engine, tables: waited, position, signal, progress }),
      scratchFolder: pipeline.config.stateFolder,
      maxFileBytes: pipeline.config.capture.maxFileBytes,
      signal,
      progress,
    }),
  );
}

/** Throws `table.not-followed`. */
async function chosen(pipeline: Pipeline, only: readonly TableName[]): Promise<TableName[]> {
  const followed = tablesOf(await readCheckpoint(pipeline.staging)).map(({ name }) => name);
  const names = followed.map(formatTableName);
  const unknown = only.map(formatTableName).find((name) => !names.includes(name));
  if (unknown !== undefined || followed.length === 0)
    throw new CdcError(
      'table.not-followed',
      `comparing ${unknown ?? 'the lake'} with the source: ${unknown === undefined ? 'no table is followed yet' : `it is not followed${didYouMean(unknown, names)}`}`,
      { hint: 'cdc replicate' },
    );
  return only.length > 0 ? [...only] : followed;
}

async function placesOf(pipeline: Pipeline) {
  const entries = tablesOf(await readCheckpoint(pipeline.staging));
  return new Map(
    entries.map(({ name, entry: { run, number, lastFile } }) => [
      formatTableName(name),
      { number: changeNumber(run, number), lastFile },
    ]),
  );
}
