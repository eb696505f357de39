/** `init` on target aws: shows the steps and their cost, asks, and takes them; can be repeated after whatever ended it. */

import { writeFile } from 'node:fs/promises';
import { renderAwsSteps, stepsJson } from '../../cli/aws-steps.ts';
import { type ConfigWishes, chooseConfig } from '../../cli/choose-config.ts';
import type { Answer, Context } from '../../cli/command.ts';
import { openAws } from '../../cli/open-aws.ts';
import { count } from '../../cli/table.ts';
import { CancelledError } from '../../core/errors.ts';
import { initAws, refuseStepNotPlanned, refuseUnknownStep } from '../../core/pipeline/aws/init.ts';
import { lookAtAws } from '../../core/pipeline/aws/look.ts';

export async function initOnAws(
  options: ConfigWishes & { only?: string | undefined },
  context: Context,
): Promise<Answer> {
  if (options.only !== undefined) refuseUnknownStep(options.only);
  const { config, text, isNew } = await chooseConfig(options, context);
  const view = await lookAtAws(await openAws(context, config));
  if (options.only !== undefined) refuseStepNotPlanned(view, options.only);
  const steps = renderAwsSteps(view);
  const pending = view.steps.filter(({ action }) => action !== 'none');
  if (context.flags.dryRun) return { text: steps, json: { ...stepsJson(view), dry_run: true }, next: ['cdc init'] };
  if (pending.length === 0 && !isNew) return { text: 'already made', json: stepsJson(view), next: ['cdc replicate'] };
  if (
    !(await context.confirm(
      `${steps}\n\nMake ${count(pending.length, 'resource')} in account ${view.context.session.account}?`,
    ))
  )
    throw new CancelledError('nothing was made');
  if (isNew) {
    await writeFile(config.file, text, { flag: 'wx' });
    context.progress.done(`made ${config.file}`);
  }
  const report = await initAws(view, options.only === undefined ? {} : { only: options.only });
  return {
    text: `made ${count(report.done.length, 'resource')}: ${report.done.join(', ')}`,
    json: { ...stepsJson(view), done: report.done },
    next: [
      'cdc load FILE.sql   # or any SQL, to fill the source',
      'cdc replicate',
      'cdc query --ddl athena   # then: what shows the lake tables to Athena, Spark or Trino',
    ],
  };
}
