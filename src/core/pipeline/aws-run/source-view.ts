/** What DMS must be told of the source, read by SQL before a task is made: its tables, what cannot be followed, where the binlog stands. */

import type { Connection } from 'mysql2/promise';
import { connectSource, type SourceAddress } from '../../binlog/connection.ts';
import { formatTableName, type TableName } from '../../change.ts';
import { type Config, tableRuleFor } from '../../config.ts';
import { CdcError } from '../../errors.ts';
import { formatPosition, parsePosition } from '../../position.ts';
import { checkTables } from '../../source/check-tables.ts';
import { type Finding, refusedTables } from '../../source/finding.ts';
import { queryRows } from '../../source/query.ts';
import { readSourceTable, readTables, type SourceTable } from '../../source/read-definition.ts';
import { positionOf, readBinlogStatus, readServer } from '../../source/server.ts';
import { measureLargeValues, tooLongFindings } from './large-values.ts';

export interface SourceView {
  /** What `tables:` asks for and nothing speaks against. */
  tables: TableName[];
  /** Asked for, and left out for a reason. */
  refused: Finding[];
  refusedNames: TableName[];
  /** Bytes of the longest large value of the tables; DMS cuts what is longer than it is told. */
  longestValue: number;
}

/** Throws `tables.none` when nothing of the source can be followed, with every reason. */
export async function viewSource(options: {
  config: Config;
  address: SourceAddress;
  signal: AbortSignal | undefined;
}): Promise<SourceView> {
  const { config, address, signal } = options;
  return withSource(address, signal, async (connection) => {
    const patterns = { tables: config.tables.map(({ pattern }) => pattern), exclude: config.exclude };
    const names = await readTables(connection, patterns, signal);
    const findings = await checkTables({
      connection,
      tables: names.map((name) => {
        const rule = tableRuleFor(config, name);
        return { name, keyOverride: rule?.key, mode: rule?.mode ?? 'mirror' };
      }),
      foreignKeyCascades: config.capture.foreignKeyCascades,
      signal,
    });
    const readable = namesWithout(names, refusedTables(findings));
    const longest = await measureLargeValues(connection, readable, signal);
    findings.push(...tooLongFindings(longest));
    const refused = refusedTables(findings);
    const tables = namesWithout(names, refused);
    if (tables.length === 0)
      throw new CdcError(
        'tables.none',
        ['replicating: no table of the source can be followed', ...findings.map(({ message }) => `  ${message}`)].join(
          '\n',
        ),
        { hint: 'cdc load FILE   # fills the source; cdc check lists what else is wrong' },
      );
    return {
      tables,
      refused: findings.filter(({ level, table }) => level === 'error' && table !== undefined),
      refusedNames: names.filter((name) => refused.has(formatTableName(name))),
      longestValue: Math.max(0, ...tables.map((name) => longest.get(formatTableName(name)) ?? 0)),
    };
  });
}

function namesWithout(names: readonly TableName[], refused: ReadonlySet<string>): TableName[] {
  return names.filter((name) => !refused.has(formatTableName(name)));
}

/** The columns and keys of tables as they are now. */
export async function readSourceTables(options: {
  tables: readonly { name: TableName; keyOverride?: readonly string[] | undefined }[];
  address: SourceAddress;
  signal: AbortSignal | undefined;
}): Promise<SourceTable[]> {
  const { tables, address, signal } = options;
  return withSource(address, signal, async (connection) => {
    const found: SourceTable[] = [];
    for (const { name, keyOverride } of tables)
      found.push(await readSourceTable(connection, name, { keyOverride, signal }));
    return found;
  });
}

/** Where the binlog stands now: what is committed later comes after it. */
export async function readPosition(address: SourceAddress, signal: AbortSignal | undefined): Promise<string> {
  return withSource(address, signal, async (connection) => {
    const server = await readServer(connection, signal);
    return formatPosition(positionOf(await readBinlogStatus(connection, server, signal)));
  });
}

/**
 * Throws `position.purged` when the binlog no longer reaches back to where a task would go on. `from` is a position, or a
 * checkpoint of DMS, which names its file somewhere within.
 */
export async function checkBinlogReaches(options: {
  address: SourceAddress;
  from: string;
  signal: AbortSignal | undefined;
}): Promise<void> {
  const { address, from, signal } = options;
  const file = binlogFileOf(from);
  if (file === undefined) return;
  const files = await withSource(address, signal, (connection) =>
    queryRows({ connection, sql: 'SHOW BINARY LOGS', doing: 'listing the binlog of the source', signal }),
  );
  if (files.some((row) => row.log_name === file)) return;
  throw new CdcError(
    'position.purged',
    `going on from ${file}: the source's binlog begins at ${files[0]?.log_name ?? 'nothing'}; what lies between is gone`,
    { hint: "cdc reload '%.%'   # loads the tables again; source.rds.binlog_retention keeps the binlog longer" },
  );
}

/** `mysql-bin-changelog.000024` of `mysql-bin-changelog.000024:373` and of `checkpoint:V1#27#mysql-bin-changelog.000024:…`. */
export function binlogFileOf(from: string): string | undefined {
  if (!from.startsWith('checkpoint:')) return parsePosition(from).file;
  return /#([^#:]+\.\d+):\d+/.exec(from)?.[1];
}

async function withSource<T>(
  address: SourceAddress,
  signal: AbortSignal | undefined,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await connectSource(address, signal === undefined ? {} : { signal });
  try {
    return await work(connection);
  } finally {
    connection.destroy();
  }
}
