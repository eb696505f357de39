/** Writes to S3 that count exactly once: conditional, and when the answer is lost or doubtful, settled by looking who wrote what is there. */

import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bucket, WriteCondition } from './s3-bucket.ts';
import { attemptsOf, outcomeOf } from './s3-error.ts';
import type { Slots } from './slots.ts';

/** `tag`: of what this call wrote; undefined when it wrote nothing, for another content is there. */
export type Written = { tag: string } | undefined;

/** So often a conflict is tried again; others under way at the same key end within moments. */
const TRIES = 12;

/** Files above this go up in parts of this size, or larger ones where there would be too many. */
export const PART_BYTES = 8 * 1024 * 1024;
const MOST_PARTS = 9000;

/** Where nothing is, or where the content still is what a tag names. */
export type Condition = { ifAbsent: true } | { ifMatch: string };

/** Without a condition it writes or replaces, and gives a tag in any case. */
export async function putSurely(bucket: Bucket, key: string, body: Buffer, when?: Condition): Promise<Written> {
  return await writeSurely(bucket, key, when, (condition) => bucket.put(key, body, condition));
}

/** Puts a file where nothing is. Of a large one a few parts are in memory at a time; what fails leaves no parts behind. */
export async function putFile(
  bucket: Bucket,
  key: string,
  path: string,
  { beforeVisible, slots }: { beforeVisible?: (() => void) | undefined; slots: Slots },
): Promise<Written> {
  const file = await open(path, 'r');
  let isAnnounced = false;
  const announce = () => {
    if (!isAnnounced) beforeVisible?.();
    isAnnounced = true;
  };
  try {
    const { size } = await file.stat();
    const read = async (start: number, length: number): Promise<Buffer> => {
      const bytes = Buffer.alloc(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await file.read(bytes, filled, length - filled, start + filled);
        if (bytesRead === 0) throw new Error(`${path} got shorter while it was uploaded`);
        filled += bytesRead;
      }
      return bytes;
    };
    if (size <= PART_BYTES)
      return await slots.run(async () => {
        const body = await read(0, size);
        announce();
        return await putSurely(bucket, key, body, { ifAbsent: true });
      });
    const partBytes = Math.max(PART_BYTES, Math.ceil(size / MOST_PARTS));
    return await writeSurely(bucket, key, { ifAbsent: true }, async (condition) => {
      const uploadId = await bucket.beginUpload(key, condition);
      try {
        const starts = Array.from({ length: Math.ceil(size / partBytes) }, (_, index) => index * partBytes);
        const uploads = starts.map((start, index) =>
          slots.run(async () =>
            bucket.uploadPart(key, uploadId, index + 1, await read(start, Math.min(partBytes, size - start))),
          ),
        );
        // All have ended before the file is closed or the upload given up.
        const ended = await Promise.allSettled(uploads);
        for (const one of ended) if (one.status === 'rejected') throw one.reason;
        announce();
        return await bucket.completeUpload(key, uploadId, await Promise.all(uploads), condition);
      } catch (error) {
        // What cannot be given up now is a `sweep` later, or the bucket's own rule for unfinished uploads.
        await bucket.abortUpload(key, uploadId).catch(() => undefined);
        throw error;
      }
    });
  } finally {
    await file.close();
  }
}

/**
 * One write. "Something is there" may be our own write whose reply was lost, and no answer may come after the
 * write as well as before it: the object's metadata tell, for each call writes an id of its own. With another id, or nothing
 * there, an answer that says no is final, and an error is one.
 */
async function writeSurely(
  bucket: Bucket,
  key: string,
  when: Condition | undefined,
  write: (condition: WriteCondition) => Promise<string>,
): Promise<Written> {
  const writeId = randomUUID();
  let isDoubtful = false;
  for (let attempt = 1; ; attempt++) {
    try {
      return { tag: await write({ ...when, writeId }) };
    } catch (error) {
      const outcome = outcomeOf(error);
      if (outcome === 'unknown' || attemptsOf(error) > 1) isDoubtful = true;
      if (isDoubtful) {
        const found = await bucket.head(key);
        if (found?.writeId === writeId) return { tag: found.tag };
      }
      if (outcome === 'refused' || (outcome === 'gone' && when !== undefined && 'ifMatch' in when)) return undefined;
      // 'gone' without a tag: the upload in parts was given up by somebody's clean-up.
      const again = outcome === 'conflict' || outcome === 'gone';
      if (!again || attempt === TRIES) throw error;
      await sleep(Math.min(2000, 20 * 2 ** attempt) * (0.5 + Math.random()));
    }
  }
}
