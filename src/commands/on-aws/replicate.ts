/** `replicate` on target aws: a DMS task that loads, follows, or both. */

import type { Answer, Context } from '../../cli/command.ts';
import { openRunOnAws } from '../../cli/open-aws.ts';
import { count } from '../../cli/table.ts';
import { UsageError } from '../../core/errors.ts';
import { planReplicateOnAws, type ReplicatePlanOnAws } from '../../core/pipeline/aws-run/dry-run.ts';
import { type AwsReplicateReport, replicateOnAws as replicate } from '../../core/pipeline/aws-run/replicate.ts';
import { formatStartAt, type StartAt } from '../../core/pipeline/start-at.ts';

export interface ReplicateOnAwsOptions {
  fullLoad: boolean;
  ongoing: boolean;
  foreground: boolean;
  wait: boolean;
  from: StartAt | undefined;
}

export async function replicateOnAws(options: ReplicateOnAwsOptions, context: Context): Promise<Answer> {
  if (options.foreground) throw new UsageError('--foreground is for target local: on AWS the DMS task does the work');
  const { fullLoad, ongoing, wait, from } = options;
  if (typeof from === 'object' && 'gtid' in from)
    throw new UsageError(
      `--from ${from.gtid}: a DMS task of MySQL begins at a file and an offset, not at a GTID`,
      'give --from now or --from FILE:OFFSET, as SHOW MASTER STATUS on the source tells it',
    );
  const at = from === undefined ? {} : { from: formatStartAt(from) };
  const request = { fullLoad, ongoing, ...at };
  const run = await openRunOnAws(context);
  if (context.flags.dryRun) {
    const plan = await planReplicateOnAws(run, request);
    return { text: renderPlan(plan), json: { ...plan, dry_run: true } };
  }
  const report = await replicate({ ...run, request, wait });
  // Not before: only now are there tables to show.
  const show = report.merge === null ? [] : ['cdc query --ddl athena   # what shows the lake tables to Athena'];
  return { text: renderReplicateOnAws(report), json: report, next: ['cdc status', ...show, 'cdc stop'] };
}

export function renderReplicateOnAws(report: AwsReplicateReport): string {
  const tables = count(report.tables.length, 'table');
  const merged = report.merge === null ? '' : `; merged by run ${report.merge.run} in ${report.merge.seconds} s`;
  if (report.state === 'already') return `already replicating (task ${report.task ?? ''})`;
  if (report.state === 'finished')
    return report.loaded.length === 0
      ? `already loaded: ${tables}`
      : `loaded ${count(report.loaded.length, 'table')}${merged}`;
  return `replicating ${tables}${report.position === null ? '' : ` from ${report.position}`} (task ${report.task ?? ''})${merged}`;
}

function renderPlan(plan: ReplicatePlanOnAws): string {
  const { task, from } = plan;
  const acts: Record<ReplicatePlanOnAws['action'], string> = {
    already: `already replicating (task ${task})`,
    loaded: 'already loaded',
    start: `would start the task ${task} (${plan.how})`,
    create: `would make and start the task ${task}${from === null ? '' : ` from ${from}`}`,
    change: `would stop the task ${task}, change its tables, and start it again`,
  };
  return [
    ...(plan.start_database ? ['would start the database'] : []),
    acts[plan.action],
    ...(plan.tables_known ? [] : ['what is in the database cannot be seen before it runs']),
    ...plan.added.map((table) => `would add ${table}`),
    ...plan.removed.map((table) => `would stop following ${table}`),
    ...plan.left_out.map(({ table, reason }) => `would leave out ${table}: ${reason}`),
  ].join('\n');
}
