/** `start` on target aws: the database, the replication instance where it was deleted, then the task. */

import type { Answer, Context } from '../../cli/command.ts';
import { openAws, openRunOnAws } from '../../cli/open-aws.ts';
import { UsageError } from '../../core/errors.ts';
import { initAws } from '../../core/pipeline/aws/init.ts';
import { lookAtAws } from '../../core/pipeline/aws/look.ts';
import { startOnAws as start } from '../../core/pipeline/aws-run/start.ts';
import { renderReplicateOnAws } from './replicate.ts';

export async function startOnAws(options: { wait: boolean }, context: Context): Promise<Answer> {
  if (context.flags.dryRun)
    throw new UsageError(
      '--dry-run of start is not built for target aws yet',
      'cdc status   # shows what runs, and its cost',
    );
  const makeInstance = async () => {
    await initAws(await lookAtAws(await openAws(context)), { only: 'connections' });
  };
  const report = await start({ ...(await openRunOnAws(context)), wait: options.wait, makeInstance });
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
