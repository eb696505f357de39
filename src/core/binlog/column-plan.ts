/** How each column of a table is read from its row events: the table map and the definition brought together, or the reason why they do not fit. */

import { encodeField, textRoom } from '../change-file/encode.ts';
import { type ColumnType, parseColumnType } from '../column-type.ts';
import { CdcError } from '../errors.ts';
import type { ColumnDefinition, TableDefinition } from '../table-definition.ts';
import { canonicalCharset, charsetOfCollation, isSupportedCharset } from './charset.ts';
import { decimalBytes } from './decimal.ts';
import type { TableMap } from './events.ts';
import * as field from './field-type.ts';
import { decodeLatin1 } from './latin1.ts';
import { fractionBytes } from './temporal.ts';

export const INT8 = 1;
export const UINT8 = 2;
export const INT16 = 3;
export const UINT16 = 4;
export const INT24 = 5;
export const UINT24 = 6;
export const INT32 = 7;
export const UINT32 = 8;
export const INT64 = 9;
export const UINT64 = 10;
export const YEAR = 11;
export const FLOAT = 12;
export const DOUBLE = 13;
export const DECIMAL = 14;
export const DATE = 15;
export const DATETIME = 16;
export const TIMESTAMP = 17;
export const TIME = 18;
export const BITS = 19;
export const ENUM = 20;
export const SET = 21;
export const TEXT = 22;
export const LATIN1 = 23;
export const HEX = 24;
export const PADDED_HEX = 25;
export const JSON_BINARY = 26;

/** One column; the decoder lays these out in arrays. */
export interface ColumnPlan {
  kind: number;
  /** Bytes of a value; where its length stands in front of it, minus the bytes of that length. */
  size: number;
  /** Precision and scale (256 x precision + scale), digits of a fraction, or the length to pad to. */
  detail: number;
  /** ENUM: the field per value, SET: the label per bit. */
  labels: Buffer[];
  /** The most bytes of change file that a value of fixed size becomes. */
  room: number;
}

const CHARACTER_TYPES = new Set(['char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext']);

/** Why a column cannot be followed: `check` says it beforehand, the decoder when it meets the table. Undefined when it can. */
export function unsupportedReason(column: Pick<ColumnDefinition, 'type' | 'charset'>): string | undefined {
  const type = parseColumnType(column.type);
  if (type === undefined) return `type ${column.type} is not supported`;
  if (CHARACTER_TYPES.has(type.base) && column.charset !== undefined && !isSupportedCharset(column.charset))
    return `character set ${column.charset} is not supported`;
  return undefined;
}

/** Throws CdcError `table.mismatch` or `type.unsupported`, naming the column. */
export function planColumns(table: TableMap, definition: TableDefinition): ColumnPlan[] {
  const width = table.types.length;
  if (definition.columns.length !== width)
    throw mismatch(definition, `the binlog has ${width} columns, the definition ${definition.columns.length}`);
  return definition.columns.map((column, index) => {
    const plan = planColumn(column, table, index);
    if (typeof plan === 'string') throw mismatch(definition, `column ${column.name} ${plan}`);
    if ('unsupported' in plan)
      throw new CdcError(
        'type.unsupported',
        `reading the binlog of ${definition.schema}.${definition.table}: column ${column.name}: ${plan.unsupported}`,
        { hint: 'leave the table out with `exclude:` in cdc.yaml, or change the column' },
      );
    return plan;
  });
}

function mismatch(definition: TableDefinition, why: string): CdcError {
  const name = `${definition.schema}.${definition.table}`;
  return new CdcError('table.mismatch', `reading the binlog of ${name}: ${why}`, {
    hint: `the table was changed in a way that was not followed: cdc reload ${name}`,
  });
}

type Refusal = { unsupported: string };

/** The plan, or how table map and definition differ, or why the type is not supported. */
function planColumn(column: ColumnDefinition, table: TableMap, index: number): ColumnPlan | string | Refusal {
  const binlogType = table.types[index] ?? 0;
  const metadata = table.metadata[index] ?? 0;
  const real = field.realType(binlogType, metadata);
  const reason = unsupportedReason(column);
  const type = parseColumnType(column.type);
  if (type === undefined || reason !== undefined) return { unsupported: reason ?? column.type };
  if (real === field.DATETIME_OLD || real === field.TIMESTAMP_OLD || real === field.TIME_OLD)
    return {
      unsupported: `${column.type} is stored in the format from before MySQL 5.6 (rebuild it with ALTER TABLE … FORCE)`,
    };
  if (!matches(type, real)) return `is ${column.type} in the definition, but has binlog type ${real}`;
  const { extra } = table;
  const name = extra.names?.[index];
  if (name !== undefined && name !== column.name) return `is called ${name} in the binlog`;
  if (
    real !== field.YEAR &&
    field.isNumeric(real) &&
    extra.unsigned !== undefined &&
    extra.unsigned[index] !== type.unsigned
  )
    return `is ${type.unsigned ? 'signed' : 'unsigned'} in the binlog, ${column.type} in the definition`;
  const collation = extra.collations?.[index];
  const binlogCharset = collation === undefined ? undefined : charsetOfCollation(collation);
  const charset = column.charset === undefined ? binlogCharset : canonicalCharset(column.charset);
  if (CHARACTER_TYPES.has(type.base)) {
    if (charset === undefined) return { unsupported: 'its character set is not known' };
    if (binlogCharset !== undefined && binlogCharset !== charset)
      return `has character set ${binlogCharset} in the binlog, ${charset} in the definition`;
  }
  if (type.labels !== undefined && !sameLabels(type.labels, extra.labels?.[index], binlogCharset))
    return 'has other labels in the binlog';
  return (
    layOut(type, real, metadata, charset) ?? `is ${column.type} in the definition, but has another size in the binlog`
  );
}

const BINLOG_TYPES: Record<string, readonly number[]> = {
  tinyint: [field.TINY],
  smallint: [field.SHORT],
  mediumint: [field.INT24],
  int: [field.LONG],
  bigint: [field.LONGLONG],
  year: [field.YEAR],
  bit: [field.BIT],
  decimal: [field.NEWDECIMAL],
  float: [field.FLOAT],
  double: [field.DOUBLE],
  date: [field.DATE, field.NEWDATE],
  datetime: [field.DATETIME2],
  timestamp: [field.TIMESTAMP2],
  time: [field.TIME2],
  char: [field.STRING],
  binary: [field.STRING],
  // VARCHAR(0) and the like of old servers come as VAR_STRING.
  varchar: [field.VARCHAR, field.VAR_STRING],
  varbinary: [field.VARCHAR, field.VAR_STRING],
  enum: [field.ENUM],
  set: [field.SET],
  // MariaDB's JSON is text.
  json: [field.JSON_BINARY, field.BLOB],
};

function matches(type: ColumnType, real: number): boolean {
  return (BINLOG_TYPES[type.base] ?? [field.BLOB]).includes(real);
}

function sameLabels(labels: string[], found: Buffer[] | undefined, charset: string | undefined): boolean {
  if (found === undefined || charset === undefined || charset === 'binary') return true;
  const decode = charset === 'latin1' ? decodeLatin1 : (bytes: Buffer) => bytes.toString('utf8');
  return found.length === labels.length && found.every((label, i) => decode(label) === labels[i]);
}

/** Undefined where sizes differ that the text depends on. */
function layOut(type: ColumnType, real: number, metadata: number, charset: string | undefined): ColumnPlan | undefined {
  const low = metadata & 0xff;
  const high = metadata >> 8;
  const plan = (kind: number, size: number, room: number, detail = 0, labels: Buffer[] = []): ColumnPlan => ({
    kind,
    size,
    detail,
    labels,
    room,
  });
  const integer = (kind: number, size: number) => plan(type.unsigned ? kind + 1 : kind, size, 20);
  switch (real) {
    case field.TINY:
      return integer(INT8, 1);
    case field.SHORT:
      return integer(INT16, 2);
    case field.INT24:
      return integer(INT24, 3);
    case field.LONG:
      return integer(INT32, 4);
    case field.LONGLONG:
      return integer(INT64, 8);
    case field.YEAR:
      return plan(YEAR, 1, 4);
    case field.FLOAT:
      return plan(FLOAT, 4, 32);
    case field.DOUBLE:
      return plan(DOUBLE, 8, 40);
    case field.NEWDECIMAL:
      if (low !== type.precision || high !== type.scale) return undefined;
      return plan(DECIMAL, decimalBytes(low, high), low + 3, low * 256 + high);
    case field.DATE:
    case field.NEWDATE:
      return plan(DATE, 3, 10);
    case field.DATETIME2:
      return low === type.fraction ? plan(DATETIME, 5 + fractionBytes(low), 26, low) : undefined;
    case field.TIMESTAMP2:
      return low === type.fraction ? plan(TIMESTAMP, 4 + fractionBytes(low), 26, low) : undefined;
    case field.TIME2:
      return low === type.fraction ? plan(TIME, 3 + fractionBytes(low), 20, low) : undefined;
    case field.BIT:
      return high * 8 + low === type.length ? plan(BITS, (type.length + 7) >> 3, 20) : undefined;
    case field.ENUM: {
      const fields = ['', ...(type.labels ?? [])].map((label) => Buffer.from(encodeField(label)));
      return plan(ENUM, high, Math.max(...fields.map((label) => label.length)), 0, fields);
    }
    case field.SET: {
      const labels = (type.labels ?? []).map((label) => Buffer.from(label));
      return plan(SET, high, textRoom(labels.reduce((sum, label) => sum + label.length + 1, 0)), 0, labels);
    }
    case field.JSON_BINARY:
      return plan(JSON_BINARY, -low, 2);
    case field.BLOB:
      return plan(textKind(type, charset), -low, 2);
    case field.STRING: {
      const length = field.stringLength(metadata);
      if (type.base !== 'binary') return plan(textKind(type, charset), length > 255 ? -2 : -1, 2);
      return length === type.length ? plan(PADDED_HEX, length > 255 ? -2 : -1, 2 * length, length) : undefined;
    }
    default:
      return plan(textKind(type, charset), metadata > 255 ? -2 : -1, 2);
  }
}

function textKind(type: ColumnType, charset: string | undefined): number {
  if (type.text === 'hex') return HEX;
  return charset === 'latin1' ? LATIN1 : TEXT;
}
