/** Reads the lake tables with SQL. */

import { type Context, defineCommand } from '../cli/command.ts';
import { CdcError } from '../core/errors.ts';

export interface QueryOptions {
  /** Absent: list the tables. */
  sql: string | undefined;
  /** A lake without a pipeline. */
  lake: string | undefined;
}

export const command = defineCommand({
  arguments: { sql: { help: 'a SELECT; without it the tables are listed' } },
  options: { lake: { value: 'DIR', help: 'the folder of a lake; needs no cdc.yaml', default: 'lake: of cdc.yaml' } },
  description: `
    Runs a SELECT (DuckDB's SQL) over the lake tables, each visible as schema.table at its newest version. It only
    reads: neither the lake nor the source can be changed by it. Without SQL it lists the tables with their rows and
    versions. With --json the answer is an array of row objects.
  `,
  examples: [
    { line: 'cdc query', does: 'the tables there are' },
    { line: "cdc query 'SELECT City, count(*) FROM ahmad_schema.Persons GROUP BY City'", does: 'a question' },
    { line: "cdc query --json 'SELECT * FROM shop.orders LIMIT 3'", does: 'rows for a script' },
  ],
  parse: (input): QueryOptions => ({ sql: input.argument('sql'), lake: input.text('lake') }),
  async run(_options: QueryOptions, _context: Context): Promise<never> {
    throw new CdcError('command.not-built', 'query: this command is not built yet');
  },
  render: () => '',
});
