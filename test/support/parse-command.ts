/** What a command makes of the words after its name; throws the UsageError that a user would see. */

import type { Command } from '../../src/cli/command.ts';
import { parseWords } from '../../src/cli/parse.ts';

export function parseCommand<Options>(name: string, command: Command<Options>, words: readonly string[]): Options {
  const parsed = parseWords(name, command, words);
  if (parsed === undefined) throw new Error('help was asked for');
  return command.parse(parsed.input);
}
