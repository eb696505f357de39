/** Makes a pipeline: cdc.yaml where there is none, the server, the replication user, the folders. */

import { defineCommand } from '../cli/command.ts';
import { CdcError } from '../core/errors.ts';

export interface InitOptions {
  /** Values of a new cdc.yaml; with one that is there, they must agree with it. */
  target: string | undefined;
  source: string | undefined;
  tables: string[];
  name: string | undefined;
}

export const command = defineCommand({
  arguments: {},
  options: {
    target: { value: 'TARGET', help: 'where it runs: local', default: 'local' },
    source: { value: 'SOURCE', help: '`private`, or mysql://user@host:3306 without a password', default: 'private' },
    tables: { value: 'PATTERN', repeat: true, help: 'tables to follow, as shop.orders or shop.%', default: 'all' },
    name: { value: 'NAME', help: 'prefixes what is made', default: "this folder's name and four letters" },
  },
  changes: true,
  asks: true,
  description: `
    Makes the pipeline of this folder and leaves it ready to replicate. Where there is no cdc.yaml it writes a
    commented one from the options; where there is one, it makes what that file describes.

    With source \`private\` it starts a MariaDB or MySQL server of its own (CDC_MYSQLD, else the one on this
    machine, else one fetched once into the cache) with a ROW binlog, on 127.0.0.1 and with generated passwords;
    it never touches a server that is already here. With a URL it runs the findings of \`cdc check\` and asks
    before it writes anything to that server. The password of a URL comes from CDC_SOURCE_PASSWORD, or from the
    reference in cdc.yaml.

    Repeated, it makes what is missing and says what was there. A table that cannot be followed is listed with
    its reason and does not hold up the others.
  `,
  examples: [
    { line: 'cdc init', does: 'a private server, every table' },
    { line: "cdc init --tables 'shop.%'", does: 'follow one schema' },
    {
      line: 'CDC_SOURCE_PASSWORD=… cdc init --source mysql://cdc@db.example.com:3306',
      does: 'follow a server of your own',
    },
    { line: 'cdc init --dry-run', does: 'show what would be made (the same as cdc plan)' },
  ],
  parse: (input): InitOptions => ({
    target: input.text('target'),
    source: input.text('source'),
    tables: input.list('tables'),
    name: input.text('name'),
  }),
  async run(_options: InitOptions): Promise<never> {
    throw new CdcError('command.not-built', 'init: this command is not built yet');
  },
  render: () => '',
});
