/** The preflight of the source (contract.md 2): every finding at once, each with its fix. `check`, `init` and `replicate` run it. */

import type { Connection } from 'mysql2/promise';
import { formatTableName, type TableName } from '../change.ts';
import { didYouMean } from '../nearest-word.ts';
import { hasWildcard, splitPattern } from '../table-pattern.ts';
import { checkServer } from './check-server.ts';
import { checkTables } from './check-tables.ts';
import type { Finding } from './finding.ts';
import { type Grants, readGrants } from './grants.ts';
import { readTables, type TablePatterns } from './read-definition.ts';
import { readServer, type SourceServer } from './server.ts';
import { versionNumber } from './sql-tokens.ts';

export interface CheckSourceOptions extends TablePatterns {
  /** What cdc.yaml says of a table: absent means its primary key, and a mirror. */
  ruleFor?(name: TableName): { key?: readonly string[]; mode: 'mirror' | 'append' } | undefined;
  /** `capture.foreign_key_cascades`. */
  foreignKeyCascades?: 'refuse' | 'accept';
  signal?: AbortSignal | undefined;
}

/** Reads only. Findings about the server come first, then by table; `refusedTables` and `sourceErrors` sort them. */
export async function checkSource(connection: Connection, options: CheckSourceOptions): Promise<Finding[]> {
  const { signal } = options;
  const server = await readServer(connection, signal);
  const tables = await readTables(connection, options, signal);
  const grants = await readGrants(connection, signal);
  return [
    ...(await checkServer({ connection, server, signal })),
    ...checkGrants(grants, server, tables),
    ...missingTables(options, tables, await allTables(connection, options)),
    ...(await checkTables({
      connection,
      tables: tables.map((name) => {
        const rule = options.ruleFor?.(name);
        return { name, keyOverride: rule?.key, mode: rule?.mode ?? 'mirror' };
      }),
      foreignKeyCascades: options.foreignKeyCascades ?? 'refuse',
      signal,
    })),
  ];
}

function checkGrants(grants: Grants, server: SourceServer, tables: readonly TableName[]): Finding[] {
  const findings: Finding[] = [];
  const missing = (code: string, privilege: string, what: string, level: Finding['level'] = 'error') =>
    findings.push({
      level,
      code,
      message: `the user lacks ${privilege}: ${what}`,
      fix: `GRANT ${privilege} ON *.* TO ${grants.user}`,
    });
  if (!grants.has('REPLICATION SLAVE', 'REPLICATION REPLICA'))
    missing('grant.replication', 'REPLICATION SLAVE', 'the server does not send it the binlog');
  const monitor = server.flavor === 'mariadb' ? 'BINLOG MONITOR' : 'REPLICATION CLIENT';
  if (!grants.has('REPLICATION CLIENT', 'BINLOG MONITOR', 'SUPER'))
    missing('grant.monitor', monitor, 'it may not ask where the binlog stands');
  // MariaDB takes its snapshot without a lock.
  if (server.flavor === 'mariadb') return findings;
  if (!grants.has('RELOAD') && !tables.every((table) => grants.hasOn(table, 'LOCK TABLES')))
    missing(
      'grant.snapshot',
      'RELOAD',
      'a full load needs it, or LOCK TABLES on every followed table, to hold writes for an instant',
    );
  if (versionNumber(server.version) >= 80_000 && !grants.has('XA_RECOVER_ADMIN'))
    missing(
      'grant.xa-recover',
      'XA_RECOVER_ADMIN',
      'a full load cannot see XA transactions in doubt, and refuses to start once one was prepared',
      'warning',
    );
  return findings;
}

function allTables(connection: Connection, options: CheckSourceOptions): Promise<TableName[]> {
  return readTables(connection, { tables: ['%.%'], exclude: [] }, options.signal);
}

/** Names in `tables:` that nothing fits. */
function missingTables(patterns: TablePatterns, found: readonly TableName[], all: readonly TableName[]): Finding[] {
  const names = all.map(formatTableName);
  const missing = patterns.tables.flatMap((pattern): Finding[] => {
    const parts = splitPattern(pattern);
    if (parts === undefined || hasWildcard(pattern) || names.includes(formatTableName(parts))) return [];
    return [
      {
        level: 'error',
        code: 'table.missing',
        table: formatTableName(parts),
        message: `there is no such table${didYouMean(pattern, names)}`,
        fix: 'mend its name under `tables:` in cdc.yaml (its case counts), or GRANT SELECT on it to the user',
      },
    ];
  });
  if (found.length > 0) return missing;
  return [
    {
      level: 'error',
      code: 'tables.none',
      message: `no table of the source fits \`tables: [${patterns.tables.join(', ')}]\``,
      fix:
        names.length === 0
          ? 'make tables on the source, with `cdc load FILE.sql` for one, or GRANT SELECT on them to the user'
          : `mend \`tables:\` in cdc.yaml; the source has ${names.slice(0, 5).join(', ')}${names.length > 5 ? ' …' : ''}`,
    },
    ...missing,
  ];
}
