/** The field types of the binlog, and how many bytes of metadata each has in a table map. */

export const TINY = 1;
export const SHORT = 2;
export const LONG = 3;
export const FLOAT = 4;
export const DOUBLE = 5;
export const TIMESTAMP_OLD = 7;
export const LONGLONG = 8;
export const INT24 = 9;
export const DATE = 10;
export const TIME_OLD = 11;
export const DATETIME_OLD = 12;
export const YEAR = 13;
export const NEWDATE = 14;
export const VARCHAR = 15;
export const BIT = 16;
export const TIMESTAMP2 = 17;
export const DATETIME2 = 18;
export const TIME2 = 19;
export const VECTOR = 242;
export const JSON_BINARY = 245;
export const NEWDECIMAL = 246;
export const ENUM = 247;
export const SET = 248;
export const BLOB = 252;
export const VAR_STRING = 253;
export const STRING = 254;
export const GEOMETRY = 255;

/** Bytes of metadata; undefined for a type this reader does not know, after which no metadata can be located. */
export function metadataSize(type: number): 0 | 1 | 2 | undefined {
  switch (type) {
    case TINY:
    case SHORT:
    case LONG:
    case LONGLONG:
    case INT24:
    case TIMESTAMP_OLD:
    case DATE:
    case TIME_OLD:
    case DATETIME_OLD:
    case YEAR:
    case NEWDATE:
      return 0;
    case FLOAT:
    case DOUBLE:
    case BLOB:
    case GEOMETRY:
    case JSON_BINARY:
    case VECTOR:
    case TIMESTAMP2:
    case DATETIME2:
    case TIME2:
      return 1;
    case VARCHAR:
    case BIT:
    case NEWDECIMAL:
    case STRING:
    case VAR_STRING:
    case ENUM:
    case SET:
      return 2;
    default:
      return undefined;
  }
}

/**
 * The type behind STRING: ENUM and SET hide there. The first byte of the metadata is the type, except that for CHAR of more
 * than 255 bytes two of its bits are the (inverted) high bits of the length.
 */
export function realType(type: number, metadata: number): number {
  if (type !== STRING) return type;
  const first = metadata & 0xff;
  return (first & 0x30) === 0x30 ? first : first | 0x30;
}

/** The greatest length in bytes of a STRING column (CHAR, BINARY). */
export function stringLength(metadata: number): number {
  const first = metadata & 0xff;
  const low = metadata >> 8;
  return (first & 0x30) === 0x30 ? low : low | (((first & 0x30) ^ 0x30) << 4);
}

/** The types that row metadata has a bit of signedness for; YEAR's is always set. */
export function isNumeric(type: number): boolean {
  return (
    type === YEAR ||
    type === TINY ||
    type === SHORT ||
    type === INT24 ||
    type === LONG ||
    type === LONGLONG ||
    type === NEWDECIMAL ||
    type === FLOAT ||
    type === DOUBLE
  );
}

/** The types that have a collation in row metadata; BINARY and BLOB too, as collation 63. */
export function isCharacter(type: number): boolean {
  return type === STRING || type === VAR_STRING || type === VARCHAR || type === BLOB;
}
