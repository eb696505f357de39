/** `load` on target aws: over TLS, as the master user of the RDS instance or the user of a URL. */

import type { Answer, Context } from '../../cli/command.ts';
import { type LoadOptions, type LoadReport, readLoadInput, renderLoad } from '../../cli/load-input.ts';
import { openAws } from '../../cli/open-aws.ts';
import { CancelledError } from '../../core/errors.ts';
import { awsSourceAddress } from '../../core/pipeline/aws/source-address.ts';
import { countStatements } from '../../core/source/count-statements.ts';
import { runSql } from '../../core/source/run-sql.ts';

export async function loadOnAws(options: LoadOptions, context: Context): Promise<Answer> {
  const { signal, progress, flags } = context;
  const started = performance.now();
  const answer = (report: Omit<LoadReport, 'seconds'>): Answer => {
    const whole = { ...report, seconds: Math.round(performance.now() - started) / 1000 };
    return { text: renderLoad(whole), json: whole };
  };
  if (flags.dryRun) return answer({ ...(await countStatements(readLoadInput(options, context))), dry_run: true });
  const aws = await openAws(context);
  const { source } = aws.config;
  if (source.kind === 'url' && !(await context.confirm(`Run it on ${source.host}:${source.port} as ${source.user}?`)))
    throw new CancelledError('nothing was run');
  const address = await awsSourceAddress({ ...aws, user: 'admin' });
  return answer(await runSql({ address, input: readLoadInput(options, context), signal, progress }));
}
