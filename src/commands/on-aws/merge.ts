/** `merge --engine glue`: a run of the Glue job, started, followed to its end, and what it says it has done. */

import type { Context } from '../../cli/command.ts';
import type { MergedTable } from '../../cli/merged-table.ts';
import { openRunOnAws } from '../../cli/open-aws.ts';
import { formatTableName, type TableName } from '../../core/change.ts';
import { UsageError } from '../../core/errors.ts';
import { mergeOnGlue } from '../../core/pipeline/aws-run/follow-glue-run.ts';
import { findArrival } from '../../core/pipeline/aws-run/trigger.ts';
import type { JobTable } from '../../core/pipeline/job-report.ts';

export interface GlueMergeReport {
  tables: MergedTable[];
  engine: 'glue';
  run: string | null;
  /** Billed. */
  run_seconds: number;
  dry_run?: true;
}

export async function mergeOnAws(
  options: { file: string | undefined; tables: readonly TableName[]; watch: boolean; takeOver: boolean },
  context: Context,
): Promise<GlueMergeReport> {
  if (options.watch)
    throw new UsageError(
      'merge: --watch is for an engine on this machine: on AWS each file that arrives wakes the Glue job',
      '`cdc logs --follow` shows what it does',
    );
  const run = await openRunOnAws(context);
  const file = options.file === undefined ? undefined : (await findArrival({ ...run, file: options.file })).stagingKey;
  if (context.flags.dryRun) return { tables: [], engine: 'glue', run: null, run_seconds: 0, dry_run: true };
  const { id, seconds, report } = await mergeOnGlue(run, { ...options, file });
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
