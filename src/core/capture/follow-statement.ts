/** What a statement in the binlog does to the tables that are followed: a new definition, a truncation, a stop, or nothing. */

import type { BinlogEvent } from '../binlog/events.ts';
import { formatTableName, type TableName } from '../change.ts';
import { definitionKey } from '../change-file/layout.ts';
import { publishLoadRecord } from '../change-file/load-record.ts';
import { CdcError } from '../errors.ts';
import { type BinlogPosition, formatPosition } from '../position.ts';
import { applyDdl } from '../source/apply-ddl.ts';
import { parseDdl } from '../source/ddl.ts';
import { type DdlStatement, tablesOf, touches } from '../source/ddl-statement.ts';
import { sqlDialect } from '../source/sql-tokens.ts';
import type { Store } from '../store/store.ts';
import { definitionToJson, type TableDefinition } from '../table-definition.ts';
import type { ServerIdentity, StopReason } from './checkpoint.ts';
import type { FollowedTable } from './followed-table.ts';

export type StatementEffect =
  | { kind: 'new-table'; name: TableName }
  | { kind: 'stop'; table: FollowedTable; reason: StopReason }
  /** Takes a number and makes it durable; called when everything before it is published. Repeatable: the same number, the same bytes. */
  | { kind: 'publish'; table: FollowedTable; publish(staging: Store, at: BinlogPosition): Promise<void> };

export interface StatementRules {
  server: ServerIdentity;
  truncate: 'apply' | 'stop';
  /** `capture.foreign_key_cascades: accept`. */
  acceptCascades: boolean;
  matches(table: TableName): boolean;
}

export function applyStatement(
  event: Extract<BinlogEvent, { kind: 'statement' }>,
  followed: FollowedTable[],
  rules: StatementRules,
): StatementEffect[] {
  const statement = parseDdl(event.sql, event.schema, sqlDialect({ ...rules.server, sqlMode: event.sqlMode }));
  const effects = followed.flatMap((table) => {
    const effect = effectOn(table, statement, event, rules);
    return effect === undefined ? [] : [effect];
  });
  const known = new Set(followed.map((table) => formatTableName(table.name)));
  for (const name of createdBy(statement).map((created) => asStored(created, rules.server)))
    if (rules.matches(name) && !known.has(formatTableName(name))) effects.push({ kind: 'new-table', name });
  return effects;
}

/** As the binlog and information_schema spell it. */
function asStored(name: TableName, { lowerCaseTableNames }: ServerIdentity): TableName {
  return lowerCaseTableNames === 1 ? { schema: name.schema.toLowerCase(), table: name.table.toLowerCase() } : name;
}

/** Tables whose name means something new after the statement. */
function createdBy(statement: DdlStatement): TableName[] {
  if (statement.kind === 'create-table') return statement.temporary ? [] : [statement.table];
  if (statement.kind === 'rename-table') return statement.renames.map(({ to }) => to);
  if (statement.kind === 'alter-table') return (tablesOf(statement) ?? []).slice(1);
  return [];
}

function effectOn(
  table: FollowedTable,
  statement: DdlStatement,
  event: { sql: string },
  rules: StatementRules,
): StatementEffect | undefined {
  const name = formatTableName(table.name);
  const stop = (code: string, why: string): StatementEffect => ({
    kind: 'stop',
    table,
    reason: { code, message: `${name}: ${why}`, hint: `cdc reload ${name}` },
  });
  // A statement nobody could read concerns the tables it mentions: stopping one too many is mended by a load, a lost change by nothing.
  if (tablesOf(statement) === undefined) {
    if (!event.sql.toLowerCase().includes(table.name.table.toLowerCase())) return undefined;
    return statement.kind === 'data-change'
      ? stop('statement.data-change', `it may have been changed by a statement instead of rows: ${shorten(event.sql)}`)
      : stop('statement.unknown', `it is named in a statement that this version does not know: ${shorten(event.sql)}`);
  }
  const ignoreCase = rules.server.lowerCaseTableNames !== 0;
  if (!touches(statement, table.name, ignoreCase)) return undefined;
  switch (statement.kind) {
    case 'nothing':
    case 'transaction':
      return undefined;
    case 'create-table':
      if (statement.temporary || statement.ifNotExists) return undefined;
      return stop('table.replaced', `the table was created anew: ${shorten(event.sql)}`);
    case 'drop-table':
      return stop('table.dropped', 'the table was dropped on the source; its lake table stays as it is');
    case 'database':
      return stop('table.dropped', 'its schema was dropped on the source; its lake table stays as it is');
    case 'rename-table':
      return stop('table.renamed', `a rename changes what this name means: ${shorten(event.sql)}`);
    case 'data-change':
      return stop('statement.data-change', `it was changed by a statement instead of rows: ${shorten(event.sql)}`);
    case 'truncate':
      if (rules.truncate === 'stop')
        return stop('table.truncated', 'the table was truncated on the source, and `capture.truncate` is stop');
      return { kind: 'publish', table, publish: (staging, at) => publishTruncate(table, staging, at) };
    case 'alter-table': {
      const result = applyDdl(table.definition, statement, { ignoreCase, acceptCascades: rules.acceptCascades });
      if (result.effect === 'nothing') return undefined;
      if (result.effect === 'stop') return stop('schema.changed', result.reason);
      return { kind: 'publish', table, publish: (staging) => publishDefinition(table, result.definition, staging) };
    }
    case 'unknown':
      return undefined;
  }
}

async function publishTruncate(table: FollowedTable, staging: Store, at: BinlogPosition): Promise<void> {
  table.number += 1;
  await publishLoadRecord(staging, {
    format: 1,
    ...table.name,
    kind: 'truncate',
    number: table.last,
    position: formatPosition(at),
    definition: table.definition,
    files: [],
  });
}

/** Durable before the first file that uses it. */
async function publishDefinition(table: FollowedTable, changed: TableDefinition, staging: Store): Promise<void> {
  table.number += 1;
  table.redefine({ ...changed, number: table.last });
  await writeDefinition(staging, table.definition);
}

/** Writes a definition under its number; the same again is nothing new, another one there throws `definition.conflict`. */
export async function writeDefinition(staging: Store, definition: TableDefinition): Promise<void> {
  const key = definitionKey(definition, definition.number);
  const body = `${JSON.stringify(definitionToJson(definition), null, 1)}\n`;
  if (await staging.putIfAbsent(key, body)) return;
  if ((await staging.get(key)).toString() === body) return;
  throw new CdcError('definition.conflict', `writing ${staging.location}/${key}: another definition stands there`, {
    hint: `cdc reload ${formatTableName(definition)}`,
  });
}

function shorten(sql: string): string {
  const line = sql.replace(/\s+/g, ' ').trim();
  return line.length > 120 ? `${line.slice(0, 120)}…` : line;
}
