/** `verify` on target aws: the lake in the bucket against the source that DMS follows. */

import { type Answer, type Context, parseTableName } from '../../cli/command.ts';
import { openRunOnAws } from '../../cli/open-aws.ts';
import { exitCodeOf, nextOf, renderReport, reportOf, type VerifyOptions } from '../../cli/verify-report.ts';
import { verifyOnAws as verify } from '../../core/pipeline/aws-run/verify.ts';
import { openPipeline } from '../../core/pipeline/pipeline.ts';

export async function verifyOnAws(options: VerifyOptions, context: Context): Promise<Answer> {
  const only = options.tables.map((text) => parseTableName(text, '--table'));
  const run = await openRunOnAws(context);
  const pipeline = openPipeline(run.config, context.env.variables);
  const report = reportOf(await verify(run, { pipeline, only, settleMs: options.settleMs, signal: context.signal }));
  return { text: renderReport(report), json: report, exitCode: exitCodeOf(report), next: nextOf(report) };
}
