/** Where change files and lake tables live: one port over folders and S3. Keys use `/` and are relative to the store's root. */

export interface StoredObject {
  key: string;
  /** Bytes. */
  size: number;
  modified: Date;
  /** As `tagOf` gives it, where a listing tells it (S3). */
  tag?: string;
}

export interface Store {
  /** A folder of this machine, or a bucket, where every call costs time and money and no folder needs to be made or removed. */
  readonly kind: 'folder' | 'bucket';

  /** For messages: a folder's path or `s3://bucket/prefix`. */
  readonly location: string;

  /** Objects whose key begins with the prefix, in byte order of their keys; a prefix that does not exist is empty. `after`: only greater keys. */
  list(prefix: string, options?: { after?: string }): Promise<StoredObject[]>;

  /** The names right below a folder prefix (ending in `/`): of folders (without `/`) — how schemas and tables are found. */
  listFolders(prefix: string): Promise<string[]>;

  /** undefined when it is not there. */
  stat(key: string): Promise<StoredObject | undefined>;

  /** Throws CdcError `store.not-found`. */
  get(key: string): Promise<Buffer>;

  /** undefined when it is not there. */
  getIfPresent(key: string): Promise<Buffer | undefined>;

  /** Bytes from `start` to `end` (exclusive), cut at the object's end. */
  getRange(key: string, start: number, end: number): Promise<Buffer>;

  /** Writes or replaces; a reader sees the old or the new whole object. Durable when it returns. */
  put(key: string, body: Buffer | string): Promise<void>;

  /** Writes only where nothing is: true when this call wrote it, false when something is there. Durable when it returns. */
  putIfAbsent(key: string, body: Buffer | string): Promise<boolean>;

  /** Replaces only the content that `tag` names (from `tagOf`); false when it is another one by now. */
  putIfMatch(key: string, body: Buffer | string, tag: string): Promise<boolean>;

  /** Removes; an absent key is no error. */
  delete(key: string): Promise<void>;

  /** What identifies the object's content: the ETag on S3 (without its quotes), `sha256:<hex>` on folders. undefined when it is not there. */
  tagOf(key: string): Promise<string | undefined>;

  /** The store's clock, for leases. */
  now(): Promise<Date>;

  /** A local file with the content of an immutable object, for DuckDB. */
  materialise(key: string): Promise<string>;

  /** A new path for a local file that `publish` will take; its folder exists. */
  scratchPath(name: string): Promise<string>;

  /**
   * Makes a finished local file visible under its final name, put-if-absent and durable (folder: fsync, link, fsync of the
   * folder), and removes the scratch file. `beforeVisible` runs between the two. False when the key is taken.
   */
  publish(scratchPath: string, key: string, beforeVisible?: () => void): Promise<boolean>;

  /** Removes what killed processes left (temporary and scratch files, unfinished uploads), older than a day unless told; says how many. */
  sweep(olderThanMs?: number): Promise<number>;
}
