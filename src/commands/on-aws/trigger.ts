/** `trigger` on target aws: invokes the function with the event of a file, and follows the Glue run. */

import type { Answer, Context } from '../../cli/command.ts';
import { openRunOnAws } from '../../cli/open-aws.ts';
import { UsageError } from '../../core/errors.ts';
import { triggerOnAws as trigger } from '../../core/pipeline/aws-run/trigger.ts';

export async function triggerOnAws(options: { file: string }, context: Context): Promise<Answer> {
  if (context.flags.dryRun) throw new UsageError('--dry-run of trigger is not built for target aws yet', 'cdc status');
  const report = await trigger({ ...(await openRunOnAws(context)), file: options.file, wait: true });
  return {
    text: [
      `store   ${report.store}`,
      `key     ${report.key}`,
      `file    ${report.file}`,
      `run     ${report.run ?? '-'}`,
      `result  ${report.state}${report.reason === null ? '' : `: ${report.reason}`}`,
    ].join('\n'),
    json: report,
  };
}
