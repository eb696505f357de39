/** `stop` on target aws: the task, then the database; `--all` also deletes the replication instance. */

import type { Answer, Context } from '../../cli/command.ts';
import { openRunOnAws } from '../../cli/open-aws.ts';
import { UsageError } from '../../core/errors.ts';
import { planStopOnAws, type StopPlanOnAws } from '../../core/pipeline/aws-run/dry-run.ts';
import type { CostReport } from '../../core/pipeline/aws-run/measure-cost.ts';
import { stopOnAws as stop } from '../../core/pipeline/aws-run/stop.ts';

export async function stopOnAws(options: { worker: boolean; all: boolean }, context: Context): Promise<Answer> {
  if (options.worker)
    throw new UsageError('--worker is for target local: on AWS stop ends the DMS task and the database');
  const run = await openRunOnAws(context);
  if (context.flags.dryRun) {
    const plan = await planStopOnAws(run, options);
    return { text: renderPlan(plan), json: { ...plan, dry_run: true } };
  }
  const report = await stop({ ...run, all: options.all });
  const already = (state: string, what: string) =>
    state === 'already' ? `already stopped: ${what}` : `${state} ${what}`;
  return {
    text: [
      ...report.tasks.map(({ name, state }) => already(state, `the task ${name}`)),
      ...(report.database === 'not ours' ? [] : [already(report.database, 'the database')]),
      ...(report.replication_instance === 'absent' ? [] : [`${report.replication_instance} the replication instance`]),
      ...stillPaid(report.cost),
      report.cost.says,
    ].join('\n'),
    json: report,
    next: ['cdc start'],
  };
}

/** What goes on costing money, by the day. */
function stillPaid({ remaining }: CostReport): string[] {
  return remaining.map(({ resource, hourly_usd }) => `still paid: ${resource}, $${(hourly_usd * 24).toFixed(2)} a day`);
}

function renderPlan(plan: StopPlanOnAws): string {
  return [
    ...plan.stop.map((task) => `would stop the task ${task}`),
    ...plan.delete.map((task) => `would delete the task ${task}: cdc start goes on from where it is`),
    ...(plan.database === 'stop' ? ['would stop the database'] : []),
    ...(plan.database === 'already' ? ['already stopped: the database'] : []),
    ...(plan.replication_instance === 'delete' ? ['would delete the replication instance'] : []),
    ...(plan.replication_instance === 'leave' ? ['the replication instance stays: it cannot be stopped (--all)'] : []),
    `now $${plan.now_usd_per_day.toFixed(2)}/day, then $${plan.then_usd_per_day.toFixed(2)}`,
  ].join('\n');
}
