/** The actions of a Delta log: their types, and the line of a commit that each of them is. */

import { z } from 'zod';
import { parseRawJson, type RawJson, rawJson } from './raw-json.ts';

/** A table's own files hold one version of protocol and schema each; `configuration` are the table's properties. */
export interface MetaData {
  /** A uuid, constant for the table's life. */
  id: string;
  name?: string | undefined;
  description?: string | undefined;
  format: { provider: string; options: Record<string, string> };
  schemaString: string;
  partitionColumns: string[];
  createdTime?: number | undefined;
  configuration: Record<string, string>;
}

export interface Protocol {
  minReaderVersion: number;
  minWriterVersion: number;
  readerFeatures?: string[] | undefined;
  writerFeatures?: string[] | undefined;
}

/** Rows of a file that count as deleted. */
export interface DeletionVector {
  storageType: string;
  pathOrInlineDv: string;
  offset?: number | undefined;
  sizeInBytes: number;
  cardinality: number;
}

export interface AddFile {
  /** As the log has it: relative to the table and percent-encoded (`objectPath` decodes it), or a URI of another place. */
  path: string;
  partitionValues: Record<string, string | null>;
  /** Bytes. */
  size: number;
  /** Milliseconds since 1970. */
  modificationTime: number;
  dataChange: boolean;
  /** JSON text: `{"numRecords":…,"minValues":{…},"maxValues":{…},"nullCount":{…}}`. */
  stats?: string | undefined;
  tags?: Record<string, string | null> | undefined;
  deletionVector?: DeletionVector | undefined;
}

export interface RemoveFile {
  path: string;
  /** Milliseconds since 1970; the file may be deleted when the table's retention has passed since. */
  deletionTimestamp?: number | undefined;
  dataChange: boolean;
  extendedFileMetadata?: boolean | undefined;
  partitionValues?: Record<string, string | null> | undefined;
  size?: number | undefined;
  deletionVector?: DeletionVector | undefined;
}

/** The exactly-once ledger: the last batch of an application that is in the table. */
export interface Txn {
  appId: string;
  version: bigint;
  lastUpdated?: number | undefined;
}

export type CommitInfo = Record<string, RawJson>;

/** One line of a commit. `other`: an action this version neither reads nor writes. */
export type Action =
  | { commitInfo: CommitInfo }
  | { protocol: Protocol }
  | { metaData: MetaData }
  | { add: AddFile }
  | { remove: RemoveFile }
  | { txn: Txn }
  | { other: string };

const text = z.string();
const count = z.int();
/** Parquet checkpoints say null where JSON says nothing. */
const optional = <T extends z.ZodType>(type: T) => type.nullish().transform((value) => value ?? undefined);

const texts = z.record(text, text);
const nullableTexts = z.record(text, text.nullable());

const deletionVector = z.object({
  storageType: text,
  pathOrInlineDv: text,
  offset: optional(count),
  sizeInBytes: count,
  cardinality: count,
});

const metaData = z.object({
  id: text,
  name: optional(text),
  description: optional(text),
  format: z.object({ provider: text, options: texts.nullish().transform((options) => options ?? {}) }),
  schemaString: text,
  partitionColumns: z.array(text),
  createdTime: optional(count),
  configuration: texts.nullish().transform((configuration) => configuration ?? {}),
});

const protocol = z.object({
  minReaderVersion: count,
  minWriterVersion: count,
  readerFeatures: optional(z.array(text)),
  writerFeatures: optional(z.array(text)),
});

const add = z.object({
  path: text,
  partitionValues: nullableTexts,
  size: count,
  modificationTime: count,
  dataChange: z.boolean(),
  stats: optional(text),
  tags: optional(nullableTexts),
  deletionVector: optional(deletionVector),
});

const remove = z.object({
  path: text,
  deletionTimestamp: optional(count),
  dataChange: z.boolean(),
  extendedFileMetadata: optional(z.boolean()),
  partitionValues: optional(nullableTexts),
  size: optional(count),
  deletionVector: optional(deletionVector),
});

const txn = z.object({
  appId: text,
  version: z.union([z.bigint(), count]).transform(BigInt),
  lastUpdated: optional(count),
});

const line = z.looseObject({});

/** Reads one action from its JSON form; throws SyntaxError or zod's error. Unknown actions and members are passed over, as the format asks. */
export function actionFromJson(json: unknown): Action {
  const object = line.parse(json);
  if (object.add != null) return { add: add.parse(object.add) };
  if (object.remove != null) return { remove: remove.parse(object.remove) };
  if (object.txn != null) return { txn: txn.parse(object.txn) };
  if (object.metaData != null) return { metaData: metaData.parse(object.metaData) };
  if (object.protocol != null) return { protocol: protocol.parse(object.protocol) };
  if (object.commitInfo != null) return { commitInfo: commitInfoFromJson(object.commitInfo) };
  return { other: Object.keys(object)[0] ?? '' };
}

const commitInfo = z.record(text, z.custom<RawJson>());

function commitInfoFromJson(json: unknown): CommitInfo {
  return commitInfo.parse(json);
}

/** The lines of a commit. */
export function parseActions(body: string): Action[] {
  return body
    .split('\n')
    .filter((content) => content.trim() !== '')
    .map((content) => actionFromJson(parseRawJson(content)));
}

/** The bytes of a commit: one action a line, each line ended. */
export function formatActions(actions: readonly Action[]): string {
  return actions.map((action) => `${rawJson(action)}\n`).join('');
}

/** What tells two entries for one file apart: the path, and which deletion vector it has. */
export function fileKey(file: { path: string; deletionVector?: DeletionVector | undefined }): string {
  const vector = file.deletionVector;
  if (vector === undefined) return file.path;
  const offset = vector.offset === undefined ? '' : `@${vector.offset}`;
  return `${file.path}|${vector.storageType}${vector.pathOrInlineDv}${offset}`;
}

/** The file's key below the table's folder; undefined for a file elsewhere (a shallow clone's). */
export function objectPath(path: string): string | undefined {
  if (/^([a-z][a-z0-9+.-]*:|\/)/i.test(path)) return undefined;
  return decodeURIComponent(path);
}
