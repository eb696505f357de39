/** Runs a command line in this process, with buffers for its streams: stdout, stderr and exit code as a shell sees them. */

import { PassThrough, Readable } from 'node:stream';
import type { CommandEntry } from '../../src/cli/command.ts';
import { runCommandLine } from '../../src/cli/run.ts';
import { COMMANDS } from '../../src/commands/index.ts';

export interface CommandLineOptions {
  cwd?: string;
  variables?: Record<string, string>;
  /** What is typed or piped in. */
  stdin?: string;
  /** Both ends are a terminal. */
  terminal?: boolean;
  commands?: readonly CommandEntry[];
  signal?: AbortSignal;
  /** Hears what is printed on stdout as it comes. */
  onStdout?(text: string): void;
}

export interface CommandLineResult {
  code: number;
  stdout: string;
  stderr: string;
}

export async function runCli(words: readonly string[], options: CommandLineOptions = {}): Promise<CommandLineResult> {
  const isTTY = options.terminal === true;
  const stdout = capture(isTTY, options.onStdout);
  const stderr = capture(isTTY);
  const code = await runCommandLine({
    words,
    variables: options.variables ?? {},
    cwd: options.cwd ?? '/nowhere',
    stdin: Object.assign(Readable.from([options.stdin ?? '']), { isTTY }),
    stdout: stdout.stream,
    stderr: stderr.stream,
    signal: options.signal ?? new AbortController().signal,
    version: '9.8.7',
    commands: options.commands ?? COMMANDS,
  });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

function capture(isTTY: boolean, listener?: (text: string) => void) {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 100 });
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    listener?.(chunk.toString());
  });
  return { stream, text: () => Buffer.concat(chunks).toString() };
}
