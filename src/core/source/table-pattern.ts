/** Which tables a pipeline follows: `schema.table` with DMS's wildcards (dms-files.md): `%` any run, `_` one character, `[_]` a set. Case-sensitive. */

import type { TableName } from '../change.ts';
import { messageOf, UsageError } from '../errors.ts';

export interface TablePattern {
  schema: string;
  table: string;
}

/** Followed is what an include matches and no exclude does. */
export interface TablePatterns {
  include: readonly TablePattern[];
  exclude: readonly TablePattern[];
}

/** Every table of every schema that is not the server's own. */
export const ALL_TABLES: TablePatterns = { include: [{ schema: '%', table: '%' }], exclude: [] };

const SYSTEM_SCHEMAS = new Set(['mysql', 'information_schema', 'performance_schema', 'sys', 'ndbinfo', 'innodb']);

/** The server's own schemas, which no pattern reaches. */
export function isSystemSchema(schema: string): boolean {
  return SYSTEM_SCHEMAS.has(schema.toLowerCase());
}

/** Reads `shop.orders`, `shop.%`; a schema alone means all its tables. A name with a dot in it is written with `[.]`. */
export function parseTablePattern(text: string): TablePattern {
  const match = /^((?:\[[^\]]*\]|[^.[])+)(?:\.((?:\[[^\]]*\]|[^.[])+))?$/u.exec(text.trim());
  if (match?.[1] === undefined)
    throw new UsageError(`"${text}" is not a table pattern`, 'write it as SCHEMA.TABLE, as in shop.orders or shop.%');
  const pattern = { schema: match[1], table: match[2] ?? '%' };
  try {
    wildcard(pattern.schema);
    wildcard(pattern.table);
  } catch (error) {
    throw new UsageError(`"${text}" is not a table pattern: ${messageOf(error)}`, 'a set is written [ab] or [a-d]');
  }
  return pattern;
}

export function formatTablePattern(pattern: TablePattern): string {
  return `${pattern.schema}.${pattern.table}`;
}

export function matchesTable(patterns: TablePatterns, name: TableName): boolean {
  if (isSystemSchema(name.schema)) return false;
  const matching = (pattern: TablePattern) =>
    wildcard(pattern.schema).test(name.schema) && wildcard(pattern.table).test(name.table);
  return patterns.include.some(matching) && !patterns.exclude.some(matching);
}

const compiled = new Map<string, RegExp>();

function wildcard(pattern: string): RegExp {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  const source = pattern.replace(/\[([^\]]+)\]|%+|./gsu, (part, set: string | undefined) => {
    // Inside a set only a range's hyphen has a meaning; everything else is the character itself.
    if (set !== undefined) return `[${set.replace(/[\\\]^[]/g, '\\$&').replace(/^-|-$/g, '\\-')}]`;
    if (part.startsWith('%')) return '.*';
    if (part === '_') return '.';
    return part.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
  });
  const expression = new RegExp(`^${source}$`, 'su');
  compiled.set(pattern, expression);
  return expression;
}
