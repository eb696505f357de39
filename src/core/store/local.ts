/** The store over a folder of this machine. */

import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { CdcError, nativeCodeOf } from '../errors.ts';
import {
  linkIfAbsent,
  makeFolder,
  replaceSynced,
  syncFile,
  syncFolder,
  temporaryBeside,
  writeSynced,
} from './durable.ts';
import { assertKey, compareKeys, TEMPORARY } from './key.ts';
import { isAbsent, readError, writeError } from './local-error.ts';
import type { Store, StoredObject } from './store.ts';

const SCRATCH = `${TEMPORARY}scratch`;
const DAY_MS = 86_400_000;

/** `hardLinks: false` is for file systems that claim to have hard links and lose them; elsewhere it is found out by itself. */
export function openLocalStore(root: string, options: { hardLinks?: boolean } = {}): Store {
  return new FolderStore(resolve(root), options.hardLinks ?? true);
}

class FolderStore implements Store {
  readonly kind = 'folder';
  readonly location: string;
  readonly #hardLinks: boolean;
  /** The last putIfMatch of each key of this process. */
  readonly #replacing = new Map<string, Promise<unknown>>();

  constructor(root: string, hardLinks: boolean) {
    this.location = root;
    this.#hardLinks = hardLinks;
  }

  async list(prefix: string, { after }: { after?: string } = {}): Promise<StoredObject[]> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    const keys: string[] = [];
    await this.#collect(folder, prefix, after, keys);
    const objects: StoredObject[] = [];
    for (let start = 0; start < keys.length; start += 64)
      for (const object of await Promise.all(keys.slice(start, start + 64).map((key) => this.stat(key))))
        if (object !== undefined) objects.push(object);
    return objects.sort((a, b) => compareKeys(a.key, b.key));
  }

  /** Keys below a folder that begin with the prefix and come after `after`. */
  async #collect(folder: string, prefix: string, after: string | undefined, keys: string[]): Promise<void> {
    for (const { name, isFolder } of await this.#entries(folder)) {
      const key = `${folder}${name}`;
      if (isFolder) {
        const below = `${key}/`;
        if (below.startsWith(prefix) || prefix.startsWith(below)) await this.#collect(below, prefix, after, keys);
      } else if (key.startsWith(prefix) && (after === undefined || compareKeys(key, after) > 0)) keys.push(key);
    }
  }

  async #entries(folder: string): Promise<{ name: string; isFolder: boolean }[]> {
    const path = join(this.location, folder);
    try {
      const entries = await readdir(path, { withFileTypes: true });
      const visible = entries.filter((entry) => !entry.name.startsWith(TEMPORARY));
      return await Promise.all(
        visible.map(async (entry) => ({
          name: entry.name,
          isFolder: entry.isSymbolicLink()
            ? (await statIfPresent(join(path, entry.name)))?.isDirectory() === true
            : entry.isDirectory(),
        })),
      );
    } catch (error) {
      if (isAbsent(error)) return [];
      throw readError(path, error);
    }
  }

  async listFolders(prefix: string): Promise<string[]> {
    const entries = await this.#entries(prefix);
    return entries
      .filter((entry) => entry.isFolder)
      .map((entry) => entry.name)
      .sort(compareKeys);
  }

  async stat(key: string): Promise<StoredObject | undefined> {
    const found = await statIfPresent(this.#path(key));
    return found?.isFile() ? { key, size: found.size, modified: found.mtime } : undefined;
  }

  async get(key: string): Promise<Buffer> {
    const body = await this.getIfPresent(key);
    if (body === undefined) throw notFound(this.#path(key));
    return body;
  }

  async getIfPresent(key: string): Promise<Buffer | undefined> {
    const path = this.#path(key);
    try {
      return await readFile(path);
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw readError(path, error);
    }
  }

  async getRange(key: string, start: number, end: number): Promise<Buffer> {
    const path = this.#path(key);
    let file: Awaited<ReturnType<typeof open>> | undefined;
    try {
      file = await open(path, 'r');
      const { size } = await file.stat();
      const bytes = Buffer.alloc(Math.max(0, Math.min(end, size) - start));
      let filled = 0;
      while (filled < bytes.length) {
        const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, start + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return bytes.subarray(0, filled);
    } catch (error) {
      if (isAbsent(error)) throw notFound(path);
      throw readError(path, error);
    } finally {
      await file?.close();
    }
  }

  async put(key: string, body: Buffer | string): Promise<void> {
    await this.#write(key, async (path) => {
      const temporary = temporaryBeside(path);
      try {
        await writeSynced(temporary, body);
        // Commit point: readers see the new content from here.
        await replaceSynced(temporary, path);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    });
  }

  async putIfAbsent(key: string, body: Buffer | string): Promise<boolean> {
    return await this.#write(key, async (path) => {
      const temporary = temporaryBeside(path);
      try {
        if (this.#hardLinks) {
          await writeSynced(temporary, body);
          // Commit point: the name exists from here, with the whole content, for one writer only.
          const linked = await linkIfAbsent(temporary, path);
          if (linked !== 'unsupported') {
            await syncFolder(dirname(path));
            return linked;
          }
        }
      } finally {
        await rm(temporary, { force: true });
      }
      // Without hard links (exFAT, some network shares) the name exists before its content: one writer still wins, but a
      // reader can meet a part of it, and a crash can leave one.
      try {
        await writeSynced(path, body);
      } catch (error) {
        if (nativeCodeOf(error) === 'EEXIST') return false;
        throw error;
      }
      await syncFolder(dirname(path));
      return true;
    });
  }

  /**
   * Compares, then renames. Exact among the callers of one process; between processes a writer that comes in between the
   * two is overwritten, so whoever shares a key with another process holds a lease, or writes a new key put-if-absent.
   */
  async putIfMatch(key: string, body: Buffer | string, tag: string): Promise<boolean> {
    const before = this.#replacing.get(key) ?? Promise.resolve();
    const mine = before.then(async () => {
      if ((await this.tagOf(key)) !== tag) return false;
      await this.put(key, body);
      return true;
    });
    const settled = mine.catch(() => undefined);
    this.#replacing.set(key, settled);
    try {
      return await mine;
    } finally {
      if (this.#replacing.get(key) === settled) this.#replacing.delete(key);
    }
  }

  async delete(key: string): Promise<void> {
    const path = this.#path(key);
    try {
      await rm(path);
      await syncFolder(dirname(path));
    } catch (error) {
      if (!isAbsent(error)) throw writeError(path, error);
    }
  }

  async tagOf(key: string): Promise<string | undefined> {
    const path = this.#path(key);
    const hash = createHash('sha256');
    try {
      await pipeline(createReadStream(path), hash);
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw readError(path, error);
    }
    return `sha256:${hash.digest('hex')}`;
  }

  /** The file system's clock: on a network share that is the server's, and the same for everyone. */
  async now(): Promise<Date> {
    const path = join(this.location, `${TEMPORARY}${randomUUID()}`);
    try {
      const file = await open(path, 'wx');
      try {
        return (await file.stat()).mtime;
      } finally {
        await file.close();
        await rm(path, { force: true });
      }
    } catch {
      // A folder that is absent or read-only has no writers to agree with.
      return new Date();
    }
  }

  async materialise(key: string): Promise<string> {
    const path = this.#path(key);
    if ((await this.stat(key)) === undefined) throw notFound(path);
    return path;
  }

  async scratchPath(name: string): Promise<string> {
    const folder = join(this.location, SCRATCH);
    try {
      await mkdir(folder, { recursive: true });
    } catch (error) {
      throw writeError(folder, error);
    }
    return join(folder, `${randomUUID()}-${basename(name)}`);
  }

  async publish(scratchPath: string, key: string, beforeVisible?: () => void): Promise<boolean> {
    return await this.#write(key, async (path) => {
      // Durable before it is visible.
      await syncFile(scratchPath);
      beforeVisible?.();
      let published = this.#hardLinks ? await linkIfAbsent(scratchPath, path) : 'unsupported';
      if (published === 'unsupported') {
        // Without hard links a file that is complete when it appears matters more than a second one of the same name,
        // which the leases and unique names of the callers rule out.
        published = (await statIfPresent(path)) === undefined;
        if (published) await rename(scratchPath, path);
      }
      await syncFolder(dirname(path));
      await rm(scratchPath, { force: true });
      return published;
    });
  }

  async sweep(olderThanMs: number = DAY_MS): Promise<number> {
    const before = Date.now() - olderThanMs;
    return await this.#sweep(this.location, before);
  }

  async #sweep(folder: string, before: number): Promise<number> {
    let removed = 0;
    let entries: Awaited<ReturnType<typeof readdirTyped>>;
    try {
      entries = await readdirTyped(folder);
    } catch (error) {
      if (isAbsent(error)) return 0;
      throw readError(folder, error);
    }
    for (const entry of entries) {
      const path = join(folder, entry.name);
      const isTemporary = entry.name.startsWith(TEMPORARY) || basename(folder) === SCRATCH;
      if (entry.isDirectory() && !(isTemporary && entry.name !== SCRATCH)) removed += await this.#sweep(path, before);
      else if (isTemporary && ((await statIfPresent(path))?.mtimeMs ?? before) < before) {
        await rm(path, { recursive: true, force: true });
        removed++;
      }
    }
    return removed;
  }

  #path(key: string): string {
    assertKey(key);
    return join(this.location, key);
  }

  /** Runs a write, making the key's folder when it is missing; errors come out as what a user can mend. */
  async #write<T>(key: string, write: (path: string) => Promise<T>): Promise<T> {
    const path = this.#path(key);
    try {
      const folder = dirname(path);
      for (let attempt = 1; ; attempt++) {
        if (await isMissing(folder)) await makeFolder(folder);
        try {
          return await write(path);
        } catch (error) {
          // The folder went between the two (an empty one removed by a clean-up): once more.
          if (nativeCodeOf(error) !== 'ENOENT' || attempt === 2 || !(await isMissing(folder))) throw error;
        }
      }
    } catch (error) {
      throw writeError(path, error);
    }
  }
}

function readdirTyped(path: string) {
  return readdir(path, { withFileTypes: true });
}

async function statIfPresent(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw readError(path, error);
  }
}

async function isMissing(folder: string): Promise<boolean> {
  try {
    await stat(folder);
    return false;
  } catch (error) {
    return nativeCodeOf(error) === 'ENOENT';
  }
}

function notFound(path: string): CdcError {
  return new CdcError('store.not-found', `reading ${path}: it is not there`);
}
