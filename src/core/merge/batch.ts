/** One batch from its plan to its commit: plan, data files, one commit with `txn`, clean-up (contract.md 8). */

import { formatTableName } from '../change.ts';
import { reach } from '../crash-point.ts';
import { type Action, objectPath } from '../delta/actions.ts';
import { commitVersion } from '../delta/commit.ts';
import { assertWritable } from '../delta/gate.ts';
import type { LakeTable } from '../delta/lake-table.ts';
import { maintainLog } from '../delta/maintenance.ts';
import type { Snapshot } from '../delta/snapshot.ts';
import type { EngineConnection } from '../engine/engine.ts';
import { CdcError, messageOf, throwIfCancelled } from '../errors.ts';
import type { Progress } from '../progress.ts';
import type { Lease } from '../store/lease.ts';
import { appendHistory } from './append.ts';
import { type Applied, type ApplyOptions, applyChanges, type DataFileSizes, replaceTable } from './apply.ts';
import { checkNumbers } from './check-numbers.ts';
import { assertUnchanged, type InputState } from './inputs.ts';
import { type Plan, putPlan } from './ledger.ts';
import { quarantineKey } from './quarantine.ts';
import type { CsvSource } from './rows-sql.ts';
import {
  CHANGES,
  countRows,
  createRowTable,
  findDoubleKey,
  LOADED,
  type Numbering,
  reduceToLatest,
  type StageOptions,
  stageFiles,
} from './stage.ts';
import { APP_ID, targetSchema } from './target-schema.ts';
import { takeUnfitRows, type UnfitRow } from './unfit.ts';

/** A file of a load, and how many rows it must have, where that is known. */
export interface LoadSource extends CsvSource {
  rows: number | undefined;
}

export interface BatchRequest {
  table: LakeTable;
  lease: Lease;
  snapshot: Snapshot | undefined;
  /** The plan that the log names now. */
  state: Plan | undefined;
  /** Everything but its number. */
  plan: Omit<Plan, 'seq'>;
  loads: readonly LoadSource[];
  changes: readonly CsvSource[];
  numbering: Numbering;
  /** Rows that the change files have together, where that is known. */
  expectedRows?: number;
  /** Rows that the load has at least, where its files do not say how many each. */
  leastLoadRows?: number;
  /** Some of the changes may be in the table already; of DMS only, for a history. */
  repeats?: boolean;
  inputs: readonly InputState[];
  sizes?: DataFileSizes | undefined;
  progress: Progress;
  signal?: AbortSignal | undefined;
}

export interface BatchEffect {
  snapshot: Snapshot;
  plan: Plan;
  files: number;
  changes: number;
  inserted: number;
  updated: number;
  deleted: number;
  quarantined: number;
  bytesWritten: number;
}

/** undefined: someone else made that version first; plan again on the table as it is by then. */
export async function runBatch(request: BatchRequest): Promise<BatchEffect | undefined> {
  const { table, lease, snapshot, state, plan: unnumbered, inputs, progress, signal } = request;
  const { definition, appId, mode, epoch } = unnumbered;
  const now = await table.store.now();
  const tableName = formatTableName(definition);
  if (snapshot !== undefined) assertOurs(table, snapshot, appId, tableName);
  const replace = mode === 'merge' && unnumbered.kind === 'load' && epoch?.kind !== 'start';
  const earlier = [...request.loads, ...request.changes].map((source) => source.definition);
  if (state !== undefined && !replace) earlier.push(state.definition);
  const target = targetSchema({ snapshot, definition, earlier, replace, mode, appId, now });
  const schema = target.columns.map(({ lake, delta }) => ({ name: lake, type: delta }));

  const plan = await putPlan(table.store, unnumbered, schema);
  reach('merge.planned');
  progress.update(`merging ${tableName}: reading ${inputs.length} file${inputs.length === 1 ? '' : 's'}`);

  return await table.engine.withConnection(async (connection) => {
    const staged = await stage(request, connection, {
      connection,
      columns: target.columns,
      key: target.key.map(({ lake }) => lake),
    });
    throwIfCancelled(signal);
    const options: ApplyOptions = {
      table,
      tableName,
      connection,
      snapshot,
      columns: target.columns,
      key: target.key,
      sizes: request.sizes,
      now,
    };
    progress.update(`merging ${tableName}: ${staged.changes.toLocaleString('en')} changes`);
    const applied =
      mode === 'append'
        ? await appendHistory(options, plan, request.repeats ?? false)
        : replace
          ? await replaceTable(options)
          : await applyChanges(options);
    try {
      await assertUnchanged(inputs);
      await putQuarantine(table, plan, staged.unfit);
      reach('merge.written');
      throwIfCancelled(signal);
      await lease.assertHeld();
    } catch (error) {
      await discard(table, applied);
      throw error;
    }
    const result = await commitVersion(table, {
      previous: snapshot,
      actions: commitActions(target.actions, applied, plan, now),
      operation: replace ? 'WRITE' : snapshot === undefined ? 'CREATE TABLE' : 'MERGE',
      operationParameters: { mode: replace ? 'Overwrite' : 'Append', batch: String(plan.seq) },
      operationMetrics: {
        numTargetRowsInserted: String(applied.inserted),
        numTargetRowsUpdated: String(applied.updated),
        numTargetRowsDeleted: String(applied.deleted),
        numSourceRows: String(staged.changes),
      },
      now,
    });
    if (result.state === 'taken') {
      await discard(table, applied);
      return undefined;
    }
    reach('merge.committed');
    const after = await maintain(request, result.snapshot, now);
    reach('merge.cleaned');
    return {
      snapshot: after,
      plan,
      files: inputs.length,
      changes: staged.changes,
      inserted: applied.inserted,
      updated: applied.updated,
      deleted: applied.deleted,
      quarantined: staged.unfit.length,
      bytesWritten: applied.adds.reduce((sum, { size }) => sum + size, 0),
    };
  });
}

/** A table that another pipeline keeps, or nobody of us made, is not ours to merge into. */
function assertOurs(table: LakeTable, snapshot: Snapshot, appId: string, tableName: string): void {
  assertWritable(table, snapshot);
  const found = snapshot.metaData.configuration[APP_ID];
  if (found === appId) return;
  throw new CdcError(
    'lake.foreign',
    `merging ${tableName}: the lake table ${table.store.location}/${table.folder} ${
      found === undefined ? 'was not made by cdc' : `is kept by ${found}, and this is ${appId}`
    }`,
    { hint: 'use another lake folder, or move the table away' },
  );
}

/** Reads the files into the connection's tables, checked and reduced. */
async function stage(
  request: BatchRequest,
  connection: EngineConnection,
  options: StageOptions,
): Promise<{ changes: number; unfit: UnfitRow[] }> {
  const { plan, changes: sources, loads, numbering } = request;
  const tableName = formatTableName(plan.definition);
  const unfitOptions = { ...options, tableName, policy: plan.unfit };
  await createRowTable(options, CHANGES);
  await createRowTable(options, LOADED);
  await stageFiles(options, CHANGES, sources, numbering);
  let changes = 0;
  if (numbering.by === 'change') changes = await checkNumbers(options, numbering.window, sources);
  else for (const rows of await countRows(connection, CHANGES, sources, numbering)) changes += rows;
  if (request.expectedRows !== undefined && changes !== request.expectedRows)
    throw new CdcError(
      'file.unreadable',
      `reading ${sources.map(({ label }) => label).join(', ')}: the engine finds ${changes} rows where there are ${request.expectedRows} (blank lines?)`,
      { hint: 'nothing of it was applied; take blank lines out of the file' },
    );
  const unfit = await takeUnfitRows(unfitOptions, CHANGES, sources, numbering);
  if (plan.mode === 'merge') await reduceToLatest(options);

  await stageFiles(options, LOADED, loads, { by: 'nothing' });
  const found = await countRows(connection, LOADED, loads);
  for (const [index, load] of loads.entries()) {
    const rows = found[index] ?? 0;
    if (load.rows !== undefined && rows !== load.rows)
      throw new CdcError('load.rows', `reading ${load.label}: ${rows} rows, and the load wrote ${load.rows}`, {
        hint: `bring the file back from a copy, or load the table again: cdc reload ${tableName}`,
      });
    changes += rows;
  }
  const loaded = found.reduce((sum, rows) => sum + rows, 0);
  if (loaded < (request.leastLoadRows ?? 0))
    throw new CdcError(
      'load.rows',
      `merging ${tableName}: its LOAD files hold ${loaded} rows, and DMS has written ${request.leastLoadRows}`,
      { hint: `a file is missing: bring it back from a copy, or cdc reload ${tableName}` },
    );
  unfit.push(...(await takeUnfitRows(unfitOptions, LOADED, loads, { by: 'place' })));
  const double = plan.mode === 'merge' && loads.length > 0 ? await findDoubleKey(options) : undefined;
  if (double !== undefined)
    throw new CdcError('load.double-key', `merging ${tableName}: the load holds the key ${double} twice`, {
      hint: `cdc reload ${tableName}`,
    });
  return { changes, unfit };
}

/** Quarantine is written before the commit and counts once its plan is committed. */
async function putQuarantine(table: LakeTable, plan: Plan, rows: readonly UnfitRow[]): Promise<void> {
  if (rows.length === 0) return;
  const lines = rows.map((row) => `${JSON.stringify(row)}\n`);
  await table.store.put(quarantineKey(plan.definition, plan.seq), lines.join(''));
}

function commitActions(schema: readonly Action[], applied: Applied, plan: Plan, now: Date): Action[] {
  return [
    ...schema,
    ...applied.removes.map((remove): Action => ({ remove })),
    ...applied.adds.map((add): Action => ({ add })),
    { txn: { appId: plan.appId, version: BigInt(plan.seq), lastUpdated: now.getTime() } },
  ];
}

/** The batch is committed: what fails from here is said and made up for by the next one. */
async function maintain({ table, lease, progress }: BatchRequest, snapshot: Snapshot, now: Date): Promise<Snapshot> {
  try {
    return await maintainLog(table, snapshot, { assertHeld: () => lease.assertHeld(), now });
  } catch (error) {
    progress.warn(`cleaning up after the merge: ${messageOf(error)}`);
    return snapshot;
  }
}

/** No version will ever name these files; what a crash leaves is for the vacuum. */
async function discard(table: LakeTable, applied: Applied): Promise<void> {
  for (const { path } of applied.adds) await table.store.delete(`${table.folder}${objectPath(path) ?? path}`);
}
