/** `replicate` on target aws: a DMS task that loads, follows, or both. */

import type { Answer, Context } from '../../cli/command.ts';
import { openRunOnAws } from '../../cli/open-aws.ts';
import { count } from '../../cli/table.ts';
import { UsageError } from '../../core/errors.ts';
import { type AwsReplicateReport, replicateOnAws as replicate } from '../../core/pipeline/aws-run/replicate.ts';
import type { StartAt } from '../../core/pipeline/start-at.ts';
import { formatPosition } from '../../core/position.ts';

export interface ReplicateOnAwsOptions {
  fullLoad: boolean;
  ongoing: boolean;
  foreground: boolean;
  wait: boolean;
  from: StartAt | undefined;
}

export async function replicateOnAws(options: ReplicateOnAwsOptions, context: Context): Promise<Answer> {
  if (options.foreground) throw new UsageError('--foreground is for target local: on AWS the DMS task does the work');
  if (context.flags.dryRun)
    throw new UsageError(
      '--dry-run of replicate is not built for target aws yet',
      'cdc status   # shows the task as it is',
    );
  const { fullLoad, ongoing, wait, from } = options;
  const at = from === undefined ? {} : { from: from === 'now' ? from : formatPosition(from) };
  const run = await openRunOnAws(context);
  const report = await replicate({ ...run, request: { fullLoad, ongoing, ...at }, wait });
  for (const { table, reason } of report.left_out) context.progress.warn(`left out ${table}: ${reason}`);
  return { text: renderReplicateOnAws(report), json: report, next: ['cdc status', 'cdc stop'] };
}

export function renderReplicateOnAws(report: AwsReplicateReport): string {
  const tables = count(report.tables.length, 'table');
  if (report.state === 'already') return `already replicating (task ${report.task ?? ''})`;
  if (report.state === 'finished')
    return report.loaded.length === 0 ? `already loaded: ${tables}` : `loaded ${count(report.loaded.length, 'table')}`;
  return `replicating ${tables}${report.position === null ? '' : ` from ${report.position}`} (task ${report.task ?? ''})`;
}
