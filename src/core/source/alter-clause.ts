/** The clauses of one ALTER TABLE, each read into what it means for a lake table (contract.md 3). */

import { CASCADE_REASON, charsetName, collationName, hasCascade, readColumnClause } from './column-clause.ts';
import type { AlterClause, ColumnClause, ColumnPlace } from './ddl-statement.ts';
import type { SqlDialect } from './sql-tokens.ts';
import type { TokenReader } from './token-reader.ts';

/** What an index or constraint definition begins with; anything else after ADD is a column. */
const INDEX_WORDS = new Set(['INDEX', 'KEY', 'UNIQUE', 'FULLTEXT', 'SPATIAL', 'VECTOR']);
const NO_EFFECT = new Set(['ALGORITHM', 'LOCK', 'FORCE', 'NOWAIT', 'WAIT', 'ORDER']);

/** `rest` stands behind the table's name. */
export function readAlterClauses(rest: TokenReader, defaultSchema: string, dialect: SqlDialect): AlterClause[] {
  let ordering = false;
  return rest.splitAtCommas().flatMap((clause) => {
    // ORDER BY a, b: its commas are not clauses.
    const orderItem = ordering && ['', 'ASC', 'DESC'].includes(clause.peek(1).text.toUpperCase());
    if (orderItem) return [{ kind: 'nothing', text: clause.text() }];
    ordering = clause.isNext('ORDER', 'BY');
    return readClause(clause, defaultSchema, dialect);
  });
}

function readClause(reader: TokenReader, defaultSchema: string, dialect: SqlDialect): AlterClause[] {
  const text = reader.text();
  const nothing: AlterClause[] = [{ kind: 'nothing', text }];
  const stop = (reason: string): AlterClause[] => [{ kind: 'stop', text, reason }];
  if (reader.skip('ADD')) return readAdd(reader, text, dialect);
  if (reader.skip('MODIFY')) {
    reader.skip('COLUMN');
    reader.skip('IF', 'EXISTS');
    return readModify(reader, text, dialect);
  }
  if (reader.skip('CHANGE')) {
    reader.skip('COLUMN');
    reader.skip('IF', 'EXISTS');
    const before = reader.name();
    if (before === reader.peek().text) return readModify(reader, text, dialect);
    return stop(`it renames column ${before}`);
  }
  if (reader.skip('DROP')) return readDrop(reader, text);
  if (reader.skip('RENAME')) {
    if (reader.isNext('INDEX') || reader.isNext('KEY')) return nothing;
    if (reader.isNext('COLUMN')) return stop('it renames a column');
    if (!reader.skip('TO')) reader.skip('AS');
    reader.skipSymbol('=');
    const to = reader.tableName(defaultSchema);
    return to === undefined ? stop('it is not understood') : [{ kind: 'rename-table', text, to }];
  }
  if (reader.skip('ALTER')) {
    // Defaults concern later rows, whose values are in the binlog; visibility concerns SELECT * only.
    if (['INDEX', 'KEY', 'CHECK', 'CONSTRAINT'].some((word) => reader.isNext(word))) return nothing;
    reader.skip('COLUMN');
    reader.name();
    return reader.isNext('SET') || reader.isNext('DROP', 'DEFAULT') ? nothing : stop('it is not understood');
  }
  if (reader.isNext('CONVERT', 'TO')) return stop('it converts the character set of the columns');
  if (reader.isNext('ENABLE', 'KEYS') || reader.isNext('DISABLE', 'KEYS')) return nothing;
  if (reader.isNext('WITH', 'VALIDATION') || reader.isNext('WITHOUT', 'VALIDATION')) return nothing;
  if (reader.isAnyOf(NO_EFFECT)) return nothing;
  return readPartitioning(reader, text) ?? readTableOptions(reader, text);
}

function readAdd(reader: TokenReader, text: string, dialect: SqlDialect): AlterClause[] {
  if (reader.isNext('PARTITION')) return [{ kind: 'nothing', text }];
  if (reader.isNext('SYSTEM', 'VERSIONING') || reader.isNext('PERIOD', 'FOR'))
    return [{ kind: 'stop', text, reason: 'versioned tables and periods are not followed' }];
  const constraint = readConstraint(reader, text);
  if (constraint !== undefined) return [constraint];
  reader.skip('COLUMN');
  const ifNotExists = reader.skip('IF', 'NOT', 'EXISTS');
  const list = reader.isSymbol('(') ? reader.inParentheses() : undefined;
  if (list === undefined) return readAddColumn(reader, text, ifNotExists, dialect);
  return list.splitAtCommas().flatMap((item) => {
    const itemText = `ADD (${item.text()})`;
    return readConstraint(item, itemText) ?? readAddColumn(item, itemText, ifNotExists, dialect);
  });
}

function readAddColumn(reader: TokenReader, text: string, ifNotExists: boolean, dialect: SqlDialect): AlterClause[] {
  const column = readColumnClause(reader, dialect);
  const place = readPlace(reader);
  if (column === undefined || place === undefined) return [{ kind: 'stop', text, reason: 'it is not understood' }];
  return withCascade({ kind: 'add-column', text, column, ifNotExists, place }, column);
}

/** An index, key or constraint; undefined for a column. */
function readConstraint(reader: TokenReader, text: string): AlterClause | undefined {
  if (reader.isNext('CONSTRAINT') || reader.isNext('FOREIGN', 'KEY')) {
    if (reader.contains('PRIMARY', 'KEY')) return { kind: 'stop', text, reason: 'it changes the primary key' };
    if (hasCascade(reader)) return { kind: 'cascade', text, reason: CASCADE_REASON };
    return { kind: 'nothing', text };
  }
  if (reader.isNext('PRIMARY', 'KEY')) return { kind: 'stop', text, reason: 'it changes the primary key' };
  if (reader.isAnyOf(INDEX_WORDS)) return { kind: 'nothing', text };
  if (reader.isNext('CHECK') && reader.peek(1).text === '(') return { kind: 'nothing', text };
  return undefined;
}

function readModify(reader: TokenReader, text: string, dialect: SqlDialect): AlterClause[] {
  const column = readColumnClause(reader, dialect);
  const place = readPlace(reader);
  return column === undefined || place === undefined
    ? [{ kind: 'stop', text, reason: 'it is not understood' }]
    : withCascade({ kind: 'modify-column', text, column, place }, column);
}

function withCascade(clause: AlterClause, column: ColumnClause): AlterClause[] {
  return column.cascades ? [clause, { kind: 'cascade', text: clause.text, reason: CASCADE_REASON }] : [clause];
}

/** undefined: AFTER without a name. */
function readPlace(reader: TokenReader): ColumnPlace | undefined {
  if (reader.skip('FIRST')) return { at: 'first' };
  if (!reader.skip('AFTER')) return { at: 'same' };
  const column = reader.name();
  return column === undefined ? undefined : { at: 'after', column };
}

function readDrop(reader: TokenReader, text: string): AlterClause[] {
  const stop = (reason: string): AlterClause[] => [{ kind: 'stop', text, reason }];
  if (reader.isNext('PRIMARY', 'KEY')) return stop('it drops the primary key');
  if (reader.isNext('PARTITION')) return stop('it drops rows that the binlog does not name');
  if (reader.isNext('SYSTEM', 'VERSIONING') || reader.isNext('PERIOD', 'FOR'))
    return stop('versioned tables and periods are not followed');
  if (reader.isNext('FOREIGN', 'KEY') || (reader.isNext('CHECK') && reader.peek(1).kind !== 'end'))
    return [{ kind: 'nothing', text }];
  if (reader.skip('INDEX') || reader.skip('KEY') || reader.skip('CONSTRAINT')) {
    reader.skip('IF', 'EXISTS');
    const index = reader.name();
    if (index === undefined) return stop('it is not understood');
    return index.toUpperCase() === 'PRIMARY' ? stop('it drops the primary key') : [{ kind: 'drop-index', text, index }];
  }
  reader.skip('COLUMN');
  const ifExists = reader.skip('IF', 'EXISTS');
  const column = reader.name();
  return column === undefined ? stop('it is not understood') : [{ kind: 'drop-column', text, column, ifExists }];
}

const HARMLESS_PARTITIONING = new Set(['REORGANIZE', 'COALESCE', 'REBUILD', 'OPTIMIZE', 'ANALYZE', 'CHECK']);
const PARTITIONING = new Set(['EXCHANGE', 'TRUNCATE', 'DISCARD', 'IMPORT', 'REPAIR', 'CONVERT']);

function readPartitioning(reader: TokenReader, text: string): AlterClause[] | undefined {
  if (reader.isNext('PARTITION', 'BY') || reader.isNext('REMOVE', 'PARTITIONING')) return [{ kind: 'nothing', text }];
  if (reader.isAnyOf(HARMLESS_PARTITIONING) && reader.contains('PARTITION')) return [{ kind: 'nothing', text }];
  if (!reader.isAnyOf(PARTITIONING)) return undefined;
  return [{ kind: 'stop', text, reason: 'it moves or drops rows that the binlog does not name' }];
}

const ENGINES = new Set(['INNODB', 'ROCKSDB', 'TOKUDB', 'XTRADB']);
const OPTIONS = new Set(
  `AUTO_INCREMENT AUTOEXTEND_SIZE AVG_ROW_LENGTH CHECKSUM TABLE_CHECKSUM COMMENT COMPRESSION CONNECTION DELAY_KEY_WRITE
   ENCRYPTED ENCRYPTION ENCRYPTION_KEY_ID ENGINE_ATTRIBUTE KEY_BLOCK_SIZE MAX_ROWS MIN_ROWS PACK_KEYS PAGE_CHECKSUM
   PAGE_COMPRESSED PAGE_COMPRESSION_LEVEL PASSWORD ROW_FORMAT SECONDARY_ENGINE SECONDARY_ENGINE_ATTRIBUTE
   SECONDARY_LOAD SECONDARY_UNLOAD STATS_AUTO_RECALC STATS_PERSISTENT STATS_SAMPLE_PAGES STORAGE TABLESPACE TRANSACTIONAL`.split(
    /\s+/,
  ),
);

/** Table options, which follow each other without commas. */
function readTableOptions(reader: TokenReader, text: string): AlterClause[] {
  const clauses: AlterClause[] = [];
  let charset: string | undefined;
  let collation: string | undefined;
  while (!reader.atEnd()) {
    reader.skip('DEFAULT');
    const word = reader.take().text.toUpperCase();
    if (word === 'CHARSET' || ((word === 'CHARACTER' || word === 'CHAR') && reader.skip('SET'))) {
      reader.skipSymbol('=');
      charset = charsetName(reader);
    } else if (word === 'COLLATE') {
      reader.skipSymbol('=');
      collation = collationName(reader);
    } else if (word === 'ENGINE' || word === 'TYPE') {
      reader.skipSymbol('=');
      const engine = reader.take().text;
      if (!ENGINES.has(engine.toUpperCase()))
        clauses.push({ kind: 'stop', text, reason: `engine ${engine} gives no consistent snapshot` });
    } else if ((word === 'DATA' || word === 'INDEX') && reader.skip('DIRECTORY')) {
      reader.skipSymbol('=');
      reader.take();
    } else if (OPTIONS.has(word)) {
      if (reader.skipSymbol('=') || !reader.atEnd()) reader.take();
    } else if (word === 'PARTITION' && reader.isNext('BY')) break;
    else return [{ kind: 'stop', text, reason: 'it is not understood' }];
  }
  if (charset !== undefined || collation !== undefined) {
    charset ??= collation?.startsWith('uca1400') ? undefined : collation?.split('_')[0];
    clauses.push({ kind: 'table-charset', text, charset, collation });
  }
  return clauses.length === 0 ? [{ kind: 'nothing', text }] : clauses;
}
