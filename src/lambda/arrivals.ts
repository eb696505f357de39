/** Which files an S3 event names, and which of them are change files. */

import * as z from 'zod/mini';
import { parseStagedName } from '../core/change-file/name.ts';

export interface Arrival {
  /** As it stands in the bucket. */
  key: string;
  /** Why it does not concern us; absent for a change file. */
  ignored?: string;
}

const eventSchema = z.object({
  Records: z.array(
    z.object({
      eventName: z.optional(z.string()),
      s3: z.object({ bucket: z.object({ name: z.string() }), object: z.object({ key: z.string() }) }),
    }),
  ),
});

/** S3 asks with this when the notification is configured. */
const testSchema = z.object({ Event: z.literal('s3:TestEvent') });

/** Throws for an event that is none of S3's: it would be lost in silence. */
export function readArrivals(event: unknown, staging: { bucket: string; prefix: string }): Arrival[] {
  if (testSchema.safeParse(event).success) return [];
  const parsed = eventSchema.safeParse(event);
  if (!parsed.success) throw new TypeError(`this is no event of S3: ${z.prettifyError(parsed.error)}`);
  return parsed.data.Records.map(({ eventName, s3 }) => {
    const key = decodeKey(s3.object.key);
    const ignored =
      eventName !== undefined && !/^(s3:)?ObjectCreated:/.test(eventName)
        ? `it was not created but ${eventName}`
        : s3.bucket.name !== staging.bucket
          ? `it lies in another bucket, ${s3.bucket.name}`
          : whyNoChangeFile(key, staging.prefix);
    return { key, ...(ignored === undefined ? {} : { ignored }) };
  });
}

/** S3 writes keys as HTML forms do: a space is `+`. A key that cannot be decoded is taken as it stands. */
export function decodeKey(written: string): string {
  try {
    return decodeURIComponent(written.replaceAll('+', ' '));
  } catch {
    return written;
  }
}

/** `<prefix>/<schema>/<table>/<file>`; a schema or table may be called anything but `_cdc`, where our own state lies. */
function whyNoChangeFile(key: string, prefix: string): string | undefined {
  const root = prefix === '' ? '' : `${prefix}/`;
  if (!key.startsWith(root)) return `it does not lie under ${root}`;
  const [schema, table, ...rest] = key.slice(root.length).split('/');
  if (schema === '_cdc') return 'it is state of ours';
  // DMS writes the changes of all tables into one folder when it is to keep transactions together.
  if (parseStagedName(key.slice(key.lastIndexOf('/') + 1))?.kind === 'transactions') return undefined;
  if (schema === undefined || table === undefined || rest.length === 0) return 'it lies in no folder of a table';
  return parseStagedName(rest.join('/')) === undefined ? 'its name is no change file' : undefined;
}
