/** Prints the completion script of a shell, made from the table of commands. */

import { defineCommand } from '../cli/command.ts';
import { type CompletionShell, completionScript, SHELLS } from '../cli/completion.ts';
import { UsageError } from '../core/errors.ts';
import { didYouMean } from '../core/nearest-word.ts';

export interface CompletionOptions {
  shell: CompletionShell;
}

export const command = defineCommand({
  arguments: { shell: { required: true, help: SHELLS.join(', ') } },
  options: {},
  description: `
    Prints a script that completes the names of commands and options when Tab is pressed. Load it once per
    shell, or put the line into the shell's start file.
  `,
  examples: [
    { line: 'source <(cdc completion bash)', does: 'bash, for this shell' },
    { line: 'cdc completion zsh > ~/.zfunc/_cdc', does: 'zsh, for good; ~/.zfunc must be in its fpath' },
    { line: 'cdc completion fish > ~/.config/fish/completions/cdc.fish', does: 'fish, for good' },
  ],
  parse(input): CompletionOptions {
    const typed = input.need('shell');
    const shell = SHELLS.find((candidate) => candidate === typed);
    if (shell === undefined)
      throw new UsageError(`completion ${typed}: write one of ${SHELLS.join(', ')}${didYouMean(typed, SHELLS)}`);
    return { shell };
  },
  async run({ shell }: CompletionOptions, { commands }) {
    return { shell, script: await completionScript(shell, commands) };
  },
  render: ({ script }) => script,
});
