/** The contract of a command: options in, a report out, text made from the report. No command holds a stream or exits. */

import { readTableName, type TableName } from '../core/change.ts';
import type { Config, ConfigOverride } from '../core/config.ts';
import { UsageError } from '../core/errors.ts';
import type { Progress } from '../core/progress.ts';
import type { Environment } from './environment.ts';

export interface OptionSpec {
  /** Absent for a switch; else what stands for the value in the help (`DIR`). */
  value?: string;
  help: string;
  /** The one-letter form, without its dash. */
  short?: string;
  /** May be given several times; every value counts. */
  repeat?: boolean;
  choices?: readonly string[];
  /** For the help only: what holds when the option is not given. */
  default?: string;
}

export interface ArgumentSpec {
  help: string;
  required?: boolean;
}

type Specs<Spec> = Readonly<Record<string, Spec>>;

/** What a user typed, by the names the command declares; a name that it does not declare is our bug and throws. */
export interface Input<Arguments extends string = string, Options extends string = string> {
  argument(name: Arguments): string | undefined;
  /** The argument, or a UsageError that names it. */
  need(name: Arguments): string;
  text(name: Options): string | undefined;
  list(name: Options): string[];
  has(name: Options): boolean;
  /** The override that puts this option's value at `path` of cdc.yaml; nothing when it was not given. */
  override(name: Options, path: string): ConfigOverride[];
}

export interface Example {
  line: string;
  does: string;
}

export interface Command<Options = unknown, Report = unknown> {
  readonly arguments: Specs<ArgumentSpec>;
  readonly options: Specs<OptionSpec>;
  /** Paragraphs of the help. */
  readonly description: string;
  readonly examples: readonly Example[];
  /** It changes something: takes --dry-run. */
  readonly changes?: boolean;
  /** It deletes, or writes where the tool is a guest: asks, and takes --yes. */
  readonly asks?: boolean;
  /** What exit code 3 means here, where it can happen. */
  readonly answerIsNo?: string;
  /** No I/O; throws UsageError. */
  parse(input: Input): Options;
  run(options: Options, context: Context): Promise<Report>;
  /** The human answer for stdout; '' prints nothing. */
  render(report: Report, context: RenderFacts): string;
  /** What --json prints; the report itself where it is absent. undefined prints nothing: a stream has said it all. */
  json?(report: Report): unknown;
  /** 3 when it ran fine and the answer is no. */
  exitCode?(report: Report): 0 | 1 | 3;
  /** The same command with the same options on target aws; without it the command is refused there. */
  onAws?(): Promise<OnAws<Options>>;
  /** Lines that can be pasted, shown on stderr after success. */
  next?(report: Report): string[];
}

/** Does a command's work on target aws. */
export type OnAws<Options> = { run(options: Options, context: Context): Promise<Answer> }['run'];

/** A report with what is made of it. */
export interface Answer {
  /** For people; '' prints nothing. */
  text: string;
  /** What --json prints; undefined prints nothing. */
  json: unknown;
  exitCode?: 0 | 1 | 3;
  next?: string[];
}

/** A command as it is written: `parse` sees only the names that are declared above it. */
export interface CommandSource<
  Arguments extends Specs<ArgumentSpec>,
  OptionSpecs extends Specs<OptionSpec>,
  Options,
  Report,
> extends Omit<Command<Options, Report>, 'parse' | 'arguments' | 'options'> {
  readonly arguments: Arguments;
  readonly options: OptionSpecs;
  parse(input: Input<keyof Arguments & string, keyof OptionSpecs & string>): Options;
}

export function defineCommand<
  const Arguments extends Specs<ArgumentSpec>,
  const OptionSpecs extends Specs<OptionSpec>,
  Options,
  Report,
>(source: CommandSource<Arguments, OptionSpecs, Options, Report>): Command<Options, Report> {
  return source;
}

export interface RenderFacts {
  verbose: boolean;
  /** Columns of the terminal that stdout is; undefined when it is none. */
  columns: number | undefined;
}

export interface GlobalFlags {
  json: boolean;
  quiet: boolean;
  verbose: boolean;
  color: boolean;
  dryRun: boolean;
  yes: boolean;
}

/** What the command line gives a command to work with; dear things are functions, so help and wrong usage touch nothing. */
export interface Context {
  /** The validated cdc.yaml; overrides come from flags. */
  config(overrides?: ConfigOverride[]): Promise<Config>;
  /** Where cdc.yaml is or would be, absolute. */
  configFile: string;
  flags: GlobalFlags;
  env: Environment;
  cwd: string;
  signal: AbortSignal;
  progress: Progress;
  /** Shows the text and asks; true at once with --yes; throws UsageError where nobody can answer. */
  confirm(text: string): Promise<boolean>;
  /** One object of an answer that is a stream: a line of JSON with --json, else the text. Resolves when there is room for more. */
  emit(object: unknown, text: string): Promise<void>;
  /** What is piped in, for `-`. */
  stdin(): NodeJS.ReadableStream;
  terminal: RenderFacts & { stdin: boolean; stdout: boolean; stderr: boolean };
  version: string;
  /** Every command there is, for help and completion. */
  commands: readonly CommandEntry[];
}

/** A line of the table in commands/index.ts. */
export interface CommandEntry {
  name: string;
  summary: string;
  group: string;
  load(): Promise<Command>;
}

/** Reads `schema.table` as typed for --table. */
export function parseTableName(text: string, flag: string): TableName {
  const name = readTableName(text);
  if (name === undefined)
    throw new UsageError(`${flag} ${text}: a table is named schema.table`, `as in ${flag} shop.orders`);
  return name;
}
