/**
 * The one table of types (contract.md 10): MySQL type -> text in a change file -> Delta type, and the SQL that casts the
 * text. A row that came by full load and one that came by the binlog must be byte-equal in the lake, so every place that
 * prints or reads a value asks here.
 */

/** Delta's primitive types, as they stand in a schema string; decimals as `decimal(p,s)`. */
export type DeltaType =
  | 'byte'
  | 'short'
  | 'integer'
  | 'long'
  | 'float'
  | 'double'
  | 'boolean'
  | 'string'
  | 'binary'
  | 'date'
  | 'timestamp'
  | `decimal(${number},${number})`;

/** How a value looks as text in a change file. */
export type TextForm = 'integer' | 'decimal' | 'float' | 'double' | 'bit' | 'date' | 'datetime' | 'text' | 'hex';

/** What to do with `0000-00-00` and dates with a zero part: NULL in the lake, a row that does not fit, or a string column. */
export type ZeroDates = 'null' | 'fail' | 'text';

/** A MySQL COLUMN_TYPE taken apart. */
export interface ColumnType {
  /** The server's word, lower case, synonyms resolved: `int`, `varchar`, `datetime`, `json` … */
  base: string;
  text: TextForm;
  unsigned: boolean;
  /** The server prints its numbers with zeros in front; the lake has none. */
  zerofill?: true;
  /** Characters of CHAR/VARCHAR, bytes of BINARY/VARBINARY, bits of BIT. */
  length?: number;
  /** Digits of DECIMAL, and those after the point. */
  precision?: number;
  scale?: number;
  /** Digits of fractional seconds of TIME, DATETIME, TIMESTAMP. */
  fraction?: number;
  /** Labels of ENUM and SET in order. */
  labels?: string[];
}

const FORMS: Record<string, TextForm> = {
  tinyint: 'integer',
  smallint: 'integer',
  mediumint: 'integer',
  int: 'integer',
  bigint: 'integer',
  year: 'integer',
  bit: 'bit',
  decimal: 'decimal',
  float: 'float',
  double: 'double',
  date: 'date',
  datetime: 'datetime',
  timestamp: 'datetime',
  time: 'text',
  char: 'text',
  varchar: 'text',
  tinytext: 'text',
  text: 'text',
  mediumtext: 'text',
  longtext: 'text',
  enum: 'text',
  set: 'text',
  json: 'text',
  binary: 'hex',
  varbinary: 'hex',
  tinyblob: 'hex',
  blob: 'hex',
  mediumblob: 'hex',
  longblob: 'hex',
};

const SYNONYMS: Record<string, string> = {
  integer: 'int',
  bool: 'tinyint',
  boolean: 'tinyint',
  numeric: 'decimal',
  dec: 'decimal',
  fixed: 'decimal',
  real: 'double',
  'double precision': 'double',
  character: 'char',
  'character varying': 'varchar',
  int1: 'tinyint',
  int2: 'smallint',
  int3: 'mediumint',
  int4: 'int',
  int8: 'bigint',
};

/** Takes a COLUMN_TYPE apart; undefined for a type this version does not know (geometry, uuid, vector …): refused by name, never guessed. */
export function parseColumnType(columnType: string): ColumnType | undefined {
  const match = /^\s*([a-z][a-z0-9]*(?: (?:varying|precision))?)\s*(?:\((.*)\))?\s*([a-z ]*)$/is.exec(columnType);
  if (match?.[1] === undefined) return undefined;
  const word = match[1].toLowerCase();
  const base = SYNONYMS[word] ?? word;
  const text = FORMS[base];
  if (text === undefined) return undefined;
  const attributes = match[3] ?? '';
  const type: ColumnType = {
    base,
    text,
    unsigned: /\b(unsigned|zerofill)\b/i.test(attributes),
    ...(/\bzerofill\b/i.test(attributes) ? { zerofill: true } : {}),
  };
  const inside = match[2];
  if (base === 'enum' || base === 'set') {
    const labels = parseLabels(inside ?? '');
    return labels === undefined ? undefined : { ...type, labels };
  }
  const [first, second] = (inside ?? '').split(',').map((part) => (part.trim() === '' ? undefined : Number(part)));
  if (Number.isNaN(first ?? 0) || Number.isNaN(second ?? 0)) return undefined;
  if (base === 'decimal') return { ...type, precision: first ?? 10, scale: second ?? 0 };
  if (base === 'datetime' || base === 'timestamp' || base === 'time') return { ...type, fraction: first ?? 0 };
  if (base === 'bit' || base === 'char' || base === 'binary') return { ...type, length: first ?? 1 };
  return first === undefined ? type : { ...type, length: first };
}

/** Labels of `'a','b''c'`; undefined when the text is something else. */
function parseLabels(inside: string): string[] | undefined {
  const labels: string[] = [];
  const pattern = /\s*'((?:[^']|'')*)'\s*(,|$)/gy;
  for (let end = 0; end < inside.length; end = pattern.lastIndex) {
    const match = pattern.exec(inside);
    if (match === null) return undefined;
    labels.push((match[1] ?? '').replace(/''|\\[\\nr0]/g, (escaped) => LABEL_ESCAPES[escaped] ?? escaped));
  }
  return labels;
}

/** What both servers escape in the labels of a COLUMN_TYPE, whatever the sql_mode. */
const LABEL_ESCAPES: Record<string, string> = { "''": "'", '\\\\': '\\', '\\n': '\n', '\\r': '\r', '\\0': '\0' };

/** A label of ENUM or SET as it stands in a COLUMN_TYPE. */
export function formatLabel(label: string): string {
  const escapeOf = (char: string) => Object.keys(LABEL_ESCAPES).find((key) => LABEL_ESCAPES[key] === char) ?? char;
  return `'${label.replace(/['\\\n\r\0]/g, escapeOf)}'`;
}

const INTEGER_SIZES = ['byte', 'short', 'integer', 'long', 'decimal(20,0)'] as const;
const INTEGER_RANKS: Record<string, number> = { tinyint: 0, smallint: 1, mediumint: 2, int: 2, year: 2, bigint: 3 };

export function deltaTypeOf(type: ColumnType, zeroDates: ZeroDates): DeltaType {
  switch (type.text) {
    case 'integer':
      return INTEGER_SIZES[(INTEGER_RANKS[type.base] ?? 3) + (type.unsigned ? 1 : 0)] ?? 'long';
    case 'bit':
      return type.length === 1 ? 'boolean' : 'decimal(20,0)';
    case 'decimal':
      return (type.precision ?? 10) <= 38 ? `decimal(${type.precision ?? 10},${type.scale ?? 0})` : 'string';
    case 'float':
      return 'float';
    case 'double':
      return 'double';
    case 'date':
      return zeroDates === 'text' ? 'string' : 'date';
    case 'datetime':
      return zeroDates === 'text' ? 'string' : 'timestamp';
    case 'text':
      return 'string';
    case 'hex':
      return 'binary';
  }
}

const DUCKDB_TYPES: Record<string, string> = {
  byte: 'TINYINT',
  short: 'SMALLINT',
  integer: 'INTEGER',
  long: 'BIGINT',
  float: 'REAL',
  double: 'DOUBLE',
  boolean: 'BOOLEAN',
  string: 'VARCHAR',
  binary: 'BLOB',
  date: 'DATE',
  // Delta's `timestamp` is an instant: TIMESTAMPTZ with the session in UTC; plain TIMESTAMP would be written as timestamp_ntz (delta.md 1.3).
  timestamp: 'TIMESTAMPTZ',
};

/** The DuckDB type that is written as this Delta type. */
export function duckdbTypeOf(type: DeltaType): string {
  return DUCKDB_TYPES[type] ?? type.toUpperCase();
}

/** DuckDB SQL over a text: its value in the lake type, and whether the text fits it exactly. NULL text: NULL value, and it fits. */
export interface CastSql {
  value: string;
  /** A boolean; false where the value would be changed on its way (`1.5` into INT, a zero date under `fail`, a broken number). */
  fits: string;
}

/** `text` is a DuckDB expression of type VARCHAR, already unescaped. */
export function castSql(type: ColumnType, zeroDates: ZeroDates, text: string): CastSql {
  const deltaType = deltaTypeOf(type, zeroDates);
  const cast = `TRY_CAST(${text} AS ${duckdbTypeOf(deltaType)})`;
  const matching = (pattern: string, value = cast): CastSql => ({
    value: `CASE WHEN regexp_full_match(${text}, '${pattern}') THEN ${value} END`,
    fits: `(${text} IS NULL OR (regexp_full_match(${text}, '${pattern}') AND ${value} IS NOT NULL))`,
  });
  switch (deltaType) {
    case 'string':
      return { value: text, fits: 'true' };
    // DuckDB reads blanks, exponents and fractions into integers by rounding; a digit string only is taken.
    case 'byte':
    case 'short':
    case 'integer':
    case 'long':
      return matching('[+-]?[0-9]+');
    case 'boolean':
      return matching('[01]');
    case 'float':
    case 'double':
      return { value: cast, fits: `(${text} IS NULL OR coalesce(isfinite(${cast}), false))` };
    case 'binary':
      return matching('([0-9a-fA-F]{2})*', `from_hex(${text})`);
    case 'date':
    case 'timestamp': {
      const pattern =
        deltaType === 'date'
          ? '[0-9]{4}-[0-9]{2}-[0-9]{2}'
          : '[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?';
      const { value, fits } = matching(pattern);
      if (zeroDates === 'fail')
        return {
          value: `CASE WHEN NOT ${isZeroDate(text)} THEN ${value} END`,
          fits: `(${text} IS NULL OR (NOT ${isZeroDate(text)} AND ${fits}))`,
        };
      return {
        value: `CASE WHEN NOT ${isZeroDate(text)} THEN ${value} END`,
        fits: `(${text} IS NULL OR ${isZeroDate(text)} OR ${fits})`,
      };
    }
    default:
      return matching(`[+-]?([0-9]+([.][0-9]{0,${type.scale ?? 0}}0*)?|[.][0-9]{1,${Math.max(type.scale ?? 0, 1)}}0*)`);
  }
}

/** A date whose year, month or day is zero: MySQL stores it, no lake type can. */
function isZeroDate(text: string): string {
  return `regexp_matches(${text}, '^(0000-[0-9]{2}-[0-9]{2}|[0-9]{4}-00-[0-9]{2}|[0-9]{4}-[0-9]{2}-00)')`;
}

/**
 * The SELECT expression whose text in MySQL's text protocol the loader turns into change-file text.
 * FLOAT is selected as DOUBLE, for the text protocol cuts it to 6 digits; times one, for plus zero would lose the sign of -0.
 * DOUBLE likewise, for a DOUBLE(M,D) is printed with D digits. The loader prints the shortest text of the number.
 */
export function selectSql(type: ColumnType, quotedColumn: string): string {
  switch (type.text) {
    case 'float':
    case 'double':
      return `${quotedColumn} * 1e0`;
    case 'bit':
      return `CAST(${quotedColumn} AS UNSIGNED)`;
    case 'hex':
      return `LOWER(HEX(${quotedColumn}))`;
    case 'integer':
    case 'decimal':
      return type.zerofill === true || type.base === 'year' ? `${quotedColumn} + 0` : quotedColumn;
    default:
      return quotedColumn;
  }
}
