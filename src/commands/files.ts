/** Lists the change files in staging. */

import { type Context, defineCommand, parseTableName } from '../cli/command.ts';
import { CdcError } from '../core/errors.ts';

export interface FilesOptions {
  tables: { schema: string; table: string }[];
  pending: boolean;
}

export const command = defineCommand({
  arguments: {},
  options: {
    table: { value: 'TABLE', repeat: true, help: 'files of these tables only', default: 'all' },
    pending: { help: 'only what no merge has applied yet' },
  },
  description: `
    Lists what is in staging, oldest first: the table, the kind of file (load or changes), its rows, the range of
    change numbers in it, and the version of the lake table that it was merged in.
  `,
  examples: [
    { line: 'cdc files', does: 'everything' },
    { line: 'cdc files --table shop.orders --pending', does: 'what is still to be merged of one table' },
  ],
  parse: (input): FilesOptions => ({
    tables: input.list('table').map((text) => parseTableName(text, '--table')),
    pending: input.has('pending'),
  }),
  async run(_options: FilesOptions, _context: Context): Promise<never> {
    throw new CdcError('command.not-built', 'files: this command is not built yet');
  },
  render: () => '',
});
