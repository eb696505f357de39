/** The errors a user can meet: what happened and why in the message, the command or setting that mends it in the hint. */

export interface CdcErrorDetails {
  /** The command or setting that mends it; can be pasted. */
  hint?: string;
  cause?: unknown;
}

/**
 * An expected failure. `code` is dotted, stable and listed by `cdc explain` (`source.unreachable`); `message` reads
 * "{what we were doing}: {why it failed}". Anything thrown that is not a CdcError is a bug of ours.
 */
export class CdcError extends Error {
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: string, message: string, details: CdcErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'CdcError';
    this.code = code;
    this.hint = details.hint;
  }
}

/** The command line is wrong: exit 2. */
export class UsageError extends CdcError {
  constructor(message: string, hint?: string) {
    super('usage', message, hint === undefined ? {} : { hint });
    this.name = 'UsageError';
  }
}

/** One thing wrong in the configuration: where it stands (`tables[0]`), where its value came from, what is wrong. */
export interface ConfigProblem {
  path: string;
  origin: string;
  message: string;
}

/** The configuration is wrong: exit 2; every problem at once. */
export class ConfigError extends CdcError {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[], hint?: string) {
    const lines = problems.map((problem) => `  ${problem.path}: ${problem.message} (from ${problem.origin})`);
    super(
      'config',
      [`the configuration has ${problems.length} problem${problems.length === 1 ? '' : 's'}:`, ...lines].join('\n'),
      hint === undefined ? {} : { hint },
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** Ctrl-C or a signal: exit 130. */
export class CancelledError extends CdcError {
  constructor(message = 'interrupted', hint?: string) {
    super('cancelled', message, hint === undefined ? {} : { hint });
    this.name = 'CancelledError';
  }
}

/** Throws CancelledError when the signal has fired; call it between steps of long work. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new CancelledError();
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node or driver error (`ENOENT`, `ER_ACCESS_DENIED_ERROR`), if it has one. */
export function nativeCodeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
