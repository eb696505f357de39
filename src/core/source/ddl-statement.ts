/** What a statement in the binlog can mean for the tables that are followed. */

import type { TableName } from '../change.ts';
import { SYSTEM_SCHEMAS } from '../table-pattern.ts';

export type DdlStatement =
  /** Touches no row and no column of any table: GRANT, CREATE VIEW, ANALYZE … */
  | { kind: 'nothing' }
  | {
      kind: 'create-table';
      table: TableName;
      temporary: boolean;
      ifNotExists: boolean;
      orReplace: boolean;
      like: TableName | undefined;
      /** CREATE TABLE … SELECT: rows come with it. */
      select: boolean;
    }
  | { kind: 'drop-table'; tables: TableName[]; temporary: boolean }
  | { kind: 'rename-table'; renames: { from: TableName; to: TableName }[] }
  | { kind: 'truncate'; table: TableName }
  /** ALTER TABLE, and CREATE or DROP INDEX, which are one clause of it. */
  | { kind: 'alter-table'; table: TableName; clauses: AlterClause[] }
  | { kind: 'database'; action: 'create' | 'drop' | 'alter'; schema: string }
  /** Rows changed by a statement instead of row events: capture cannot follow it. Without `tables` it may be any. */
  | { kind: 'data-change'; verb: string; tables: TableName[] | undefined }
  /** BEGIN, COMMIT, ROLLBACK, SAVEPOINT, XA … */
  | { kind: 'transaction'; verb: string }
  | { kind: 'unknown'; text: string };

export type AlterClause = { text: string } & (
  | { kind: 'nothing' }
  | { kind: 'add-column'; column: ColumnClause; ifNotExists: boolean; place: ColumnPlace }
  /** MODIFY, or CHANGE that keeps the name. */
  | { kind: 'modify-column'; column: ColumnClause; place: ColumnPlace }
  | { kind: 'drop-column'; column: string; ifExists: boolean }
  | { kind: 'drop-index'; index: string }
  /** DEFAULT CHARACTER SET or COLLATE of the table: for columns added from now on. */
  | { kind: 'table-charset'; charset: string | undefined; collation: string | undefined }
  | { kind: 'rename-table'; to: TableName }
  /** A foreign key through which a parent changes rows of this table; stops unless cascades are accepted. */
  | { kind: 'cascade'; reason: string }
  /** What is followed exactly only by reading the table again. */
  | { kind: 'stop'; reason: string }
);

export type ColumnPlace = { at: 'same' } | { at: 'first' } | { at: 'after'; column: string };

/** A column as ADD or MODIFY writes it. */
export interface ColumnClause {
  name: string;
  /** As information_schema would spell it, display widths apart. */
  type: string;
  nullable: boolean;
  hasDefault: boolean;
  charset: string | undefined;
  collation: string | undefined;
  /** A character type that takes its character set from the table when none is written. */
  takesCharset: boolean;
  autoIncrement: boolean;
  /** Its REFERENCES changes rows of this table by CASCADE or SET NULL. */
  cascades: boolean;
  /** Why it cannot be followed whatever the table looks like (generated, invisible …). */
  stop: string | undefined;
}

/**
 * The tables whose rows, columns or name the statement concerns; undefined when it may be any. Temporary tables are none.
 * For DROP DATABASE ask `touches`.
 */
export function tablesOf(statement: DdlStatement): TableName[] | undefined {
  switch (statement.kind) {
    case 'nothing':
    case 'transaction':
    case 'database':
      return [];
    case 'create-table':
      return statement.temporary ? [] : [statement.table];
    case 'drop-table':
      return statement.temporary ? [] : statement.tables;
    case 'rename-table':
      return statement.renames.flatMap(({ from, to }) => [from, to]);
    case 'truncate':
      return [statement.table];
    case 'alter-table':
      return [
        statement.table,
        ...statement.clauses.flatMap((clause) => (clause.kind === 'rename-table' ? [clause.to] : [])),
      ];
    case 'data-change':
      // The server keeps its own books by statements (RDS's heartbeat among them); nobody follows those.
      return statement.tables?.filter((table) => !SYSTEM_SCHEMAS.includes(table.schema.toLowerCase()));
    case 'unknown':
      return undefined;
  }
}

/** Whether the statement concerns this table. `ignoreCase`: the server compares table names so (lower_case_table_names 1 and 2). */
export function touches(statement: DdlStatement, table: TableName, ignoreCase = false): boolean {
  const fold = (name: string) => (ignoreCase ? name.toLowerCase() : name);
  if (statement.kind === 'database')
    return statement.action === 'drop' && fold(statement.schema) === fold(table.schema);
  const tables = tablesOf(statement);
  return (
    tables === undefined ||
    tables.some((one) => fold(one.schema) === fold(table.schema) && fold(one.table) === fold(table.table))
  );
}
