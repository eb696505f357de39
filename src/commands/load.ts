/** Runs a dump or any SQL on the source, streamed. */

import { type Context, defineCommand } from '../cli/command.ts';
import { CdcError, UsageError } from '../core/errors.ts';

/** Where the SQL comes from. */
export type LoadOptions = { kind: 'file'; file: string } | { kind: 'stdin' } | { kind: 'text'; sql: string };

export const command = defineCommand({
  arguments: { file: { help: 'a file of SQL, such as a dump; - is what is piped in' } },
  options: { execute: { short: 'e', value: 'SQL', help: 'run this text instead of a file' } },
  changes: true,
  asks: true,
  description: `
    Runs SQL on the pipeline's source: a dump of any size is read and sent statement by statement, with DELIMITER,
    comments and /*!…*/ as the mysql client has them. It stops at the first statement that fails and names its line;
    what ran before that stays.

    With a server that this tool did not make, it says where it will write and asks first. It is the one command that,
    repeated, does its work again.
  `,
  examples: [
    { line: 'cdc load sql/persons.sql', does: 'a dump' },
    { line: 'zcat dump.sql.gz | cdc load -', does: 'what another program prints' },
    { line: 'cdc load -e "DELETE FROM shop.orders WHERE id = 7"', does: 'one statement' },
  ],
  parse(input): LoadOptions {
    const file = input.argument('file');
    const sql = input.text('execute');
    if ((file === undefined) === (sql === undefined))
      throw new UsageError('load: give one of FILE, - and -e SQL', '`cdc help load` shows examples');
    if (sql !== undefined) return { kind: 'text', sql };
    return file === '-' ? { kind: 'stdin' } : { kind: 'file', file: file ?? '' };
  },
  async run(_options: LoadOptions, _context: Context): Promise<never> {
    throw new CdcError('command.not-built', 'load: this command is not built yet');
  },
  render: () => '',
});
