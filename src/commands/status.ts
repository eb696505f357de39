/** One picture of the pipeline: worker, and per table state, position, lag, rows and last error. */

import { defineCommand } from '../cli/command.ts';
import { CdcError } from '../core/errors.ts';

export interface StatusOptions {
  exitCode: boolean;
}

export const command = defineCommand({
  arguments: {},
  options: {
    'exit-code': { help: 'exit 3 when a table or the worker is not well' },
  },
  answerIsNo: 'with --exit-code: a table has stopped, or the worker does not run',
  description: `
    Per table: its state, the position up to which it is merged, how many seconds and files it is behind, its
    rows and version, and the last error with the command that mends it.
  `,
  examples: [
    { line: 'cdc status', does: 'now' },
    { line: 'cdc status --json', does: 'for a script' },
    { line: 'cdc status --exit-code --quiet || alert', does: 'for a watchdog' },
  ],
  parse: (input): StatusOptions => ({ exitCode: input.has('exit-code') }),
  async run(_options: StatusOptions): Promise<never> {
    throw new CdcError('command.not-built', 'status: this command is not built yet');
  },
  render: () => '',
});
