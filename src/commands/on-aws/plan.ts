/** `plan` on target aws: the steps of init, what they cost, and the rights they take. */

import { renderAwsSteps, stepsJson } from '../../cli/aws-steps.ts';
import { chooseConfig } from '../../cli/choose-config.ts';
import type { Answer, Context } from '../../cli/command.ts';
import { openAws } from '../../cli/open-aws.ts';
import { cliCommands } from '../../core/pipeline/aws/cli-commands.ts';
import { lookAtAws } from '../../core/pipeline/aws/look.ts';

export async function planOnAws(options: { exitCode: boolean; awsCli: boolean }, context: Context): Promise<Answer> {
  const { config } = await chooseConfig({}, context);
  const view = await lookAtAws(await openAws(context, config));
  const pending = view.steps.some(({ action }) => action !== 'none');
  return {
    text: options.awsCli ? cliCommands(view) : renderAwsSteps(view),
    json: options.awsCli ? { ...stepsJson(view), aws_cli: cliCommands(view) } : stepsJson(view),
    exitCode: options.exitCode && pending ? 3 : 0,
    next: pending ? ['cdc init'] : ['cdc replicate'],
  };
}
