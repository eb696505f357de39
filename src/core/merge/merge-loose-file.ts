/** Merges one file that belongs to no pipeline: its table is described by hand, its identity is its content (contract.md 6). */

import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatTableName, type TableName } from '../change.ts';
import { readFileBytes } from '../change-file/bytes.ts';
import { readCsv } from '../change-file/csv.ts';
import type { Dialect } from '../change-file/dialect.ts';
import { type FileLayout, recogniseLayout } from '../change-file/header.ts';
import { tableFolder } from '../change-file/layout.ts';
import { assertWritable } from '../delta/gate.ts';
import type { LakeTable } from '../delta/lake-table.ts';
import { parseSchema } from '../delta/schema.ts';
import { readSnapshot, type Snapshot } from '../delta/snapshot.ts';
import type { Engine } from '../engine/engine.ts';
import { CdcError, throwIfCancelled } from '../errors.ts';
import type { Progress } from '../progress.ts';
import type { Lease } from '../store/lease.ts';
import type { Store } from '../store/store.ts';
import type { SourceColumn, TableDefinition } from '../table-definition.ts';
import type { DataFileSizes } from './apply.ts';
import { runBatch } from './batch.ts';
import { checkRows } from './explain-unreadable.ts';
import { fileInput, type InputState } from './inputs.ts';
import { withMergeLease } from './lake-lease.ts';
import { type Plan, readPlan, readState, type UnfitPolicy } from './ledger.ts';
import { defineLooseTable, parseColumnList } from './loose-columns.ts';
import type { TableMergeReport } from './merge-table.ts';
import { countQuarantined } from './quarantine.ts';
import type { CsvSource } from './rows-sql.ts';
import { appIdOf, KEY } from './target-schema.ts';

export interface MergeLooseFileOptions {
  /** A file of this machine: CSV, gz or not, with or without a header and an Op column. */
  file: string;
  table: TableName;
  key: readonly string[];
  /** MySQL types; a text as `parseColumnList` reads it. */
  columns: string | readonly SourceColumn[];
  lake: Store;
  engine: Engine;
  /** Applies it although the same bytes were applied before. */
  again?: boolean;
  /** Reads the file and says what it holds, and writes nothing. */
  dryRun?: boolean;
  dialect?: Dialect;
  policies?: { unfit: UnfitPolicy };
  sizes?: DataFileSizes;
  takeOver?: boolean;
  leaseWaitMs?: number;
  progress: Progress;
  signal?: AbortSignal | undefined;
}

/** Marks a table made from loose files. */
const LOOSE_APP = 'cdc-loose/';
/** So many contents a plan names before it points to an older plan for the rest. */
const CONTENTS_PER_PLAN = 256;

/** The report says `already` when the same bytes were applied before and nothing was done. */
export async function mergeLooseFile(options: MergeLooseFileOptions): Promise<TableMergeReport> {
  const { lake, table, engine, again = false, dryRun = false, signal } = options;
  const started = performance.now();
  const columns = typeof options.columns === 'string' ? parseColumnList(options.columns) : options.columns;
  const definition = defineLooseTable(table, columns, options.key);
  const path = resolve(options.file);
  const input = await fileInput(path);
  const lakeTable: LakeTable = { store: lake, folder: tableFolder(table), engine };
  const report = (snapshot: Snapshot | undefined, done: Partial<TableMergeReport>): TableMergeReport => ({
    ...table,
    files: 0,
    changes: 0,
    inserted: 0,
    updated: 0,
    deleted: 0,
    quarantined: 0,
    bytesWritten: 0,
    ...done,
    version: snapshot?.version ?? -1,
    seconds: Math.round(performance.now() - started) / 1000,
  });

  const before = await look(lakeTable, definition);
  if (!again && (await isKnown(lake, before.state, input.tag))) return report(before.snapshot, { already: true });
  const source = await looseSource(path, options.file, input, definition, options.dialect ?? {});
  // Strictly, row by row: the engine passes over what it takes for blank lines and padding.
  const rows = source === undefined ? 0 : await checkRows(source, false);
  if (dryRun) return report(before.snapshot, { files: 1, changes: rows });

  return await withMergeLease({ ...options, signal }, async (lease) => {
    for (;;) {
      throwIfCancelled(signal);
      const { snapshot, state } = await look(lakeTable, definition);
      if (!again && (await isKnown(lake, state, input.tag))) return report(snapshot, { already: true });
      const effect = await mergeOnce(options, lakeTable, lease, { snapshot, state, definition, input, source, rows });
      // Someone else commits to this table too; let it finish.
      if (effect === undefined) await sleep(50);
      else {
        const { snapshot: after, plan: _, ...counts } = effect;
        return report(after, counts);
      }
    }
  });
}

/** The table as it is, once it is clear that it is one of loose files with these columns. */
async function look(
  table: LakeTable,
  definition: TableDefinition,
): Promise<{ snapshot: Snapshot | undefined; state: Plan | undefined }> {
  const snapshot = await readSnapshot(table);
  if (snapshot === undefined) return { snapshot, state: undefined };
  assertWritable(table, snapshot);
  assertSameTable(table, snapshot, definition);
  return { snapshot, state: await readState(table.store, definition, snapshot, appIdOf(snapshot)) };
}

function assertSameTable(table: LakeTable, snapshot: Snapshot, definition: TableDefinition): void {
  const name = formatTableName(definition);
  const place = `${table.store.location}/${table.folder}`;
  const appId = appIdOf(snapshot);
  if (!appId.startsWith(LOOSE_APP))
    throw new CdcError(
      'lake.foreign',
      `merging a loose file into ${name}: the lake table ${place} ${appId === '' ? 'was not made by cdc' : `is kept by a pipeline (${appId})`}`,
      { hint: 'merge into another lake folder with --lake' },
    );
  const describe = (columns: { name: string; type: string }[]) =>
    columns.map(({ name: column, type }) => `${column} ${type}`).join(', ');
  const existing = parseSchema(snapshot.metaData.schemaString).map(({ name: column, type }) => ({
    name: column,
    type,
  }));
  const given = definition.columns.map(({ lake, delta }) => ({ name: lake, type: delta }));
  const sorted = (columns: { name: string; type: string }[]) =>
    describe(columns).toLowerCase().split(', ').sort().join();
  if (sorted(existing) !== sorted(given))
    throw new CdcError(
      'table.differs',
      `merging a loose file into ${name}: the lake table ${place} has the columns ${describe(existing)}, and --columns gives ${describe(given)}`,
      { hint: 'give the same columns and types, or merge into another lake folder with --lake' },
    );
  const known = snapshot.metaData.configuration[KEY];
  const key = JSON.stringify(
    definition.key.map((column) => definition.columns.find((one) => one.name === column)?.lake),
  );
  if (known !== undefined && known.toLowerCase() !== key.toLowerCase())
    throw new CdcError(
      'table.differs',
      `merging a loose file into ${name}: the lake table ${place} has the key ${known}, and --key gives ${key}`,
      {
        hint: 'give the same key, or merge into another lake folder with --lake',
      },
    );
}

/** Whether a batch of the table's history applied these bytes. */
async function isKnown(lake: Store, state: Plan | undefined, tag: string): Promise<boolean> {
  for (let plan = state; plan !== undefined; ) {
    if (plan.contents?.includes(tag)) return true;
    const older: number | undefined = plan.olderContents;
    plan = older === undefined ? undefined : await readPlan(lake, plan.definition, older);
  }
  return false;
}

/** undefined for a file without a row: nothing is known of its layout, and nothing needs to be. */
async function looseSource(
  path: string,
  label: string,
  input: InputState,
  definition: TableDefinition,
  dialect: Dialect,
): Promise<CsvSource | undefined> {
  const columns = definition.columns.map(({ name }) => name);
  for await (const { fields } of readCsv(readFileBytes(path), { file: label })) {
    const layout: FileLayout = recogniseLayout(fields, { columns, file: label, dialect });
    return { label, path, size: input.size, layout, definition };
  }
  return undefined;
}

interface LooseBatch {
  snapshot: Snapshot | undefined;
  state: Plan | undefined;
  definition: TableDefinition;
  input: InputState;
  source: CsvSource | undefined;
  /** What a strict reader counts. */
  rows: number;
}

async function mergeOnce(options: MergeLooseFileOptions, table: LakeTable, lease: Lease, batch: LooseBatch) {
  const { lake, policies, progress, signal } = options;
  const { snapshot, state, definition, input, source } = batch;
  const full = (state?.contents?.length ?? 0) >= CONTENTS_PER_PLAN;
  const plan: Omit<Plan, 'seq'> = {
    format: 1,
    appId: snapshot === undefined ? `${LOOSE_APP}${randomUUID()}` : appIdOf(snapshot),
    kind: 'changes',
    previous: state?.seq ?? null,
    version: snapshot?.version ?? null,
    created: (await lake.now()).toISOString(),
    inputs: [{ kind: 'loose', key: options.file, size: input.size, tag: input.tag }],
    definition,
    mode: 'merge',
    unfit: policies?.unfit ?? 'fail',
    epoch: null,
    watermark: { before: null, after: null },
    quarantinedBefore: state === undefined ? 0 : await countQuarantined(lake, state),
    contents: [...(full ? [] : (state?.contents ?? [])), input.tag],
    olderContents: full ? state?.seq : state?.olderContents,
  };
  return await runBatch({
    table,
    lease,
    snapshot,
    state,
    plan,
    loads: [],
    changes: source === undefined ? [] : [source],
    numbering: { by: 'place' },
    expectedRows: batch.rows,
    inputs: [input],
    sizes: options.sizes,
    progress,
    signal,
  });
}
