/** Which tables a pipeline follows: patterns with the wildcards of a DMS table mapping (`%`, `_`, `[ab]`, `[_]`), case-sensitive. */

import type { TableName } from './change.ts';

/** Schemas that belong to the server; no pattern reaches them. */
export const SYSTEM_SCHEMAS: readonly string[] = ['mysql', 'information_schema', 'performance_schema', 'sys'];

/** Whether a table is followed: it fits a pattern, fits no exclusion and is not the system's. */
export function matchesTables(patterns: readonly string[], exclude: readonly string[], name: TableName): boolean {
  if (SYSTEM_SCHEMAS.includes(name.schema.toLowerCase())) return false;
  const fits = (pattern: string) => matchesPattern(pattern, name);
  return patterns.some(fits) && !exclude.some(fits);
}

/** `shop.%` against shop.orders. False for a text that is no pattern. */
export function matchesPattern(pattern: string, name: TableName): boolean {
  const parts = splitPattern(pattern);
  return parts !== undefined && toRegExp(parts.schema).test(name.schema) && toRegExp(parts.table).test(name.table);
}

/** The two halves of `schema.table`, parted at the first dot outside brackets; undefined for anything else. */
export function splitPattern(pattern: string): TableName | undefined {
  const [, schema, table] = /^((?:\[[^\]]+\]|[^.[\]])+)\.((?:\[[^\]]+\]|[^[\]])+)$/su.exec(pattern) ?? [];
  return schema === undefined || table === undefined ? undefined : { schema, table };
}

export function hasWildcard(pattern: string): boolean {
  return /[%_[]/.test(pattern);
}

function toRegExp(pattern: string): RegExp {
  const source = pattern.replace(/\[([^\]]+)\]|[\s\S]/gu, (char, set: string | undefined) => {
    // `^` and `\` mean themselves within a DMS set; only `-` between two characters is special.
    if (set !== undefined) return `[${set.replace(/[\\^[\]]/g, '\\$&')}]`;
    if (char === '%') return '.*';
    if (char === '_') return '.';
    return char.replace(/[$()*+./?[\\\]^{|}]/g, '\\$&');
  });
  return new RegExp(`^${source}$`, 'su');
}
