/** Prints the worker's log. */

import { defineCommand } from '../cli/command.ts';
import { CdcError, UsageError } from '../core/errors.ts';

export interface LogsOptions {
  follow: boolean;
  lines: number;
}

export const command = defineCommand({
  arguments: {},
  options: {
    follow: { short: 'f', help: 'go on printing what is added, until Ctrl-C' },
    lines: { value: 'N', help: 'how many of the last lines', default: '50' },
  },
  description: `
    Prints the end of the worker's log: one line per file, batch and change of state, with table and position.
    With --json, one object a line.
  `,
  examples: [
    { line: 'cdc logs', does: 'the last lines' },
    { line: 'cdc logs --follow', does: 'as it goes on' },
  ],
  parse: (input): LogsOptions => ({
    follow: input.has('follow'),
    lines: parseLines(input.text('lines')),
  }),
  async run(_options: LogsOptions): Promise<never> {
    throw new CdcError('command.not-built', 'logs: this command is not built yet');
  },
  render: () => '',
});

function parseLines(text: string | undefined): number {
  if (text === undefined) return 50;
  if (!/^\d+$/.test(text)) throw new UsageError(`--lines ${text}: write a number of lines`);
  return Number(text);
}
