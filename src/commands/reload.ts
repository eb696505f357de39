/** Copies a table anew and replaces the lake table in one commit. */

import { defineCommand } from '../cli/command.ts';
import { CdcError } from '../core/errors.ts';

export interface ReloadOptions {
  tables: string[];
}

export const command = defineCommand({
  arguments: {
    table: { required: true, help: 'schema.table, or a pattern such as shop.%' },
  },
  options: {},
  changes: true,
  asks: true,
  description: `
    Makes a new full load of the table and replaces the lake table by it in one commit; readers see the old rows
    until then. It is the way on for a table that stopped because its history cannot be followed any more, and
    it says which tables it will touch before it asks.
  `,
  examples: [
    { line: 'cdc reload shop.orders', does: 'one table' },
    { line: "cdc reload 'shop.%' --yes", does: 'a whole schema, without a question' },
  ],
  parse: (input): ReloadOptions => ({ tables: [input.need('table')] }),
  async run(_options: ReloadOptions): Promise<never> {
    throw new CdcError('command.not-built', 'reload: this command is not built yet');
  },
  render: () => '',
});
