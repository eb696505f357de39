/** stderr while a command works: a spinner on a terminal, plain lines elsewhere; and the question before something is deleted. */

import { createInterface } from 'node:readline';
import type { Ora } from 'ora';
import { CancelledError, UsageError } from '../core/errors.ts';
import { type Progress, silent } from '../core/progress.ts';

/** Between two plain lines that only say how far the work is. */
const PLAIN_INTERVAL_MS = 3000;

export interface ClosableProgress extends Progress {
  /** Takes the spinner away, before something else is printed. */
  close(): void;
}

interface ProgressOptions {
  write(text: string): void;
  /** The terminal that stderr is, for the spinner. */
  terminal: NodeJS.WriteStream | undefined;
  quiet: boolean;
  verbose: boolean;
  color: boolean;
  clock?: () => number;
}

export function openProgress(options: ProgressOptions): ClosableProgress {
  if (options.quiet)
    // A warning is not progress: it is said in any case.
    return { ...silent, warn: (text) => options.write(`warning: ${text}\n`), close() {} };
  return options.terminal === undefined ? plainProgress(options) : spinnerProgress(options, options.terminal);
}

function plainProgress({ write, verbose, clock = Date.now }: ProgressOptions): ClosableProgress {
  let lastUpdate = Number.NEGATIVE_INFINITY;
  let lastText = '';
  return {
    update(text) {
      const now = clock();
      if (text === lastText || now - lastUpdate < PLAIN_INTERVAL_MS) return;
      lastUpdate = now;
      lastText = text;
      write(`${text}\n`);
    },
    done: (text) => write(`${text}\n`),
    warn: (text) => write(`warning: ${text}\n`),
    detail: (text) => (verbose ? write(`${text}\n`) : undefined),
    close() {},
  };
}

function spinnerProgress({ write, verbose, color }: ProgressOptions, stream: NodeJS.WriteStream): ClosableProgress {
  let spinner: Ora | undefined;
  let wanted: string | undefined;
  let isOpening = false;

  // ora takes 70 ms to load, which a command that has nothing to wait for does not pay.
  const open = async () => {
    isOpening = true;
    const { default: ora } = await import('ora');
    isOpening = false;
    if (wanted === undefined) return;
    // discardStdin would take Ctrl-C away from the command line.
    spinner = ora({ stream, discardStdin: false, color: color ? 'cyan' : false, text: wanted }).start();
  };
  const line = (text: string) => {
    spinner?.clear();
    write(`${text}\n`);
    spinner?.render();
  };
  return {
    update(text) {
      wanted = text;
      if (spinner !== undefined) spinner.text = text;
      else if (!isOpening) void open();
    },
    done: (text) => line(`${color ? '\u001b[32m✔\u001b[39m' : '✔'} ${text}`),
    warn: (text) => line(`${color ? '\u001b[33mwarning:\u001b[39m' : 'warning:'} ${text}`),
    detail: (text) => (verbose ? line(text) : undefined),
    close() {
      wanted = undefined;
      spinner?.stop();
      spinner = undefined;
    },
  };
}

/** Asks on the terminal; only `y` and `yes` are a yes. */
export async function askYesNo(options: {
  text: string;
  stdin: NodeJS.ReadableStream;
  stderr: NodeJS.WritableStream;
  isTerminal: boolean;
  /** Says nothing but the error where there is no terminal. */
  quiet: boolean;
  signal: AbortSignal;
}): Promise<boolean> {
  if (!options.isTerminal) {
    const isLong = options.text.includes('\n');
    if (isLong && !options.quiet) options.stderr.write(`${options.text}\n`);
    throw new UsageError(
      `asking ${isLong ? 'before that is done' : `"${options.text}"`}: there is no terminal`,
      'add --yes when that is what you want',
    );
  }
  const reader = createInterface({ input: options.stdin, output: options.stderr, terminal: false });
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      const cancel = () => {
        // Behind the question and the terminal's ^C.
        options.stderr.write('\n');
        reject(new CancelledError());
      };
      options.signal.addEventListener('abort', cancel, { once: true });
      reader.once('close', () => resolve(''));
      reader.question(`${options.text}${options.text.endsWith('?') ? '' : '\nGo on?'} [y/N] `, resolve);
    });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    reader.close();
  }
}
