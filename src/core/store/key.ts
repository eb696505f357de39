/** Keys of a store: what is one, and their order. */

/** The prefix of names that are not there yet: temporary and scratch files. No listing shows them. */
export const TEMPORARY = '.tmp-';

/** A key that could leave the root or hide from listings is a bug of ours, whatever name it was built from. */
export function assertKey(key: string): void {
  for (const part of key.split('/'))
    if (part === '' || part === '.' || part === '..' || part.startsWith(TEMPORARY) || part.includes('\0'))
      throw new RangeError(`"${key}" is not a key of a store`);
}

/** By UTF-8 bytes, as S3 lists: JavaScript's own order is by UTF-16 units, which puts U+E000 to U+FFFF above the rest. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const difference = rank(a.charCodeAt(index)) - rank(b.charCodeAt(index));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** A UTF-16 unit by the place of its character: surrogates, which make the characters above U+FFFF, come last. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
