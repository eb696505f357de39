/** What merge cannot see in the files of DMS, written down beside them: each table's columns, and when its load began and ended. */

import type { ReplicationTask, TableStatistics } from '../../aws/dms-task.ts';
import { formatTableName, type TableName } from '../../change.ts';
import { readDefinitions } from '../../change-file/definitions.ts';
import { type DmsEpoch, putDmsEpoch, readDmsEpochs } from '../../change-file/dms-epoch.ts';
import { definitionKey } from '../../change-file/layout.ts';
import { type ChangeNumber, changeNumber, runOf } from '../../change-number.ts';
import { tableRuleFor } from '../../config.ts';
import { defineTable, definitionToJson, type TableDefinition } from '../../table-definition.ts';
import type { AwsRun } from './run.ts';
import { readSourceTables } from './source-view.ts';
import { tableTroubles } from './task-outcome.ts';

/** The number of each table's definition by its name. */
export type Recorded = Map<string, ChangeNumber>;

/** Writes a new version of each definition that the source has outgrown. Durable before DMS can write a file that needs it. */
export async function recordDefinitions(run: AwsRun, tables: readonly TableName[]): Promise<Recorded> {
  const { config, staging, session } = run;
  const recorded: Recorded = new Map();
  const sources = await readSourceTables({
    tables: tables.map((name) => ({ name, keyOverride: tableRuleFor(config, name)?.key })),
    address: await run.address(),
    signal: session.signal,
  });
  for (const { name, ...source } of sources) {
    const known = await readDefinitions(staging, name);
    const { newest, next } = versions(known, (await readDmsEpochs(staging, name)).at(-1));
    const definition = defineTable(name, { ...source, number: next, zeroDates: config.merge.zeroDates });
    const isKnown = newest !== undefined && contentOf(newest) === contentOf(definition);
    if (!isKnown) await staging.put(definitionKey(name, next), JSON.stringify(definitionToJson(definition), null, 2));
    recorded.set(formatTableName(name), isKnown ? newest.number : next);
  }
  return recorded;
}

/** The newest definition of DMS's run, and the number of the next: in the run after that of our own capture, if that came last. */
function versions(
  known: readonly TableDefinition[],
  epoch: DmsEpoch | undefined,
): { newest: TableDefinition | undefined; next: ChangeNumber } {
  const newest = known.at(-1);
  if (newest === undefined) return { newest: undefined, next: changeNumber(0, 1) };
  const run = runOf(newest.number);
  if (run === (epoch === undefined ? 0 : runOf(epoch.definition))) return { newest, next: newest.number + 1n };
  return { newest: undefined, next: changeNumber(run + 1, 1) };
}

function contentOf({ number: _, ...definition }: TableDefinition): string {
  return JSON.stringify(definitionToJson({ number: 0n, ...definition }));
}

interface LoadWork {
  tables: readonly TableName[];
  task: Pick<ReplicationTask, 'name' | 'arn' | 'startedAt'>;
  recorded: Recorded;
  lobKb: number;
}

/** Before DMS is told to load them. `caches`: the task that loads also follows them. */
export async function recordLoads(run: AwsRun, work: LoadWork & { caches: boolean }): Promise<void> {
  await recordEpochs(run, { ...work, kind: 'load', state: 'loading' });
}

/** Before DMS is told to follow them: those that were never loaded begin empty. */
export async function recordStarts(run: AwsRun, work: LoadWork): Promise<void> {
  const tables: TableName[] = [];
  for (const table of work.tables) if ((await readDmsEpochs(run.staging, table)).length === 0) tables.push(table);
  await recordEpochs(run, { ...work, tables, kind: 'start', state: 'complete', caches: false });
}

/** Tables that a task which goes on loads: their last load was never complete, and its statistics do not show one. */
export async function tablesToLoad(
  run: AwsRun,
  tables: readonly TableName[],
  statistics: readonly TableStatistics[],
): Promise<TableName[]> {
  const loaded = new Set(statistics.filter(isCompleted).map(formatTableName));
  const wanted: TableName[] = [];
  for (const table of tables)
    if (!loaded.has(formatTableName(table)) && (await readDmsEpochs(run.staging, table)).at(-1)?.state !== 'complete')
      wanted.push(table);
  return wanted;
}

async function recordEpochs(run: AwsRun, work: LoadWork & Pick<DmsEpoch, 'kind' | 'state' | 'caches'>): Promise<void> {
  const { tables, recorded, kind, state, caches, lobKb } = work;
  const task = { task: work.task.name, taskArn: work.task.arn, firstRun: work.task.startedAt === undefined };
  if (tables.length === 0) return;
  // Of the bucket's clock, which also dates the LOAD files.
  const started = await run.staging.now();
  for (const { schema, table } of tables) {
    const definition = recorded.get(formatTableName({ schema, table }));
    if (definition === undefined) throw new Error(`${schema}.${table} has no definition`);
    await putDmsEpoch(run.staging, {
      schema,
      table,
      kind,
      state,
      started,
      ...task,
      caches,
      definition,
      lobKb: [lobKb],
    });
  }
}

/** Before a task writes, or goes on to write, files of the tables: at which length it cuts large values. */
export async function recordLobLimit(
  run: AwsRun,
  { tables, lobKb }: { tables: readonly TableName[]; lobKb: number },
): Promise<void> {
  for (const table of tables) {
    const epoch = (await readDmsEpochs(run.staging, table)).at(-1);
    if (epoch === undefined || epoch.lobKb?.includes(lobKb)) continue;
    await putDmsEpoch(run.staging, { ...epoch, lobKb: [...(epoch.lobKb ?? []), lobKb] });
  }
}

/**
 * The loads of a task that its statistics show as complete since they began. `isCertain`: somebody has waited for them, and a
 * small one need not have left a time. `countsAll`: DMS may count the rows of earlier loads too.
 */
export async function recordComplete(
  run: AwsRun,
  work: { task: string; tables: readonly TableStatistics[]; isCertain?: boolean; countsAll?: boolean },
): Promise<void> {
  const { task, tables, isCertain = false, countsAll = false } = work;
  for (const table of tables) {
    const epoch = (await readDmsEpochs(run.staging, table)).at(-1);
    if (epoch === undefined || epoch.task !== task || epoch.state === 'complete') continue;
    if (whyIncomplete(epoch, table, isCertain) === undefined)
      await putDmsEpoch(run.staging, completed(epoch, table, countsAll));
  }
}

/** Undefined when the table's statistics say that the load of the epoch is complete. */
export function whyIncomplete(epoch: DmsEpoch, table: TableStatistics, isCertain = false): string | undefined {
  const [trouble] = tableTroubles([table]);
  if (trouble !== undefined) return trouble.reason;
  if (!isCompleted(table)) return `DMS says: ${table.state}`;
  // An earlier load of the table says nothing of this one.
  const isOfThis = table.loadEndedAt !== undefined && table.loadEndedAt >= wholeSecond(epoch.started);
  return isCertain || epoch.firstRun === true || isOfThis ? undefined : 'DMS shows an earlier load of it';
}

export function completed(epoch: DmsEpoch, table: TableStatistics, countsAll = false): DmsEpoch {
  const rows = (countsAll || table.isReloaded) && table.loadRows > 0 ? {} : { rows: table.loadRows };
  return { ...epoch, state: 'complete', ...rows };
}

function isCompleted({ state }: TableStatistics): boolean {
  return state === 'Table completed';
}

function wholeSecond(time: Date): Date {
  return new Date(Math.floor(time.getTime() / 1000) * 1000);
}
