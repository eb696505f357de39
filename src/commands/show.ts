/** Prints the changes in a change file, in the guide's headerless form. */

import { type Context, defineCommand, parseTableName } from '../cli/command.ts';
import { CdcError } from '../core/errors.ts';

export interface ShowOptions {
  file: string;
  table: { schema: string; table: string } | undefined;
}

export const command = defineCommand({
  arguments: { file: { required: true, help: 'a file in staging: its key or its path; or any change file' } },
  options: { table: { value: 'TABLE', help: 'schema.table, where the path does not say it' } },
  description: `
    Prints one line per change, in the order of the file: Op, then the columns, without header, time and number:
    U,7,ABC XYZ,Phoenix. With --json, one object a line: op, columns, number.
  `,
  examples: [
    { line: 'cdc show shop/orders/20261122-101530123.csv', does: 'by its key in staging' },
    { line: 'cdc show staging/shop/orders/LOAD00000001.csv', does: 'by its path' },
  ],
  parse(input): ShowOptions {
    const table = input.text('table');
    return { file: input.need('file'), table: table === undefined ? undefined : parseTableName(table, '--table') };
  },
  async run(_options: ShowOptions, _context: Context): Promise<never> {
    throw new CdcError('command.not-built', 'show: this command is not built yet');
  },
  render: () => '',
});
