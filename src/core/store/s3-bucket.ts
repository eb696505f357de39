/** The few calls of S3 that the store makes: the only file of it that knows the SDK, loaded when a bucket is first asked. */

import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { statusOf } from './s3-error.ts';

export interface BucketOptions {
  bucket: string;
  /** As the SDK finds it unless told. */
  region?: string | undefined;
  profile?: string | undefined;
  /** `http://host/bucket/key`: what stores that are not Amazon's need. */
  pathStyle?: boolean | undefined;
}

export interface BucketObject {
  key: string;
  size: number;
  modified: Date;
  /** The ETag without its quotes. */
  tag: string;
}

/** Of a write: what must be so, if anything, and the id by which it is known again when its reply is lost. */
export interface WriteCondition {
  ifAbsent?: boolean;
  /** A tag. */
  ifMatch?: string;
  writeId: string;
}

/** The id of the write that made an object, in its metadata. */
const WRITE_ID = 'cdc-write';
const MAX_ATTEMPTS = 5;

export class Bucket {
  readonly #client: S3Client;
  readonly #bucket: string;
  /** The last answer: when the service sent it, and when it came by this process's own clock, which never goes back. */
  #answered: { date: number; at: number } | undefined;

  constructor({ bucket, region, profile, pathStyle }: BucketOptions) {
    this.#bucket = bucket;
    this.#client = new S3Client({
      ...(region === undefined ? {} : { region }),
      ...(profile === undefined ? {} : { profile }),
      ...(pathStyle === undefined ? {} : { forcePathStyle: pathStyle }),
      // A bucket may lie in another region than everything else.
      followRegionRedirects: true,
      maxAttempts: MAX_ATTEMPTS,
      retryMode: 'standard',
      // A reply that never comes is tried again, not waited for.
      requestHandler: { connectionTimeout: 10_000, socketTimeout: 30_000 },
    });
    this.#client.middlewareStack.add(
      (next) => async (args) => {
        const reply = await next(args).catch((error: unknown) => {
          this.#noteDate(error);
          throw error;
        });
        this.#noteDate(reply);
        return reply;
      },
      // Within the SDK's own reading of the reply, where its headers still are.
      { step: 'deserialize', priority: 'low', name: 'cdcClock' },
    );
  }

  /** One page of a listing. */
  async list(request: { prefix: string; after?: string; delimiter?: string; token?: string | undefined }): Promise<{
    objects: BucketObject[];
    prefixes: string[];
    token: string | undefined;
  }> {
    const { prefix, after, delimiter, token } = request;
    const reply = await this.#client.send(
      new ListObjectsV2Command({
        Bucket: this.#bucket,
        Prefix: prefix,
        ...(after === undefined ? {} : { StartAfter: after }),
        ...(delimiter === undefined ? {} : { Delimiter: delimiter }),
        ...(token === undefined ? {} : { ContinuationToken: token }),
      }),
    );
    return {
      objects: (reply.Contents ?? []).flatMap(({ Key, Size, LastModified, ETag }) =>
        Key === undefined ? [] : [objectOf(Key, Size, LastModified, ETag)],
      ),
      prefixes: (reply.CommonPrefixes ?? []).flatMap(({ Prefix }) => Prefix ?? []),
      token: reply.IsTruncated === true ? reply.NextContinuationToken : undefined,
    };
  }

  /** undefined when it is not there. */
  async head(key: string): Promise<(BucketObject & { writeId: string | undefined }) | undefined> {
    const reply = await unlessAbsent(this.#client.send(new HeadObjectCommand({ Bucket: this.#bucket, Key: key })));
    if (reply === undefined) return undefined;
    return {
      ...objectOf(key, reply.ContentLength, reply.LastModified, reply.ETag),
      writeId: reply.Metadata?.[WRITE_ID],
    };
  }

  /** Its bytes as they come; `range` is `start-end`, the end inclusive; `ifMatch` a tag. undefined when it is not there. */
  async get(
    key: string,
    { range, ifMatch }: { range?: string; ifMatch?: string } = {},
  ): Promise<{ body: Readable; size: number } | undefined> {
    const reply = await unlessAbsent(
      this.#client.send(
        new GetObjectCommand({
          Bucket: this.#bucket,
          Key: key,
          ...(range === undefined ? {} : { Range: `bytes=${range}` }),
          ...(ifMatch === undefined ? {} : { IfMatch: quoted(ifMatch) }),
        }),
      ),
    );
    if (reply === undefined) return undefined;
    if (reply.Body === undefined || !('pipe' in reply.Body)) throw new Error(`the reply for ${key} has no body`);
    return { body: reply.Body, size: reply.ContentLength ?? 0 };
  }

  /** Returns the new content's tag. */
  async put(key: string, body: Buffer, condition: WriteCondition): Promise<string> {
    const reply = await this.#client.send(
      new PutObjectCommand({ Bucket: this.#bucket, Key: key, Body: body, ...marked(condition), ...asked(condition) }),
    );
    return unquoted(reply.ETag);
  }

  async delete(key: string): Promise<void> {
    await unlessAbsent(this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: key })));
  }

  /** Begins an upload in parts, of which nothing is visible before `completeUpload`. */
  async beginUpload(key: string, condition: WriteCondition): Promise<string> {
    const reply = await this.#client.send(
      new CreateMultipartUploadCommand({ Bucket: this.#bucket, Key: key, ...marked(condition) }),
    );
    if (reply.UploadId === undefined) throw new Error(`the upload of ${key} has no id`);
    return reply.UploadId;
  }

  /** `part` counts from 1. Returns its tag. */
  async uploadPart(key: string, uploadId: string, part: number, body: Buffer): Promise<string> {
    const reply = await this.#client.send(
      new UploadPartCommand({ Bucket: this.#bucket, Key: key, UploadId: uploadId, PartNumber: part, Body: body }),
    );
    return unquoted(reply.ETag);
  }

  async completeUpload(
    key: string,
    uploadId: string,
    parts: readonly string[],
    condition: WriteCondition,
  ): Promise<string> {
    const reply = await this.#client.send(
      new CompleteMultipartUploadCommand({
        Bucket: this.#bucket,
        Key: key,
        UploadId: uploadId,
        MultipartUpload: { Parts: parts.map((tag, index) => ({ PartNumber: index + 1, ETag: quoted(tag) })) },
        ...asked(condition),
      }),
    );
    return unquoted(reply.ETag);
  }

  async abortUpload(key: string, uploadId: string): Promise<void> {
    await unlessAbsent(
      this.#client.send(new AbortMultipartUploadCommand({ Bucket: this.#bucket, Key: key, UploadId: uploadId })),
    );
  }

  /** Uploads that are not complete; some of them where there are very many. */
  async listUploads(prefix: string): Promise<{ key: string; uploadId: string; begun: Date }[]> {
    const reply = await this.#client.send(new ListMultipartUploadsCommand({ Bucket: this.#bucket, Prefix: prefix }));
    return (reply.Uploads ?? []).flatMap(({ Key, UploadId, Initiated }) =>
      Key === undefined || UploadId === undefined
        ? []
        : [{ key: Key, uploadId: UploadId, begun: Initiated ?? new Date() }],
    );
  }

  /** The service's clock in milliseconds, by an answer not older than `maxAgeMs`; undefined where there is none. */
  clock(maxAgeMs: number): number | undefined {
    if (this.#answered === undefined) return undefined;
    const age = performance.now() - this.#answered.at;
    return age > maxAgeMs ? undefined : this.#answered.date + age;
  }

  #noteDate(reply: unknown): void {
    const headers = headersOf(reply);
    const date = Date.parse(headers?.date ?? '');
    if (!Number.isNaN(date)) this.#answered = { date, at: performance.now() };
  }
}

/** S3's times in listings are whole seconds, as those of its headers; some stores list fractions, and one object must have one time. */
function objectOf(key: string, size = 0, modified = new Date(0), tag: string | undefined): BucketObject {
  return { key, size, modified: new Date(Math.floor(modified.getTime() / 1000) * 1000), tag: unquoted(tag) };
}

function asked(condition: WriteCondition): { IfNoneMatch?: string; IfMatch?: string } {
  return {
    ...(condition.ifAbsent === true ? { IfNoneMatch: '*' } : {}),
    ...(condition.ifMatch === undefined ? {} : { IfMatch: quoted(condition.ifMatch) }),
  };
}

function marked(condition: WriteCondition): { Metadata: Record<string, string> } {
  return { Metadata: { [WRITE_ID]: condition.writeId } };
}

function quoted(tag: string): string {
  return `"${tag}"`;
}

function unquoted(tag: string | undefined): string {
  return (tag ?? '').replace(/^"|"$/g, '');
}

async function unlessAbsent<T>(reply: Promise<T>): Promise<T | undefined> {
  try {
    return await reply;
  } catch (error) {
    if (statusOf(error) === 404 && !(error instanceof Error && error.name === 'NoSuchBucket')) return undefined;
    throw error;
  }
}

function headersOf(reply: unknown): { date?: string } | undefined {
  if (typeof reply !== 'object' || reply === null) return undefined;
  const response = 'response' in reply ? reply.response : '$response' in reply ? reply.$response : undefined;
  if (typeof response !== 'object' || response === null || !('headers' in response)) return undefined;
  const { headers } = response;
  if (typeof headers !== 'object' || headers === null) return undefined;
  return 'date' in headers && typeof headers.date === 'string' ? { date: headers.date } : undefined;
}
