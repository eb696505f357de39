/** What a failure looks like on stderr, as text or JSON, and which exit code it gives. */

import { CancelledError, CdcError, ConfigError, messageOf, UsageError } from '../core/errors.ts';

/** Anything that is not a CdcError is a bug, but for an abort that follows from the user's own interrupt. */
export function asFailure(error: unknown, isInterrupted: boolean): unknown {
  if (isInterrupted && !(error instanceof CdcError) && error instanceof Error && error.name === 'AbortError')
    return new CancelledError();
  return error;
}

export function exitCodeOf(error: unknown): 1 | 2 | 130 {
  if (error instanceof CancelledError) return 130;
  if (error instanceof UsageError || error instanceof ConfigError) return 2;
  return error instanceof CdcError && error.code.startsWith('config.') ? 2 : 1;
}

export interface FailureFacts {
  version: string;
  verbose: boolean;
  red(text: string): string;
}

/** `cdc: message`, then `→ hint`. */
export function failureText(error: unknown, facts: FailureFacts): string {
  if (!(error instanceof CdcError))
    return [
      `${facts.red('cdc:')} this is a bug of cdc ${facts.version} (Node ${process.versions.node}, ${process.platform}); please report it with what follows`,
      error instanceof Error ? (error.stack ?? error.message) : `thrown: ${messageOf(error)}`,
      ...causes(error).map(
        (cause) => `caused by: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`,
      ),
      '',
    ].join('\n');
  const lines = [`${facts.red('cdc:')} ${error.message}`];
  if (error.hint !== undefined) lines.push(...error.hint.split('\n').map((line) => `→ ${line}`));
  if (facts.verbose)
    lines.push(`code: ${error.code}`, ...causes(error).map((cause) => `caused by: ${messageOf(cause)}`));
  return `${lines.join('\n')}\n`;
}

/** One object on one line: `{"error":{code, message, hint, exit_code, problems}}`. */
export function failureJson(error: unknown, facts: FailureFacts): string {
  const base = { message: messageOf(error), exit_code: exitCodeOf(error) };
  if (!(error instanceof CdcError))
    return JSON.stringify({
      error: { code: 'bug', ...base, version: facts.version, stack: error instanceof Error ? error.stack : undefined },
    });
  return JSON.stringify({
    error: {
      code: error.code,
      ...base,
      hint: error.hint,
      ...(error instanceof ConfigError && { problems: error.problems }),
    },
  });
}

function causes(error: unknown): unknown[] {
  const found: unknown[] = [];
  let cause = error instanceof Error ? error.cause : undefined;
  while (cause !== undefined && found.length < 5) {
    found.push(cause);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return found;
}
