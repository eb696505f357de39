/** Applies change files to lake tables: what is pending in a pipeline, or one loose file without any pipeline. */

import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Context, defineCommand, parseTableName, type RenderFacts } from '../cli/command.ts';
import { type MergedTable, mergedSentence, mergedTable } from '../cli/merged-table.ts';
import { openNamedLake } from '../cli/named-lake.ts';
import { sayError } from '../cli/say-error.ts';
import { type Column, count, textTable } from '../cli/table.ts';
import { formatTableName, type TableName } from '../core/change.ts';
import { needStagedFile } from '../core/change-file/find-file.ts';
import type { Config, ConfigOverride } from '../core/config.ts';
import { withEngine } from '../core/engine/engine.ts';
import { CancelledError, UsageError } from '../core/errors.ts';
import type { AskLoad } from '../core/merge/look.ts';
import { mergeLooseFile } from '../core/merge/merge-loose-file.ts';
import {
  chooseStagedTables,
  countPending,
  type MergeOutcome,
  mergeArrivals,
  mergePending,
} from '../core/pipeline/merge-pending.ts';
import { openPipeline, type Pipeline } from '../core/pipeline/pipeline.ts';
import { mergeWithSpark } from '../core/pipeline/spark-merge.ts';
import { watchByRuns } from '../core/pipeline/watch-by-runs.ts';

/** A file of nobody's pipeline, described by flags. */
export interface LooseFileOptions {
  kind: 'loose';
  file: string;
  table: TableName;
  key: string[];
  /** As typed: `PersonId bigint, FullName varchar(50)`. */
  columns: string;
  lake: string;
  again: boolean;
  takeOver: boolean;
}

/** What is pending in the pipeline of cdc.yaml. */
export interface PendingOptions {
  kind: 'pending';
  /** Up to and with this file; absent: everything. */
  file: string | undefined;
  tables: TableName[];
  watch: boolean;
  takeOver: boolean;
  loadComplete: boolean;
  overrides: ConfigOverride[];
}

export type MergeOptions = LooseFileOptions | PendingOptions;

export interface MergeReport {
  tables: MergedTable[];
  engine: 'local' | 'spark' | 'glue';
  /** Of the Glue job; null where none was started. */
  run?: string | null;
  /** How long it ran, as it is billed. */
  run_seconds?: number;
  /** The same bytes were applied before, so nothing was done. */
  already?: true;
  /** Nothing was done: `files` is what waits. */
  dry_run?: true;
}

export const command = defineCommand({
  arguments: { file: { help: 'a change file: of this pipeline (its key or path), or any file with --lake' } },
  options: {
    table: { value: 'TABLE', repeat: true, help: 'schema.table: of the loose file; or merge these tables only' },
    key: { value: 'COLUMNS', repeat: true, help: "loose file: the key's columns, separated by commas" },
    columns: { value: 'LIST', help: 'loose file: its columns in order, with MySQL types; a bare name is text' },
    lake: { value: 'DIR', help: 'loose file: the folder of the lake, or s3://bucket/prefix; needs no cdc.yaml' },
    again: { help: 'loose file: apply it although the same bytes were applied before' },
    watch: { short: 'w', help: 'merge whenever a file arrives, until Ctrl-C' },
    'take-over': { help: 'take the table from another merge that will not come back; asks first' },
    'load-complete': { help: 'files of DMS: its load is complete, although its statistics do not say so' },
    engine: {
      value: 'ENGINE',
      help: 'what does the work: local, spark, or glue',
      default: 'merge.engine, else local; target aws: glue',
    },
  },
  changes: true,
  asks: true,
  description: `
    Applies the pending change files of each table in order, the last change of a key counts, and commits them to the
    Delta table as one version: readers see all of it or nothing. Applied once is applied for good; a file that comes
    again changes nothing, and a killed merge is finished by the next one.

    With FILE of a pipeline, earlier pending files of its table come first. With FILE and --lake, no pipeline and no
    database are needed: any CSV of changes, with or without a header and an Op column, is merged into a table
    described by --table, --key and --columns.

    \`--engine spark\` does the same work on the same files and tables with Spark (3.5 with Delta 3.3, or 4.0 with
    Delta 4.0), by the script that is the Glue job: for tables that outgrow this machine. It runs CDC_SPARK_SUBMIT,
    else \`merge.spark_submit\` of cdc.yaml, else spark-submit. Engines can alternate from batch to batch.

    With --watch, Spark and the Glue job are started when something arrived, and once more for all that arrived while
    they ran; Ctrl-C stops Spark, and leaves a run of Glue to end by itself.
  `,
  examples: [
    { line: 'cdc merge', does: 'everything that is pending' },
    { line: 'cdc merge --watch', does: 'whenever a file arrives' },
    { line: 'cdc merge --engine spark', does: 'with Spark' },
    {
      line: "cdc merge changes.csv --table shop.persons --key PersonId --columns 'PersonId bigint, FullName varchar(50), City varchar(50)' --lake lake",
      does: 'a loose file, without a pipeline',
    },
  ],

  parse(input): MergeOptions {
    const file = input.argument('file');
    const tables = input.list('table').map((text) => parseTableName(text, '--table'));
    const lake = input.text('lake');
    const takeOver = input.has('take-over');
    if (lake === undefined) {
      for (const option of ['key', 'columns', 'again'] as const)
        if (input.has(option))
          throw new UsageError(
            `merge: --${option} describes a loose file, and that needs --lake`,
            'add --lake DIR, or leave the option out to merge a file of the pipeline',
          );
      const overrides = input.override('engine', 'merge.engine');
      const loadComplete = input.has('load-complete');
      return { kind: 'pending', file, tables, watch: input.has('watch'), takeOver, loadComplete, overrides };
    }
    const key = input.list('key').flatMap((text) => text.split(',').map((name) => name.trim()));
    const columns = input.text('columns');
    const [table] = tables;
    if (file === undefined) throw new UsageError('merge: --lake is for a loose FILE, and none is given');
    if (tables.length !== 1 || table === undefined)
      throw new UsageError('merge: a loose file needs one --table', 'add --table schema.table');
    if (key.length === 0 || key.includes(''))
      throw new UsageError('merge: a loose file needs --key', 'add --key with the column that tells rows apart');
    if (columns === undefined)
      throw new UsageError(
        'merge: a loose file needs --columns',
        "add --columns 'id bigint, name varchar(50)' in the order of the file",
      );
    if (input.has('watch')) throw new UsageError('merge: --watch is for a pipeline, not for a loose file');
    return { kind: 'loose', file, table, key, columns, lake, again: input.has('again'), takeOver };
  },

  async onAws() {
    const { askLoadFrom, mergeOnAws } = await import('./on-aws/merge.ts');
    return async (options: MergeOptions, context: Context) => {
      const isGlue = options.kind === 'pending' && (await context.config(options.overrides)).merge.engine === 'glue';
      if (isGlue) refuseLoadComplete(options);
      if (isGlue) await askToTakeOver(options, context);
      const report: MergeReport = isGlue
        ? await mergeOnAws(options, context)
        : await runMerge(options, context, askLoadFrom(context));
      return { text: renderMerge(report, context.terminal), json: report, exitCode: exitCodeOf(report) };
    };
  },
  run: (options, context) => runMerge(options, context),
  render: renderMerge,
  exitCode: exitCodeOf,
});

function refuseLoadComplete(options: PendingOptions): void {
  if (options.loadComplete)
    throw new UsageError(
      'merge: --load-complete is for an engine on this machine',
      'the Glue job asks DMS itself; or add --engine local',
    );
}

async function askToTakeOver(options: MergeOptions, context: Context): Promise<void> {
  const question = 'Take the table from whoever merges it now? Two at once would undo each other.';
  if (options.takeOver && !(await context.confirm(question))) throw new CancelledError('nothing was merged');
}

async function runMerge(options: MergeOptions, context: Context, askLoad?: AskLoad): Promise<MergeReport> {
  await askToTakeOver(options, context);
  return options.kind === 'loose' ? mergeLoose(options, context) : mergePipeline(options, context, askLoad);
}

function renderMerge(report: MergeReport, { columns }: RenderFacts): string {
  if (report.engine === 'glue' && report.dry_run === true) return 'would start a run of the Glue job';
  const merged = report.tables.filter(({ files, changes }) => files > 0 || changes > 0);
  if (report.dry_run === true && merged.length > 0)
    return merged.map((one) => `would merge ${count(one.files, 'file')} of ${formatTableName(one)}`).join('\n');
  if (merged.length === 0)
    return report.already === true
      ? 'already merged: the same bytes were applied before (--again applies them)'
      : report.tables.some(({ waiting }) => waiting !== undefined)
        ? 'nothing was merged'
        : 'already merged: nothing is pending';
  const table: Column<MergedTable>[] = [
    { title: 'table', value: ({ schema, table }) => `${schema}.${table}` },
    { title: 'files', value: ({ files }) => files, right: true },
    { title: 'changes', value: ({ changes }) => changes, right: true },
    { title: 'inserted', value: ({ inserted }) => inserted, right: true },
    { title: 'updated', value: ({ updated }) => updated, right: true },
    { title: 'deleted', value: ({ deleted }) => deleted, right: true },
    ...(merged.some(({ quarantined }) => quarantined > 0)
      ? [{ title: 'quarantined', value: ({ quarantined }: MergedTable) => quarantined, right: true }]
      : []),
    { title: 'version', value: ({ version }) => version, right: true },
    { title: 'seconds', value: ({ seconds }) => seconds.toFixed(2), right: true, drop: 1 },
  ];
  return textTable(merged, table, { width: columns });
}

function exitCodeOf(report: MergeReport): 0 | 1 {
  return report.tables.some(({ error }) => error !== undefined) ? 1 : 0;
}

async function mergeLoose(options: LooseFileOptions, context: Context): Promise<MergeReport> {
  const { flags, progress, signal, cwd } = context;
  progress.update(`merging ${options.file}`);
  const report = await withEngine({ tempDirectory: join(tmpdir(), 'cdc'), signal }, (engine) =>
    mergeLooseFile({
      ...options,
      file: resolve(cwd, options.file),
      dryRun: flags.dryRun,
      lake: openNamedLake(options.lake, context),
      engine,
      progress,
      signal,
    }),
  );
  return {
    tables: [mergedTable(report)],
    engine: 'local',
    ...(report.already && { already: true }),
    ...(flags.dryRun && { dry_run: true }),
  };
}

async function mergePipeline(options: PendingOptions, context: Context, askLoad?: AskLoad): Promise<MergeReport> {
  const { progress, signal, flags } = context;
  const config = await context.config(options.overrides);
  const pipeline = openPipeline(config, context.env.variables);
  const { engine } = config.merge;
  const file =
    options.file === undefined ? undefined : await needStagedFile(pipeline.staging, context.cwd, options.file);
  const tables = file === undefined ? await chooseStagedTables(pipeline.staging, options.tables) : [file.table];

  if (engine === 'glue') {
    refuseLoadComplete(options);
    const { mergeOnNamedJob } = await import('./on-aws/merge.ts');
    return await mergeOnNamedJob(config, { ...options, file: file?.key }, context);
  }
  if (options.watch && !flags.dryRun) await watchPipeline(pipeline, options.tables, context, askLoad);
  if (flags.dryRun) {
    const pending = await countPending({ pipeline, tables, upTo: file?.key, signal });
    return {
      tables: pending.map(({ table, files }) => ({ ...nothing, ...table, files })),
      engine,
      dry_run: true,
    };
  }

  const { takeOver, loadComplete } = options;
  const request = { tables, upTo: file?.key, takeOver, loadComplete, progress, signal };
  const outcomes =
    engine === 'spark'
      ? await mergeWithSpark({ ...request, config, submit: submitOf(config, context) })
      : await mergePending({ ...request, askLoad, pipeline });
  const [only] = outcomes;
  if (outcomes.length === 1 && only !== undefined && 'error' in only && only.merged === undefined) throw only.error;
  const merged = outcomes.map((outcome) => outcomeOf(outcome, progress));
  const [first] = merged;
  if (file !== undefined && first !== undefined && first.files > 1)
    progress.done(`${count(first.files - 1, 'earlier pending file')} of ${formatTableName(file.table)} came first`);
  return { tables: merged, engine };
}

const nothing = { files: 0, changes: 0, inserted: 0, updated: 0, deleted: 0, quarantined: 0, version: -1, seconds: 0 };

/** Ends by the signal. */
async function watchPipeline(
  pipeline: Pipeline,
  tables: readonly TableName[],
  context: Context,
  askLoad: AskLoad | undefined,
): Promise<never> {
  const { config, staging } = pipeline;
  const { progress, signal } = context;
  const watch = { tables, progress, signal };
  const emit = async (outcome: MergeOutcome) => {
    const table = outcomeOf(outcome, progress);
    await context.emit(table, 'error' in outcome ? '' : mergedSentence(table));
  };
  if (config.merge.engine === 'local') return await mergeArrivals({ ...watch, askLoad, pipeline, onOutcome: emit });
  const spark = { ...watch, takeOver: false, loadComplete: false, config, submit: submitOf(config, context) };
  return await watchByRuns({
    ...watch,
    staging,
    onError: sayError(progress),
    async run(there) {
      const outcomes = await mergeWithSpark({ ...spark, tables: there });
      for (const outcome of outcomes) if ('error' in outcome || outcome.report.files > 0) await emit(outcome);
      return outcomes.some((one) => 'error' in one || one.report.waits !== undefined);
    },
  });
}

function submitOf(config: Config, context: Context): string {
  return context.env.sparkSubmit ?? config.merge.sparkSubmit;
}

/** The table's line of the report; an error and a wait are also said, for the answer's columns have no room for them. */
function outcomeOf(outcome: MergeOutcome, progress: Context['progress']): MergedTable {
  if ('report' in outcome) {
    const { waiting } = outcome.report;
    if (waiting !== undefined) progress.warn(`waiting: ${waiting}`);
    return mergedTable(outcome.report);
  }
  const { code, message, hint } = outcome.error;
  sayError(progress)(outcome.error);
  const merged = outcome.merged === undefined ? { ...nothing, ...outcome.table } : mergedTable(outcome.merged);
  return { ...merged, error: { code, message, ...(hint !== undefined && { hint }) } };
}
