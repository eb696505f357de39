/** A store in memory with a clock of its own: for leases, and to show that the contract is no property of folders. */

import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CdcError } from '../../src/core/errors.ts';
import { assertKey, compareKeys } from '../../src/core/store/key.ts';
import type { Store, StoredObject } from '../../src/core/store/store.ts';

interface Content {
  body: Buffer;
  modified: Date;
}

export class MemoryStore implements Store {
  readonly kind = 'bucket';
  readonly location: string;
  /** Milliseconds since 1970; tests move it. */
  time = Date.parse('2026-11-23T12:00:00Z');
  readonly #objects = new Map<string, Content>();
  #scratch: string | undefined;

  constructor(location = 'memory') {
    this.location = location;
  }

  async list(prefix: string, { after }: { after?: string } = {}): Promise<StoredObject[]> {
    return [...this.#objects.entries()]
      .filter(([key]) => key.startsWith(prefix) && (after === undefined || compareKeys(key, after) > 0))
      .map(([key, { body, modified }]) => ({ key, size: body.length, modified }))
      .sort((a, b) => compareKeys(a.key, b.key));
  }

  async listFolders(prefix: string): Promise<string[]> {
    const below = [...this.#objects.keys()]
      .filter((key) => key.startsWith(prefix))
      .map((key) => key.slice(prefix.length));
    const folders = below.filter((key) => key.includes('/')).map((key) => key.slice(0, key.indexOf('/')));
    return [...new Set(folders)].sort(compareKeys);
  }

  async stat(key: string): Promise<StoredObject | undefined> {
    const found = this.#objects.get(key);
    return found && { key, size: found.body.length, modified: found.modified };
  }

  async get(key: string): Promise<Buffer> {
    const found = await this.getIfPresent(key);
    if (found === undefined) throw new CdcError('store.not-found', `reading ${key}: it is not there`);
    return found;
  }

  async getIfPresent(key: string): Promise<Buffer | undefined> {
    return this.#objects.get(key)?.body;
  }

  async getRange(key: string, start: number, end: number): Promise<Buffer> {
    return (await this.get(key)).subarray(start, end);
  }

  async put(key: string, body: Buffer | string): Promise<void> {
    assertKey(key);
    this.#objects.set(key, { body: Buffer.from(body), modified: new Date(this.time) });
  }

  async putIfAbsent(key: string, body: Buffer | string): Promise<boolean> {
    if (this.#objects.has(key)) return false;
    await this.put(key, body);
    return true;
  }

  async putIfMatch(key: string, body: Buffer | string, tag: string): Promise<boolean> {
    if (this.#tag(key) !== tag) return false;
    await this.put(key, body);
    return true;
  }

  async delete(key: string): Promise<void> {
    this.#objects.delete(key);
  }

  async tagOf(key: string): Promise<string | undefined> {
    return this.#tag(key);
  }

  async now(): Promise<Date> {
    return new Date(this.time);
  }

  async materialise(key: string): Promise<string> {
    const path = join(this.#scratchFolder(), randomUUID());
    await writeFile(path, await this.get(key));
    return path;
  }

  async scratchPath(name: string): Promise<string> {
    return join(this.#scratchFolder(), `${randomUUID()}-${name}`);
  }

  async publish(scratchPath: string, key: string, beforeVisible?: () => void): Promise<boolean> {
    const body = await readFile(scratchPath);
    beforeVisible?.();
    await rm(scratchPath);
    return await this.putIfAbsent(key, body);
  }

  async sweep(): Promise<number> {
    return 0;
  }

  /** Made when a file is asked for: most tests need none. */
  #scratchFolder(): string {
    this.#scratch ??= mkdtempSync(join(tmpdir(), 'cdc-memory-'));
    return this.#scratch;
  }

  #tag(key: string): string | undefined {
    const found = this.#objects.get(key);
    return found && `sha256:${createHash('sha256').update(found.body).digest('hex')}`;
  }
}
