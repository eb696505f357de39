/** What lies in a pipeline's staging, file by file: kind, rows, numbers, and which version of the lake table took it. */

import type { TableName } from '../change.ts';
import { tableFolder } from '../change-file/layout.ts';
import { readLoadRecords, type StoredLoadRecord } from '../change-file/load-record.ts';
import { parseStagedName } from '../change-file/name.ts';
import { type ChangeNumber, formatChangeNumber } from '../change-number.ts';
import { CdcError } from '../errors.ts';
import { readCurrentDmsEpochs } from '../merge/dms-staged.ts';
import type { RangedFile, Staged } from '../merge/pending.ts';
import { readStaged } from '../merge/staged.ts';
import { type TableState, tableState } from '../merge/table-state.ts';
import { mergedInputs, versionsOf } from './merged-inputs.ts';
import { listDmsFiles } from './staged-dms-files.ts';
import type { ListFilesOptions, StagedFileSummary } from './staged-file-summary.ts';

export type { StagedFileSummary } from './staged-file-summary.ts';

/** By name: a load's files come before the changes of their table. */
export async function listStagedFiles(table: TableName, options: ListFilesOptions): Promise<StagedFileSummary[]> {
  const { staging } = options;
  const epochs = await readCurrentDmsEpochs(staging, table, () => readLoadRecords(staging, table));
  if (epochs !== undefined) return await listDmsFiles(table, epochs, options);
  const objects = new Map((await staging.list(tableFolder(table))).map((object) => [object.key, object]));
  const [staged, state] = await Promise.all([
    readStaged(staging, table).catch(async (error: unknown): Promise<Staged> => {
      if (!(error instanceof CdcError) || !error.code.startsWith('file.')) throw error;
      options.onUnreadable(error);
      return { files: [], records: await readLoadRecords(staging, table), definitions: [], others: [] };
    }),
    tableState({ ...options, table }),
  ]);
  const versions = versionsOf(await mergedInputs(options.lake, table, state));
  const ranges = new Map(staged.files.map((file) => [file.key, file]));
  const summaries: StagedFileSummary[] = [];
  for (const { key, size, modified } of objects.values()) {
    const kind = parseStagedName(key.slice(tableFolder(table).length))?.kind;
    if (kind === undefined) continue;
    const range = ranges.get(key);
    const described =
      kind === 'load'
        ? describeLoad(key, staged, state)
        : range === undefined
          ? unknown
          : describeChanges(range, staged, state);
    summaries.push({
      ...table,
      file: key,
      bytes: size,
      published: modified.toISOString(),
      ...described,
      version: described.state === 'merged' ? (versions.get(key) ?? null) : null,
    });
  }
  return summaries.sort((a, b) => rank(a) - rank(b));
}

type Described = Pick<StagedFileSummary, 'kind' | 'rows' | 'first' | 'last' | 'position' | 'state'>;

/** Changes that nobody numbered: another writer's, which this version does not merge. */
const unknown: Described = { kind: 'unknown', rows: null, first: null, last: null, position: null, state: 'unknown' };

function describeLoad(key: string, staged: Staged, state: TableState | undefined): Described {
  const record = staged.records.findLast(({ files }) => files.some((file) => file.key === key));
  if (record === undefined) return { ...unknown, kind: 'load', state: 'unpublished' };
  const number = formatChangeNumber(record.number);
  return {
    kind: 'load',
    rows: record.files.find((file) => file.key === key)?.rows ?? null,
    first: number,
    last: number,
    position: record.position,
    state: isEpochMerged(record, state) ? 'merged' : 'pending',
  };
}

function isEpochMerged(record: StoredLoadRecord, state: TableState | undefined): boolean {
  const epoch = state?.epoch;
  if (epoch == null) return false;
  return record.number < epoch.number || (record.number === epoch.number && record.suffix <= epoch.suffix);
}

function describeChanges(file: RangedFile, staged: Staged, state: TableState | undefined): Described {
  // A truncation takes a number and no row.
  const truncated = staged.records.filter(
    ({ kind, number }) => kind === 'truncate' && number > file.first && number < file.last,
  ).length;
  return {
    kind: 'changes',
    rows: Number(file.last - file.first) + 1 - truncated,
    first: formatChangeNumber(file.first),
    last: formatChangeNumber(file.last),
    position: null,
    state: isMerged(file.last, state) ? 'merged' : 'pending',
  };
}

function isMerged(last: ChangeNumber, state: TableState | undefined): boolean {
  return state !== undefined && last <= state.watermark;
}

function rank(file: StagedFileSummary): number {
  return file.kind === 'load' ? 0 : 1;
}
