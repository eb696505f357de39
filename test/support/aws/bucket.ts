/** A bucket of the emulated account as the tests see it: what lies in it, and moving files in and out as any tool would. */

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { awsClients } from './clients.ts';
import { type AwsEmulator, REGION } from './emulator.ts';

export class TestBucket {
  readonly name: string;
  /** What delta-rs needs to read there. */
  readonly storage: Record<string, string>;
  readonly #s3: ReturnType<typeof awsClients>['s3'];

  private constructor(aws: AwsEmulator, name: string) {
    this.name = name;
    this.#s3 = awsClients(aws).s3;
    this.storage = {
      AWS_ENDPOINT_URL: aws.url,
      AWS_ALLOW_HTTP: 'true',
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: 'testing',
      AWS_SECRET_ACCESS_KEY: 'testing',
    };
  }

  static async make(aws: AwsEmulator, name: string): Promise<TestBucket> {
    const bucket = new TestBucket(aws, name);
    await bucket.#s3.createBucket({
      Bucket: name,
      CreateBucketConfiguration: { LocationConstraint: REGION },
    });
    return bucket;
  }

  async keys(prefix = ''): Promise<string[]> {
    const keys: string[] = [];
    for (let token: string | undefined; ; ) {
      const page = await this.#s3.listObjectsV2({
        Bucket: this.name,
        Prefix: prefix,
        ...(token === undefined ? {} : { ContinuationToken: token }),
      });
      keys.push(...(page.Contents ?? []).flatMap(({ Key }) => Key ?? []));
      token = page.NextContinuationToken;
      if (token === undefined) return keys;
    }
  }

  async put(key: string, body: Buffer | string): Promise<void> {
    await this.#s3.putObject({ Bucket: this.name, Key: key, Body: body });
  }

  async remove(key: string): Promise<void> {
    await this.#s3.deleteObject({ Bucket: this.name, Key: key });
  }

  async download(prefix: string, folder: string): Promise<void> {
    for (const key of await this.keys(prefix)) {
      const path = join(folder, key.slice(prefix.length));
      const reply = await this.#s3.getObject({ Bucket: this.name, Key: key });
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, (await reply.Body?.transformToByteArray()) ?? '');
    }
  }

  async upload(folder: string, prefix: string): Promise<void> {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || entry.name.startsWith('.tmp-')) continue;
      const path = join(entry.parentPath, entry.name);
      await this.put(prefix + relative(folder, path), await readFile(path));
    }
  }
}
