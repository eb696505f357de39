/** A column as DDL writes it (`name type attributes`), read into what information_schema would say of it. */

import { formatLabel } from '../column-type.ts';
import type { ColumnClause } from './ddl-statement.ts';
import type { SqlDialect } from './sql-tokens.ts';
import type { TokenReader } from './token-reader.ts';

interface Draft extends ColumnClause {
  /** NULL or DEFAULT NULL is written, so it is nullable under every setting. */
  saysNull: boolean;
}

interface ClauseType {
  type: string;
  takesCharset: boolean;
  charset?: string | undefined;
  collation?: string | undefined;
  stop?: string | undefined;
}

/** Reads from the column's name to the end of its attributes, FIRST and AFTER excepted. undefined: not a column. */
export function readColumnClause(reader: TokenReader, dialect: SqlDialect): ColumnClause | undefined {
  const name = reader.name();
  if (name === undefined) return undefined;
  const type = readType(reader, dialect);
  if (type === undefined) return undefined;
  const draft: Draft = {
    name,
    type: type.type,
    nullable: true,
    hasDefault: false,
    charset: type.charset,
    collation: type.collation,
    takesCharset: type.takesCharset,
    autoIncrement: false,
    cascades: false,
    stop: type.stop,
    saysNull: false,
  };
  readAttributes(reader, draft);
  const { saysNull, ...column } = draft;
  if (/^timestamp\b/.test(type.type) && column.nullable && !saysNull && dialect.explicitTimestamps !== true)
    column.stop ??= 'TIMESTAMP without NULL or NOT NULL depends on explicit_defaults_for_timestamp';
  finishCharset(column);
  return column;
}

const INTEGERS: Record<string, string> = {
  TINYINT: 'tinyint',
  INT1: 'tinyint',
  SMALLINT: 'smallint',
  INT2: 'smallint',
  MEDIUMINT: 'mediumint',
  MIDDLEINT: 'mediumint',
  INT3: 'mediumint',
  INT: 'int',
  INTEGER: 'int',
  INT4: 'int',
  BIGINT: 'bigint',
  INT8: 'bigint',
};
const TEXTS = new Set(['TINYTEXT', 'TEXT', 'MEDIUMTEXT', 'LONGTEXT']);
const BLOBS = new Set(['TINYBLOB', 'BLOB', 'MEDIUMBLOB', 'LONGBLOB']);
const DECIMALS = new Set(['DECIMAL', 'DEC', 'NUMERIC', 'FIXED']);
const TIMES = new Set(['TIME', 'DATETIME', 'TIMESTAMP']);

function readType(reader: TokenReader, dialect: SqlDialect): ClauseType | undefined {
  const token = reader.take();
  if (token.kind !== 'word') return undefined;
  const word = token.text.toUpperCase();
  const stop = dialect.otherTypes ? 'it was written under an sql_mode that gives types other meanings' : undefined;
  const plain = (type: string): ClauseType => ({ type: type + numberAttributes(reader), takesCharset: false, stop });
  const integer = INTEGERS[word];
  if (integer !== undefined) return plain(integer + size(reader));
  if (word === 'BOOL' || word === 'BOOLEAN') return plain('tinyint(1)');
  if (DECIMALS.has(word)) return plain(`decimal${decimalSize(size(reader))}`);
  if (word === 'FLOAT' || word === 'FLOAT4') return plain(floatType(size(reader)));
  if (word === 'REAL' && dialect.realAsFloat) return plain(floatType(size(reader)));
  if (word === 'DOUBLE' || word === 'FLOAT8' || word === 'REAL') {
    reader.skip('PRECISION');
    return plain(`double${size(reader)}`);
  }
  if (word === 'BIT') return plain(`bit${size(reader) || '(1)'}`);
  if (word === 'YEAR') {
    size(reader);
    return plain('year');
  }
  if (word === 'DATE') return plain('date');
  if (TIMES.has(word)) return plain(word.toLowerCase() + fraction(size(reader)));
  if (word === 'BINARY') return plain(`binary${size(reader) || '(1)'}`);
  if (word === 'VARBINARY') return plain(`varbinary${size(reader)}`);
  if (BLOBS.has(word) || TEXTS.has(word)) {
    const sized = size(reader) === '' ? stop : `${word} with a length becomes a type the server chooses`;
    return TEXTS.has(word)
      ? characters(reader, word.toLowerCase(), sized)
      : { type: word.toLowerCase(), takesCharset: false, stop: sized };
  }
  if (word === 'JSON')
    return dialect.flavor === 'mysql'
      ? plain('json')
      : { type: 'longtext', takesCharset: false, charset: 'utf8mb4', collation: 'utf8mb4_bin', stop };
  if (word === 'ENUM' || word === 'SET') {
    const labels = readLabels(reader);
    if (labels === undefined) return undefined;
    return characters(reader, `${word.toLowerCase()}(${labels})`, stop);
  }
  return readCharacterType(reader, word, stop) ?? { type: otherType(reader, word), takesCharset: false, stop };
}

function readCharacterType(reader: TokenReader, word: string, stop: string | undefined): ClauseType | undefined {
  const national = (type: string): ClauseType => ({
    type,
    takesCharset: false,
    charset: 'utf8mb3',
    collation: undefined,
    stop,
  });
  if (word === 'NATIONAL' || word === 'NCHAR' || word === 'NVARCHAR') {
    const varying = word === 'NVARCHAR' || reader.isNext('VARCHAR') || reader.isNext('VARCHARACTER');
    if (word === 'NATIONAL') reader.take();
    return national(reader.skip('VARYING') || varying ? `varchar${size(reader)}` : `char${size(reader) || '(1)'}`);
  }
  if (word === 'LONG') {
    if (reader.skip('VARBINARY')) return { type: 'mediumblob', takesCharset: false, stop };
    if (!reader.skip('VARCHAR') && !reader.skip('VARCHARACTER') && (reader.skip('CHAR') || reader.skip('CHARACTER')))
      reader.skip('VARYING');
    return characters(reader, 'mediumtext', stop);
  }
  if (word === 'VARCHAR' || word === 'VARCHARACTER') return characters(reader, `varchar${size(reader)}`, stop);
  if (word !== 'CHAR' && word !== 'CHARACTER') return undefined;
  const base = reader.skip('VARYING') ? 'varchar' : 'char';
  return characters(reader, base + (size(reader) || (base === 'char' ? '(1)' : '')), stop);
}

/** The character set that may follow a character type. */
function characters(reader: TokenReader, type: string, stop: string | undefined): ClauseType {
  const result: ClauseType = { type, takesCharset: true, stop };
  for (;;) {
    if (reader.skip('CHARACTER', 'SET') || reader.skip('CHAR', 'SET') || reader.skip('CHARSET'))
      result.charset = charsetName(reader);
    else if (reader.skip('ASCII')) result.charset = 'latin1';
    else if (reader.skip('UNICODE')) result.charset = 'ucs2';
    else if (reader.skip('BYTE')) result.charset = 'binary';
    else if (reader.skip('BINARY')) result.stop ??= 'the BINARY attribute chooses a collation that is not written';
    else if (reader.skip('COLLATE')) result.collation = collationName(reader);
    else return result;
  }
}

/** A collation says its character set; characters of the set `binary` are bytes. */
function finishCharset(column: ColumnClause): void {
  if (!column.takesCharset) return;
  column.charset ??= charsetOfCollation(column.collation);
  if (column.charset !== 'binary') return;
  column.takesCharset = false;
  column.charset = undefined;
  column.collation = undefined;
  if (/^(enum|set)\b/.test(column.type)) column.stop ??= 'its labels are bytes (CHARACTER SET binary)';
  else
    column.type = column.type
      .replace(/^varchar/, 'varbinary')
      .replace(/^char/, 'binary')
      .replace(/text$/, 'blob');
}

/** MariaDB's `uca1400_ai_ci` belongs to whatever character set stands beside it. */
function charsetOfCollation(collation: string | undefined): string | undefined {
  if (collation === undefined || collation.startsWith('uca1400')) return undefined;
  return normalCharset(collation.split('_')[0] ?? collation);
}

function normalCharset(name: string): string {
  return name === 'utf8' ? 'utf8mb3' : name;
}

export function charsetName(reader: TokenReader): string | undefined {
  const name = reader.take().text.toLowerCase();
  return name === 'default' ? undefined : normalCharset(name);
}

export function collationName(reader: TokenReader): string | undefined {
  const name = reader.take().text.toLowerCase();
  return name === 'default' ? undefined : name.replace(/^utf8_/, 'utf8mb3_');
}

function size(reader: TokenReader): string {
  const inside = reader.parentheses();
  return inside === undefined ? '' : `(${inside.replace(/\s+/g, '')})`;
}

function fraction(text: string): string {
  return text === '(0)' ? '' : text;
}

function decimalSize(text: string): string {
  const [precision, scale] = text.slice(1, -1).split(',');
  return `(${precision || '10'},${scale || '0'})`;
}

function floatType(text: string): string {
  const bits = /^\((\d+)\)$/.exec(text)?.[1];
  if (bits === undefined) return `float${text}`;
  return Number(bits) > 24 ? 'double' : 'float';
}

function numberAttributes(reader: TokenReader): string {
  let unsigned = false;
  let zerofill = false;
  for (;;) {
    if (reader.skip('UNSIGNED')) unsigned = true;
    else if (reader.skip('ZEROFILL')) zerofill = true;
    else if (!reader.skip('SIGNED')) break;
  }
  return `${unsigned || zerofill ? ' unsigned' : ''}${zerofill ? ' zerofill' : ''}`;
}

function otherType(reader: TokenReader, word: string): string {
  return word.toLowerCase() + size(reader);
}

/** `'a','b''c'` as information_schema writes it; undefined when a label is not a plain string. */
function readLabels(reader: TokenReader): string | undefined {
  const inside = reader.inParentheses();
  if (inside === undefined) return undefined;
  const labels: string[] = [];
  do {
    const label = inside.take();
    if (label.kind !== 'string') return undefined;
    // The server cuts blanks at a label's end.
    labels.push(formatLabel(label.text.replace(/ +$/, '')));
  } while (inside.skipSymbol(','));
  return inside.atEnd() ? labels.join(',') : undefined;
}

const PLACE = new Set(['FIRST', 'AFTER']);

function readAttributes(reader: TokenReader, column: Draft): void {
  while (!reader.atEnd() && !reader.isAnyOf(PLACE)) {
    // The table's partitioning may follow the last column without a comma; it moves rows and changes none.
    if (reader.isNext('PARTITION', 'BY') || reader.isNext('REMOVE', 'PARTITIONING')) return;
    if (readAttribute(reader, column)) continue;
    column.stop ??= `"${reader.text()}" is not understood`;
    return;
  }
}

/** Takes one attribute; false when it is not known. */
function readAttribute(reader: TokenReader, column: Draft): boolean {
  if (reader.skip('NOT', 'NULL')) column.nullable = false;
  else if (reader.skip('NULL') || reader.skip('DEFAULT', 'NULL')) column.saysNull = true;
  else if (reader.skip('DEFAULT')) {
    column.hasDefault = true;
    skipDefault(reader);
  } else if (reader.skip('ON', 'UPDATE')) {
    reader.take();
    reader.parentheses();
  } else if (reader.skip('AUTO_INCREMENT')) column.autoIncrement = true;
  else if (reader.skip('UNIQUE')) reader.skip('KEY');
  else if (reader.skip('PRIMARY', 'KEY') || reader.skip('PRIMARY') || reader.skip('KEY'))
    column.stop ??= 'it becomes the primary key';
  else if (reader.skip('COMMENT')) reader.take();
  else if (reader.skip('COLLATE')) column.collation = collationName(reader);
  else if (reader.skip('COLUMN_FORMAT') || reader.skip('STORAGE') || reader.skip('SRID')) reader.take();
  else if (reader.skip('ENGINE_ATTRIBUTE') || reader.skip('SECONDARY_ENGINE_ATTRIBUTE')) {
    reader.skipSymbol('=');
    reader.take();
  } else if (reader.skip('VISIBLE') || reader.skip('NOT', 'SECONDARY')) return true;
  else if (reader.skip('INVISIBLE')) column.stop ??= 'it is invisible';
  else if (reader.skip('GENERATED') || reader.isNext('AS')) {
    column.stop ??= 'it is a generated column';
    while (!reader.atEnd() && !reader.isAnyOf(PLACE)) if (reader.parentheses() === undefined) reader.take();
  } else if (reader.skip('CONSTRAINT')) {
    if (!reader.isNext('CHECK')) reader.name();
    return reader.isNext('CHECK');
  } else if (reader.skip('CHECK')) {
    reader.parentheses();
    if (!reader.skip('ENFORCED')) reader.skip('NOT', 'ENFORCED');
  } else if (reader.skip('REFERENCES')) {
    if (hasCascade(reader)) column.cascades = true;
    while (!reader.atEnd() && !reader.isAnyOf(PLACE)) reader.take();
  } else return false;
  return true;
}

function skipDefault(reader: TokenReader): void {
  if (reader.parentheses() !== undefined) return;
  while (reader.skipSymbol('+') || reader.skipSymbol('-'));
  const first = reader.take();
  if (first.kind === 'word' && reader.peek().kind === 'string') reader.take();
  if (reader.skipSymbol('.')) reader.take();
  reader.parentheses();
}

export const CASCADE_REASON =
  'its foreign key changes rows of this table by CASCADE or SET NULL, which the server does not write to the binlog';

/** A foreign key whose parent changes rows of this table. */
export function hasCascade(reader: TokenReader): boolean {
  return ['DELETE', 'UPDATE'].some((event) =>
    [['CASCADE'], ['SET', 'NULL'], ['SET', 'DEFAULT']].some((action) => reader.contains('ON', event, ...action)),
  );
}
