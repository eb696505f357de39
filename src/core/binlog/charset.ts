/** Which character sets row events can be read in, and which collation number of the binlog belongs to which. */

import { decodeLatin1 } from './latin1.ts';

/** `utf8` and its full name are one. */
export function canonicalCharset(name: string): string {
  const lower = name.toLowerCase();
  return lower === 'utf8' ? 'utf8mb3' : lower;
}

/** The character sets whose text comes through: UTF-8 and its subset as they are, latin1 converted. */
export function isSupportedCharset(name: string): boolean {
  return ['utf8mb4', 'utf8mb3', 'ascii', 'latin1', 'binary'].includes(canonicalCharset(name));
}

const FAMILIES: Record<string, readonly number[]> = {
  latin1: [5, 8, 15, 31, 47, 48, 49, 94],
  ascii: [11, 65],
  binary: [63],
  utf8mb3: [33, 76, 83, 223, 576, 577, 578],
  utf8mb4: [45, 46, 608, 609, 610],
};

/** The character set of a collation by its number; undefined where it is not one of ours or not known. */
export function charsetOfCollation(number: number): string | undefined {
  // MariaDB: NO PAD twins stand 1024 above the collation they copy, UCA 14.0 fills ranges of its own.
  if (number >= 2048 && number < 2304) return 'utf8mb3';
  if (number >= 2304 && number < 2560) return 'utf8mb4';
  const base = number >= 1024 && number < 2048 ? number - 1024 : number;
  if (base >= 192 && base <= 215) return 'utf8mb3';
  if ((base >= 224 && base <= 247) || (base >= 255 && base <= 323)) return 'utf8mb4';
  return Object.keys(FAMILIES).find((name) => FAMILIES[name]?.includes(base));
}

/** Collations of clients that write their statements neither in UTF-8 nor in latin1, by the encoding as TextDecoder calls it. */
const CLIENT_ENCODINGS: Record<string, readonly number[]> = {
  big5: [1, 84],
  'iso-8859-2': [2, 9, 21, 27, 77],
  'koi8-r': [7, 74],
  'koi8-u': [22, 75],
  'euc-jp': [12, 91, 97, 98],
  shift_jis: [13, 88, 95, 96],
  'windows-1250': [26, 34, 44, 66, 99],
  'windows-1251': [14, 23, 50, 51, 52],
  'windows-1254': [30, 78],
  'windows-1256': [57, 67],
  'windows-1257': [29, 58, 59],
  'iso-8859-7': [25, 70],
  'iso-8859-8': [16, 71],
  'iso-8859-13': [20, 41, 42, 79],
  'windows-874': [18, 89],
  'euc-kr': [19, 85],
  gbk: [24, 28, 86, 87],
  ibm866: [36, 68],
  gb18030: [248, 249, 250],
};

/** The text of a statement whose client's character set has this collation; UTF-8 where that is not known. */
export function decodeStatement(bytes: Buffer, collation: number): string {
  if (charsetOfCollation(collation) === 'latin1') return decodeLatin1(bytes);
  const encoding = Object.keys(CLIENT_ENCODINGS).find((name) => CLIENT_ENCODINGS[name]?.includes(collation));
  return encoding === undefined ? bytes.toString('utf8') : new TextDecoder(encoding).decode(bytes);
}
