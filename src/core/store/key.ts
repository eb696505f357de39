/** Keys of a store: what is one, and their order. */

/** The prefix of names that are not there yet: temporary and scratch files. No listing shows them. */
export const TEMPORARY = '.tmp-';

/** A key that could leave the root or hide from listings is a bug of ours, whatever name it was built from. */
export function assertKey(key: string): void {
  for (const part of key.split('/'))
    if (part === '' || part === '.' || part === '..' || part.startsWith(TEMPORARY) || part.includes('\0'))
      throw new RangeError(`"${key}" is not a key of a store`);
}

/** By UTF-8 bytes, as S3 lists: JavaScript's own order is by UTF-16 units and differs above U+FFFF. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
