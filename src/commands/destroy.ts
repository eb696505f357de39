/** Removes what `cdc init` made, and nothing else. */

import { defineCommand } from '../cli/command.ts';
import { CdcError } from '../core/errors.ts';

export interface DestroyOptions {
  deleteLake: boolean;
}

export const command = defineCommand({
  arguments: {},
  options: {
    'delete-lake': { help: 'also delete the lake tables and their rows' },
  },
  changes: true,
  asks: true,
  description: `
    Stops the worker and the private server, then removes what \`cdc init\` made: the private server's data,
    .cdc/ and the change files. It shows what will go, with the tables and rows in it, and asks first. Lake
    tables stay unless --delete-lake is given; files and databases that this tool did not make stay in any case.
  `,
  examples: [
    { line: 'cdc destroy --dry-run', does: 'what would go' },
    { line: 'cdc destroy', does: 'remove it; the lake stays' },
    { line: 'cdc destroy --delete-lake --yes', does: 'everything, without a question' },
  ],
  parse: (input): DestroyOptions => ({ deleteLake: input.has('delete-lake') }),
  async run(_options: DestroyOptions): Promise<never> {
    throw new CdcError('command.not-built', 'destroy: this command is not built yet');
  },
  render: () => '',
});
