/** What a DDL statement does to a table that is followed (contract.md 3): nothing, a new definition, or the table stops. */

import { unsupportedReason } from '../binlog/column-plan.ts';
import { type ColumnType, deltaTypeOf, parseColumnType } from '../column-type.ts';
import type { ColumnDefinition, TableDefinition } from '../table-definition.ts';
import { lakeNames } from '../table-definition.ts';
import { type AlterClause, type ColumnClause, type ColumnPlace, type DdlStatement, touches } from './ddl-statement.ts';

export type DdlEffect =
  | { effect: 'nothing' }
  /** `definition` still has the old number: the caller gives it the one it begins at. `added` is empty when only the order changed. */
  | { effect: 'change'; definition: TableDefinition; added: ColumnDefinition[] }
  /** The reason ends with the command that continues. */
  | { effect: 'stop'; reason: string };

export interface ApplyDdlOptions {
  /** `foreign_key_cascades: accept`. */
  acceptCascades?: boolean;
  /** The server compares table names without case (lower_case_table_names 1 and 2). */
  ignoreCase?: boolean;
}

/** The clauses of one ALTER apply together: one that stops stops the statement. */
export function applyDdl(
  definition: TableDefinition,
  statement: DdlStatement,
  options: ApplyDdlOptions = {},
): DdlEffect {
  if (!touches(statement, definition, options.ignoreCase)) return { effect: 'nothing' };
  const name = `${definition.schema}.${definition.table}`;
  const stop = (what: string): DdlEffect => ({
    effect: 'stop',
    reason: `${what}; continue with \`cdc reload ${name}\``,
  });
  switch (statement.kind) {
    case 'nothing':
    case 'transaction':
      return { effect: 'nothing' };
    case 'create-table':
      // It is logged also when the table was there and nothing was done.
      if (statement.ifNotExists && !statement.orReplace) return { effect: 'nothing' };
      return stop(`${name} was created anew`);
    case 'drop-table':
      return stop(`${name} was dropped`);
    case 'database':
      return stop(`schema ${statement.schema} was dropped`);
    case 'rename-table':
      return stop(`a table was renamed from or to ${name}`);
    case 'truncate':
      return stop(`${name} was truncated`);
    case 'data-change':
      return stop(
        `${name} may have been changed by a statement (${statement.verb}) instead of row events: a session ran without binlog_format=ROW`,
      );
    case 'unknown':
      return stop(`a statement is not understood: ${statement.text}`);
    case 'alter-table':
      return applyAlter(definition, statement.clauses, options, (clause, reason) =>
        stop(`"ALTER TABLE ${name} ${clause.text}" is not followed: ${reason}`),
      );
  }
}

type Refusal = (clause: AlterClause, reason: string) => DdlEffect;

function applyAlter(
  before: TableDefinition,
  clauses: AlterClause[],
  options: ApplyDdlOptions,
  refuse: Refusal,
): DdlEffect {
  let definition = { ...before, ...tableCharset(clauses, before) };
  const added: ColumnDefinition[] = [];
  for (const clause of clauses) {
    switch (clause.kind) {
      case 'nothing':
      case 'table-charset':
        break;
      case 'cascade':
        if (options.acceptCascades !== true) return refuse(clause, clause.reason);
        break;
      case 'stop':
        return refuse(clause, clause.reason);
      case 'rename-table':
        return refuse(clause, 'it renames the table');
      case 'drop-index':
        if (before.keyIndex !== undefined && sameName(before.keyIndex, clause.index))
          return refuse(clause, 'it drops the index that is the key');
        break;
      case 'drop-column':
        if (clause.ifExists && columnOf(definition, clause.column) === undefined) break;
        return refuse(clause, 'it drops a column');
      case 'add-column': {
        if (clause.ifNotExists && columnOf(definition, clause.column.name) !== undefined) break;
        const column = addedColumn(definition, clause.column);
        if (typeof column === 'string') return refuse(clause, column);
        const columns = placed(definition.columns, column, clause.place);
        if (columns === undefined) return refuse(clause, 'the column it names after AFTER is not known');
        definition = { ...definition, columns };
        added.push(column);
        break;
      }
      case 'modify-column': {
        const column = columnOf(definition, clause.column.name);
        const reason = column === undefined ? 'the column is not known' : difference(definition, column, clause.column);
        if (column === undefined || reason !== undefined) return refuse(clause, reason ?? '');
        const others = definition.columns.filter((other) => other !== column);
        const columns = clause.place.at === 'same' ? definition.columns : placed(others, column, clause.place);
        if (columns === undefined) return refuse(clause, 'the column it names after AFTER is not known');
        definition = { ...definition, columns };
        break;
      }
    }
  }
  return sameDefinition(before, definition) ? { effect: 'nothing' } : { effect: 'change', definition, added };
}

/** A table option of this ALTER counts for the columns that it adds, wherever it stands. */
function tableCharset(clauses: AlterClause[], before: TableDefinition): Pick<TableDefinition, 'charset' | 'collation'> {
  let { charset, collation } = before;
  for (const clause of clauses) {
    if (clause.kind !== 'table-charset') continue;
    charset = clause.charset ?? charset;
    collation = clause.collation;
  }
  return { charset, collation };
}

/** The column as the definition will have it, or why it cannot be followed. */
function addedColumn(definition: TableDefinition, clause: ColumnClause): ColumnDefinition | string {
  if (clause.stop !== undefined) return clause.stop;
  if (columnOf(definition, clause.name) !== undefined) return `there is a column ${clause.name} already`;
  if (clause.autoIncrement) return 'it numbers the rows that exist';
  if (!clause.nullable) return 'the rows that exist get the implicit default of a NOT NULL column';
  if (clause.hasDefault) return 'the rows that exist get its default';
  const charset = clause.charset ?? (clause.takesCharset ? definition.charset : undefined);
  if (clause.takesCharset && charset === undefined) return "the table's default character set is not known";
  const type = parseColumnType(clause.type);
  const unsupported = unsupportedReason({ type: clause.type, charset });
  if (type === undefined || unsupported !== undefined) return unsupported ?? `type ${clause.type} is not supported`;
  const collation =
    clause.collation ?? (clause.takesCharset && clause.charset === undefined ? definition.collation : undefined);
  const lake = lakeNames([...definition.columns.map((column) => column.lake), clause.name]).at(-1) ?? clause.name;
  return {
    name: clause.name,
    type: clause.type,
    nullable: true,
    default: null,
    ...(charset === undefined ? {} : { charset }),
    ...(collation === undefined ? {} : { collation }),
    lake,
    delta: deltaTypeOf(type, definition.zeroDates),
  };
}

/** What MODIFY changes besides place, comment and default; undefined when nothing. */
function difference(definition: TableDefinition, column: ColumnDefinition, clause: ColumnClause): string | undefined {
  if (clause.stop !== undefined) return clause.stop;
  if (column.generated === true) return 'it changes a generated column';
  const before = parseColumnType(column.type);
  const after = parseColumnType(clause.type);
  if (before === undefined || after === undefined || !sameType(before, after))
    return `it changes type ${column.type} to ${clause.type}`;
  // A primary key's columns are NOT NULL, written or not.
  const inPrimaryKey = definition.keyIndex === undefined && definition.key.includes(column.name);
  if (clause.nullable !== column.nullable && !inPrimaryKey)
    return `it makes the column ${clause.nullable ? 'nullable' : 'NOT NULL'}`;
  if (!clause.takesCharset && clause.charset === undefined) return undefined;
  const charset = clause.charset ?? definition.charset;
  const collation = clause.collation ?? (clause.charset === undefined ? definition.collation : undefined);
  if (charset !== column.charset || collation !== column.collation)
    return 'the character set and collation it gives are not written in full or are others';
  return undefined;
}

/** Display widths of integers mean nothing; every other part of a type does. */
function sameType(a: ColumnType, b: ColumnType): boolean {
  const core = (type: ColumnType) =>
    JSON.stringify([
      type.base,
      type.unsigned,
      type.text === 'integer' ? null : (type.length ?? null),
      type.precision ?? null,
      type.scale ?? null,
      type.fraction ?? null,
      type.labels ?? null,
    ]);
  return core(a) === core(b);
}

function placed(
  columns: ColumnDefinition[],
  column: ColumnDefinition,
  place: ColumnPlace,
): ColumnDefinition[] | undefined {
  if (place.at === 'first') return [column, ...columns];
  if (place.at === 'same') return [...columns, column];
  const index = columns.findIndex((other) => sameName(other.name, place.column));
  return index === -1 ? undefined : columns.toSpliced(index + 1, 0, column);
}

function columnOf(definition: TableDefinition, name: string): ColumnDefinition | undefined {
  return definition.columns.find((column) => sameName(column.name, name));
}

/** MySQL compares the names of columns and indexes without case. */
function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function sameDefinition(a: TableDefinition, b: TableDefinition): boolean {
  return (
    a.charset === b.charset &&
    a.collation === b.collation &&
    a.columns.length === b.columns.length &&
    a.columns.every((column, index) => column === b.columns[index])
  );
}
