/** What `verify` answers, on every target. */

import { formatTableName } from '../core/change.ts';
import { UsageError } from '../core/errors.ts';
import { parseDuration } from '../core/quantity.ts';
import { isEqual, type TableVerdict } from '../core/verify/verdict.ts';
import { count } from './table.ts';

export interface VerifyOptions {
  tables: string[];
  /** How long a change may take from its commit to DMS's file. */
  settleMs?: number;
}

export interface VerifyReport {
  tables: TableVerdict[];
  equal: boolean;
}

export function parseSettle(text: string | undefined): Pick<VerifyOptions, 'settleMs'> {
  if (text === undefined) return {};
  const settleMs = parseDuration(text);
  if (settleMs === undefined) throw new UsageError(`verify: --settle ${text} is not a duration such as 90s or 5m`);
  return { settleMs };
}

export function reportOf(tables: TableVerdict[]): VerifyReport {
  return { tables, equal: tables.every(isEqual) };
}

export function exitCodeOf({ equal }: VerifyReport): 0 | 3 {
  return equal ? 0 : 3;
}

export function renderReport({ tables }: VerifyReport): string {
  return tables.map(renderVerdict).join('\n');
}

export function nextOf({ tables }: VerifyReport): string[] {
  return tables.filter((verdict) => !isEqual(verdict)).map((verdict) => `cdc reload ${formatTableName(verdict)}`);
}

function renderVerdict(verdict: TableVerdict): string {
  const name = formatTableName(verdict);
  const { error, missing, extra, different, unsettled, quarantined, settle_seconds } = verdict;
  if (error !== null)
    return `${name}: not compared: ${error.message}${error.hint === undefined ? '' : `\n  → ${error.hint}`}`;
  const counts = `${count(verdict.source_rows, 'row')}, ${missing} missing, ${extra} extra, ${different} different`;
  const unjudged =
    settle_seconds === undefined ? 'written in every comparison' : `written within the last ${settle_seconds} s`;
  return [
    `${name}: ${counts}`,
    ...(unsettled > 0 ? [`  ${count(unsettled, 'row')} ${unjudged}: not judged`] : []),
    ...(quarantined > 0 ? [`  ${count(quarantined, 'row')} in quarantine`] : []),
    ...verdict.keys.map(({ kind, key }) => `  ${kind}: ${key.join(', ')}`),
  ].join('\n');
}
