/** What cannot be seen in a file that our capture did not write: `_cdc/dialect.json` beside DMS's files, or options of `merge FILE`. */

import { z } from 'zod';
import { CdcError } from '../errors.ts';
import type { Store } from '../store/store.ts';

export interface Dialect {
  /** The text that stands for NULL (DMS: CsvNullValue). Absent: an empty field is NULL, but '' in a NOT NULL text column. */
  null?: string;
  /** Whether the first line is a header. Absent: it is one when it names the table's columns. */
  header?: boolean;
  /** DMS: TimestampColumnName; the column stands after Op. */
  timestampColumn?: string;
  /** Nobody changes the columns of a table: without it no file without a header is merged. */
  ddl?: 'frozen';
}

/** In staging. */
export const DIALECT_KEY = '_cdc/dialect.json';

const dialectFile = z.object({
  format: z.literal(1),
  null: z.string().optional(),
  timestamp_column: z.string().optional(),
  header: z.boolean().optional(),
  ddl: z.literal('frozen').optional(),
});

/** Throws for a text that is none of ours. */
export function parseDialect(body: string): Dialect {
  const { null: nullText, timestamp_column, header, ddl } = dialectFile.parse(JSON.parse(body));
  return {
    ...(nullText === undefined ? {} : { null: nullText }),
    ...(timestamp_column === undefined ? {} : { timestampColumn: timestamp_column }),
    ...(header === undefined ? {} : { header }),
    ...(ddl === undefined ? {} : { ddl }),
  };
}

export function formatDialect({ null: nullText, timestampColumn, header, ddl }: Dialect): string {
  return `${JSON.stringify({ format: 1, null: nullText, timestamp_column: timestampColumn, header, ddl })}\n`;
}

/** How DMS writes into this staging. Throws `dialect.missing` and `dialect.corrupt`: nothing is guessed. */
export async function readDialect(staging: Pick<Store, 'getIfPresent' | 'location'>): Promise<Dialect> {
  const body = await staging.getIfPresent(DIALECT_KEY);
  const doing = `reading files of DMS: ${staging.location}/${DIALECT_KEY}`;
  if (body === undefined)
    throw new CdcError('dialect.missing', `${doing} is not there, and without it NULL cannot be told from a text`, {
      hint: 'bring it back from a copy; cdc init writes it',
    });
  try {
    return parseDialect(body.toString());
  } catch (cause) {
    throw new CdcError('dialect.corrupt', `${doing} is no dialect of ours`, {
      hint: 'bring it back from a copy: files in staging cannot be read without it',
      cause,
    });
  }
}
