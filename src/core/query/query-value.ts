/** Values of a query's answer as they are printed: exact, so what JSON numbers cannot hold is text. */

import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
} from '@duckdb/node-api';
import type { EngineValue } from '../engine/select.ts';

/** Integers are bigint: whoever prints JSON decides which fit a number. */
export type QueryValue = null | boolean | number | bigint | string | QueryValue[] | { [name: string]: QueryValue };

export function queryValue(value: EngineValue): QueryValue {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value !== 'object') return value;
  if (value instanceof DuckDBDecimalValue) return value.scale === 0 ? value.value : value.toString();
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('hex');
  if (value instanceof DuckDBTimestampTZValue) return timeText(value.micros, 'Z');
  if (value instanceof DuckDBTimestampValue) return timeText(value.micros, '');
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items.map(queryValue);
  if (value instanceof DuckDBStructValue)
    return Object.fromEntries(Object.entries(value.entries).map(([name, inner]) => [name, queryValue(inner)]));
  if (value instanceof DuckDBMapValue)
    return value.entries.map(({ key, value: inner }) => ({ key: queryValue(key), value: queryValue(inner) }));
  return value.toString();
}

/** Microseconds since 1970 in ISO-8601; Date alone would cut them to milliseconds. */
function timeText(micros: bigint, zone: string): string {
  const million = 1_000_000n;
  const fraction = ((micros % million) + million) % million;
  const date = new Date(Number((micros - fraction) / 1000n));
  // DuckDB's infinities, and years that Date cannot hold.
  if (Number.isNaN(date.getTime())) return micros > 0n ? 'infinity' : '-infinity';
  const digits = fraction === 0n ? '' : `.${fraction.toString().padStart(6, '0').replace(/0+$/, '')}`;
  return date.toISOString().replace(/\.\d{3}Z$/, `${digits}${zone}`);
}
