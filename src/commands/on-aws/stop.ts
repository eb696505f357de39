/** `stop` on target aws: the task, then the database; `--all` also deletes the replication instance. */

import type { Answer, Context } from '../../cli/command.ts';
import { openRunOnAws } from '../../cli/open-aws.ts';
import { UsageError } from '../../core/errors.ts';
import { stopOnAws as stop } from '../../core/pipeline/aws-run/stop.ts';

export async function stopOnAws(options: { worker: boolean; all: boolean }, context: Context): Promise<Answer> {
  if (options.worker)
    throw new UsageError('--worker is for target local: on AWS stop ends the DMS task and the database');
  if (context.flags.dryRun)
    throw new UsageError(
      '--dry-run of stop is not built for target aws yet',
      'cdc status   # shows what runs, and its cost',
    );
  const report = await stop({ ...(await openRunOnAws(context)), all: options.all });
  const already = (state: string, what: string) =>
    state === 'already' ? `already stopped: ${what}` : `${state} ${what}`;
  return {
    text: [
      ...report.tasks.map(({ name, state }) => already(state, `the task ${name}`)),
      ...(report.database === 'not ours' ? [] : [already(report.database, 'the database')]),
      ...(report.replication_instance === 'absent' ? [] : [`${report.replication_instance} the replication instance`]),
      report.cost.says,
    ].join('\n'),
    json: report,
    next: ['cdc start'],
  };
}
