/** Completion scripts for bash, zsh and fish, written from the table of commands: nothing runs when Tab is pressed. */

import type { CommandEntry, OptionSpec } from './command.ts';
import { optionsOf } from './options.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type CompletionShell = (typeof SHELLS)[number];

interface CompletedCommand {
  name: string;
  summary: string;
  options: [string, OptionSpec][];
}

export async function completionScript(shell: CompletionShell, entries: readonly CommandEntry[]): Promise<string> {
  const commands: CompletedCommand[] = await Promise.all(
    entries.map(async ({ name, summary, load }) => {
      const options = Object.entries(optionsOf(await load()));
      return { name, summary, options: [...options, ['help', { help: 'its manual page' }]] };
    }),
  );
  commands.push({ name: 'help', summary: 'the manual page of a command', options: [] });
  switch (shell) {
    case 'bash':
      return bash(commands);
    case 'zsh':
      return zsh(commands);
    case 'fish':
      return fish(commands);
  }
}

function bash(commands: readonly CompletedCommand[]): string {
  const names = commands.map(({ name }) => name).join(' ');
  const cases = commands.map(
    ({ name, options }) => `    ${name}) words="${options.map(([option]) => `--${option}`).join(' ')}" ;;`,
  );
  return `# cdc completion for bash: source <(cdc completion bash)
_cdc() {
  local word="\${COMP_WORDS[COMP_CWORD]}" command="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      --config) i=$((i + 1)) ;;
      -*) ;;
      *) command="\${COMP_WORDS[i]}"; break ;;
    esac
  done
  case "$command" in
    "") words="${names}" ;;
    help) words="${names}" ;;
${cases.filter((line) => !line.startsWith('    help)')).join('\n')}
  esac
  if [[ "$command" != "" && "$command" != help && "$word" != -* ]]; then
    COMPREPLY=($(compgen -f -- "$word"))
  else
    COMPREPLY=($(compgen -W "$words" -- "$word"))
  fi
}
complete -o filenames -F _cdc cdc
`;
}

function zsh(commands: readonly CompletedCommand[]): string {
  const quote = (text: string) => text.replaceAll("'", "'\\''");
  const described = commands.map(({ name, summary }) => `    '${name}:${quote(summary)}'`);
  const cases = commands.map(({ name, options }) => {
    const specs = options.map(([option, spec]) => {
      const help = quote(spec.help).replaceAll(/[[\]:]/g, '\\$&');
      return `'--${option}[${help}]${spec.value === undefined ? '' : `:${spec.value}:_files`}'`;
    });
    return name === 'help'
      ? `    help) _describe command commands ;;`
      : `    ${name}) _arguments ${specs.join(' ')} '*:file:_files' ;;`;
  });
  return `#compdef cdc
# cdc completion for zsh: cdc completion zsh > ~/.zfunc/_cdc
_cdc() {
  local -a commands
  commands=(
${described.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command="\${words[2]}"
  shift words
  (( CURRENT-- ))
  case "$command" in
${cases.join('\n')}
  esac
}
if [ "\${funcstack[1]}" = "_cdc" ]; then _cdc "$@"; else compdef _cdc cdc; fi
`;
}

function fish(commands: readonly CompletedCommand[]): string {
  const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const names = commands.map(({ name }) => name).join(' ');
  const lines = commands.flatMap(({ name, summary, options }) => [
    `complete -c cdc -n "not __fish_seen_subcommand_from ${names}" -f -a ${name} -d ${quote(summary)}`,
    ...options.map(
      ([option, spec]) =>
        `complete -c cdc -n "__fish_seen_subcommand_from ${name}" -l ${option}${spec.short === undefined ? '' : ` -s ${spec.short}`}${spec.value === undefined ? '' : ' -r'} -d ${quote(spec.help)}`,
    ),
  ]);
  return `# cdc completion for fish: cdc completion fish > ~/.config/fish/completions/cdc.fish\n${lines.join('\n')}\n`;
}
