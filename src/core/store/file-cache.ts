/** Copies of immutable objects on this machine, shared by the processes of one pipeline; the least recently used go first. */

import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { nativeCodeOf } from '../errors.ts';
import { TEMPORARY } from './key.ts';
import { writeError } from './local-error.ts';

export interface FileCacheOptions {
  folder: string;
  /** What it may take; 10 GB unless told. */
  limitBytes?: number | undefined;
  /** A file used within this time stays whatever the limit: someone may be about to open it. */
  inUseMs?: number | undefined;
}

const LIMIT_BYTES = 10e9;
const IN_USE_MS = 60 * 60_000;
/** The folder is looked at again after so many new bytes. */
const LOOK_AFTER_BYTES = 256e6;
const SCRATCH = 'scratch';

export class FileCache {
  readonly #folder: string;
  readonly #limitBytes: number;
  readonly #inUseMs: number;
  /** Infinity: this process has not looked yet. */
  #unseenBytes = Number.POSITIVE_INFINITY;

  constructor({ folder, limitBytes = LIMIT_BYTES, inUseMs = IN_USE_MS }: FileCacheOptions) {
    this.#folder = folder;
    this.#limitBytes = limitBytes;
    this.#inUseMs = inUseMs;
  }

  /** The path of a copy that is there, and is used now. */
  async find(name: string): Promise<string | undefined> {
    const path = join(this.#folder, name);
    const now = new Date();
    try {
      await utimes(path, now, now);
      return path;
    } catch (error) {
      if (nativeCodeOf(error) === 'ENOENT') return undefined;
      throw writeError(path, error);
    }
  }

  /** Takes a finished file over; of several processes that bring the same one any may be the last. */
  async adopt(file: string, name: string): Promise<string> {
    const path = join(this.#folder, name);
    try {
      const { size } = await stat(file);
      await mkdir(this.#folder, { recursive: true });
      // Before the new file comes: it is in use.
      this.#unseenBytes += size;
      if (this.#unseenBytes >= Math.min(LOOK_AFTER_BYTES, this.#limitBytes / 4)) await this.#makeRoom(size);
      await rename(file, path);
    } catch (error) {
      throw writeError(path, error);
    }
    await this.find(name);
    return path;
  }

  /** A new path on the cache's file system, in a folder that is there. */
  async scratchPath(name: string): Promise<string> {
    const folder = join(this.#folder, SCRATCH);
    try {
      await mkdir(folder, { recursive: true });
    } catch (error) {
      throw writeError(folder, error);
    }
    return join(folder, `${TEMPORARY}${randomUUID()}-${name}`);
  }

  /** Removes scratch files that a killed process left; says how many. */
  async sweep(olderThanMs: number): Promise<number> {
    const folder = join(this.#folder, SCRATCH);
    let removed = 0;
    for (const name of await namesIn(folder)) {
      const path = join(folder, name);
      const found = await statIfPresent(path);
      if (found === undefined || Date.now() - found.mtimeMs < olderThanMs) continue;
      await rm(path, { recursive: true, force: true });
      removed++;
    }
    return removed;
  }

  async #makeRoom(bytes: number): Promise<void> {
    this.#unseenBytes = bytes;
    const files: { path: string; size: number; usedMs: number }[] = [];
    for (const name of await namesIn(this.#folder)) {
      const path = join(this.#folder, name);
      const found = await statIfPresent(path);
      if (found?.isFile()) files.push({ path, size: found.size, usedMs: found.mtimeMs });
    }
    let total = files.reduce((sum, { size }) => sum + size, bytes);
    const inUse = Date.now() - this.#inUseMs;
    for (const { path, size, usedMs } of files.sort((a, b) => a.usedMs - b.usedMs)) {
      if (total <= this.#limitBytes || usedMs >= inUse) return;
      await rm(path, { force: true });
      total -= size;
    }
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (nativeCodeOf(error) === 'ENOENT') return [];
    throw writeError(folder, error);
  }
}

async function statIfPresent(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (nativeCodeOf(error) === 'ENOENT') return undefined;
    throw writeError(path, error);
  }
}
