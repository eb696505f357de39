/** Findings about an account, and how a question that AWS refuses becomes one: no finding keeps the others from being found. */

import { isAwsError } from '../../aws/aws-error.ts';
import { CancelledError, CdcError } from '../../errors.ts';
import type { Finding } from '../../source/finding.ts';

/** What a part of the check has to say. */
export interface Found {
  findings: Finding[];
  /** Facts worth a line, whether good or bad. */
  facts?: string[];
  /** What nobody can know from here. */
  unknown?: string[];
}

export function error(code: string, message: string, fix: string): Finding {
  return { level: 'error', code, message, fix };
}

export function warning(code: string, message: string, fix: string): Finding {
  return { level: 'warning', code, message, fix };
}

/** `optional`: a right that only the check needs; without it, the part cannot be known. */
export async function findingOf(look: () => Promise<Found>, options: { optional?: string } = {}): Promise<Found> {
  try {
    return await look();
  } catch (failure) {
    if (failure instanceof CancelledError || !(failure instanceof CdcError)) throw failure;
    if (options.optional !== undefined && isAwsError(failure, 'access-denied', 'not-implemented'))
      return { findings: [], unknown: [`${options.optional} (${failure.message})`] };
    return { findings: [error(failure.code, failure.message, failure.hint ?? 'the message says what')] };
  }
}
