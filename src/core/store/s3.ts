/** The store over a bucket of S3, or a prefix of one. */

import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CdcError } from '../errors.ts';
import { FileCache } from './file-cache.ts';
import { assertKey, compareKeys, TEMPORARY } from './key.ts';
import type { Bucket, BucketObject, BucketOptions } from './s3-bucket.ts';
import { s3Error, statusOf } from './s3-error.ts';
import { type Condition, putFile, putSurely, type Written } from './s3-write.ts';
import { Slots } from './slots.ts';
import type { Store, StoredObject } from './store.ts';

export interface S3StoreOptions extends Omit<BucketOptions, 'bucket'> {
  /** Where copies of immutable objects and files on their way up lie, on this machine. */
  cacheFolder: string;
  cacheBytes?: number | undefined;
  cacheInUseMs?: number | undefined;
}

/** Requests at a time, and of those the ones that move files: each holds a part in memory. */
const CALLS = 32;
const TRANSFERS = 4;
/** A transfer that breaks off is begun again so often: the SDK does that only until the reply has begun. */
const DOWNLOADS = 5;
const DAY_MS = 86_400_000;
const CLOCK_AGE_MS = 5000;
/** A name with a UUID in it is given once: what is under it never changes. */
const GIVEN_ONCE = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;

/** What `publish` gives its files: under a prefix that others use too, an upload of another name is theirs. */
const UPLOADED =
  /(^|\/)(part-[0-9a-f-]{36}\.zstd\.parquet|\d{8}-\d{9}\.csv|LOAD[0-9A-F]{8,}\.csv|\d{20}\.checkpoint\.parquet)$/;

/** Asks nothing yet: whether the bucket is there is found at the first call. `prefix` without slashes at its ends. */
export function openS3Store(place: { bucket: string; prefix: string }, options: S3StoreOptions): Store {
  return new S3Store(place, options);
}

class S3Store implements Store {
  readonly kind = 'bucket';
  readonly location: string;
  readonly #name: string;
  /** Of every key: empty, or ends in `/`. */
  readonly #root: string;
  readonly #options: S3StoreOptions;
  readonly #cache: FileCache;
  readonly #calls = new Slots(CALLS);
  readonly #transfers = new Slots(TRANSFERS);
  /** Copies that are on their way, by name in the cache. */
  readonly #fetching = new Map<string, Promise<string>>();
  #opened: Promise<Bucket> | undefined;

  constructor({ bucket, prefix }: { bucket: string; prefix: string }, options: S3StoreOptions) {
    this.#name = bucket;
    this.#root = prefix === '' ? '' : `${prefix}/`;
    this.location = `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`;
    this.#options = options;
    const { cacheFolder, cacheBytes, cacheInUseMs } = options;
    this.#cache = new FileCache({ folder: cacheFolder, limitBytes: cacheBytes, inUseMs: cacheInUseMs });
  }

  async list(prefix: string, { after }: { after?: string } = {}): Promise<StoredObject[]> {
    const objects: StoredObject[] = [];
    const from = after === undefined ? {} : { after: this.#root + after };
    await this.#pages(prefix, { prefix: this.#root + prefix, ...from }, (page) => {
      for (const object of page.objects) {
        const key = object.key.slice(this.#root.length);
        // The console makes empty objects for folders; what is hidden or no key of ours is somebody else's.
        if (isKey(key)) objects.push(this.#stored(key, object));
      }
    });
    return objects;
  }

  async listFolders(prefix: string): Promise<string[]> {
    const names: string[] = [];
    const root = this.#root + prefix;
    await this.#pages(prefix, { prefix: root, delimiter: '/' }, ({ prefixes }) => {
      for (const one of prefixes) {
        const name = one.slice(root.length, -1);
        if (isKey(name)) names.push(name);
      }
    });
    // S3 sorts them with the slash at their end.
    return names.sort(compareKeys);
  }

  async #pages(
    prefix: string,
    request: { prefix: string; after?: string; delimiter?: string },
    take: (page: { objects: BucketObject[]; prefixes: string[] }) => void,
  ): Promise<void> {
    let token: string | undefined;
    do {
      const page = await this.#ask(`listing ${this.location}/${prefix}`, false, (bucket) =>
        bucket.list({ ...request, token }),
      );
      take(page);
      token = page.token;
    } while (token !== undefined);
  }

  async stat(key: string): Promise<StoredObject | undefined> {
    const found = await this.#head(key);
    return found && this.#stored(key, found);
  }

  async tagOf(key: string): Promise<string | undefined> {
    return (await this.#head(key))?.tag;
  }

  async get(key: string): Promise<Buffer> {
    const body = await this.getIfPresent(key);
    if (body === undefined) throw this.#notFound(key);
    return body;
  }

  async getIfPresent(key: string): Promise<Buffer | undefined> {
    return await this.#read(key, {}, collect);
  }

  async getRange(key: string, start: number, end: number): Promise<Buffer> {
    if (end <= start) return Buffer.alloc(0);
    try {
      const body = await this.#read(key, { range: `${start}-${end - 1}` }, collect);
      if (body !== undefined) return body;
    } catch (error) {
      // It ends before the range begins.
      if (error instanceof CdcError && statusOf(error.cause) === 416) return Buffer.alloc(0);
      throw error;
    }
    throw this.#notFound(key);
  }

  async put(key: string, body: Buffer | string): Promise<void> {
    await this.#putWhen(key, body);
  }

  async putIfAbsent(key: string, body: Buffer | string): Promise<boolean> {
    return (await this.#putWhen(key, body, { ifAbsent: true })) !== undefined;
  }

  async putIfMatch(key: string, body: Buffer | string, tag: string): Promise<boolean> {
    return (await this.#putWhen(key, body, { ifMatch: tag })) !== undefined;
  }

  async #putWhen(key: string, body: Buffer | string, when?: Condition): Promise<Written> {
    const path = this.#path(key);
    return await this.#ask(`writing ${this.location}/${key}`, true, (bucket) =>
      // Commit point: the service lets one writer through.
      putSurely(bucket, path, Buffer.from(body), when),
    );
  }

  async delete(key: string): Promise<void> {
    const path = this.#path(key);
    await this.#ask(`deleting ${this.location}/${key}`, true, (bucket) => bucket.delete(path));
  }

  /** By the last answer of the service, whole seconds as its times of objects are; asked anew when that is a while ago. */
  async now(): Promise<Date> {
    const bucket = await this.#bucket();
    if (bucket.clock(CLOCK_AGE_MS) === undefined) await this.#head('_cdc/clock');
    return new Date(Math.floor((bucket.clock(CLOCK_AGE_MS) ?? Date.now()) / 1000) * 1000);
  }

  async materialise(key: string): Promise<string> {
    for (let attempt = 1; ; attempt++)
      try {
        return await this.#materialise(key);
      } catch (error) {
        // Replaced between looking and reading (a table loaded anew by DMS).
        const isReplaced = error instanceof CdcError && statusOf(error.cause) === 412;
        if (!isReplaced || attempt === DOWNLOADS) throw error;
      }
  }

  async #materialise(key: string): Promise<string> {
    const isGivenOnce = GIVEN_ONCE.test(basename(key));
    const found = isGivenOnce ? undefined : await this.#head(key);
    if (!isGivenOnce && found === undefined) throw this.#notFound(key);
    const name = this.#cacheName(key, found?.tag);
    const copy = await this.#cache.find(name);
    if (copy !== undefined) return copy;
    // Several ask for the same file at once: it comes once.
    const fetching = this.#fetching.get(name) ?? this.#fetch(key, name, found?.tag);
    this.#fetching.set(name, fetching);
    try {
      return await fetching;
    } finally {
      this.#fetching.delete(name);
    }
  }

  async #fetch(key: string, name: string, tag: string | undefined): Promise<string> {
    const scratch = await this.#cache.scratchPath(basename(key));
    try {
      const isThere = await this.#transfers.run(() =>
        this.#read(key, tag === undefined ? {} : { ifMatch: tag }, async (body) => {
          await pipeline(body, createWriteStream(scratch));
          return true;
        }),
      );
      if (isThere === undefined) throw this.#notFound(key);
      return await this.#cache.adopt(scratch, name);
    } finally {
      await rm(scratch, { force: true });
    }
  }

  async scratchPath(name: string): Promise<string> {
    return await this.#cache.scratchPath(basename(name));
  }

  async publish(scratchPath: string, key: string, beforeVisible?: () => void): Promise<boolean> {
    const path = this.#path(key);
    // Outside of the slots for calls: its parts take slots of their own.
    const written = await this.#guard(`writing ${this.location}/${key}`, true, async () =>
      putFile(await this.#bucket(), path, scratchPath, { beforeVisible, slots: this.#transfers }),
    );
    if (written === undefined) await rm(scratchPath, { force: true });
    // What was written here is soon read here: the file becomes the copy, and is never fetched.
    else await this.#cache.adopt(scratchPath, this.#cacheName(key, written.tag));
    return written !== undefined;
  }

  async sweep(olderThanMs: number = DAY_MS): Promise<number> {
    let removed = await this.#cache.sweep(olderThanMs);
    const before = (await this.now()).getTime() - olderThanMs;
    const doing = `clearing ${this.location} of unfinished uploads`;
    for (const { key, uploadId, begun } of await this.#ask(doing, true, (bucket) => bucket.listUploads(this.#root))) {
      if (begun.getTime() > before || !UPLOADED.test(key)) continue;
      await this.#ask(doing, true, (bucket) => bucket.abortUpload(key, uploadId));
      removed++;
    }
    return removed;
  }

  async #head(key: string): Promise<BucketObject | undefined> {
    const path = this.#path(key);
    return await this.#ask(`reading ${this.location}/${key}`, false, (bucket) => bucket.head(path));
  }

  /** Reads a body with `use`, again from its beginning when it breaks off; undefined when it is not there. */
  async #read<T>(
    key: string,
    request: { range?: string; ifMatch?: string },
    use: (body: Readable, size: number) => Promise<T>,
  ): Promise<T | undefined> {
    const path = this.#path(key);
    return await this.#ask(`reading ${this.location}/${key}`, false, async (bucket) => {
      for (let attempt = 1; ; attempt++) {
        const reply = await bucket.get(path, request);
        if (reply === undefined) return undefined;
        try {
          return await use(reply.body, reply.size);
        } catch (error) {
          if (attempt === DOWNLOADS) throw error;
        }
      }
    });
  }

  #ask<T>(doing: string, writes: boolean, call: (bucket: Bucket) => Promise<T>): Promise<T> {
    return this.#guard(doing, writes, async () => {
      const bucket = await this.#bucket();
      return await this.#calls.run(() => call(bucket));
    });
  }

  async #guard<T>(doing: string, writes: boolean, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw s3Error(error, { doing, bucket: this.#name, writes });
    }
  }

  /** The SDK is dear to load, and many commands ask no bucket. */
  #bucket(): Promise<Bucket> {
    const { region, profile, pathStyle } = this.#options;
    this.#opened ??= import('./s3-bucket.ts').then(
      ({ Bucket }) => new Bucket({ bucket: this.#name, region, profile, pathStyle }),
    );
    return this.#opened;
  }

  #path(key: string): string {
    assertKey(key);
    return this.#root + key;
  }

  #stored(key: string, { size, modified, tag }: BucketObject): StoredObject {
    return { key, size, modified, tag };
  }

  /** By content where the name may be used again; the object's own name is its end, for engines go by endings. */
  #cacheName(key: string, tag: string | undefined): string {
    const content = GIVEN_ONCE.test(basename(key)) ? '' : `\n${tag}`;
    const hash = createHash('sha256').update(`${this.location}/${key}${content}`).digest('hex');
    return `${hash.slice(0, 32)}-${basename(key)}`;
  }

  #notFound(key: string): CdcError {
    return new CdcError('store.not-found', `reading ${this.location}/${key}: it is not there`);
  }
}

function isKey(key: string): boolean {
  return key.split('/').every((part) => part !== '' && part !== '.' && part !== '..' && !part.startsWith(TEMPORARY));
}

async function collect(body: Readable, size: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(Buffer.from(chunk));
  const bytes = Buffer.concat(chunks);
  if (bytes.length < size) throw new Error(`${bytes.length} of ${size} bytes came`);
  return bytes;
}
