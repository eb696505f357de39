/** Findings about single tables: can every change of this table be followed. One table's finding holds up no other. */

import type { Connection } from 'mysql2/promise';
import { unsupportedReason } from '../binlog/column-plan.ts';
import { formatTableName, type TableName } from '../change.ts';
import { tableFolder } from '../change-file/layout.ts';
import { CancelledError, CdcError, nativeCodeOf } from '../errors.ts';
import { hasCascade } from './column-clause.ts';
import type { Finding } from './finding.ts';
import { queryRows, quoteTable, type Row } from './query.ts';
import { readSourceTable, type SourceTable } from './read-definition.ts';
import { MYSQL_DIALECT, type SqlDialect, tokenize } from './sql-tokens.ts';
import { TokenReader } from './token-reader.ts';

export interface TableToCheck {
  name: TableName;
  /** `key:` of cdc.yaml. */
  keyOverride?: readonly string[] | undefined;
  mode: 'mirror' | 'append';
}

export interface CheckTablesOptions {
  connection: Connection;
  tables: readonly TableToCheck[];
  foreignKeyCascades: 'refuse' | 'accept';
  signal?: AbortSignal | undefined;
}

export async function checkTables(options: CheckTablesOptions): Promise<Finding[]> {
  const findings = folderClashes(options.tables.map(({ name }) => name));
  const engines = await readEngines(options);
  for (const table of options.tables) findings.push(...(await checkTable(table, engines, options)));
  return findings;
}

async function checkTable(
  table: TableToCheck,
  engines: Map<string, Row>,
  options: CheckTablesOptions,
): Promise<Finding[]> {
  const { connection, signal } = options;
  const name = formatTableName(table.name);
  const error = (code: string, message: string, fix: string): Finding => ({
    level: 'error',
    code,
    table: name,
    message,
    fix,
  });
  try {
    // A grant on single columns would hide the others from information_schema, so everything is asked for.
    await queryRows({
      connection,
      sql: `SELECT * FROM ${quoteTable(table.name)} LIMIT 0`,
      doing: `reading ${name}`,
      signal,
    });
  } catch (cause) {
    if (cause instanceof CancelledError || !(cause instanceof CdcError) || cause.code === 'source.lost') throw cause;
    return [
      cause.code === 'source.access-denied'
        ? error(
            'grant.select',
            'the user may not SELECT all of its columns',
            `GRANT SELECT ON ${quoteTable(table.name)} TO the user`,
          )
        : error(
            'table.unreadable',
            `it cannot be read: ${nativeCodeOf(cause.cause) ?? cause.message}`,
            'repair the table, or leave it out with `exclude:` in cdc.yaml',
          ),
    ];
  }
  const findings: Finding[] = engineFindings(engines.get(name), error);
  const source = await readSourceTable(connection, table.name, { signal });
  findings.push(...columnFindings(source, error));
  findings.push(...(await keyFindings(table, source, options, error)));
  const create = await queryRows({
    connection,
    sql: `SHOW CREATE TABLE ${quoteTable(table.name)}`,
    doing: `reading ${name}`,
    signal,
  });
  const cascades = foreignKeysThatCascade(create[0]?.['create table'] ?? '');
  if (cascades.length > 0)
    findings.push({
      level: options.foreignKeyCascades === 'accept' ? 'warning' : 'error',
      code: 'table.cascade',
      table: name,
      message: `foreign key ${cascades.join(', ')} changes its rows by CASCADE or SET NULL, which the server does not write to the binlog`,
      fix:
        options.foreignKeyCascades === 'accept'
          ? '`cdc verify` finds such rows'
          : 'let the application delete and update the child rows and make the key RESTRICT, or accept the risk with `capture.foreign_key_cascades: accept`',
    });
  return findings;
}

type MakeError = (code: string, message: string, fix: string) => Finding;

const TRANSACTIONAL = new Set(['INNODB', 'ROCKSDB', 'TOKUDB']);

function engineFindings(row: Row | undefined, error: MakeError): Finding[] {
  const findings: Finding[] = [];
  if (row?.type === 'SYSTEM VERSIONED')
    findings.push(
      error(
        'table.versioned',
        'it is system-versioned: its history rows are not followed',
        'leave it out with `exclude:` in cdc.yaml',
      ),
    );
  const engine = row?.engine ?? '';
  if (!TRANSACTIONAL.has(engine.toUpperCase()))
    findings.push(
      error(
        'table.engine',
        `its engine ${engine} gives no consistent snapshot`,
        'ALTER TABLE … ENGINE = InnoDB, or leave it out with `exclude:` in cdc.yaml',
      ),
    );
  return findings;
}

function columnFindings(source: SourceTable, error: MakeError): Finding[] {
  return source.columns.flatMap((column) => {
    const reason = unsupportedReason(column);
    return reason === undefined
      ? []
      : [
          error(
            reason.startsWith('character set') ? 'type.charset' : 'type.unsupported',
            `column ${column.name}: ${reason}`,
            'change the column, or leave the table out with `exclude:` in cdc.yaml',
          ),
        ];
  });
}

async function keyFindings(
  table: TableToCheck,
  source: SourceTable,
  { connection, signal }: CheckTablesOptions,
  error: MakeError,
): Promise<Finding[]> {
  if (table.keyOverride !== undefined) {
    try {
      await readSourceTable(connection, table.name, { keyOverride: table.keyOverride, signal });
      return [];
    } catch (cause) {
      if (!(cause instanceof CdcError) || cause.code !== 'key.unfit') throw cause;
      return [
        error(
          'key.unfit',
          `\`key: [${table.keyOverride.join(', ')}]\` names no unique index whose columns are all NOT NULL`,
          cause.hint ?? '',
        ),
      ];
    }
  }
  if (source.key.length > 0 || table.mode === 'append') return [];
  return [
    error(
      'key.missing',
      'IT IS VERY IMPORTANT THAT A TABLE HAS A PRIMARY KEY: WITHOUT ONE ONGOING REPLICATION DOES NOT WORK',
      'add a primary key, or name a NOT NULL unique key with `key:` in cdc.yaml, or keep every change as a row with `mode: append`',
    ),
  ];
}

/**
 * Names of the table's foreign keys that change its rows behind the binlog's back. From SHOW CREATE TABLE, for
 * information_schema shows foreign keys only to users who may do more than SELECT.
 */
export function foreignKeysThatCascade(createTable: string, dialect: SqlDialect = MYSQL_DIALECT): string[] {
  const reader = new TokenReader(createTable, tokenize(createTable, dialect));
  while (!reader.atEnd() && !reader.isSymbol('(')) reader.take();
  const definitions = reader.inParentheses()?.splitAtCommas() ?? [];
  return definitions.flatMap((definition) => {
    if (!definition.skip('CONSTRAINT')) return [];
    const name = definition.name() ?? '';
    return definition.isNext('FOREIGN', 'KEY') && hasCascade(definition) ? [name] : [];
  });
}

async function readEngines({ connection, tables, signal }: CheckTablesOptions): Promise<Map<string, Row>> {
  const schemas = [...new Set(tables.map(({ name }) => name.schema))];
  if (schemas.length === 0) return new Map();
  const rows = await queryRows({
    connection,
    sql: `SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, ENGINE AS engine, TABLE_TYPE AS type FROM information_schema.TABLES
      WHERE TABLE_SCHEMA IN (${schemas.map(() => '?').join(', ')})`,
    values: schemas,
    doing: 'reading the engines of the tables',
    signal,
  });
  return new Map(rows.map((row) => [formatTableName({ schema: row.s ?? '', table: row.t ?? '' }), row]));
}

/** Folders that differ only in case are one folder on some file systems. */
function folderClashes(tables: readonly TableName[]): Finding[] {
  const byFolder = new Map<string, TableName[]>();
  for (const name of tables) {
    const folder = tableFolder(name).toLowerCase();
    byFolder.set(folder, [...(byFolder.get(folder) ?? []), name]);
  }
  return [...byFolder.values()].flatMap((names) =>
    names.length < 2
      ? []
      : names.map(
          (name): Finding => ({
            level: 'error',
            code: 'table.name-clash',
            table: formatTableName(name),
            message: `its folder would differ from that of ${names
              .filter((other) => other !== name)
              .map(formatTableName)
              .join(', ')} only in case`,
            fix: 'leave all but one of them out with `exclude:` in cdc.yaml, or rename them',
          }),
        ),
  );
}
