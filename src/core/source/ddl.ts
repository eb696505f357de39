/**
 * Reads a statement of a Query event: is it DDL on a followed table, a change of rows that should have been row events, or
 * nothing to us? What is not known is `unknown`, never skipped.
 */

import type { TableName } from '../change.ts';
import { readAlterClauses } from './alter-clause.ts';
import type { DdlStatement } from './ddl-statement.ts';
import { MYSQL_DIALECT, type SqlDialect, tokenize } from './sql-tokens.ts';
import { TokenReader } from './token-reader.ts';

const TRANSACTION = new Set(['BEGIN', 'START', 'COMMIT', 'ROLLBACK', 'SAVEPOINT', 'RELEASE', 'XA']);

/** Statements that change no rows and no columns of any table. */
const NOTHING = new Set(
  `ANALYZE OPTIMIZE REPAIR CHECK CHECKSUM CACHE FLUSH GRANT REVOKE SET SHOW USE RESET PURGE CHANGE INSTALL UNINSTALL
   LOCK UNLOCK KILL HELP DESCRIBE DESC EXPLAIN STOP BACKUP SIGNAL PREPARE DEALLOCATE SHUTDOWN RESTART CLONE`.split(
    /\s+/,
  ),
);

/** What CREATE, ALTER and DROP may be about besides tables, indexes and databases. */
const OTHER_OBJECTS = new Set(
  `USER ROLE VIEW PROCEDURE FUNCTION TRIGGER EVENT SERVER TABLESPACE LOGFILE UNDO RESOURCE SPATIAL INSTANCE SEQUENCE PACKAGE
   LIBRARY PREPARE`.split(/\s+/),
);

const DATA_CHANGES = new Set([
  'INSERT',
  'REPLACE',
  'UPDATE',
  'DELETE',
  'LOAD',
  'WITH',
  'CALL',
  'DO',
  'SELECT',
  'IMPORT',
  'EXECUTE',
]);

export function parseDdl(sql: string, defaultSchema: string, session: Partial<SqlDialect> = {}): DdlStatement {
  const dialect = { ...MYSQL_DIALECT, ...session };
  let reader: TokenReader;
  try {
    reader = new TokenReader(sql, tokenize(sql, dialect));
  } catch {
    return { kind: 'unknown', text: sql.slice(0, 80) };
  }
  // MariaDB: SET STATEMENT max_statement_time = 5 FOR ALTER TABLE …
  if (reader.skip('SET', 'STATEMENT')) while (!reader.atEnd() && !reader.skip('FOR')) reader.take();
  return (
    readStatement(reader, defaultSchema, dialect) ?? {
      kind: 'unknown',
      text: new TokenReader(sql, tokenize(sql, dialect)).text(),
    }
  );
}

function readStatement(reader: TokenReader, schema: string, dialect: SqlDialect): DdlStatement | undefined {
  const text = reader.text();
  if (reader.atEnd()) return { kind: 'nothing' };
  if (reader.isAnyOf(TRANSACTION)) return { kind: 'transaction', verb: reader.take().text.toUpperCase() };
  if (reader.isAnyOf(DATA_CHANGES) || reader.isSymbol('(')) return readDataChange(reader, schema);
  if (reader.isAnyOf(NOTHING)) return { kind: 'nothing' };
  if (reader.skip('TRUNCATE')) {
    reader.skip('TABLE');
    const table = reader.tableName(schema);
    return table === undefined ? undefined : { kind: 'truncate', table };
  }
  if (reader.skip('RENAME')) return readRename(reader, schema);
  if (reader.skip('CREATE')) return readCreate(reader, schema, text);
  if (reader.skip('DROP')) return readDrop(reader, schema, text);
  if (reader.skip('ALTER')) return readAlter(reader, schema, text, dialect);
  return undefined;
}

function readRename(reader: TokenReader, schema: string): DdlStatement | undefined {
  if (reader.isNext('USER')) return { kind: 'nothing' };
  if (!reader.skip('TABLE') && !reader.skip('TABLES')) return undefined;
  reader.skip('IF', 'EXISTS');
  const renames: { from: TableName; to: TableName }[] = [];
  do {
    const from = reader.tableName(schema);
    skipWait(reader);
    if (!reader.skip('TO')) return undefined;
    const to = reader.tableName(schema);
    if (from === undefined || to === undefined) return undefined;
    renames.push({ from, to });
  } while (reader.skipSymbol(','));
  return reader.atEnd() ? { kind: 'rename-table', renames } : undefined;
}

function readCreate(reader: TokenReader, schema: string, text: string): DdlStatement | undefined {
  const orReplace = reader.skip('OR', 'REPLACE');
  const temporary = reader.skip('TEMPORARY');
  if (reader.skip('TABLE')) {
    const ifNotExists = reader.skip('IF', 'NOT', 'EXISTS');
    const table = reader.tableName(schema);
    if (table === undefined) return undefined;
    const inner =
      reader.isSymbol('(') && reader.peek(1).text.toUpperCase() === 'LIKE' && reader.peek(1).kind === 'word';
    if (inner) reader.take();
    const like = reader.skip('LIKE') ? reader.tableName(schema) : undefined;
    const select = like === undefined && selects(reader);
    return { kind: 'create-table', table, temporary, ifNotExists, orReplace, like, select };
  }
  if (reader.skip('DATABASE') || reader.skip('SCHEMA')) {
    reader.skip('IF', 'NOT', 'EXISTS');
    const name = reader.name();
    return name === undefined ? undefined : { kind: 'database', action: 'create', schema: name };
  }
  while (['ONLINE', 'OFFLINE', 'UNIQUE', 'FULLTEXT', 'VECTOR'].some((word) => reader.skip(word)));
  if (reader.isNext('SPATIAL', 'INDEX')) reader.take();
  if (reader.skip('INDEX')) return readIndex(reader, schema, text, 'create');
  return readOther(reader);
}

/** CREATE TABLE … [AS] SELECT, TABLE or VALUES outside the column list. */
function selects(reader: TokenReader): boolean {
  while (!reader.atEnd()) {
    if (['SELECT', 'VALUES', 'WITH', 'TABLE', 'AS'].some((word) => reader.isNext(word))) return true;
    if (reader.isSymbol('(')) {
      if (reader.peek(1).kind === 'word' && reader.peek(1).text.toUpperCase() === 'SELECT') return true;
      if (reader.parentheses() === undefined) return false;
    } else reader.take();
  }
  return false;
}

/** Views, routines, users: the object's word comes after options like DEFINER = … and OR REPLACE. */
function readOther(reader: TokenReader): DdlStatement | undefined {
  while (!reader.atEnd()) {
    if (reader.isAnyOf(OTHER_OBJECTS)) return { kind: 'nothing' };
    if (reader.isNext('TABLE')) return undefined;
    reader.take();
  }
  return undefined;
}

function readIndex(
  reader: TokenReader,
  schema: string,
  text: string,
  action: 'create' | 'drop',
): DdlStatement | undefined {
  reader.skip('IF', 'NOT', 'EXISTS');
  reader.skip('IF', 'EXISTS');
  const index = reader.name();
  while (!reader.atEnd() && !reader.skip('ON')) reader.take();
  const table = reader.tableName(schema);
  if (index === undefined || table === undefined) return undefined;
  if (action === 'create') return { kind: 'alter-table', table, clauses: [{ kind: 'nothing', text }] };
  if (index.toUpperCase() === 'PRIMARY')
    return { kind: 'alter-table', table, clauses: [{ kind: 'stop', text, reason: 'it drops the primary key' }] };
  return { kind: 'alter-table', table, clauses: [{ kind: 'drop-index', text, index }] };
}

function readDrop(reader: TokenReader, schema: string, text: string): DdlStatement | undefined {
  const temporary = reader.skip('TEMPORARY');
  if (reader.skip('TABLE') || reader.skip('TABLES')) {
    reader.skip('IF', 'EXISTS');
    const tables: TableName[] = [];
    do {
      const table = reader.tableName(schema);
      if (table === undefined) return undefined;
      tables.push(table);
    } while (reader.skipSymbol(','));
    return { kind: 'drop-table', tables, temporary };
  }
  if (reader.skip('DATABASE') || reader.skip('SCHEMA')) {
    reader.skip('IF', 'EXISTS');
    const name = reader.name();
    return name === undefined ? undefined : { kind: 'database', action: 'drop', schema: name };
  }
  while (reader.skip('ONLINE') || reader.skip('OFFLINE'));
  if (reader.skip('INDEX')) return readIndex(reader, schema, text, 'drop');
  return readOther(reader);
}

function readAlter(reader: TokenReader, schema: string, text: string, dialect: SqlDialect): DdlStatement | undefined {
  while (reader.skip('ONLINE') || reader.skip('OFFLINE'));
  const ignore = reader.skip('IGNORE');
  if (reader.skip('TABLE')) {
    reader.skip('IF', 'EXISTS');
    const table = reader.tableName(schema);
    if (table === undefined) return undefined;
    skipWait(reader);
    if (ignore) {
      const reason = 'with IGNORE it may drop rows that the binlog does not name';
      return { kind: 'alter-table', table, clauses: [{ kind: 'stop', text, reason }] };
    }
    return { kind: 'alter-table', table, clauses: readAlterClauses(reader, schema, dialect) };
  }
  if (reader.skip('DATABASE') || reader.skip('SCHEMA')) {
    const options = ['CHARACTER', 'CHARSET', 'COLLATE', 'DEFAULT', 'ENCRYPTION', 'READ', 'COMMENT', 'UPGRADE'];
    const name = options.some((word) => reader.isNext(word)) ? schema : (reader.name() ?? schema);
    return { kind: 'database', action: 'alter', schema: name };
  }
  return readOther(reader);
}

/** MariaDB: WAIT n, NOWAIT. */
function skipWait(reader: TokenReader): void {
  if (reader.skip('WAIT')) reader.take();
  else reader.skip('NOWAIT');
}

const MODIFIERS = new Set([
  'LOW_PRIORITY',
  'DELAYED',
  'HIGH_PRIORITY',
  'IGNORE',
  'QUICK',
  'CONCURRENT',
  'LOCAL',
  'INTO',
  'FROM',
]);

/** The table of a simple statement; of the others any table may be the target. */
function readDataChange(reader: TokenReader, schema: string): DdlStatement {
  const verb = reader.take().text.toUpperCase();
  const any: DdlStatement = { kind: 'data-change', verb, tables: undefined };
  if (verb === 'LOAD') {
    while (!reader.atEnd() && !reader.skip('INTO', 'TABLE')) reader.take();
  } else if (verb === 'INSERT' || verb === 'REPLACE' || verb === 'UPDATE' || verb === 'DELETE') {
    while (reader.isAnyOf(MODIFIERS)) reader.take();
  } else return any;
  const table = reader.tableName(schema);
  if (table === undefined) return any;
  // Several tables, or a join: which of them change is not said by the grammar alone.
  if (verb === 'UPDATE' && !isSimpleUpdate(reader)) return any;
  if (
    verb === 'DELETE' &&
    (reader.isSymbol(',') || reader.isSymbol('.') || ['FROM', 'USING', 'JOIN'].some((word) => reader.isNext(word)))
  )
    return any;
  return { kind: 'data-change', verb, tables: [table] };
}

/** Nothing but an alias stands between the table and SET. */
function isSimpleUpdate(reader: TokenReader): boolean {
  reader.skip('AS');
  return reader.isNext('SET') || reader.peek(1).text.toUpperCase() === 'SET';
}
