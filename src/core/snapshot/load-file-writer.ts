/** The LOAD files of one table, one after another: written beside, published when full. A kill leaves files that no record lists. */

import { closeSync, openSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tableFolder } from '../change-file/layout.ts';
import type { LoadFile } from '../change-file/load-record.ts';
import { loadFileName } from '../change-file/name.ts';
import { reach } from '../crash-point.ts';
import { CdcError, messageOf } from '../errors.ts';
import type { Store } from '../store/store.ts';
import type { TableDefinition } from '../table-definition.ts';

export interface LoadFileWriterOptions {
  staging: Store;
  definition: TableDefinition;
  firstNumber: number;
  header: string;
}

export class LoadFileWriter {
  readonly published: LoadFile[] = [];
  /** Bytes in the open file. */
  size = 0;
  readonly #options: LoadFileWriterOptions;
  #number: number;
  #file: { path: string; descriptor: number } | undefined;
  #publishedRows = 0;

  constructor(options: LoadFileWriterOptions) {
    this.#options = options;
    this.#number = options.firstNumber;
  }

  async open(): Promise<void> {
    const path = await this.#options.staging.scratchPath(loadFileName(this.#number));
    this.#guard(() => {
      this.#file = { path, descriptor: openSync(path, 'wx') };
    });
    this.size = 0;
    this.write(Buffer.from(this.#options.header));
  }

  /** Synchronous, so that the socket is not read faster than the disk writes. */
  write(bytes: Buffer): void {
    const file = this.#file;
    if (file === undefined) throw new Error('no load file is open');
    this.#guard(() => {
      for (let at = 0; at < bytes.length; ) at += writeSync(file.descriptor, bytes, at);
    });
    this.size += bytes.length;
  }

  /** `rows`: of the table so far. */
  async rotate(rows: number): Promise<void> {
    await this.close(rows);
    await this.open();
  }

  /** Publishes the open file; one without rows is no file. */
  async close(rows: number): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    if (rows === this.#publishedRows) return this.discard();
    const { staging, definition } = this.#options;
    const key = `${tableFolder(definition)}${loadFileName(this.#number)}`;
    this.#file = undefined;
    this.#guard(() => closeSync(file.descriptor));
    if (!(await staging.publish(file.path, key)))
      throw new CdcError(
        'snapshot.file-exists',
        `publishing ${staging.location}/${key}: a file of this name is there`,
        {
          hint: 'is another load of this table under way? Run it again when that is over',
        },
      );
    reach('load.file-published');
    this.published.push({ key, size: this.size, rows: rows - this.#publishedRows });
    this.#publishedRows = rows;
    this.#number++;
  }

  /** Removes the open file; what is published stays, and counts for nothing without a record. */
  async discard(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    closeSync(file.descriptor);
    await rm(file.path, { force: true });
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      throw new CdcError(
        'store.write',
        `writing ${loadFileName(this.#number)} to ${this.#options.staging.location}: ${messageOf(error)}`,
        {
          hint: 'check space and permissions there',
          cause: error,
        },
      );
    }
  }
}
