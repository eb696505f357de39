/** Compares lake tables with the source at one position. */

import { defineCommand } from '../cli/command.ts';
import { CdcError } from '../core/errors.ts';

export interface VerifyOptions {
  tables: string[];
}

export const command = defineCommand({
  arguments: {},
  options: {
    table: { value: 'TABLE', repeat: true, help: 'compare these tables only', default: 'all that cdc.yaml follows' },
  },
  answerIsNo: 'a table is not equal to its source',
  description: `
    Merges what is pending, then compares every row of each lake table with the source at one position, and
    counts rows that are missing, extra or different, with the first keys of each.
  `,
  examples: [
    { line: 'cdc verify', does: 'every table' },
    { line: 'cdc verify --table shop.orders', does: 'one table' },
  ],
  parse: (input): VerifyOptions => ({ tables: input.list('table') }),
  async run(_options: VerifyOptions): Promise<never> {
    throw new CdcError('command.not-built', 'verify: this command is not built yet');
  },
  render: () => '',
});
