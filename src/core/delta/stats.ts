/** The statistics of a data file as Delta has them, from what DuckDB says when it has written the file (delta.md 1.4). */

import { z } from 'zod';
import type { DeltaType } from '../column-type.ts';
import type { LakeColumn } from './schema.ts';

/** What `COPY … (RETURN_STATS)` says of one file. */
export interface WrittenFile {
  filename: string;
  count: number;
  sizeBytes: number;
  /** By column: `min`, `max`, `null_count`, `has_nan` as text. */
  columns: Map<string, Map<string, string>>;
}

const entry = <T extends z.ZodType>(value: T) => z.array(z.object({ key: z.string(), value }));
const statsRow = z.object({
  filename: z.string(),
  count: z.coerce.number(),
  file_size_bytes: z.coerce.number(),
  column_statistics: entry(entry(z.string().nullable())),
});

export function writtenFile(row: unknown): WrittenFile {
  const { filename, count, file_size_bytes: sizeBytes, column_statistics } = statsRow.parse(row);
  const columns = new Map(
    column_statistics.map(({ key, value }) => [
      unquote(key),
      new Map(value.flatMap((item) => (item.value === null ? [] : [[item.key, item.value] as const]))),
    ]),
  );
  return { filename, count, sizeBytes, columns };
}

/** DuckDB names a column as an identifier; a path of several is nested and no column of ours. */
function unquote(identifier: string): string {
  return /^"(?:[^"]|"")*"$/.test(identifier) ? identifier.slice(1, -1).replaceAll('""', '"') : identifier;
}

/** Readers look at the first 32 columns by default; more would only swell the log. */
const INDEXED_COLUMNS = 32;

/** The JSON text for `add.stats`. The key always has its bounds, for merge finds files by them. */
export function formatStats(file: WrittenFile, columns: readonly LakeColumn[], key: readonly string[]): string {
  const minimums: string[] = [];
  const maximums: string[] = [];
  const nulls: string[] = [];
  columns.forEach(({ lake, delta }, index) => {
    if (index >= INDEXED_COLUMNS && !key.includes(lake)) return;
    const found = file.columns.get(lake);
    if (found === undefined) return;
    const name = JSON.stringify(lake);
    const nullCount = found.get('null_count');
    if (nullCount !== undefined && /^\d+$/.test(nullCount)) nulls.push(`${name}:${nullCount}`);
    const min = found.get('min');
    const max = found.get('max');
    // Without one of the two there is no range; some readers take a missing bound for NULL.
    if (min === undefined || max === undefined || found.get('has_nan') === 'true') return;
    const lower = lowerBound(delta, min);
    const upper = upperBound(delta, max);
    if (lower === undefined || upper === undefined) return;
    minimums.push(`${name}:${lower}`);
    maximums.push(`${name}:${upper}`);
  });
  return `{"numRecords":${file.count},"minValues":{${minimums}},"maxValues":{${maximums}},"nullCount":{${nulls}}}`;
}

/** A JSON token at or below the value; undefined where none is safe. */
function lowerBound(type: DeltaType, text: string): string | undefined {
  switch (type) {
    case 'string':
      return JSON.stringify(cut(text));
    case 'timestamp':
      return timestampToken(text, 'down');
    default:
      return plainToken(type, text, '-0.0');
  }
}

function upperBound(type: DeltaType, text: string): string | undefined {
  switch (type) {
    case 'string': {
      const bound = cutUpwards(text);
      return bound === undefined ? undefined : JSON.stringify(bound);
    }
    case 'timestamp':
      return timestampToken(text, 'up');
    default:
      return plainToken(type, text, '0.0');
  }
}

/** Numbers keep their digits as they are: a JavaScript number would round a long or a decimal. */
function plainToken(type: DeltaType, text: string, zero: string): string | undefined {
  switch (type) {
    case 'boolean':
    case 'binary':
    case 'string':
    case 'timestamp':
      return undefined;
    case 'date':
      return /^\d{4}-\d{2}-\d{2}$/.test(text) ? JSON.stringify(text) : undefined;
    case 'float':
    case 'double':
      if (!/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text)) return undefined;
      // 0.0 and -0.0 are one value for SQL, two for readers that order by bits.
      return Number(text) === 0 ? zero : text;
    default:
      return /^-?\d+(\.\d+)?$/.test(text) ? text : undefined;
  }
}

const MAX_CHARACTERS = 32;

function cut(text: string): string {
  return [...text].slice(0, MAX_CHARACTERS).join('');
}

/** A short text that sorts at or above, by UTF-8 bytes (= by code points): the last character that can be raised is. */
function cutUpwards(text: string): string | undefined {
  const characters = [...text];
  if (characters.length <= MAX_CHARACTERS) return text;
  for (let length = MAX_CHARACTERS; length > 0; length--) {
    const raised = nextCharacter(characters[length - 1] ?? '');
    if (raised !== undefined) return characters.slice(0, length - 1).join('') + raised;
  }
  return undefined;
}

function nextCharacter(character: string): string | undefined {
  const point = (character.codePointAt(0) ?? 0) + 1;
  if (point > 0x10ffff) return undefined;
  // Surrogates are no characters.
  return String.fromCodePoint(point === 0xd800 ? 0xe000 : point);
}

/** ISO-8601 in UTC to the millisecond, rounded away from the values. `2024-01-02 03:04:05.123456+00` comes in. */
function timestampToken(text: string, direction: 'down' | 'up'): string | undefined {
  const match = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?\+00$/.exec(text);
  if (match === null) return undefined;
  const [, date, time, fraction = ''] = match;
  const micros = fraction.padEnd(6, '0');
  const floor = new Date(`${date}T${time}.${micros.slice(0, 3)}Z`);
  const up = direction === 'up' && micros.slice(3) !== '000';
  const bound = up ? new Date(floor.getTime() + 1) : floor;
  // Rounded up past year 9999 the text would get another form.
  return bound.getUTCFullYear() > 9999 ? undefined : JSON.stringify(bound.toISOString());
}
