/** One table in the merge loop: what is known of its files, when it is due, and until when it rests. Times are of the clock that never goes back. */

import type { TableName } from '../change.ts';
import type { ChangeNumber } from '../change-number.ts';
import type { KnownRanges } from '../merge/chain.ts';
import type { TableLook } from './table-work.ts';

/** Without a word from capture a table is looked at, and its files are listed, this often: files may come by other ways. */
export const LOOK_MS = 60_000;
/** How often a lake table and its change files are kept up. */
export const MAINTAIN_MS = 10 * 60_000;

export class MergeSlot {
  readonly name: TableName;
  /** Files that are not merged yet, as capture or the last listing told. */
  readonly known: KnownRanges = new Map();
  /** When it is to be merged next. */
  due = 0;
  /** Not before: a failure, somebody else's lease, the write budget. */
  notBefore = 0;
  /** It rests for the write budget. */
  isResting = false;
  maintained: number;
  /** Why the last merge failed, and when that was last said. */
  failure: { message: string; told: number } | undefined;
  /** Those who wait for the end of the next merge that begins. */
  readonly waiters: { resolve(): void; reject(error: unknown): void }[] = [];
  #listAt = 0;
  #listAfter: string | undefined;
  #isListing = false;
  #isDistrusted = false;

  constructor(name: TableName, now: number) {
    this.name = name;
    this.maintained = now;
  }

  get at(): number {
    return Math.max(this.due, this.notBefore);
  }

  /** How the next merge is to look for files. */
  look(now: number): TableLook {
    this.#isListing = now >= this.#listAt;
    if (this.#isListing) {
      this.#listAt = now + LOOK_MS;
      if (this.#isDistrusted) {
        this.#isDistrusted = false;
        this.#listAfter = undefined;
        this.known.clear();
      }
    }
    return { known: this.known, trustKnown: !this.#isListing, listAfter: this.#listAfter };
  }

  /** The merge that looked has failed: if it was to list, that is still to be done. */
  lookAgain(): void {
    if (this.#isListing) this.#listAt = 0;
  }

  /** Something does not add up: the next listing, within a minute, is one of everything there is. */
  distrust(): void {
    this.#isDistrusted = true;
  }

  /** Forgets what is merged: what is known stays small, however long the worker runs and however many files lie in staging. */
  forgetUpTo(watermark: ChangeNumber): void {
    const keys = [...this.known.keys()].sort();
    for (const key of keys) {
      const last = this.known.get(key)?.last;
      // Names rise as the numbers do; behind one that still waits nothing is passed over.
      if (last !== undefined && last > watermark) break;
      this.#listAfter = key;
      this.known.delete(key);
    }
  }
}
