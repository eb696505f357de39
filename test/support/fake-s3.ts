/**
 * A bucket service in this process with a bad day when it is told so: it lists late, loses replies, and answers 409, 412 and
 * 503 as the real one may. It knows what the store asks of S3, and nothing else.
 */

import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Kept {
  body: Buffer;
  etag: string;
  modified: Date;
  metadata: Record<string, string>;
}

/** What happens to a write or a read; each is used up once. */
export type Mishap =
  /** Done, and the connection ends without an answer. */
  | 'lost-reply'
  /** Not done, and the connection ends without an answer. */
  | 'lost-request'
  /** Done, and 503 says that it was not. */
  | 'done-503'
  | '503'
  /** Not done: `ConditionalRequestConflict`. */
  | '409'
  /** The body of the answer ends half-way. */
  | 'cut';

export interface Asked {
  method: string;
  key: string;
  query: URLSearchParams;
  /** Bytes of the bodies. */
  up: number;
  down: number;
}

export class FakeS3 {
  readonly url: string;
  /** Of every request, in order. */
  readonly asked: Asked[] = [];
  /** So long a listing does not know of a change. */
  listsLateMs = 0;
  /** Asked of each request. */
  mishap: (asked: Asked) => Mishap | undefined = () => undefined;
  readonly #objects = new Map<string, Kept>();
  /** Changes that listings do not show yet: what was there before. */
  readonly #recent: { key: string; at: number; before: Kept | undefined }[] = [];
  readonly #uploads = new Map<string, { key: string; parts: Map<number, Buffer>; metadata: Record<string, string> }>();
  readonly #close: () => Promise<void>;

  private constructor(url: string, close: () => Promise<void>) {
    this.url = url;
    this.#close = close;
  }

  static async start(): Promise<FakeS3> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const fake = new FakeS3(`http://127.0.0.1:${port}`, async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    server.on('request', (request, response) => void fake.#serve(request, response));
    return fake;
  }

  stop(): Promise<void> {
    return this.#close();
  }

  /** Uploads in parts that are neither complete nor given up. */
  get uploads(): number {
    return this.#uploads.size;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams: query } = new URL(request.url ?? '', this.url);
    // The first part is the bucket.
    const key = decodeURIComponent(pathname.split('/').slice(2).join('/'));
    const body = await bodyOf(request);
    const asked: Asked = { method: request.method ?? '', key, query, up: body.length, down: 0 };
    this.asked.push(asked);
    const mishap = this.mishap(asked);
    if (mishap === 'lost-request') return void request.socket.destroy();
    if (mishap === '503') return answer(response, 503, failure('SlowDown'));
    if (mishap === '409') return answer(response, 409, failure('ConditionalRequestConflict'));
    const reply = this.#answer(asked, request, body);
    if (mishap === 'lost-reply') return void request.socket.destroy();
    if (mishap === 'done-503') return answer(response, 503, failure('InternalError'));
    if (mishap === 'cut') {
      response.writeHead(reply.status, { ...reply.headers, 'content-length': reply.body.length });
      response.write(reply.body.subarray(0, Math.floor(reply.body.length / 2)));
      return void setTimeout(() => request.socket.destroy(), 5);
    }
    response.writeHead(reply.status, {
      ...reply.headers,
      'content-length': reply.headers['content-length'] ?? reply.body.length,
    });
    asked.down = request.method === 'HEAD' ? 0 : reply.body.length;
    response.end(request.method === 'HEAD' ? undefined : reply.body);
  }

  #answer({ method, key, query }: Asked, request: IncomingMessage, body: Buffer): Reply {
    if (key === '') return query.has('uploads') ? this.#listUploads() : this.#list(query);
    const uploadId = query.get('uploadId') ?? '';
    if (method === 'POST' && query.has('uploads')) {
      const id = randomUUID();
      this.#uploads.set(id, { key, parts: new Map(), metadata: metadataOf(request) });
      return xml(200, `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
    }
    if (uploadId !== '') {
      const upload = this.#uploads.get(uploadId);
      if (upload === undefined) return xml(404, failure('NoSuchUpload'));
      if (method === 'DELETE') {
        this.#uploads.delete(uploadId);
        return xml(204, '');
      }
      if (method === 'PUT') {
        upload.parts.set(Number(query.get('partNumber')), body);
        return { ...xml(200, ''), headers: { etag: `"${md5(body)}"` } };
      }
      const parts = [...upload.parts].sort(([a], [b]) => a - b).map(([, part]) => part);
      const etag = `${md5(Buffer.concat(parts.map((part) => Buffer.from(md5(part), 'hex'))))}-${parts.length}`;
      const refused = this.#refuses(key, request);
      if (refused !== undefined) return refused;
      this.#uploads.delete(uploadId);
      this.#keep(key, { body: Buffer.concat(parts), etag, modified: wholeSecond(), metadata: upload.metadata });
      return xml(200, `<CompleteMultipartUploadResult><ETag>"${etag}"</ETag></CompleteMultipartUploadResult>`);
    }
    if (method === 'PUT') {
      const refused = this.#refuses(key, request);
      if (refused !== undefined) return refused;
      this.#keep(key, { body, etag: md5(body), modified: wholeSecond(), metadata: metadataOf(request) });
      return { ...xml(200, ''), headers: { etag: `"${md5(body)}"` } };
    }
    if (method === 'DELETE') {
      this.#keep(key, undefined);
      return xml(204, '');
    }
    return this.#read(key, request);
  }

  #read(key: string, request: IncomingMessage): Reply {
    const kept = this.#objects.get(key);
    if (kept === undefined) return xml(404, failure('NoSuchKey'));
    const ifMatch = request.headers['if-match'];
    if (ifMatch !== undefined && ifMatch !== `"${kept.etag}"`) return xml(412, failure('PreconditionFailed'));
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    if (first !== undefined && Number(first) >= kept.body.length) return xml(416, failure('InvalidRange'));
    const body = first === undefined ? kept.body : kept.body.subarray(Number(first), Number(last) + 1);
    const metadata = Object.entries(kept.metadata).map(([name, value]) => [`x-amz-meta-${name}`, value]);
    return {
      status: first === undefined ? 200 : 206,
      headers: {
        etag: `"${kept.etag}"`,
        'last-modified': kept.modified.toUTCString(),
        'content-length': body.length,
        ...Object.fromEntries(metadata),
      },
      body,
    };
  }

  #refuses(key: string, request: IncomingMessage): Reply | undefined {
    const kept = this.#objects.get(key);
    const { 'if-none-match': ifNoneMatch, 'if-match': ifMatch } = request.headers;
    if (ifNoneMatch === '*' && kept !== undefined) return xml(412, failure('PreconditionFailed'));
    if (ifMatch === undefined) return undefined;
    if (kept === undefined) return xml(404, failure('NoSuchKey'));
    return ifMatch === `"${kept.etag}"` ? undefined : xml(412, failure('PreconditionFailed'));
  }

  #keep(key: string, kept: Kept | undefined): void {
    this.#recent.push({ key, at: Date.now(), before: this.#objects.get(key) });
    if (kept === undefined) this.#objects.delete(key);
    else this.#objects.set(key, kept);
  }

  #list(query: URLSearchParams): Reply {
    const shown = new Map(this.#objects);
    const late = Date.now() - this.listsLateMs;
    for (const { key, at, before } of this.#recent.toReversed()) {
      if (at <= late) break;
      if (before === undefined) shown.delete(key);
      else shown.set(key, before);
    }
    const prefix = query.get('prefix') ?? '';
    const delimiter = query.get('delimiter') ?? '';
    const after = query.get('continuation-token') ?? query.get('start-after') ?? '';
    const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
    const keys = [...shown.keys()].filter((key) => key.startsWith(prefix)).sort(byBytes);
    const entries: { key: string; text: string }[] = [];
    for (const key of keys) {
      const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
      const name = end === -1 ? key : key.slice(0, end + 1);
      if (byBytes(name, after) <= 0 || entries.at(-1)?.key === name) continue;
      const kept = shown.get(key);
      const text =
        end === -1 && kept !== undefined
          ? `<Contents><Key>${escaped(key)}</Key><Size>${kept.body.length}</Size><ETag>&quot;${kept.etag}&quot;</ETag><LastModified>${kept.modified.toISOString()}</LastModified></Contents>`
          : `<CommonPrefixes><Prefix>${escaped(name)}</Prefix></CommonPrefixes>`;
      entries.push({ key: name, text });
    }
    // Short pages, so that there always are several.
    const page = entries.slice(0, 3);
    const more =
      entries.length > page.length
        ? `<NextContinuationToken>${escaped(page.at(-1)?.key ?? '')}</NextContinuationToken>`
        : '';
    return xml(
      200,
      `<ListBucketResult><IsTruncated>${more !== ''}</IsTruncated>${more}${page.map(({ text }) => text).join('')}</ListBucketResult>`,
    );
  }

  #listUploads(): Reply {
    const uploads = [...this.#uploads].map(
      ([id, { key }]) =>
        `<Upload><Key>${escaped(key)}</Key><UploadId>${id}</UploadId><Initiated>2020-01-01T00:00:00Z</Initiated></Upload>`,
    );
    return xml(200, `<ListMultipartUploadsResult>${uploads.join('')}</ListMultipartUploadsResult>`);
  }
}

interface Reply {
  status: number;
  headers: Record<string, string | number>;
  body: Buffer;
}

function xml(status: number, text: string): Reply {
  return { status, headers: { 'content-type': 'application/xml' }, body: Buffer.from(text) };
}

function failure(code: string): string {
  return `<Error><Code>${code}</Code><Message>as the test wants it</Message></Error>`;
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/xml', 'content-length': body.length });
  response.end(body);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

function md5(body: Buffer): string {
  return createHash('md5').update(body).digest('hex');
}

function wholeSecond(): Date {
  return new Date(Math.floor(Date.now() / 1000) * 1000);
}

function metadataOf(request: IncomingMessage): Record<string, string> {
  const named = Object.entries(request.headers).flatMap(([name, value]) =>
    name.startsWith('x-amz-meta-') && typeof value === 'string' ? [[name.slice('x-amz-meta-'.length), value]] : [],
  );
  return Object.fromEntries(named);
}

/** What was sent, without the frame that the SDK may put around it. */
async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const raw = Buffer.concat(chunks);
  if (!(request.headers['content-encoding'] ?? '').includes('aws-chunked')) return raw;
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = raw.indexOf('\r\n', at);
    const size = Number.parseInt(raw.subarray(at, end).toString(), 16);
    if (!(size > 0)) return Buffer.concat(parts);
    parts.push(raw.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}
