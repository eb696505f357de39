/** The process around a command line: signals, streams, the kill switch of the tests, and the only call of process.exit. */

import { setMaxListeners } from 'node:events';
import { appendFileSync, readFileSync } from 'node:fs';
import { type Host, READER_GONE, runCommandLine } from './cli/run.ts';
import { COMMANDS } from './commands/index.ts';
import { onCrashPoint } from './core/crash-point.ts';
import { packageFile } from './core/package-file.ts';

export async function main(words: readonly string[]): Promise<void> {
  // A pipeline on AWS waits for some twenty calls at once, each of which listens for the end.
  setMaxListeners(100);
  // The AWS SDK, whose version is pinned here, would begin every answer on Node 20 with a page about its own next year.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const interrupt = new AbortController();
  const stop = () => {
    // The first asks the command to end cleanly; whoever asks again does not want to wait for that.
    if (interrupt.signal.aborted) process.exit(130);
    interrupt.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);

  // A reader that has seen enough (`cdc files | head`) is no failure; what still writes a stream ends.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    interrupt.abort(READER_GONE);
  });
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });

  const code = await runCommandLine({
    words,
    variables: process.env,
    cwd: process.cwd(),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    signal: interrupt.signal,
    version: version(),
    commands: COMMANDS,
    onEnvironment: armKillSwitch,
  });
  // Pipes are written in the background: leaving before they are flushed would cut the answer.
  await Promise.all([flush(process.stdout), flush(process.stderr)]);
  process.exit(code);
}

/**
 * CDC_KILL_AT: the tests let this process die, as kill -9 would, where a crash must lose nothing. CDC_TRACE_POINTS: they
 * kill it at any time, and see from what it wrote at once where that was.
 */
const armKillSwitch: NonNullable<Host['onEnvironment']> = ({ killAt, tracePoints }) => {
  if (killAt === undefined && tracePoints === undefined) return;
  let left = killAt?.time;
  onCrashPoint((point) => {
    if (tracePoints !== undefined) appendFileSync(tracePoints, `${point}\n`);
    if (left !== undefined && point === killAt?.point && --left === 0) process.kill(process.pid, 'SIGKILL');
  });
};

function flush(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => stream.write('', () => resolve()));
}

function version(): string {
  const file: unknown = JSON.parse(readFileSync(packageFile('package.json'), 'utf8'));
  if (typeof file === 'object' && file !== null && 'version' in file) return String(file.version);
  throw new Error('package.json has no version');
}
