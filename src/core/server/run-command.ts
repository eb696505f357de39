/** Runs a program to its end and hands back what it said; the one place of core/server that spawns helpers. */
import { spawn } from 'node:child_process';
import { CancelledError } from '../errors.ts';

export interface CommandResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  cwd?: string;
  /** Added to the environment that the program inherits (proxies, certificates, PATH). */
  env?: Record<string, string>;
  input?: string;
  signal?: AbortSignal | undefined;
}

export type CommandRunner = (
  command: string,
  args: readonly string[],
  options?: CommandOptions,
) => Promise<CommandResult>;

/** A program that is not there ends with 127, as in a shell; only a cancellation throws. */
export const runCommand: CommandRunner = (command, args, options = {}) =>
  new Promise((resolve, reject) => {
    const { cwd, env = {}, input, signal } = options;
    if (signal?.aborted) {
      reject(new CancelledError());
      return;
    }
    // `env` sets by a shell-free prefix, so that core need not read the environment to pass it on.
    const assignments = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const child =
      assignments.length === 0
        ? spawn(command, args, { cwd, stdio: 'pipe' })
        : spawn('env', [...assignments, command, ...args], { cwd, stdio: 'pipe' });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    const stop = () => child.kill('SIGTERM');
    signal?.addEventListener('abort', stop, { once: true });
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    // A program that ends before it has read everything is judged by its exit code, not by EPIPE.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input ?? '');
    child.on('error', (error) => {
      signal?.removeEventListener('abort', stop);
      resolve({ exitCode: 127, stdout: '', stderr: error.message });
    });
    child.on('close', (code) => {
      signal?.removeEventListener('abort', stop);
      if (signal?.aborted) reject(new CancelledError());
      else {
        resolve({
          exitCode: code ?? 1,
          stdout: Buffer.concat(stdout).toString('utf8'),
          stderr: Buffer.concat(stderr).toString('utf8'),
        });
      }
    });
  });
