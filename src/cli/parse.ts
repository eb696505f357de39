/** Turns the words after a command's name into its Input, with commander; every mistake becomes a UsageError with the nearest valid word. */

import { Command as CommanderCommand, CommanderError, Option } from 'commander';
import { UsageError } from '../core/errors.ts';
import { didYouMean, nearestWord } from '../core/nearest-word.ts';
import type { Command, GlobalFlags, Input, OptionSpec } from './command.ts';
import { optionsOf } from './options.ts';

export interface ParsedWords {
  input: Input;
  flags: Omit<GlobalFlags, 'color'> & { noColor: boolean; config: string | undefined };
}

/** undefined when help was asked for. */
export function parseWords(name: string, command: Command, words: readonly string[]): ParsedWords | undefined {
  const parser = new CommanderCommand(name)
    .exitOverride()
    .configureOutput({ writeOut() {}, writeErr() {} })
    .showSuggestionAfterError(false)
    .allowExcessArguments(false);
  const specs = optionsOf(command);
  for (const [option, spec] of Object.entries(specs)) parser.addOption(commanderOption(option, spec));
  for (const [argument, spec] of Object.entries(command.arguments))
    parser.argument(spec.required === true ? `<${argument}>` : `[${argument}]`);
  parser.action(() => {});
  try {
    parser.parse([...words], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.helpDisplayed') return undefined;
    throw usageError(name, command, error);
  }
  const input = inputOf(name, command, specs, parser);
  return {
    input,
    flags: {
      json: input.has('json'),
      quiet: input.has('quiet'),
      verbose: input.has('verbose'),
      noColor: input.has('no-color'),
      dryRun: command.changes === true && input.has('dry-run'),
      yes: command.asks === true && input.has('yes'),
      config: input.text('config'),
    },
  };
}

function commanderOption(name: string, spec: OptionSpec): Option {
  const short = spec.short === undefined ? '' : `-${spec.short}, `;
  const option = new Option(`${short}--${name}${spec.value === undefined ? '' : ` <${spec.value}>`}`);
  if (spec.choices !== undefined) option.choices(spec.choices);
  if (spec.repeat === true) {
    option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
  }
  return option;
}

function inputOf(
  name: string,
  command: Command,
  specs: Readonly<Record<string, OptionSpec>>,
  parser: CommanderCommand,
): Input {
  const values = parser.opts<Record<string, unknown>>();
  const given = (option: string): unknown => {
    const spec = specs[option];
    if (spec === undefined) throw new Error(`the command ${name} declares no option --${option}`);
    const key = new Option(`--${option}`).attributeName();
    // commander keeps `--no-wait` as `wait: true` that turns false.
    return option.startsWith('no-') ? values[key] === false : values[key];
  };
  const input: Input = {
    argument(argument) {
      const index = Object.keys(command.arguments).indexOf(argument);
      if (index < 0) throw new Error(`the command ${name} declares no argument ${argument}`);
      return parser.args[index];
    },
    need(argument) {
      const value = input.argument(argument);
      if (value === undefined) throw new UsageError(`${name}: ${argument.toUpperCase()} is missing`, helpHint(name));
      return value;
    },
    text(option) {
      const value = given(option);
      return typeof value === 'string' ? value : undefined;
    },
    list(option) {
      const value = given(option);
      return Array.isArray(value) ? value.map(String) : [];
    },
    has: (option) => given(option) !== undefined && given(option) !== false,
    override(option, path) {
      const value = given(option);
      return value === undefined ? [] : [{ path, value, origin: `flag --${option}` }];
    },
  };
  return input;
}

function usageError(name: string, command: Command, error: CommanderError): UsageError {
  const quoted = /'([^']*)'/.exec(error.message)?.[1] ?? '';
  const names = Object.keys(optionsOf(command)).map((option) => `--${option}`);
  switch (error.code) {
    case 'commander.unknownOption':
      return new UsageError(`${name}: there is no option ${quoted}${didYouMean(quoted, names)}`, helpHint(name));
    case 'commander.missingArgument':
      return new UsageError(`${name}: ${quoted.toUpperCase()} is missing`, helpHint(name));
    case 'commander.optionMissingArgument':
      return new UsageError(`${name}: ${quoted.replace(/^-\w, /, '')} has no value`, helpHint(name));
    case 'commander.excessArguments':
      return new UsageError(`${name}: ${excess(command)}`, helpHint(name));
    case 'commander.invalidArgument':
      return new UsageError(`${name}: ${invalidChoice(error.message)}`, helpHint(name));
    default:
      return new UsageError(`${name}: ${error.message.replace(/^error: /, '')}`, helpHint(name));
  }
}

function excess(command: Command): string {
  const names = Object.keys(command.arguments).map((argument) => argument.toUpperCase());
  return names.length === 0 ? 'takes no arguments' : `takes no more than ${names.join(' ')}`;
}

/** commander: `error: option '--engine <NAME>' argument 'sprak' is invalid. Allowed choices are local, spark.` */
function invalidChoice(message: string): string {
  const [, option, value, choices] =
    /option '(?:-\w, )?(--[a-z-]+).*?' argument '(.*)' is invalid\. Allowed choices are (.*)\./s.exec(message) ?? [];
  if (option === undefined || value === undefined || choices === undefined) return message.replace(/^error: /, '');
  return `${option} ${value}: write one of ${choices}${didYouMean(value, choices.split(', '))}`;
}

function helpHint(name: string): string {
  return `\`cdc help ${name}\` shows what it takes`;
}

export function unknownCommand(name: string, names: readonly string[]): UsageError {
  const near = nearestWord(name, names);
  return new UsageError(
    `there is no command ${name}${near === undefined ? '' : ` (did you mean ${near}?)`}`,
    near === undefined ? '`cdc help` lists the commands' : `cdc help ${near}`,
  );
}
