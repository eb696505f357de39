/** Two engines on one table, by turns, and the local one alone on its twin: what each merge says must be the same. */

import { expect } from 'vitest';
import { tableFolder } from '../../src/core/change-file/layout.ts';
import { type CrashPoint, onCrashPoint } from '../../src/core/crash-point.ts';
import { readCommit } from '../../src/core/delta/snapshot.ts';
import type { Engine } from '../../src/core/engine/engine.ts';
import { CdcError } from '../../src/core/errors.ts';
import { type MergeTableOptions, mergeTable } from '../../src/core/merge/merge-table.ts';
import { tableState } from '../../src/core/merge/table-state.ts';
import type { Delivery } from './random-history.ts';
import { mergeBySpark } from './spark.ts';
import { StagedTable, TABLE } from './staged-table.ts';
import type { TablePlace } from './table-place.ts';

export type EngineName = 'local' | 'spark';

class Crash extends Error {}

/** What a merge came to, alike for both engines. */
async function merge(by: EngineName, options: MergeTableOptions, crash?: CrashPoint): Promise<Record<string, unknown>> {
  onCrashPoint((point) => {
    if (point === crash) throw new Crash();
  });
  try {
    const report = by === 'spark' ? await mergeBySpark({ ...options, crash }) : await mergeTable(options);
    if ('crashed' in report) return { crashed: crash };
    const { files, changes, inserted, updated, deleted, quarantined, already, waits, waiting } = {
      ...report,
    } as Record<string, unknown>;
    return { files, changes, inserted, updated, deleted, quarantined, already, waits, waiting };
  } catch (error) {
    if (error instanceof Crash) return { crashed: crash };
    if (!(error instanceof CdcError)) throw error;
    return { error: error.code, message: error.message };
  } finally {
    onCrashPoint(undefined);
  }
}

/** The table on which engines take turns, and its twin. */
export function twoTables(root: string, place: TablePlace): { both: StagedTable; alone: StagedTable } {
  const of = (name: string) => new StagedTable(root, place.stores(name));
  return { both: of('both'), alone: of('alone') };
}

export interface Turns {
  both: StagedTable;
  alone: StagedTable;
  engine: Engine;
  /** Who merges `both`. */
  turns: readonly EngineName[];
  /** What appears in either staging, one by one: as much in the one as in the other. */
  toBoth: readonly (() => Promise<unknown>)[];
  toAlone: readonly (() => Promise<unknown>)[];
  merges: Delivery['merges'];
  options: Partial<MergeTableOptions>;
  /** Of the last merge, which finds nothing that is still to come. */
  lastOptions?: Partial<MergeTableOptions>;
  afterEach?: () => Promise<void>;
}

export async function takeTurns(all: Turns): Promise<{ merges: number; batches: Record<EngineName, number> }> {
  const { both, alone, engine, turns, options, afterEach = async () => {} } = all;
  let merges = 0;
  const step = async (more: Partial<MergeTableOptions>, crash?: CrashPoint) => {
    const by = turns[merges++ % turns.length] ?? 'spark';
    const expected = await merge('local', { ...alone.options(engine), ...options, ...more }, crash);
    expect(await merge(by, { ...both.options(engine), ...options, ...more }, crash)).toEqual(expected);
    await afterEach();
    return expected;
  };
  for (const [index, deliver] of all.toBoth.entries()) {
    await deliver();
    await all.toAlone[index]?.();
    const { runs = false, crash } = all.merges[index % all.merges.length] ?? {};
    if (runs) await step({}, crash);
  }
  expect(await step(all.lastOptions ?? {})).toMatchObject({ waits: undefined });
  expect(await ledgerOf(both)).toEqual(await ledgerOf(alone));
  return { merges, batches: await batchesOf(both, engine) };
}

/** The plans that a table has, without what they say of time and of the lake's versions. */
async function ledgerOf({ lake }: StagedTable): Promise<unknown[]> {
  const plans: unknown[] = [];
  for (const { key } of await lake.list(`${tableFolder(TABLE)}_cdc/batches/`)) {
    const { created: _created, version: _version, ...plan } = JSON.parse((await lake.get(key)).toString());
    plans.push(plan);
  }
  return plans;
}

/** Commits with a batch in them, by the engine that made them. */
async function batchesOf(table: StagedTable, engine: Engine): Promise<Record<EngineName, number>> {
  const lakeTable = { store: table.lake, folder: tableFolder(TABLE), engine };
  const state = await tableState({ staging: table.staging, lake: table.lake, table: TABLE, engine });
  const count = { local: 0, spark: 0 };
  for (let version = 0; version <= (state?.version ?? -1); version++) {
    const actions = await readCommit(lakeTable, version);
    if (!actions.some((action) => 'txn' in action)) continue;
    const info = actions.flatMap((action) => ('commitInfo' in action ? [action.commitInfo.engineInfo] : []))[0];
    count[info === 'cdc' ? 'local' : 'spark']++;
  }
  return count;
}
