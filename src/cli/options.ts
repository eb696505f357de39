/** The options every command takes, and those it takes because of what it does. */

import type { Command, OptionSpec } from './command.ts';

export const GLOBAL_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  config: { value: 'FILE', help: 'the pipeline to work on', default: '$CDC_CONFIG, else cdc.yaml in this folder' },
  json: { help: 'print the answer as one JSON document (a stream: one object a line)' },
  quiet: { short: 'q', help: 'no progress and no next steps on stderr' },
  verbose: { short: 'v', help: 'more detail on stderr' },
  'no-color': { help: 'no colours; NO_COLOR does the same' },
};

const DRY_RUN: OptionSpec = { short: 'n', help: 'show what would be done, and do nothing' };
const YES: OptionSpec = { short: 'y', help: 'do not ask' };

/** The command's own options, then the shared ones, in the order of the help. */
export function optionsOf(command: Command): Readonly<Record<string, OptionSpec>> {
  return {
    ...command.options,
    ...(command.changes === true && { 'dry-run': DRY_RUN }),
    ...(command.asks === true && { yes: YES }),
    ...GLOBAL_OPTIONS,
  };
}

/** What may stand before the command's name. */
export const LEADING_OPTIONS: readonly string[] = [
  ...Object.keys(GLOBAL_OPTIONS).map((name) => `--${name}`),
  '--help',
  '--version',
];
