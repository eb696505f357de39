/** Which character sets row events can be read in, and which collation number of the binlog belongs to which. */

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
