/** The open change file of one table: rows are appended to a scratch file and appear under the final name only whole. */

import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { OutputBuffer } from '../change-file/encode.ts';
import type { ChangeNumber } from '../change-number.ts';
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

  private constructor(path: string, fd: number) {
    this.#path = path;
    this.#fd = fd;
  }

  static open(scratchPath: string, header: string): TableFile {
    const file = new TableFile(scratchPath, openSync(scratchPath, 'w'));
    const bytes = Buffer.from(header);
    file.#written = writeAll(file.#fd, bytes, bytes.length);
    return file;
  }

  /** Bytes so far, those still in memory included. */
  get size(): number {
    return this.#written + this.out.length;
  }

  /** Call after appending rows to `out`. */
  spill(): void {
    if (this.out.length >= WRITE_BYTES) this.#drain();
  }

  #drain(): void {
    this.#written += writeAll(this.#fd, this.out.bytes, this.out.length);
    this.out.length = 0;
  }

  /** Makes it visible and durable under `key`; false when the key is taken. */
  async publish(store: Store, key: string, beforeVisible: () => void): Promise<boolean> {
    this.#drain();
    closeSync(this.#fd);
    return store.publish(this.#path, key, beforeVisible);
  }

  discard(): void {
    closeSync(this.#fd);
    rmSync(this.#path, { force: true });
  }
}

function writeAll(fd: number, bytes: Buffer, length: number): number {
  for (let done = 0; done < length; ) done += writeSync(fd, bytes, done, length - done);
  return length;
}
