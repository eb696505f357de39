/** `merge --engine glue`: a run of the Glue job, started, followed to its end, and what it says it has done. */

import type { Context } from '../../cli/command.ts';
import { type MergedTable, mergedSentence } from '../../cli/merged-table.ts';
import { openRunOnAws } from '../../cli/open-aws.ts';
import { sayError } from '../../cli/say-error.ts';
import { formatTableName, type TableName } from '../../core/change.ts';
import type { Config } from '../../core/config.ts';
import type { AskLoad } from '../../core/merge/look.ts';
import { askDmsLoad } from '../../core/pipeline/aws-run/ask-dms-load.ts';
import { type Merging, mergeOnGlue } from '../../core/pipeline/aws-run/follow-glue-run.ts';
import { openNamedJob } from '../../core/pipeline/aws-run/named-job.ts';
import { findArrival } from '../../core/pipeline/aws-run/trigger.ts';
import type { JobTable } from '../../core/pipeline/job-report.ts';
import { openStores } from '../../core/pipeline/pipeline.ts';
import { watchByRuns } from '../../core/pipeline/watch-by-runs.ts';

export interface GlueMergeReport {
  tables: MergedTable[];
  engine: 'glue';
  run: string | null;
  /** Billed. */
  run_seconds: number;
  dry_run?: true;
}

interface GlueMergeOptions {
  /** With target local the key of a file in staging; else as a person names it. */
  file: string | undefined;
  tables: readonly TableName[];
  watch: boolean;
  takeOver: boolean;
}

type GlueMerging = Merging & { config: Config };

/** For an engine on this machine; the account is asked only where a load of DMS is open. */
export function askLoadFrom(context: Context): AskLoad {
  return askDmsLoad(() => openRunOnAws(context));
}

/** By the job that `init` made. */
export async function mergeOnAws(options: GlueMergeOptions, context: Context): Promise<GlueMergeReport> {
  const run = await openRunOnAws(context);
  const file = options.file === undefined ? undefined : (await findArrival({ ...run, file: options.file })).stagingKey;
  return await mergeByJob(run, { ...options, file }, context);
}

/** By the job that `merge.glue_job` names: of files that this machine captured into a bucket. */
export async function mergeOnNamedJob(
  config: Config,
  options: GlueMergeOptions,
  context: Context,
): Promise<GlueMergeReport> {
  const { progress, signal } = context;
  return await mergeByJob({ ...(await openNamedJob({ config, progress, signal })), config }, options, context);
}

async function mergeByJob(run: GlueMerging, options: GlueMergeOptions, context: Context): Promise<GlueMergeReport> {
  if (context.flags.dryRun) return { tables: [], engine: 'glue', run: null, run_seconds: 0, dry_run: true };
  if (options.watch) return await watchOnGlue(run, options, context);
  const { id, seconds, report } = await mergeOnGlue(run, options);
  if (report === undefined) run.progress.warn(`run ${id} has ended well, and its log does not say what it did`);
  const tables = report?.tables ?? [];
  for (const table of tables) {
    if (table.waiting !== undefined) run.progress.warn(`waiting: ${table.waiting}`);
    if (table.error !== undefined)
      run.progress.warn(
        `${formatTableName(table)}: ${table.error.message}${table.error.hint === undefined ? '' : `\n→ ${table.error.hint}`}`,
      );
  }
  return { tables: tables.map(asPrinted), engine: 'glue', run: id, run_seconds: seconds };
}

/** For a bucket without a function, or one whose events do not come. */
async function watchOnGlue(
  run: GlueMerging,
  options: { tables: readonly TableName[] },
  context: Context,
): Promise<never> {
  const { progress, signal } = context;
  const { staging } = openStores(run.config, context.env.variables);
  return await watchByRuns({
    staging,
    tables: options.tables,
    onError: sayError(progress),
    progress,
    signal,
    async run() {
      const { report } = await mergeOnGlue(run, { tables: options.tables }).catch((error: unknown) => {
        // Stopping it would gain nothing: what it commits is whole, and what it does not the next run takes up.
        if (signal.aborted) progress.warn('the run that is under way ends by itself (`cdc logs` shows it)');
        throw error;
      });
      const tables = report?.tables ?? [];
      for (const table of tables.map(asPrinted))
        if (table.error !== undefined || table.files > 0)
          await context.emit(table, table.error === undefined ? mergedSentence(table) : '');
      for (const { error } of tables) if (error !== undefined) sayError(progress)(error);
      return tables.some(({ error, waiting }) => error !== undefined || waiting !== undefined);
    },
  });
}

/** Without what is undefined, as the other engines print it. */
function asPrinted({ waiting, error, ...table }: JobTable): MergedTable {
  return {
    ...table,
    ...(waiting !== undefined && { waiting }),
    ...(error !== undefined && {
      error: { code: error.code, message: error.message, ...(error.hint !== undefined && { hint: error.hint }) },
    }),
  };
}
