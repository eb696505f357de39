/** What `check` finds about the source: what is wrong, and what mends it. */

export interface Finding {
  /** `error`: the table, or without one the whole source, is not followed. `warning`: it is, with this risk. */
  level: 'error' | 'warning';
  /** Dotted and stable, for `cdc explain`. */
  code: string;
  /** `schema.table`; absent where the finding concerns the whole source. */
  table?: string;
  message: string;
  /** A statement, a setting or a command. */
  fix: string;
}

/** Nothing can be followed until these are mended. */
export function sourceErrors(findings: readonly Finding[]): Finding[] {
  return findings.filter((finding) => finding.level === 'error' && finding.table === undefined);
}

/** The tables that cannot be followed, by `schema.table`; they do not hold up the rest. */
export function refusedTables(findings: readonly Finding[]): Set<string> {
  return new Set(findings.flatMap(({ level, table }) => (level === 'error' && table !== undefined ? [table] : [])));
}
