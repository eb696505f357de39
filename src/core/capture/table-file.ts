/** The open change file of one table: rows are appended to a scratch file and appear under the final name only whole. */

import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs';
import { OutputBuffer } from '../change-file/encode.ts';
import type { ChangeNumber } from '../change-number.ts';
import { writeError } from '../store/local-error.ts';
import type { Store } from '../store/store.ts';

/** Rows are handed to the operating system in pieces of about this size, so memory stays flat however large a transaction is. */
const WRITE_BYTES = 1 << 20;

export interface PublishedFile {
  /** Relative to staging. */
  key: string;
  size: number;
  /** The numbers of its first and last change. */
  first: ChangeNumber;
  last: ChangeNumber;
  changes: number;
}

export class TableFile {
  readonly out = new OutputBuffer();
  readonly #path: string;
  readonly #fd: number;
  #written = 0;
  /** What the whole transactions in it take. */
  #whole: number;
  #isOpen = true;

  private constructor(path: string, fd: number, header: Buffer) {
    this.#path = path;
    this.#fd = fd;
    this.#append(header, header.length);
    this.#whole = this.#written;
  }

  /** Throws CdcError `store.*`, as everything here that writes. */
  static open(scratchPath: string, header: string): TableFile {
    const fd = guarded(scratchPath, () => openSync(scratchPath, 'wx'));
    try {
      return new TableFile(scratchPath, fd, Buffer.from(header));
    } catch (error) {
      closeSync(fd);
      rmSync(scratchPath, { force: true });
      throw error;
    }
  }

  /** Bytes so far, those still in memory included. */
  get size(): number {
    return this.#written + this.out.length;
  }

  /** Call after appending rows to `out`. */
  spill(): void {
    if (this.out.length >= WRITE_BYTES) this.#drain();
  }

  /** A transaction ends here: what comes after may be cut off again. */
  markWhole(): void {
    this.#whole = this.size;
  }

  /** Cuts off the rows of the transaction that has not ended. */
  cutToWhole(): void {
    if (this.#whole >= this.#written) {
      this.out.length = this.#whole - this.#written;
      return;
    }
    this.out.length = 0;
    guarded(this.#path, () => ftruncateSync(this.#fd, this.#whole));
    this.#written = this.#whole;
  }

  /** Makes it visible and durable under `key`; false when the key is taken. The file is closed and its scratch gone whatever comes of it. */
  async publish(store: Store, key: string, beforeVisible: () => void): Promise<boolean> {
    try {
      this.#drain();
      this.#close();
      return await store.publish(this.#path, key, beforeVisible);
    } catch (error) {
      // A disk that is full must not get fuller with every try.
      this.discard();
      throw error;
    }
  }

  discard(): void {
    this.#close();
    rmSync(this.#path, { force: true });
  }

  #close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.#fd);
  }

  #drain(): void {
    this.#append(this.out.bytes, this.out.length);
    this.out.length = 0;
  }

  /** At a place of our own: after a cut the descriptor's stands too far. */
  #append(bytes: Buffer, length: number): void {
    guarded(this.#path, () => {
      for (let done = 0; done < length; ) done += writeSync(this.#fd, bytes, done, length - done, this.#written + done);
    });
    this.#written += length;
  }
}

function guarded<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw writeError(path, error);
  }
}
