/** When the engine refuses a file: reads it strictly row by row to say which line is wrong and why. */

import { readFileBytes } from '../change-file/bytes.ts';
import { wrongNumber } from '../change-file/number-range.ts';
import { readLaidOutRows } from '../change-file/read.ts';
import { CdcError, messageOf } from '../errors.ts';
import type { CsvSource } from './rows-sql.ts';

/** The error to throw for files that could not be read; `numbered`: their rows must carry a change number. */
export async function explainUnreadable(
  sources: readonly CsvSource[],
  numbered: boolean,
  failure: Error,
): Promise<CdcError> {
  for (const source of sources)
    try {
      await checkRows(source, numbered);
    } catch (error) {
      if (error instanceof CdcError) return error;
      throw error;
    }
  const labels = sources.map(({ label }) => label).join(', ');
  return new CdcError('file.unreadable', `reading ${labels}: ${messageOf(failure)}`, {
    hint: 'nothing of it was applied; bring the file back from a copy',
    cause: failure,
  });
}

/** Reads every row strictly; says how many there are. Throws `file.*` at the first that is wrong. */
export async function checkRows(source: CsvSource, numbered: boolean): Promise<number> {
  const { label, layout, definition, path } = source;
  let rows = 0;
  for await (const row of readLaidOutRows(readFileBytes(path), label, layout, definition)) {
    if (numbered && !/^\d{35}$/.test(row.seq ?? '')) throw wrongNumber(label, row.line, row.seq ?? '');
    rows++;
  }
  return rows;
}
