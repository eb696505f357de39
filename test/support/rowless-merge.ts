/**
 * Merges a table without rows, by the TypeScript planner and by the Python one: plans are put and taken for committed, so
 * that both ledgers can be compared plan by plan. A lake table is a snapshot in memory.
 */

import { z } from 'zod';
import type { TableName } from '../../src/core/change.ts';
import { tableFolder } from '../../src/core/change-file/layout.ts';
import type { Snapshot } from '../../src/core/delta/snapshot.ts';
import { CdcError } from '../../src/core/errors.ts';
import { assertUnchanged } from '../../src/core/merge/inputs.ts';
import { type MergeMode, putPlan, type UnfitPolicy } from '../../src/core/merge/ledger.ts';
import { type AskLoad, lookAtTable } from '../../src/core/merge/look.ts';
import { targetSchema } from '../../src/core/merge/target-schema.ts';
import type { Store } from '../../src/core/store/store.ts';
import type { CdcMergeChild } from './cdc-merge-child.ts';

export interface RowlessMerge {
  staging: Store;
  lake: Store;
  table: TableName;
  appId: string;
  unfit?: UnfitPolicy;
  mode?: MergeMode;
  upTo?: string | undefined;
  /** Asks DMS about a load that nobody has called complete. */
  askLoad?: AskLoad;
}

/** What a merge came to; the errors' code, message and hint. */
export interface RowlessOutcome {
  error: { code: string; message: string; hint: string | null } | null;
  waits: string | undefined;
  waiting: string | undefined;
  files: number;
}

/** Everything that is pending, by the functions that mergeTable itself uses. */
export async function mergeWithoutRows(
  merge: RowlessMerge,
  before: Snapshot | undefined,
): Promise<{ snapshot: Snapshot | undefined; outcome: RowlessOutcome }> {
  const { staging, lake, table, appId, unfit = 'fail', mode = 'merge', upTo, askLoad } = merge;
  let snapshot = before;
  let files = 0;
  try {
    for (;;) {
      const look = await lookAtTable({ staging, lake, table, appId, mode, upTo, askLoad }, snapshot);
      const { state, next, waiting } = look;
      if (next === undefined)
        return { snapshot, outcome: { error: null, waits: waiting?.reason, waiting: waiting?.detail, files } };
      const { plan, inputs, loads, changes } = await next.prepare({ snapshot, policies: { unfit } });
      const replace = mode === 'merge' && plan.kind === 'load' && plan.epoch?.kind !== 'start';
      const earlier = [...loads, ...changes].map(({ definition }) => definition);
      if (state !== undefined && !replace) earlier.push(state.definition);
      const { definition } = plan;
      const target = targetSchema({ snapshot, definition, earlier, replace, mode, appId, now: new Date() });
      const schema = target.columns.map(({ lake: name, delta }) => ({ name, type: delta }));
      const { seq } = await putPlan(lake, plan, schema);
      await assertUnchanged(inputs);
      files += inputs.length;
      const metaData =
        target.actions.flatMap((action) => ('metaData' in action ? [action.metaData] : [])).at(-1) ??
        snapshot?.metaData;
      if (metaData === undefined) throw new Error('a new table has no schema');
      snapshot = {
        ...(snapshot ?? EMPTY),
        version: (snapshot?.version ?? -1) + 1,
        metaData,
        txns: new Map([...(snapshot?.txns ?? []), [appId, { appId, version: BigInt(seq) }]]),
      };
    }
  } catch (error) {
    if (!(error instanceof CdcError)) throw error;
    const { code, message, hint = null } = error;
    return { snapshot, outcome: { error: { code, message, hint }, waits: undefined, waiting: undefined, files: 0 } };
  }
}

const EMPTY: Omit<Snapshot, 'version' | 'metaData' | 'txns'> = {
  protocol: { minReaderVersion: 1, minWriterVersion: 2 },
  files: new Map(),
  tombstones: new Map(),
  checkpointVersion: undefined,
  tip: { key: '', size: 0, modified: new Date(0) },
};

const pythonAnswer = z.object({
  error: z.object({ code: z.string(), message: z.string(), hint: z.string().nullable() }).nullable(),
  report: z.looseObject({ files: z.number(), waits: z.string().optional(), waiting: z.string().optional() }).nullable(),
  stopped: z.boolean(),
  snapshot: z.looseObject({ version: z.number(), txns: z.record(z.string(), z.number()) }).nullable(),
});
export type PythonSnapshot = NonNullable<z.infer<typeof pythonAnswer>['snapshot']>;

/** How long a run of the Glue job asks DMS again; in seconds. */
export interface Patience {
  every_seconds?: number;
  round_seconds?: number;
  run_seconds?: number;
  file_seconds?: number;
}

/**
 * The same by Python. `stopAt`: the batch of this number fails, as one with a row that no engine takes does. `patience`: it
 * asks DMS itself, and waits for it so long.
 */
export async function mergeWithoutRowsInPython(
  child: CdcMergeChild,
  merge: Omit<RowlessMerge, 'askLoad'>,
  before: PythonSnapshot | undefined,
  { stopAt, patience }: { stopAt?: number | undefined; patience?: Patience } = {},
): Promise<{ snapshot: PythonSnapshot | undefined; outcome: RowlessOutcome; stopped: boolean }> {
  const { staging, lake, table, appId, unfit, mode, upTo } = merge;
  const { error, report, stopped, snapshot } = pythonAnswer.parse(
    await child.ask('merge', {
      staging: staging.location,
      lake: lake.location,
      ...table,
      app_id: appId,
      unfit,
      mode,
      up_to: upTo,
      stop_at: stopAt,
      patience,
      // Waiting is compared, not how long one waits.
      gap_wait_seconds: 1e9,
      snapshot: before ?? null,
    }),
  );
  return {
    snapshot: snapshot ?? undefined,
    outcome: { error, waits: report?.waits, waiting: report?.waiting, files: report?.files ?? 0 },
    stopped,
  };
}

/** The plans of a lake table by file name, each with the same time of making, for nothing else may differ. */
export async function plansOf(lake: Store, table: TableName): Promise<Record<string, string>> {
  const plans: Record<string, string> = {};
  for (const { key } of await lake.list(`${tableFolder(table)}_cdc/batches/`))
    plans[key] = (await lake.get(key)).toString().replace(/"created": "[^"]*"/, '"created": "then"');
  return plans;
}
