/** The help texts: the list of commands, and the manual page of one. README's command section is made from them. */

import type { ArgumentSpec, Command, CommandEntry, OptionSpec } from './command.ts';
import { optionsOf } from './options.ts';

const WIDTH = 100;
const SENTENCE =
  'MySQL changes become change files; change files are merged into lake tables; AWS or this machine can run either half.';

export const EXIT_CODES: Readonly<Record<number, string>> = {
  0: 'done, or already so',
  1: 'failed; stderr says what and the next step',
  2: 'wrong usage or configuration',
  3: 'ran fine, and the answer is no',
  130: 'interrupted',
};

export function overview(commands: readonly CommandEntry[]): string {
  const groups = [...new Set(commands.map((command) => command.group))].map((group) => [
    `${group}:`,
    ...columns(commands.filter((command) => command.group === group).map(({ name, summary }) => [name, summary])),
    '',
  ]);
  return [
    ...wrap(SENTENCE, 0),
    '',
    'Usage: cdc COMMAND [OPTIONS]',
    '',
    ...groups.flat(),
    'Begin with `cdc demo`, or with `cdc init`. `cdc help COMMAND` is its manual page.',
    '',
  ].join('\n');
}

export function manualPage(entry: CommandEntry, command: Command): string {
  const own = Object.keys(command.options).length + Number(command.changes === true) + Number(command.asks === true);
  const options = Object.entries(optionsOf(command));
  const lines = [
    `cdc ${entry.name}: ${entry.summary}`,
    '',
    `Usage: cdc ${[entry.name, ...Object.entries(command.arguments).map(usageArgument)].join(' ')} [OPTIONS]`,
    '',
    ...command.description
      .trim()
      .split(/\n\s*\n/)
      .flatMap((paragraph) => [...wrap(paragraph.replace(/\s*\n\s*/g, ' '), 0), '']),
    ...section(
      'Arguments',
      Object.entries(command.arguments).map(([name, spec]) => [name.toUpperCase(), spec.help]),
    ),
    ...section('Options', options.slice(0, own).map(optionRow)),
    ...section('Options of every command', [...options.slice(own).map(optionRow), ['-h, --help', 'this page']]),
    'Examples:',
    ...command.examples.flatMap(({ line, does }) => [`  # ${does}`, `  ${line}`]),
    '',
    ...section('Exit codes', exitCodes(command)),
  ];
  return lines.join('\n');
}

function exitCodes(command: Command): [string, string][] {
  return Object.entries(EXIT_CODES)
    .filter(([code]) => code !== '3' || command.answerIsNo !== undefined)
    .map(([code, meaning]) => [code, code === '3' ? (command.answerIsNo ?? meaning) : meaning]);
}

function usageArgument([name, spec]: [string, ArgumentSpec]): string {
  return spec.required === true ? name.toUpperCase() : `[${name.toUpperCase()}]`;
}

function optionRow([name, spec]: [string, OptionSpec]): [string, string] {
  const short = spec.short === undefined ? '' : `-${spec.short}, `;
  const notes = [
    spec.choices === undefined ? '' : ` (${spec.choices.join(', ')})`,
    spec.repeat === true ? ' (may be repeated)' : '',
    spec.default === undefined ? '' : ` [default: ${spec.default}]`,
  ];
  return [`${short}--${name}${spec.value === undefined ? '' : ` ${spec.value}`}`, spec.help + notes.join('')];
}

function section(title: string, rows: readonly (readonly [string, string])[]): string[] {
  return rows.length === 0 ? [] : [`${title}:`, ...columns(rows), ''];
}

/** Two columns, the second wrapped under itself. */
function columns(rows: readonly (readonly [string, string])[]): string[] {
  const indent = Math.min(30, Math.max(...rows.map(([left]) => left.length)) + 4);
  return rows.flatMap(([left, right]) => {
    const lines = wrap(right, indent);
    const head = `  ${left}`;
    if (head.length + 2 > indent) return [head, ...lines];
    return [head.padEnd(indent) + (lines[0] ?? '').trimStart(), ...lines.slice(1)];
  });
}

function wrap(text: string, indent: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((text) => ' '.repeat(indent) + text);
}
