/** A store as Python has it, behind the port of the TypeScript stores: what only an engine asks is done by a TypeScript store at the same place. */

import { z } from 'zod';
import type { Store, StoredObject } from '../../src/core/store/store.ts';
import type { CdcMergeChild } from './cdc-merge-child.ts';

const storedObject = z
  .object({ key: z.string(), size: z.number(), modified: z.number(), tag: z.string().nullable() })
  .transform(
    ({ modified, tag, ...rest }): StoredObject => ({
      ...rest,
      modified: new Date(modified),
      ...(tag === null ? {} : { tag }),
    }),
  );
const bytes = z.string().transform((text) => Buffer.from(text, 'base64'));

export class PythonStore implements Store {
  readonly kind: Store['kind'];
  readonly location: string;
  readonly #child: CdcMergeChild;
  readonly #twin: Store;
  readonly #options: Record<string, unknown>;

  /** `twin`: the TypeScript store at the same place. */
  constructor(child: CdcMergeChild, twin: Store, options: { hard_links?: boolean } = {}) {
    this.#child = child;
    this.#twin = twin;
    this.#options = options;
    this.kind = twin.kind;
    this.location = twin.location;
  }

  async #ask<T>(schema: z.ZodType<T>, method: string, given: Record<string, unknown>): Promise<T> {
    const question = { location: this.location, method, arguments: given, ...this.#options };
    return schema.parse(await this.#child.ask('store', question));
  }

  list(prefix: string, { after }: { after?: string } = {}): Promise<StoredObject[]> {
    return this.#ask(z.array(storedObject), 'list', { prefix, ...(after === undefined ? {} : { after }) });
  }

  listFolders(prefix: string): Promise<string[]> {
    return this.#ask(z.array(z.string()), 'list_folders', { prefix });
  }

  async stat(key: string): Promise<StoredObject | undefined> {
    return (await this.#ask(storedObject.nullable(), 'stat', { key })) ?? undefined;
  }

  get(key: string): Promise<Buffer> {
    return this.#ask(bytes, 'get', { key });
  }

  async getIfPresent(key: string): Promise<Buffer | undefined> {
    return (await this.#ask(bytes.nullable(), 'get_if_present', { key })) ?? undefined;
  }

  getRange(key: string, start: number, end: number): Promise<Buffer> {
    return this.#ask(bytes, 'get_range', { key, start, end });
  }

  async put(key: string, body: Buffer | string): Promise<void> {
    await this.#ask(z.null(), 'put', { key, body: encoded(body) });
  }

  putIfAbsent(key: string, body: Buffer | string): Promise<boolean> {
    return this.#ask(z.boolean(), 'put_if_absent', { key, body: encoded(body) });
  }

  putIfMatch(key: string, body: Buffer | string, tag: string): Promise<boolean> {
    return this.#ask(z.boolean(), 'put_if_match', { key, body: encoded(body), tag });
  }

  async delete(key: string): Promise<void> {
    await this.#ask(z.null(), 'delete', { key });
  }

  async tagOf(key: string): Promise<string | undefined> {
    return (await this.#ask(z.string().nullable(), 'tag_of', { key })) ?? undefined;
  }

  async now(): Promise<Date> {
    return new Date(await this.#ask(z.number(), 'now', {}));
  }

  materialise(key: string): Promise<string> {
    return this.#twin.materialise(key);
  }

  scratchPath(name: string): Promise<string> {
    return this.#twin.scratchPath(name);
  }

  publish(scratchPath: string, key: string, beforeVisible?: () => void): Promise<boolean> {
    return this.#twin.publish(scratchPath, key, beforeVisible);
  }

  sweep(olderThanMs?: number): Promise<number> {
    return this.#twin.sweep(olderThanMs);
  }
}

function encoded(body: Buffer | string): string {
  return Buffer.from(body).toString('base64');
}
