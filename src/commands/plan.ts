/** Shows what `cdc init` would make. */

import { chooseConfig } from '../cli/choose-config.ts';
import { defineCommand } from '../cli/command.ts';
import { renderSteps } from '../cli/steps.ts';
import { UsageError } from '../core/errors.ts';
import { lookAtLocal, type Step } from '../core/pipeline/local-resources.ts';
import { openPipeline } from '../core/pipeline/pipeline.ts';

export interface PlanOptions {
  exitCode: boolean;
  awsCli: boolean;
}

export const command = defineCommand({
  arguments: {},
  options: {
    'aws-cli': { help: 'target aws: the same as commands of the AWS CLI, to paste or to read' },
    'exit-code': { help: 'exit 3 when something is still to be made' },
  },
  answerIsNo: 'with --exit-code: something is still to be made',
  onAws: () => import('./on-aws/plan.ts').then((file) => file.planOnAws),
  description: `
    Compares what cdc.yaml describes with what is there, and lists the steps that \`cdc init\` would take, with
    what they cost where they cost anything. It changes nothing.
  `,
  examples: [
    { line: 'cdc plan', does: 'the steps that are left' },
    { line: 'cdc plan --aws-cli', does: 'what to type instead, section by section of the guide' },
    { line: 'cdc plan --exit-code --quiet && cdc replicate', does: 'go on only when everything is there' },
  ],
  parse: (input): PlanOptions => ({ exitCode: input.has('exit-code'), awsCli: input.has('aws-cli') }),
  async run(options: PlanOptions, context): Promise<{ steps: Step[]; pending: boolean; exitCode: boolean }> {
    if (options.awsCli)
      throw new UsageError('plan: --aws-cli is for target: aws', 'write `target: aws` in cdc.yaml, or leave it out');
    const { config, isNew } = await chooseConfig({}, context);
    const { steps } = await lookAtLocal(openPipeline(config, context.env.variables), !isNew);
    return { steps, pending: steps.some((step) => step.action !== 'none'), exitCode: options.exitCode };
  },
  render: (report) => `${renderSteps(report.steps)}\n\nOn this machine it costs nothing.`,
  json: ({ steps }) => ({ steps, monthly_cost_usd: 0, hourly_cost_usd: 0 }),
  exitCode: (report) => (report.exitCode && report.pending ? 3 : 0),
  next: (report) => (report.pending ? ['cdc init'] : ['cdc replicate']),
});
