/** Findings as text: what is wrong, and under it what mends it. */

import type { Finding } from '../core/source/finding.ts';

export function renderFindings(findings: readonly Finding[]): string {
  return findings
    .map(
      ({ level, table, message, fix }) =>
        `${level}: ${table === undefined ? '' : `${table}: `}${message}\n  fix: ${fix}`,
    )
    .join('\n');
}
