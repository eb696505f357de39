/** Preflight: every finding about configuration, source, folders and tables, each with its fix. */

import { defineCommand } from '../cli/command.ts';
import { CdcError } from '../core/errors.ts';

export interface CheckOptions {
  tables: string[];
}

export const command = defineCommand({
  arguments: {},
  options: {
    table: { value: 'TABLE', repeat: true, help: 'look at these tables only', default: 'all that cdc.yaml follows' },
  },
  answerIsNo: 'there is a finding that holds replication up',
  description: `
    Looks at everything that can stand in the way: the server's binlog settings and grants, the tables' keys and
    types, the folders. All findings are listed, each with the statement or setting that mends it; an error
    holds \`init\` and \`replicate\` up, a warning does not.
  `,
  examples: [
    { line: 'cdc check', does: 'everything' },
    { line: 'cdc check --table shop.orders --json', does: 'one table, for a script' },
  ],
  parse: (input): CheckOptions => ({ tables: input.list('table') }),
  async run(_options: CheckOptions): Promise<never> {
    throw new CdcError('command.not-built', 'check: this command is not built yet');
  },
  render: () => '',
});
