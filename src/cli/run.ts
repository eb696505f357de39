/** One command line from words to exit code: find the command, parse, run, render; streams come from the host. */

import { once } from 'node:events';
import { resolve } from 'node:path';
import type { ConfigOverride } from '../core/config.ts';
import { CancelledError, throwIfCancelled, UsageError } from '../core/errors.ts';
import { toJson } from './answer.ts';
import type { Answer, Command, CommandEntry, Context, GlobalFlags, Input } from './command.ts';
import { type Environment, readEnvironment } from './environment.ts';
import { asFailure, exitCodeOf, failureJson, failureText } from './failure.ts';
import { splitWords } from './words.ts';

/** What surrounds a command line: the process, or a test. */
export interface Host {
  words: readonly string[];
  variables: Readonly<Record<string, string | undefined>>;
  cwd: string;
  stdin: NodeJS.ReadStream | NodeJS.ReadableStream;
  stdout: NodeJS.WritableStream;
  stderr: NodeJS.WritableStream;
  signal: AbortSignal;
  version: string;
  commands: readonly CommandEntry[];
  /** The process listens for crash points here; core only announces them. */
  onEnvironment?(environment: Environment): void;
}

/** Why the signal fires when whoever read stdout has seen enough. */
export const READER_GONE = Symbol('the reader of stdout has gone');

export async function runCommandLine(host: Host): Promise<number> {
  // Wrong usage may be found before the flags are read; --json must hold for that error too.
  let flags = earlyFlags(host);
  try {
    const { name, rest } = splitWords(host.words);
    if (name === undefined || (name === 'help' && rest.every((word) => word.startsWith('-')))) {
      if (rest.includes('--version') || rest.includes('-V')) print(host.stdout, `${host.version}\n`);
      else if (name === undefined && rest.some((word) => !['-h', '--help'].includes(word)))
        throw await strayOption(rest);
      else print(host.stdout, (await import('./help.ts')).overview(host.commands));
      return 0;
    }
    const isHelp = name === 'help';
    const wanted = isHelp ? splitWords(rest).name : name;
    const entry = host.commands.find((candidate) => candidate.name === wanted);
    if (entry === undefined) {
      const { unknownCommand } = await import('./parse.ts');
      throw unknownCommand(wanted ?? '', [...host.commands.map((candidate) => candidate.name), 'help']);
    }
    const [command, { parseWords }] = await Promise.all([entry.load(), import('./parse.ts')]);
    const parsed = isHelp ? undefined : parseWords(entry.name, command, rest);
    if (parsed === undefined) {
      print(host.stdout, (await import('./help.ts')).manualPage(entry, command));
      return 0;
    }
    const environment = readEnvironment(host.variables);
    host.onEnvironment?.(environment);
    const { noColor, config, ...given } = parsed.flags;
    flags = { ...given, color: isTerminal(host.stderr) && !noColor && !environment.noColor };
    return await execute(command, parsed.input, { host, environment, flags, configFlag: config });
  } catch (thrown) {
    const error = asFailure(thrown, host.signal.aborted);
    if (error instanceof CancelledError && host.signal.reason === READER_GONE) return 0;
    const facts = { version: host.version, verbose: flags.verbose, red: (text: string) => red(text, flags.color) };
    print(host.stderr, flags.json ? `${failureJson(error, facts)}\n` : failureText(error, facts));
    return exitCodeOf(error);
  }
}

interface Setting {
  host: Host;
  environment: Environment;
  flags: GlobalFlags;
  configFlag: string | undefined;
}

async function execute<Options, Report>(command: Command<Options, Report>, input: Input, setting: Setting) {
  const { host, flags } = setting;
  const { openProgress } = await import('./terminal.ts');
  const progress = openProgress({
    write: (text) => print(host.stderr, text),
    terminal: terminalOf(host.stderr),
    ...flags,
  });
  try {
    const options = command.parse(input);
    const context = createContext(setting, progress);
    const answer =
      command.onAws !== undefined && (await isOnAws(command, input, context))
        ? await (await command.onAws())(options, context)
        : answerOf(command, await command.run(options, context), context);
    progress.close();
    const text = flags.json ? (toJson(answer.json, 2) ?? '') : answer.text;
    if (text !== '') print(host.stdout, text.endsWith('\n') ? text : `${text}\n`);
    if (!flags.quiet && !flags.json) for (const line of answer.next ?? []) print(host.stderr, `→ ${line}\n`);
    return answer.exitCode ?? 0;
  } finally {
    progress.close();
  }
}

function answerOf<Options, Report>(command: Command<Options, Report>, report: Report, context: Context): Answer {
  return {
    text: context.flags.json ? '' : command.render(report, context.terminal),
    json: command.json === undefined ? report : command.json(report),
    exitCode: command.exitCode?.(report) ?? 0,
    next: command.next?.(report) ?? [],
  };
}

/** By cdc.yaml, or by `--target aws` where there is none yet. What is wrong with the file the command itself will say. */
async function isOnAws<Options, Report>(
  command: Command<Options, Report>,
  input: Input,
  context: Context,
): Promise<boolean> {
  const config = await context.config().catch(() => undefined);
  if (config !== undefined) return config.target === 'aws';
  return 'target' in command.options && input.text('target') === 'aws';
}

function createContext(setting: Setting, progress: Context['progress'] & { close(): void }): Context {
  const { host, environment, flags } = setting;
  const configFile = resolve(host.cwd, setting.configFlag ?? environment.configFile ?? 'cdc.yaml');
  const { tlsCa } = environment;
  const fromEnvironment: ConfigOverride[] =
    tlsCa === undefined ? [] : [{ path: 'source.tls.ca', value: resolve(host.cwd, tlsCa), origin: 'env CDC_TLS_CA' }];
  const stdinIsTerminal = isTerminal(host.stdin);
  const stderrIsTerminal = isTerminal(host.stderr);
  return {
    async config(overrides = []) {
      const { readConfig } = await import('../core/config.ts');
      return readConfig({ file: configFile, overrides: [...fromEnvironment, ...overrides] });
    },
    configFile,
    flags,
    env: environment,
    cwd: host.cwd,
    signal: host.signal,
    progress,
    async confirm(text) {
      if (flags.yes) return true;
      progress.close();
      const { askYesNo } = await import('./terminal.ts');
      const { stdin, stderr, signal } = host;
      const quiet = flags.json || flags.quiet;
      return askYesNo({ text, stdin, stderr, signal, quiet, isTerminal: stdinIsTerminal && stderrIsTerminal });
    },
    emit: (object, text) => printLine(host, flags.json ? (toJson(object) ?? '') : text),
    stdin: () => host.stdin,
    terminal: {
      verbose: flags.verbose,
      columns: terminalOf(host.stdout)?.columns,
      stdin: stdinIsTerminal,
      stdout: isTerminal(host.stdout),
      stderr: stderrIsTerminal,
    },
    version: host.version,
    commands: host.commands,
  };
}

function earlyFlags(host: Host): GlobalFlags {
  const has = (...words: string[]) => host.words.some((word) => words.includes(word));
  return {
    json: has('--json'),
    quiet: has('--quiet', '-q'),
    verbose: has('--verbose', '-v'),
    color: isTerminal(host.stderr) && !has('--no-color') && !host.variables.NO_COLOR,
    dryRun: false,
    yes: false,
  };
}

async function strayOption(words: readonly string[]): Promise<UsageError> {
  const { didYouMean } = await import('../core/nearest-word.ts');
  const { LEADING_OPTIONS } = await import('./options.ts');
  const word = words.find((candidate) => !LEADING_OPTIONS.includes(candidate));
  if (word === undefined) return new UsageError('there is no command', '`cdc help` lists the commands');
  return new UsageError(
    `there is no option ${word}${didYouMean(word, LEADING_OPTIONS)}`,
    '`cdc help` lists the commands',
  );
}

/** Waits while a slow reader has enough to read; a reader that has gone ends the wait. */
async function printLine(host: Host, text: string): Promise<void> {
  if (text === '' || host.stdout.write(`${text}\n`)) return;
  const done = new AbortController();
  const signal = AbortSignal.any([host.signal, done.signal]);
  await Promise.race(['drain', 'close', 'error'].map((event) => once(host.stdout, event, { signal }))).catch(() => {});
  done.abort();
  throwIfCancelled(host.signal);
}

function print(stream: NodeJS.WritableStream, text: string): void {
  stream.write(text);
}

function red(text: string, color: boolean): string {
  return color ? `\u001b[31m${text}\u001b[39m` : text;
}

function isTerminal(stream: object): boolean {
  return 'isTTY' in stream && stream.isTTY === true;
}

/** The stream as the terminal that it is; undefined when it is none. */
function terminalOf(stream: NodeJS.WritableStream): NodeJS.WriteStream | undefined {
  return isWriteStream(stream) ? stream : undefined;
}

function isWriteStream(stream: NodeJS.WritableStream): stream is NodeJS.WriteStream {
  return isTerminal(stream);
}
