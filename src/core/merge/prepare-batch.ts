/** From what is pending to what a batch needs: its files with their tags and layouts, and its plan. */

import { assertOurHeader, ourLayout } from '../change-file/header.ts';
import { readHeader } from '../change-file/number-range.ts';
import type { Snapshot } from '../delta/snapshot.ts';
import { CdcError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import type { TableDefinition } from '../table-definition.ts';
import type { BatchRequest, LoadSource } from './batch.ts';
import { type InputState, storedInput } from './inputs.ts';
import type { MergeMode, Plan, PlanInput, UnfitPolicy } from './ledger.ts';
import type { NextBatch } from './pending.ts';
import { countQuarantined } from './quarantine.ts';
import type { CsvSource } from './rows-sql.ts';

export interface PrepareRequest {
  staging: Store;
  lake: Store;
  batch: NextBatch;
  state: Plan | undefined;
  snapshot: Snapshot | undefined;
  appId: string;
  policies: { unfit: UnfitPolicy };
  mode: MergeMode;
}

export type PreparedBatch = Pick<
  BatchRequest,
  'plan' | 'loads' | 'changes' | 'numbering' | 'inputs' | 'expectedRows' | 'leastLoadRows' | 'repeats'
>;

/** Throws CdcError `input.missing`, `input.changed`, `file.header` before anything is planned. */
export async function prepareBatch(request: PrepareRequest): Promise<PreparedBatch> {
  const { staging, lake, batch, state, snapshot, appId, policies, mode } = request;
  const inputs: InputState[] = [];
  const planInputs: PlanInput[] = [];
  const loads: LoadSource[] = [];
  for (const file of batch.epoch?.files ?? []) {
    const input = await storedInput(staging, file.key);
    if (input.size !== file.size)
      throw new CdcError(
        'input.changed',
        `reading ${input.label}: ${input.size} bytes, and the load wrote ${file.size}`,
        {
          hint: 'bring the file back from a copy, or load the table again: cdc reload',
        },
      );
    inputs.push(input);
    planInputs.push({ kind: 'load', key: file.key, size: input.size, tag: input.tag });
    const definition = batch.epoch?.definition ?? batch.definition;
    loads.push({ ...(await ourSource(staging, file.key, input, definition)), rows: file.rows });
  }
  const changes: CsvSource[] = [];
  for (const { file, definition } of batch.files) {
    const input = await storedInput(staging, file.key);
    inputs.push(input);
    const { first, last } = file;
    planInputs.push({ kind: 'changes', key: file.key, size: input.size, tag: input.tag, first, last });
    changes.push(await ourSource(staging, file.key, input, definition));
  }
  const { epoch, after, end, taken } = batch;
  const plan: Omit<Plan, 'seq'> = {
    format: 1,
    appId,
    kind: epoch !== undefined ? 'load' : batch.files.length > 0 ? 'changes' : 'schema',
    previous: state?.seq ?? null,
    version: snapshot?.version ?? null,
    created: (await lake.now()).toISOString(),
    inputs: planInputs,
    definition: batch.definition,
    mode,
    unfit: policies.unfit,
    epoch:
      epoch === undefined ? (state?.epoch ?? null) : { kind: epoch.kind, number: epoch.number, suffix: epoch.suffix },
    watermark: { before: state?.watermark.after ?? null, after: end },
    quarantinedBefore: state === undefined ? 0 : await countQuarantined(lake, state),
  };
  return { plan, loads, changes, numbering: { by: 'change', window: { after, end, taken } }, inputs };
}

/** A file of ours, whose header must be the one of its definition. */
async function ourSource(
  staging: Store,
  key: string,
  input: InputState,
  definition: TableDefinition,
): Promise<CsvSource> {
  assertOurHeader(await readHeader(staging, key), definition, input.label);
  return {
    label: input.label,
    path: await staging.materialise(key),
    size: input.size,
    layout: ourLayout(definition.columns.length),
    definition,
  };
}
