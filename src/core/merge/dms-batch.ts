/** From what is pending of DMS's files to what a batch needs: the files with their tags and layouts, and the plan. */

import { formatTableName } from '../change.ts';
import { inputChanged } from '../change-file/bytes.ts';
import { dmsTime } from '../change-file/dms-epoch.ts';
import { dmsLayout } from '../change-file/dms-layout.ts';
import { tableFolder } from '../change-file/layout.ts';
import { readHeader } from '../change-file/number-range.ts';
import type { Snapshot } from '../delta/snapshot.ts';
import { CdcError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import type { LoadSource } from './batch.ts';
import type { DmsBatch } from './dms-pending.ts';
import { cutLengths, type DmsTable } from './dms-staged.ts';
import { checkRows } from './explain-unreadable.ts';
import { type InputState, storedInput } from './inputs.ts';
import { type AppliedFile, beginOf, type MergeMode, type Plan, type PlanInput, type UnfitPolicy } from './ledger.ts';
import type { PreparedBatch } from './prepare-batch.ts';
import { countQuarantined } from './quarantine.ts';
import type { CsvSource } from './rows-sql.ts';

export interface PrepareDmsRequest {
  staging: Store;
  lake: Store;
  table: DmsTable;
  batch: DmsBatch;
  state: Plan | undefined;
  snapshot: Snapshot | undefined;
  appId: string;
  policies: { unfit: UnfitPolicy };
  mode: MergeMode;
}

/** Throws CdcError `input.missing`, `input.changed`, `definition.unknown`, `file.header` before anything is planned. */
export async function prepareDmsBatch(request: PrepareDmsRequest): Promise<PreparedBatch> {
  const { staging, lake, table, batch, state, snapshot, appId, policies, mode } = request;
  const definition = table.definitions.at(-1);
  const epoch = batch.epoch ?? state?.dms?.epoch;
  if (definition === undefined || epoch === undefined)
    throw new CdcError('definition.missing', 'merging files of DMS: nobody says what the columns of the table are', {
      hint: 'cdc replicate   # writes it down',
    });
  const folder = tableFolder(definition);
  const inputs: InputState[] = [];
  const planInputs: PlanInput[] = [];
  const loads: LoadSource[] = [];
  for (const { key } of batch.loads) {
    const input = await storedInput(staging, key);
    inputs.push(input);
    planInputs.push({ kind: 'load', key, size: input.size, tag: input.tag });
    const source = await dmsSource(staging, key, input, table, dmsTime(epoch.started));
    if (source === undefined) continue;
    // Of one column a row may be a blank line, which the engine passes over; and it takes what is left of a cut row for a
    // whole one. Strictly both come out.
    const isSure = source.layout.fields.length > 1 && (await endsWithARow(staging, key, input));
    loads.push({ ...source, rows: isSure ? undefined : await checkRows(source, false) });
  }
  const changes: CsvSource[] = [];
  const applied: AppliedFile[] = [...batch.before];
  let expectedRows: number | undefined = 0;
  for (const { file, applied: known } of batch.inputs) {
    const input = await storedInput(staging, file.key);
    if (known !== undefined) assertSame(staging, input, known, formatTableName(definition));
    if (file.scan !== undefined && file.scan.size !== input.size)
      throw inputChanged(
        input.label,
        `it had ${file.scan.size} bytes when it was looked through, and has ${input.size}`,
      );
    inputs.push(input);
    planInputs.push({ kind: 'changes', key: file.key, size: input.size, tag: input.tag, rows: file.scan?.rows });
    applied.push({ name: file.key.slice(folder.length), size: input.size, tag: placedTag(staging, input.tag) });
    const source = await dmsSource(staging, file.key, input, table, file.time);
    if (source !== undefined) changes.push(source);
    expectedRows = file.scan === undefined || expectedRows === undefined ? undefined : expectedRows + file.scan.rows;
  }
  const number = definition.number;
  const plan: Omit<Plan, 'seq'> = {
    format: 1,
    appId,
    kind: batch.epoch?.kind === 'load' ? 'load' : 'changes',
    previous: state?.seq ?? null,
    version: snapshot?.version ?? null,
    created: (await lake.now()).toISOString(),
    inputs: planInputs,
    definition,
    mode,
    unfit: policies.unfit,
    epoch: null,
    watermark: { before: state?.watermark.after ?? null, after: number },
    quarantinedBefore: state === undefined ? 0 : await countQuarantined(lake, state),
    dms: {
      epoch: { kind: epoch.kind, started: epoch.started },
      since: mode === 'merge' ? undefined : state?.dms === undefined ? epoch.started : beginOf(state.dms),
      sequence: batch.sequence,
      applied,
    },
  };
  return {
    plan,
    loads,
    changes,
    numbering: { by: 'order', file: 0 },
    inputs,
    repeats: batch.repeats,
    ...(expectedRows === undefined ? {} : { expectedRows }),
    ...(batch.epoch?.rows === undefined ? {} : { leastLoadRows: batch.epoch.rows }),
  };
}

/** An applied file that a replay reads again. A store that was moved gives other tags: then the size must do. */
function assertSame(staging: Store, input: InputState, known: AppliedFile, tableName: string): void {
  const tag = placedTag(staging, input.tag);
  if (input.size === known.size && (tag === known.tag || placeOf(tag) !== placeOf(known.tag))) return;
  throw new CdcError(
    'replay.gone',
    `merging ${tableName}: ${input.label} is needed again, for changes before it have come since, and it was changed`,
    { hint: `bring the right file back from a copy, or cdc reload ${tableName}` },
  );
}

/** With its place, where a tag says something only there: S3 gives a copy another ETag when its parts were cut otherwise. */
function placedTag(staging: Store, tag: string): string {
  return tag.startsWith('sha256:') ? tag : `${tag} ${staging.location}`;
}

function placeOf(tag: string): string {
  return tag.startsWith('sha256:') ? 'anywhere' : (tag.split(' ')[1] ?? '');
}

async function endsWithARow(staging: Store, key: string, { size }: InputState): Promise<boolean> {
  return (await staging.getRange(key, size - 1, size)).toString() === '\n';
}

/** undefined for an empty file. `time`: when it was written. */
async function dmsSource(
  staging: Store,
  key: string,
  input: InputState,
  table: DmsTable,
  time: string,
): Promise<CsvSource | undefined> {
  const { label, size } = input;
  const first = await readHeader(staging, key);
  if (first.length === 0) return undefined;
  const { layout: found, definition } = dmsLayout(first, { ...table, file: label });
  const layout = { ...found, cutAt: cutLengths(table.epochs, time) };
  return { label, path: await staging.materialise(key), size, layout, definition };
}
