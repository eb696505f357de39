/** Stops the worker, then the private server. */

import { defineCommand } from '../cli/command.ts';
import { CdcError } from '../core/errors.ts';

export interface StopOptions {
  worker: boolean;
}

export const command = defineCommand({
  arguments: {},
  options: {
    worker: { help: 'stop the worker only; the server keeps running' },
  },
  changes: true,
  description: `
    Ends the worker within ten seconds: what it has is published, its position is written, every lease is
    released. Then the private server is stopped; a server of your own is left alone. Afterwards a copy of the
    folder is a pipeline that carries on.
  `,
  examples: [
    { line: 'cdc stop', does: 'worker and private server' },
    { line: 'cdc stop --worker', does: 'the worker only' },
  ],
  parse: (input): StopOptions => ({ worker: input.has('worker') }),
  async run(_options: StopOptions): Promise<never> {
    throw new CdcError('command.not-built', 'stop: this command is not built yet');
  },
  render: () => '',
});
