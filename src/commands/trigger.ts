/** Hands one file to the merge as if it had just arrived. */

import { defineCommand } from '../cli/command.ts';
import { CdcError } from '../core/errors.ts';

export interface TriggerOptions {
  file: string;
}

export const command = defineCommand({
  arguments: {
    file: { required: true, help: 'a file in staging: its key (shop/orders/20261122-101530123.csv) or its path' },
  },
  options: {},
  changes: true,
  description: `
    What the arrival of a file sets off, for one file by hand: prints store, key and file name as the trigger
    gets them, merges what is pending up to that file, and prints the result. The event only wakes: earlier
    files of the table come first.
  `,
  examples: [
    { line: 'cdc trigger shop/orders/20261122-101530123.csv', does: 'one file' },
    { line: 'cdc trigger staging/shop/orders/LOAD00000001.csv', does: 'by path' },
  ],
  parse: (input): TriggerOptions => ({ file: input.need('file') }),
  async run(_options: TriggerOptions): Promise<never> {
    throw new CdcError('command.not-built', 'trigger: this command is not built yet');
  },
  render: () => '',
});
