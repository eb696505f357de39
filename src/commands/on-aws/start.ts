/** `start` on target aws: the database, the replication instance where it was deleted, then the task. */

import type { Answer, Context } from '../../cli/command.ts';
import { openAws, openRunOnAws } from '../../cli/open-aws.ts';
import { initAws } from '../../core/pipeline/aws/init.ts';
import { lookAtAws } from '../../core/pipeline/aws/look.ts';
import { planStartOnAws, type StartPlanOnAws } from '../../core/pipeline/aws-run/dry-run.ts';
import { startOnAws as start } from '../../core/pipeline/aws-run/start.ts';
import { renderReplicateOnAws } from './replicate.ts';

export async function startOnAws(options: { wait: boolean }, context: Context): Promise<Answer> {
  const run = await openRunOnAws(context);
  if (context.flags.dryRun) {
    const plan = await planStartOnAws(run);
    return { text: renderPlan(plan), json: { ...plan, dry_run: true } };
  }
  const makeInstance = async () => {
    await initAws(await lookAtAws(await openAws(context)), { only: 'replication-instance' });
  };
  const report = await start({ ...run, wait: options.wait, makeInstance });
  return {
    text: [
      ...(report.database === 'not ours'
        ? []
        : [report.database === 'already' ? 'already running: the database' : 'started the database']),
      ...(report.replication_instance === 'made' ? ['made the replication instance'] : []),
      report.task === null ? 'nothing was replicated yet: no task to start' : renderReplicateOnAws(report.task),
      report.cost.says,
    ].join('\n'),
    json: report,
    next: report.task === null ? ['cdc replicate'] : ['cdc status'],
  };
}

function renderPlan(plan: StartPlanOnAws): string {
  return [
    ...(plan.database === 'start' ? ['would start the database'] : []),
    ...(plan.database === 'already' ? ['already running: the database'] : []),
    ...(plan.replication_instance === 'make' ? ['would make the replication instance'] : []),
    plan.task === null ? 'nothing was replicated yet: no task to start' : `would go on with the task ${plan.task}`,
    `now $${plan.now_usd_per_day.toFixed(2)}/day, then $${plan.then_usd_per_day.toFixed(2)}`,
  ].join('\n');
}
