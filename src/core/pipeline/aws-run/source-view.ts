/** What DMS must be told of the source, read by SQL before a task is made: its tables, what cannot be followed, where the binlog stands. */

import type { Connection } from 'mysql2/promise';
import { connectSource, type SourceAddress } from '../../binlog/connection.ts';
import { formatTableName, type TableName } from '../../change.ts';
import { type Config, tableRuleFor } from '../../config.ts';
import { CdcError } from '../../errors.ts';
import { formatPosition, parsePosition } from '../../position.ts';
import { checkTables } from '../../source/check-tables.ts';
import { type Finding, refusedTables } from '../../source/finding.ts';
import { queryRows, quoteName, quoteTable } from '../../source/query.ts';
import { readSourceTable, readTables, type SourceTable } from '../../source/read-definition.ts';
import { positionOf, readBinlogStatus, readServer } from '../../source/server.ts';

export interface SourceView {
  /** What `tables:` asks for and nothing speaks against. */
  tables: TableName[];
  /** Asked for, and left out for a reason. */
  refused: Finding[];
  refusedNames: TableName[];
  /** The longest large value of the tables, rounded up; DMS cuts what is longer than it is told. */
  lobMaxKb: number;
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
    const refused = refusedTables(findings);
    const tables = names.filter((name) => !refused.has(formatTableName(name)));
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
      lobMaxKb: await longestValueKb(connection, tables, signal),
    };
  });
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

/** Types that DMS takes for large objects. */
const LARGE_TYPES = ['mediumtext', 'longtext', 'mediumblob', 'longblob', 'json'];

/** At least double of what is there now, for what comes. */
async function longestValueKb(
  connection: Connection,
  tables: readonly TableName[],
  signal: AbortSignal | undefined,
): Promise<number> {
  const wanted = new Map(tables.map((name) => [formatTableName(name), name]));
  const columns = await queryRows({
    connection,
    sql: `SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, COLUMN_NAME AS c FROM information_schema.COLUMNS
      WHERE DATA_TYPE IN (${LARGE_TYPES.map(() => '?').join(', ')})`,
    values: LARGE_TYPES,
    doing: 'looking for columns with large values',
    signal,
  });
  let bytes = 0;
  for (const [name, of] of groupByTable(columns)) {
    const table = wanted.get(name);
    if (table === undefined) continue;
    const [row] = await queryRows({
      connection,
      sql: `SELECT ${of.map((column, index) => `MAX(OCTET_LENGTH(${quoteName(column)})) AS c${index}`).join(', ')} FROM ${quoteTable(table)}`,
      doing: `measuring the large values of ${name}`,
      signal,
    });
    for (const value of Object.values(row ?? {})) bytes = Math.max(bytes, Number(value ?? 0));
  }
  return 2 ** Math.ceil(Math.log2(Math.max(1, (2 * bytes) / 1024)));
}

function groupByTable(columns: readonly Record<string, string | null>[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { s, t, c } of columns) {
    const name = formatTableName({ schema: s ?? '', table: t ?? '' });
    found.set(name, [...(found.get(name) ?? []), c ?? '']);
  }
  return found;
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
