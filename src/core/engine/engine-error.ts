/** What DuckDB says, as errors a user can act on. */

import { CancelledError, CdcError, messageOf } from '../errors.ts';

export function engineError(error: unknown, sql: string): Error {
  if (error instanceof CdcError) return error;
  const message = messageOf(error);
  if (/^INTERRUPT Error/i.test(message)) return new CancelledError();
  if (/no space left on device|disk quota exceeded/i.test(message))
    return new CdcError('engine.disk-full', `working on the data: the disk is full (${firstLine(message)})`, {
      hint: 'free some space and run the command again; nothing half-written counts',
      cause: error,
    });
  if (/max_temp_directory_size/i.test(message))
    return new CdcError(
      'engine.disk-full',
      `working on the data: no room for temporary files (${firstLine(message)})`,
      {
        hint: 'free some space on the disk of .cdc/ and run the command again',
        cause: error,
      },
    );
  if (/^Out of Memory Error/i.test(message))
    return new CdcError('engine.out-of-memory', `working on the data: ${firstLine(message)}`, {
      hint: 'raise merge.memory_limit in cdc.yaml',
      cause: error,
    });
  if (/^IO Error/i.test(message) && /permission denied/i.test(message))
    return new CdcError('engine.not-permitted', `working on the data: ${firstLine(message)}`, { cause: error });
  // Anything else is a statement of ours that is wrong, or data that is not what we took it for: the caller knows which.
  return new EngineFailure(firstLine(message), sql, error);
}

/** DuckDB refused a statement; who ran it knows what that means. */
export class EngineFailure extends Error {
  readonly sql: string;

  constructor(message: string, sql: string, cause: unknown) {
    super(message, { cause });
    this.name = 'EngineFailure';
    this.sql = sql;
  }
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0] ?? message;
}
