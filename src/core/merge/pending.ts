/** Which of a table's loads and change files the next batch takes: decided by their numbers alone. */

import { formatTableName, type TableName } from '../change.ts';
import type { StoredLoadRecord } from '../change-file/load-record.ts';
import { type ChangeNumber, formatChangeNumber, numberInRun, runOf } from '../change-number.ts';
import { CdcError } from '../errors.ts';
import type { TableDefinition } from '../table-definition.ts';
import { type Chain, followChain, type RangedFile, type Staged } from './chain.ts';
import type { Epoch } from './ledger.ts';

export type { KnownRanges, RangedFile, Staged } from './chain.ts';

/** Where the lake table stands. */
export interface Standing {
  watermark: ChangeNumber;
  epoch: Epoch | null;
  definition: TableDefinition;
}

/** Why something that is there cannot be merged yet. */
export interface Waiting {
  /** `loading`: its load is not published; `gap`: a number between is missing; `replaying`: DMS repeats what was there. */
  reason: 'loading' | 'gap' | 'replaying';
  detail: string;
  /** The files that wait. */
  files: number;
  /** When the first of them was published. */
  since: Date;
}

/** The changes that the next batch takes, and what it begins with. */
export interface NextBatch {
  epoch: StoredLoadRecord | undefined;
  /** Files to read; each with the definition its rows follow. */
  files: { file: RangedFile; definition: TableDefinition }[];
  /** Changes above `after` and up to `end` count. */
  after: ChangeNumber;
  end: ChangeNumber;
  /** Numbers in between that no file holds: a truncation or a change of definition took them. */
  taken: ReadonlySet<ChangeNumber>;
  /** At the end of the batch. */
  definition: TableDefinition;
}

export interface Pending {
  batch: NextBatch | undefined;
  waiting: Waiting | undefined;
  /** Files that hold something not merged yet, whether or not the next batch can take it. */
  pendingFiles: number;
}

export interface NextBatchOptions {
  /** Nothing above it. */
  limit?: ChangeNumber | undefined;
  /** The table keeps its history: loads and truncations come in their turn, and no change before them is left out. */
  keepHistory?: boolean;
}

/**
 * The next batch of a table: the newest load or truncation that the table has not had, then the changes after it as far
 * as their numbers follow one another.
 */
export function nextBatch(
  table: TableName,
  staged: Staged,
  standing: Standing | undefined,
  { limit, keepHistory = false }: NextBatchOptions = {},
): Pending {
  const later = staged.records.filter(
    (record) =>
      (standing?.epoch == null || compareEpochs(record, standing.epoch) > 0) &&
      (limit === undefined || record.number <= limit),
  );
  // A load or truncation holds all there was before it; a start only opens a run, so what the run before it left comes first.
  const replacing = keepHistory ? undefined : later.findLast((record) => record.kind !== 'start');
  const opening = later.find(
    (record) =>
      keepHistory || (record.kind === 'start' && (replacing === undefined || compareEpochs(record, replacing) > 0)),
  );
  const epoch = replacing ?? (standing === undefined ? opening : undefined);
  if (epoch === undefined && standing === undefined) return { ...nothing, ...loading(table, staged.files) };

  const upTo = keepHistory ? least(limit, nextRecord(later, epoch)) : limitOf(epoch, standing, limit);
  const chain = followChain(staged, epoch?.number ?? standing?.watermark ?? 0n, upTo);
  const waiting = waitingFor(table, chain, staged.records);
  const pendingFiles =
    chain.files.filter((file) => file.last > (standing?.watermark ?? -1n)).length + chain.rest.length;
  if (epoch !== undefined && standing !== undefined && chain.end < standing.watermark) {
    // Readers have seen changes after this load: it counts only together with them.
    return {
      batch: undefined,
      waiting: waiting ?? {
        reason: 'gap',
        detail: `the load at ${numberInRun(epoch.number)} waits for the changes up to ${numberInRun(standing.watermark)}, of which ${numberInRun(chain.end + 1n)} is missing`,
        files: 0,
        since: epoch.modified,
      },
      pendingFiles,
    };
  }
  const batch = batchOf(table, staged, chain, epoch, standing);
  if (batch !== undefined) return { batch, waiting, pendingFiles };
  // Nothing more before it: the next run, or load of a history, where there is one.
  if (epoch === undefined && opening !== undefined && standing !== undefined) {
    const from = keepHistory && standing.watermark > opening.number ? standing.watermark : opening.number;
    const opened = followChain(staged, from, keepHistory ? least(limit, nextRecord(later, opening)) : limit);
    return {
      batch: batchOf(table, staged, opened, opening, standing),
      waiting: waitingFor(table, opened, staged.records),
      pendingFiles: opened.files.length + opened.rest.length,
    };
  }
  return { batch: undefined, waiting, pendingFiles };
}

const nothing = { batch: undefined, waiting: undefined, pendingFiles: 0 };

export function compareEpochs(a: Pick<Epoch, 'number' | 'suffix'>, b: Pick<Epoch, 'number' | 'suffix'>): number {
  return a.number < b.number ? -1 : a.number > b.number ? 1 : a.suffix - b.suffix;
}

/** A history stops at each load or truncation to have it in its turn. */
function nextRecord(later: readonly StoredLoadRecord[], after: StoredLoadRecord | undefined): ChangeNumber | undefined {
  return later.find((record) => after === undefined || compareEpochs(record, after) > 0)?.number;
}

function least(a: ChangeNumber | undefined, b: ChangeNumber | undefined): ChangeNumber | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a < b ? a : b;
}

/** A load below the watermark is applied with everything that readers have already seen, whatever the limit. */
function limitOf(
  epoch: StoredLoadRecord | undefined,
  standing: Standing | undefined,
  limit: ChangeNumber | undefined,
): ChangeNumber | undefined {
  if (limit === undefined || epoch === undefined || standing === undefined) return limit;
  return limit < standing.watermark ? standing.watermark : limit;
}

function batchOf(
  table: TableName,
  staged: Staged,
  chain: Chain,
  epoch: StoredLoadRecord | undefined,
  standing: Standing | undefined,
): NextBatch | undefined {
  const definitions = [...staged.definitions, ...staged.records.map((record) => record.definition)];
  if (standing !== undefined) definitions.push(standing.definition);
  const definition = definitionAt(definitions, chain.end) ?? epoch?.definition;
  if (definition === undefined) throw missingDefinition(table, chain.end);
  const isNew = chain.files.some((file) => file.last > (standing?.watermark ?? -1n));
  const columnsChange =
    standing !== undefined && definition.number > standing.watermark && !sameColumns(definition, standing.definition);
  if (epoch === undefined && !isNew && !columnsChange) return undefined;
  return {
    epoch,
    files: chain.files.map((file) => {
      const first = file.first > chain.after ? file.first : chain.after + 1n;
      const of = definitionAt(definitions, first) ?? epoch?.definition;
      if (of === undefined) throw missingDefinition(table, file.first);
      return { file, definition: of };
    }),
    after: chain.after,
    end: chain.end,
    taken: chain.taken,
    definition,
  };
}

/** The definition in force at a number: the one with the greatest number up to it. */
function definitionAt(definitions: readonly TableDefinition[], number: ChangeNumber): TableDefinition | undefined {
  let found: TableDefinition | undefined;
  for (const definition of definitions)
    if (definition.number <= number && (found === undefined || definition.number > found.number)) found = definition;
  return found;
}

function sameColumns(a: TableDefinition, b: TableDefinition): boolean {
  const columns = (definition: TableDefinition) =>
    JSON.stringify(definition.columns.map(({ lake, delta }) => [lake, delta]).sort());
  return columns(a) === columns(b);
}

function waitingFor(table: TableName, chain: Chain, records: readonly StoredLoadRecord[]): Waiting | undefined {
  const first = chain.rest[0];
  if (first === undefined || chain.missing === undefined) return undefined;
  const since = earliest(chain.rest);
  if (runOf(first.first) > runOf(chain.missing)) {
    const opened = records.some((record) => runOf(record.number) === runOf(first.first));
    return opened
      ? undefined
      : {
          reason: 'loading',
          detail: `${formatTableName(table)}: ${chain.rest.length} change files wait for the table's load`,
          files: chain.rest.length,
          since,
        };
  }
  return {
    reason: 'gap',
    detail: `${formatTableName(table)}: change ${numberInRun(chain.missing)} of run ${runOf(chain.missing)} is missing (the next file, ${first.key}, begins with ${numberInRun(first.first)})`,
    files: chain.rest.length,
    since,
  };
}

function loading(table: TableName, files: readonly RangedFile[]): Partial<Pending> {
  if (files.length === 0) return {};
  return {
    pendingFiles: files.length,
    waiting: {
      reason: 'loading',
      detail: `${formatTableName(table)}: ${files.length} change files wait for the table's load`,
      files: files.length,
      since: earliest(files),
    },
  };
}

function earliest(files: readonly RangedFile[]): Date {
  return new Date(Math.min(Date.now(), ...files.map(({ modified }) => modified.getTime())));
}

function missingDefinition(table: TableName, number: ChangeNumber): CdcError {
  return new CdcError(
    'definition.missing',
    `merging ${formatTableName(table)}: no definition of the table for change ${formatChangeNumber(number)} is in staging`,
    { hint: `cdc reload ${formatTableName(table)}` },
  );
}
