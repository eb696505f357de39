/** `verify` of a pipeline: every table that it follows, by its own capture or by DMS, against its source. */

import { connectSource } from '../binlog/connection.ts';
import { readCheckpoint, tablesOf } from '../capture/checkpoint.ts';
import { formatTableName, type TableName } from '../change.ts';
import { readLoadRecords } from '../change-file/load-record.ts';
import { changeNumber } from '../change-number.ts';
import { withEngine } from '../engine/engine.ts';
import { CdcError } from '../errors.ts';
import { readCurrentDmsEpochs } from '../merge/dms-staged.ts';
import { tableState } from '../merge/table-state.ts';
import { didYouMean } from '../nearest-word.ts';
import type { Progress } from '../progress.ts';
import type { TableVerdict } from '../verify/verdict.ts';
import { verifyTables } from '../verify/verify.ts';
import { verifyByTime } from '../verify/verify-by-time.ts';
import { catchUp } from './catch-up.ts';
import { mergeDmsFiles } from './dms-catch-up.ts';
import { listStagedTables } from './merge-pending.ts';
import type { Pipeline } from './pipeline.ts';

/** How the tables are judged that DMS writes, whose files say nothing of the source's position. */
export interface DmsVerify {
  /** How long a change may take from its commit to its file; what differs is looked at again after it. */
  settleMs: number;
  /** Merges everything that is pending, in place of this process. */
  mergeElsewhere?: (() => Promise<void>) | undefined;
}

/** DMS's own CdcMaxBatchInterval, unless an endpoint says otherwise. */
const SETTLE_MS = 60_000;

export async function verifyPipeline(options: {
  pipeline: Pipeline;
  /** These only; all when there are none. */
  only: readonly TableName[];
  dms?: Partial<DmsVerify>;
  progress: Progress;
  signal: AbortSignal;
}): Promise<TableVerdict[]> {
  const { pipeline, progress, signal } = options;
  const ours: TableName[] = [];
  const ofDms: TableName[] = [];
  for (const { name, writer } of await chosen(pipeline, options.only))
    if (pipeline.mergeOf(name).mode !== 'append') (writer === 'dms' ? ofDms : ours).push(name);
    else progress.warn(`${formatTableName(name)} keeps a history (mode: append): there is nothing to compare it with`);
  const address = await pipeline.address();
  return await withEngine({ ...pipeline.engineOptions, signal }, async (engine) => {
    const look = {
      connect: () => connectSource(address, { signal }),
      staging: pipeline.staging,
      lake: pipeline.lake,
      appIdOf: (table: TableName) => pipeline.mergeOf(table).appId,
      engine,
      scratchFolder: pipeline.config.stateFolder,
      maxFileBytes: pipeline.config.capture.maxFileBytes,
      signal,
      progress,
    };
    const verdicts = await verifyTables({
      ...look,
      tables: ours,
      places: () => placesOf(pipeline),
      catchUp: (position, waited) => catchUp({ pipeline, engine, tables: waited, position, signal, progress }),
    });
    if (ofDms.length === 0) return verdicts;
    const { settleMs = SETTLE_MS, mergeElsewhere } = options.dms ?? {};
    const byTime = await verifyByTime({
      ...look,
      tables: ofDms,
      settleMs,
      mergePending: (tables) => mergeDmsFiles({ pipeline, engine, tables, mergeElsewhere, signal, progress }),
      versionOf: async (table) => (await tableState({ ...pipeline.mergeOf(table), engine, signal }))?.version,
    });
    return [...verdicts, ...byTime.map((verdict) => ({ ...verdict, settle_seconds: Math.ceil(settleMs / 1000) }))];
  });
}

type Followed = { name: TableName; writer: 'cdc' | 'dms' };

/** Throws `table.not-followed`. */
async function chosen(pipeline: Pipeline, only: readonly TableName[]): Promise<Followed[]> {
  const followed = await followedTables(pipeline);
  const names = followed.map(({ name }) => formatTableName(name));
  const wanted = only.map(formatTableName);
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown !== undefined || followed.length === 0)
    throw new CdcError(
      'table.not-followed',
      `comparing ${unknown ?? 'the lake'} with the source: ${unknown === undefined ? 'no table is followed yet' : `it is not followed${didYouMean(unknown, names)}`}`,
      { hint: 'cdc replicate' },
    );
  return wanted.length > 0 ? followed.filter(({ name }) => wanted.includes(formatTableName(name))) : followed;
}

/** Capture's by its checkpoint, DMS's by the epochs that are written down beside its files. */
async function followedTables({ staging }: Pipeline): Promise<Followed[]> {
  const ours = tablesOf(await readCheckpoint(staging)).map(({ name }) => name);
  const followed = new Map<string, Followed>(
    ours.map((name) => [formatTableName(name), { name, writer: 'cdc' as const }]),
  );
  for (const name of await listStagedTables(staging)) {
    const epochs = await readCurrentDmsEpochs(staging, name, () => readLoadRecords(staging, name));
    if (epochs !== undefined) followed.set(formatTableName(name), { name, writer: 'dms' });
  }
  return [...followed.values()];
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
