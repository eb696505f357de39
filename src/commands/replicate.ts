/** Copies the tables into the lake, then follows their changes with a background worker. */

import { defineCommand } from '../cli/command.ts';
import { CdcError } from '../core/errors.ts';

export interface ReplicateOptions {
  fullLoad: boolean;
  ongoing: boolean;
  foreground: boolean;
  merge: boolean;
  wait: boolean;
  from: string | undefined;
}

export const command = defineCommand({
  arguments: {},
  options: {
    'full-load': { help: 'copy the tables as they are now' },
    ongoing: { help: 'follow the changes from there on', default: 'both halves' },
    foreground: { help: 'work in this process until Ctrl-C, instead of in a background worker' },
    'no-merge': { help: 'write change files only; merge them yourself' },
    'no-wait': { help: 'return at once, not when the load is merged and the worker has confirmed its first position' },
    from: { value: 'POSITION', help: 'with --ongoing and no full load before: `now`, FILE:OFFSET or a GTID set' },
  },
  changes: true,
  description: `
    Without flags it does both halves: a full load of every table at one position of the binlog, without a lock
    beyond that instant, then everything that changes from exactly there, in order, as change files in staging/
    that are merged into the Delta tables of lake/.

    A background worker does it; it survives this terminal, a restart of the database and kill -9. Repeated, the
    command says \`already replicating\`. A table that was followed without a break is not copied again: \`cdc
    reload\` does that. On a stopped pipeline it does what \`cdc start\` does.

    A table without a primary key cannot be followed (an update could not be matched): it is refused by name,
    unless cdc.yaml gives it \`key:\` or \`mode: append\`.
  `,
  examples: [
    { line: 'cdc replicate', does: 'full load, then ongoing' },
    { line: 'cdc replicate --full-load', does: 'copy once' },
    { line: 'cdc replicate --ongoing --from now', does: 'changes from now on, without a copy' },
    { line: 'cdc replicate --foreground --verbose', does: 'watch it work' },
  ],
  parse: (input): ReplicateOptions => ({
    fullLoad: input.has('full-load'),
    ongoing: input.has('ongoing'),
    foreground: input.has('foreground'),
    merge: !input.has('no-merge'),
    wait: !input.has('no-wait'),
    from: input.text('from'),
  }),
  async run(_options: ReplicateOptions): Promise<never> {
    throw new CdcError('command.not-built', 'replicate: this command is not built yet');
  },
  render: () => '',
});
