/** The keys of cdc.yaml, their values and defaults. */

import { isAbsolute, relative, resolve } from 'node:path';
import { z } from 'zod';
import { keyed, oneOf, shorthand } from './config-keys.ts';
import { sourceSchema } from './config-source.ts';
import { parseBytes, parseDuration } from './quantity.ts';
import { splitPattern } from './table-pattern.ts';

export const NAME_PATTERN = /^[a-z][a-z0-9-]{0,24}$/;

const DAY_MS = 86_400_000;

/** The default of `tables:`: every table that is not the system's. */
export const EVERY_TABLE = '%.%';

function quantity(parse: (text: string) => number | undefined, example: string) {
  return z.unknown().transform((value, context): number => {
    const number = typeof value === 'string' ? parse(value) : undefined;
    if (number !== undefined && Number.isSafeInteger(number) && number > 0) return number;
    context.addIssue({ code: 'custom', message: `${JSON.stringify(value)} is not ${example}` });
    return z.NEVER;
  });
}

const bytes = quantity(parseBytes, 'a size such as 64MB or 768MiB');
const bytesPerHour = quantity((text) => parseBytes(text.replace(/\s*\/\s*h$/, '')), 'a size such as 20GB');
const duration = quantity(parseDuration, 'a duration such as 500ms, 10s or 1d');

const pattern = z.unknown().transform((value, context): string => {
  if (typeof value === 'string' && splitPattern(value) !== undefined) return value;
  context.addIssue({
    code: 'custom',
    message: `${JSON.stringify(value)} is not a table as schema.table, such as shop.orders or shop.%`,
  });
  return z.NEVER;
});

/** A pattern, or an object whose `table:` is one. */
const tableRule = shorthand(
  'table',
  keyed({
    table: pattern,
    key: z.array(z.string().min(1)).min(1).optional(),
    mode: oneOf(['mirror', 'append']).default('mirror'),
  }).transform(({ table, key, mode }) => ({ pattern: table, ...(key && { key }), mode })),
);

/** A folder, made absolute; a bucket is refused by name until S3 comes. */
function place(folder: string) {
  return z.unknown().transform((value, context): string => {
    if (typeof value === 'string' && value !== '') {
      const scheme = /^([a-z][a-z0-9+]*):\/\//i.exec(value)?.[1];
      if (scheme === undefined) return resolve(folder, value);
      context.addIssue({ code: 'custom', message: `${scheme}:// is not built yet: write a folder` });
    } else context.addIssue({ code: 'custom', message: 'takes the path of a folder' });
    return z.NEVER;
  });
}

/** Paths in the file are relative to `folder`. */
export function configSchema(folder: string) {
  const staging = keyed({ location: place(folder).prefault('staging'), keep: duration.default(DAY_MS) });
  const capture = keyed({
    max_file_bytes: bytes.prefault('64MB'),
    max_delay: duration.prefault('500ms'),
    truncate: oneOf(['apply', 'stop']).default('apply'),
    foreign_key_cascades: oneOf(['refuse', 'accept']).default('refuse'),
  });
  const merge = keyed({
    engine: oneOf(['local'], ['spark', 'glue']).default('local'),
    unfit: oneOf(['fail', 'quarantine']).default('fail'),
    zero_dates: oneOf(['null', 'fail', 'text']).default('null'),
    write_budget: bytesPerHour.prefault('20GB'),
    memory_limit: bytes.prefault('768MB'),
  });
  return keyed({
    name: z.unknown().transform((value, context): string => {
      if (typeof value === 'string' && NAME_PATTERN.test(value)) return value;
      const why =
        value === undefined ? 'is missing: write name: with' : `${JSON.stringify(value)} is not a name: write`;
      context.addIssue({ code: 'custom', message: `${why} at most 25 of a-z, 0-9 and -, beginning with a letter` });
      return z.NEVER;
    }),
    target: oneOf(['local'], ['aws']).default('local'),
    source: sourceSchema(folder).prefault('private'),
    tables: z.array(tableRule).min(1).prefault([EVERY_TABLE]),
    exclude: z.array(pattern).default([]),
    staging: shorthand('location', staging).prefault({}),
    lake: place(folder).prefault('lake'),
    capture: capture.prefault({}),
    merge: merge.prefault({}),
  }).transform(({ staging, lake, capture, merge, ...rest }, context) => {
    if (isWithin(staging.location, lake) || isWithin(lake, staging.location))
      context.addIssue({
        code: 'custom',
        path: ['lake'],
        message: 'lies in the same folder as staging: give each its own',
      });
    return {
      ...rest,
      staging: { location: staging.location, keepMs: staging.keep },
      lake: { location: lake },
      capture: {
        maxFileBytes: capture.max_file_bytes,
        maxDelayMs: capture.max_delay,
        truncate: capture.truncate,
        foreignKeyCascades: capture.foreign_key_cascades,
      },
      merge: {
        engine: merge.engine,
        unfit: merge.unfit,
        zeroDates: merge.zero_dates,
        writeBudgetBytesPerHour: merge.write_budget,
        memoryLimitBytes: merge.memory_limit,
      },
    };
  });
}

function isWithin(outer: string, inner: string): boolean {
  const path = relative(outer, inner);
  return path === '' || (!path.startsWith('..') && !isAbsolute(path));
}
