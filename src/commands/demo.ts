/** The whole walk of the guide on this machine, step by step. */

import { defineCommand } from '../cli/command.ts';
import { CdcError } from '../core/errors.ts';

export interface DemoOptions {
  folder: string | undefined;
}

export const command = defineCommand({
  arguments: {},
  options: {
    folder: { value: 'DIR', help: 'a new folder for the pipeline', default: 'demo' },
  },
  description: `
    Makes a pipeline in a folder of its own and goes through the walk with it: private server, the dump of 129
    persons, full load, six changes, the change file they give, the merge, one live UPDATE timed from its commit
    to the lake, and \`verify\`. Each step is printed as the command you would type. It needs Node and a
    database server (fetched once when there is none), and leaves the folder to go on playing with.
  `,
  examples: [
    { line: 'cdc demo', does: 'the walk, in ./demo' },
    { line: 'cdc demo --folder /tmp/walk', does: 'somewhere else' },
  ],
  parse: (input): DemoOptions => ({ folder: input.text('folder') }),
  async run(_options: DemoOptions): Promise<never> {
    throw new CdcError('command.not-built', 'demo: this command is not built yet');
  },
  render: () => '',
});
