/** Before a worker follows: compares what is asked for with what is followed, loads the difference, and says where capture goes on. */

import { type Checkpoint, type CheckpointWriter, tablesOf } from '../capture/checkpoint.ts';
import { formatTableName, type TableName } from '../change.ts';
import { runOf } from '../change-number.ts';
import { followsTable } from '../config.ts';
import { CdcError } from '../errors.ts';
import { tableState } from '../merge/table-state.ts';
import type { Lease } from '../store/lease.ts';
import { changedRules } from './changed-rules.ts';
import { chooseTables, type TableChoice } from './choose-tables.ts';
import { loadTables } from './load-tables.ts';
import type { Pipeline } from './pipeline.ts';
import { replicaId } from './replica-id.ts';
import { readSource, type SourceView } from './source-tables.ts';
import { startAt } from './start-at.ts';
import type { WorkerOptions } from './worker-options.ts';

export interface BringUpOptions extends Omit<WorkerOptions, 'signal'> {
  lease: Lease;
  writer: CheckpointWriter;
  /** Tables that were created while the worker ran: they begin with it, whatever was asked for. */
  created: ReadonlySet<string>;
  /** Tables that could not be loaded a moment ago, and hold up no other. */
  postponed: ReadonlySet<string>;
  signal: AbortSignal;
}

export interface BroughtUp {
  checkpoint: Checkpoint;
  /** Loaded, or begun, just now. */
  loaded: TableName[];
  choice: TableChoice;
}

export async function bringUp(options: BringUpOptions): Promise<BroughtUp> {
  const { pipeline, request, progress, writer, created, postponed, signal } = options;
  const source = await readSource({ pipeline, address: await pipeline.address(), signal });
  for (const refused of source.refused) progress.warn(`left out ${refused.table}: ${refused.message}`);
  const checkpoint = sameServer(options, source);
  const choice = chooseTables(wishesOf(pipeline, source), checkpoint);
  tellOf(choice, options, checkpoint);

  const toLoad = source.tables.filter(({ name }) => {
    const key = formatTableName(name);
    return choice.load.some((one) => formatTableName(one) === key) && !postponed.has(key);
  });
  const isLoading = (name: TableName) => request.fullLoad || created.has(formatTableName(name));
  const [load, rest] = [toLoad.filter(({ name }) => isLoading(name)), toLoad.filter(({ name }) => !isLoading(name))];
  const [start, left] = request.from === undefined ? [[], rest] : [rest, []];
  if (left.length > 0)
    progress.warn(
      `not loaded, so not followed: ${left.map(({ name }) => formatTableName(name)).join(', ')}; \`cdc replicate\` loads them`,
    );

  let next = followable(checkpoint, choice);
  if (load.length > 0)
    next = await loadTables({
      ...shared(options, next),
      ...loading(options, load.length),
      tables: load,
      source: await pipeline.address(),
    });
  if (start.length > 0 && request.from !== undefined)
    next = await startAt({
      ...shared(options, next),
      at: request.from,
      tables: start,
      source: await pipeline.address(),
    });
  if (next === undefined) throw nothingToFollow(source, checkpoint);
  for (const sentence of await changedRules(pipeline, choice.follow, next)) progress.warn(sentence);
  next = { ...next, merge: request.merge, server: source.server };
  if (JSON.stringify(next) !== JSON.stringify(writer.current)) await writer.write(next);
  return { checkpoint: next, loaded: [...load, ...start].map(({ name }) => name), choice };
}

/** What the configuration asks of the source, for `chooseTables`. */
export function wishesOf(pipeline: Pipeline, source: SourceView) {
  return {
    wanted: source.tables.map(({ name }) => name),
    refused: source.refused,
    asks: (table: TableName) => followsTable(pipeline.config, table),
  };
}

/** Another server's binlog is another history; MariaDB has no uuid to tell, so there the binlog itself is compared. */
function sameServer({ writer, progress }: BringUpOptions, source: SourceView): Checkpoint | undefined {
  const checkpoint = writer.current;
  const { uuid } = source.server;
  if (checkpoint?.server.uuid === undefined || uuid === undefined || checkpoint.server.uuid === uuid) return checkpoint;
  progress.warn(
    `the source is another server (${uuid}) than the one that was followed (${checkpoint.server.uuid}): where that one stood means nothing here`,
  );
  const message = `the source is another server than the one that was followed (${checkpoint.server.uuid})`;
  return { ...checkpoint, broken: { code: 'position.other-history', message, hint: 'cdc replicate' } };
}

function tellOf(choice: TableChoice, { progress, state }: BringUpOptions, checkpoint: Checkpoint | undefined): void {
  for (const table of choice.removed)
    if (checkpoint?.tables[formatTableName(table)]?.loaded)
      progress.warn(
        `${formatTableName(table)} is no longer asked for: it is not followed any more, its lake table stays`,
      );
  for (const { table, reason } of choice.halt) {
    progress.warn(`${reason.message}; the table is stopped (${reason.hint})`);
    state.updateTable(formatTableName(table), { stopped: reason });
  }
  for (const table of choice.stopped) {
    const stopped = checkpoint?.tables[formatTableName(table)]?.stopped;
    progress.warn(`${formatTableName(table)} is stopped: ${stopped?.message ?? ''} (${stopped?.hint ?? ''})`);
  }
}

/** The checkpoint without what is followed no longer; undefined where there is no position to go on from. */
function followable(checkpoint: Checkpoint | undefined, choice: TableChoice): Checkpoint | undefined {
  if (checkpoint === undefined || checkpoint.broken !== undefined) return undefined;
  const removed = new Set(choice.removed.map(formatTableName));
  const halted = new Map(choice.halt.map(({ table, reason }) => [formatTableName(table), reason]));
  const tables: Checkpoint['tables'] = {};
  for (const { name, entry } of tablesOf(checkpoint)) {
    const key = formatTableName(name);
    if (removed.has(key)) continue;
    const stopped = halted.get(key);
    tables[key] = stopped === undefined ? entry : { ...entry, stopped, stoppedAt: checkpoint.position };
  }
  return { ...checkpoint, tables };
}

function shared({ pipeline, request, writer, lease, signal }: BringUpOptions, checkpoint: Checkpoint | undefined) {
  return {
    staging: pipeline.staging,
    checkpoint,
    writer,
    lease,
    serverId: replicaId(pipeline.config.name),
    merge: request.merge,
    ledgerRun: async (table: TableName) => {
      const known = await tableState(pipeline.mergeOf(table));
      return known === undefined ? 0 : runOf(known.watermark);
    },
    signal,
  };
}

function loading({ pipeline, state, progress }: BringUpOptions, tables: number) {
  state.update({ state: 'loading', doing: `loading ${tables} tables` });
  const update = (text: string) => {
    progress.update(text);
    state.update({ doing: text });
  };
  return { maxFileBytes: pipeline.config.capture.maxFileBytes, progress: { ...progress, update } };
}

function nothingToFollow(source: SourceView, checkpoint: Checkpoint | undefined): CdcError {
  if (source.tables.length === 0)
    return new CdcError(
      'tables.none',
      source.refused.length > 0
        ? 'following the source: each of its tables has a finding against it'
        : 'following the source: it has no table that `tables:` in cdc.yaml asks for',
      { hint: source.refused.length > 0 ? 'cdc check' : 'cdc load FILE.sql   # or change `tables:` in cdc.yaml' },
    );
  if (checkpoint?.broken !== undefined)
    return new CdcError('position.broken', `following the source: the position is lost: ${checkpoint.broken.message}`, {
      hint: 'cdc replicate   # loads the tables again',
    });
  return new CdcError(
    'load.missing',
    'following the source: nothing is loaded yet, so there is no position to go on from',
    {
      hint: 'cdc replicate\ncdc replicate --ongoing --from now   # begins without the rows that are there',
    },
  );
}
