/** Shows what `cdc init` would make. */

import { defineCommand } from '../cli/command.ts';
import { CdcError } from '../core/errors.ts';

export interface PlanOptions {
  exitCode: boolean;
}

export const command = defineCommand({
  arguments: {},
  options: {
    'exit-code': { help: 'exit 3 when something is still to be made' },
  },
  answerIsNo: 'with --exit-code: something is still to be made',
  description: `
    Compares what cdc.yaml describes with what is there, and lists the steps that \`cdc init\` would take, with
    what they cost where they cost anything. It changes nothing.
  `,
  examples: [
    { line: 'cdc plan', does: 'the steps that are left' },
    { line: 'cdc plan --exit-code --quiet && cdc replicate', does: 'go on only when everything is there' },
  ],
  parse: (input): PlanOptions => ({ exitCode: input.has('exit-code') }),
  async run(_options: PlanOptions): Promise<never> {
    throw new CdcError('command.not-built', 'plan: this command is not built yet');
  },
  render: () => '',
});
