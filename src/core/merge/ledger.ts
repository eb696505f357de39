/**
 * The ledger of a lake table (contract.md 8): plans `_cdc/batches/<seq>.json`, put-if-absent and never changed. The plan
 * whose number the log's `txn[appId]` names is the table's state; every other plan was overtaken or never committed.
 */

import { z } from 'zod';
import { formatTableName, type TableName } from '../change.ts';
import { batchFolder } from '../change-file/layout.ts';
import { type ChangeNumber, formatChangeNumber, parseChangeNumber } from '../change-number.ts';
import type { Snapshot } from '../delta/snapshot.ts';
import { CdcError, messageOf } from '../errors.ts';
import type { Store } from '../store/store.ts';
import { definitionFromJson, definitionToJson, type TableDefinition } from '../table-definition.ts';

/** What becomes of a row that does not fit its columns' types. */
export type UnfitPolicy = 'fail' | 'quarantine';

/** `merge`: the last change of a key counts; `append`: rows are kept as history with `_op`, `_ts`, `_seq`. */
export type MergeMode = 'merge' | 'append';

/** A file that a batch reads. */
export interface PlanInput {
  kind: 'load' | 'changes' | 'loose';
  /** Relative to staging; the path of a loose file. */
  key: string;
  /** Bytes. */
  size: number;
  /** The store's tag of the content. */
  tag: string;
  /** Changes in it; files of DMS only. */
  rows?: number | undefined;
  /** The numbers of its first and last change; files of ours only. */
  first?: ChangeNumber | undefined;
  last?: ChangeNumber | undefined;
}

/** A load, truncation or start, as the table's epochs are ordered. */
export interface Epoch {
  kind: 'load' | 'truncate' | 'start';
  number: ChangeNumber;
  /** 1, or more for a later record at the same number. */
  suffix: number;
}

/** A change file of DMS that is in the table and still in staging. */
export interface AppliedFile {
  /** Below the table's folder. */
  name: string;
  size: number;
  tag: string;
}

/** Where a table stands that DMS's files make (contract.md 5). */
export interface DmsState {
  epoch: { kind: 'load' | 'start'; started: Date };
  /** Of a history: when its first epoch began. Its changes count however late they come, also below a later load. */
  since?: Date | undefined;
  /** The greatest `dms_seq` in the table; null where the files have none. */
  sequence: string | null;
  /** In the order in which their changes count. */
  applied: AppliedFile[];
}

/** Files that are named before it belong to nothing that the table has. */
export function beginOf({ since, epoch }: DmsState): Date {
  return since ?? epoch.started;
}

export interface Plan {
  format: 1;
  seq: number;
  appId: string;
  /** `load`: the batch begins with an epoch; `schema`: only the columns change. */
  kind: 'load' | 'changes' | 'schema' | 'restore' | 'repair';
  /** The batch it builds on; null for the table's first. */
  previous: number | null;
  /** The lake table's version it builds on; null where there is no table yet. */
  version: number | null;
  created: string;
  inputs: PlanInput[];
  /** The source table at the end of the batch. */
  definition: TableDefinition;
  mode: MergeMode;
  unfit: UnfitPolicy;
  epoch: Epoch | null;
  /** Every change at or before `after` is in the table once the batch is committed. null: loose files have no numbers. */
  watermark: { before: ChangeNumber | null; after: ChangeNumber | null };
  /** Rows in quarantine from the batches before this one. */
  quarantinedBefore: number;
  /** Files of DMS only; `epoch` is null then, and the watermark is the number of the definition, below any load of ours. */
  dms?: DmsState | undefined;
  /** Loose files only: the SHA-256 of every content applied since `olderContents`, this batch's included. */
  contents?: string[] | undefined;
  /** The batch whose `contents` hold the ones before. */
  olderContents?: number | undefined;
}

const number = z.string().transform(parseChangeNumber);
const time = z.iso.datetime().transform((text) => new Date(text));
const planFile = z.object({
  format: z.literal(1),
  seq: z.int(),
  app_id: z.string(),
  kind: z.enum(['load', 'changes', 'schema', 'restore', 'repair']),
  previous: z.int().nullable(),
  version: z.int().nullable(),
  created: z.string(),
  inputs: z.array(
    z.object({
      kind: z.enum(['load', 'changes', 'loose']),
      key: z.string(),
      size: z.number(),
      tag: z.string(),
      rows: z.int().optional(),
      first: number.optional(),
      last: number.optional(),
    }),
  ),
  definition: definitionFromJson,
  target_schema: z.array(z.object({ name: z.string(), type: z.string() })),
  mode: z.enum(['merge', 'append']),
  unfit: z.enum(['fail', 'quarantine']),
  epoch: z.object({ kind: z.enum(['load', 'truncate', 'start']), number, suffix: z.int() }).nullable(),
  watermark: z.object({ before: number.nullable(), after: number.nullable() }),
  quarantined_before: z.int(),
  dms: z
    .object({
      epoch: z.object({
        kind: z.enum(['load', 'start']),
        started: time,
      }),
      since: time.optional(),
      sequence: z.string().nullable(),
      applied: z
        .array(z.tuple([z.string(), z.number(), z.string()]))
        .transform((files) => files.map(([name, size, tag]) => ({ name, size, tag }))),
    })
    .optional(),
  contents: z.array(z.string()).optional(),
  older_contents: z.int().optional(),
});

/** 12 digits: text order is the order of the batches. */
export function planKey(table: TableName, seq: number): string {
  return `${batchFolder(table)}${String(seq).padStart(12, '0')}.json`;
}

/** The number of a plan's key. */
export function seqOfKey(key: string): number {
  return Number(/(\d+)\.json$/.exec(key)?.[1] ?? Number.NaN);
}

export function formatPlan(plan: Plan, targetSchema: { name: string; type: string }[]): string {
  const text = (value: ChangeNumber | null | undefined) => (value == null ? value : formatChangeNumber(value));
  return JSON.stringify(
    {
      format: plan.format,
      seq: plan.seq,
      app_id: plan.appId,
      kind: plan.kind,
      previous: plan.previous,
      version: plan.version,
      created: plan.created,
      inputs: plan.inputs.map((input) => ({ ...input, first: text(input.first), last: text(input.last) })),
      definition: definitionToJson(plan.definition),
      target_schema: targetSchema,
      mode: plan.mode,
      unfit: plan.unfit,
      epoch: plan.epoch === null ? null : { ...plan.epoch, number: text(plan.epoch.number) },
      watermark: { before: text(plan.watermark.before), after: text(plan.watermark.after) },
      quarantined_before: plan.quarantinedBefore,
      dms: plan.dms && { ...plan.dms, applied: plan.dms.applied.map(({ name, size, tag }) => [name, size, tag]) },
      contents: plan.contents,
      older_contents: plan.olderContents,
    },
    null,
    2,
  );
}

export function parsePlan(body: string): Plan {
  const { app_id, quarantined_before, older_contents, target_schema: _, ...plan } = planFile.parse(JSON.parse(body));
  return { ...plan, appId: app_id, quarantinedBefore: quarantined_before, olderContents: older_contents };
}

/** Reads one plan. Throws `ledger.missing` or `ledger.corrupt`: without it nobody knows where the table stands. */
export async function readPlan(lake: Store, table: TableName, seq: number): Promise<Plan> {
  const key = planKey(table, seq);
  const body = await lake.getIfPresent(key);
  const doing = `reading where ${formatTableName(table)} stands: ${lake.location}/${key}`;
  const hint = `bring the file back from a copy, or load the table again: cdc reload ${formatTableName(table)}`;
  if (body === undefined)
    throw new CdcError('ledger.missing', `${doing} is gone, and the table's log names it`, { hint });
  try {
    return parsePlan(body.toString());
  } catch (error) {
    throw new CdcError('ledger.corrupt', `${doing} is not a plan (${messageOf(error)})`, { hint, cause: error });
  }
}

/** The plan that the table's log names; undefined before the table's first batch. */
export async function readState(
  lake: Store,
  table: TableName,
  snapshot: Snapshot | undefined,
  appId: string,
): Promise<Plan | undefined> {
  const txn = snapshot?.txns.get(appId);
  return txn === undefined ? undefined : await readPlan(lake, table, Number(txn.version));
}

/** Writes the plan under the next free number after `after` and every plan that is there; the number is in the plan returned. */
export async function putPlan(
  lake: Store,
  plan: Omit<Plan, 'seq'>,
  targetSchema: { name: string; type: string }[],
): Promise<Plan> {
  const table = plan.definition;
  const after = plan.previous === null ? {} : { after: planKey(table, plan.previous) };
  const later = await lake.list(batchFolder(table), after);
  const greatest = later.reduce((most, { key }) => Math.max(most, seqOfKey(key) || 0), plan.previous ?? 0);
  for (let seq = greatest + 1; ; seq++) {
    const numbered: Plan = { ...plan, seq };
    // Put-if-absent: two writers never share a number, so the log's txn names one plan.
    if (await lake.putIfAbsent(planKey(table, seq), formatPlan(numbered, targetSchema))) return numbered;
  }
}
