/** What is said of a row that does not belong where it stands: always file and line. */

import type { Op } from '../change.ts';
import { CdcError } from '../errors.ts';

export function wrongWidth(file: string, line: number, found: number, expected: number): CdcError {
  return new CdcError(
    'file.width',
    `reading ${file}, line ${line}: ${found} field${found === 1 ? '' : 's'}, expected ${expected}`,
    { hint: 'the file is cut, or belongs to another table; nothing of it was applied' },
  );
}

export function parseOp(text: string, file: string, line: number): Op {
  if (text === 'I' || text === 'U' || text === 'D') return text;
  throw new CdcError('file.op', `reading ${file}, line ${line}: Op is "${shorten(text)}", expected I, U or D`);
}

/** A value in an error message. */
export function shorten(text: string, length = 60): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}
