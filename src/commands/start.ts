/** Starts the private server and the worker again where they stopped. */

import { defineCommand } from '../cli/command.ts';
import { CdcError } from '../core/errors.ts';

export interface StartOptions {
  wait: boolean;
}

export const command = defineCommand({
  arguments: {},
  options: {
    'no-wait': { help: 'return at once, not when the worker has confirmed its position' },
  },
  changes: true,
  description: `
    Starts the private server, then the worker, which goes on from exactly where it stopped. When the binlog no
    longer reaches back that far, it says so and names the tables to reload; nothing is skipped.
  `,
  examples: [{ line: 'cdc start', does: 'carry on' }],
  parse: (input): StartOptions => ({ wait: !input.has('no-wait') }),
  async run(_options: StartOptions): Promise<never> {
    throw new CdcError('command.not-built', 'start: this command is not built yet');
  },
  render: () => '',
});
