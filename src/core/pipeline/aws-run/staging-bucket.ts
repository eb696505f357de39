/** The staging bucket as far as the commands on AWS touch it: notes and records, and whether a file is there. */

import { findObject, listObjects, readObject, writeObject } from '../../aws/s3.ts';
import type { AwsSession } from '../../aws/session.ts';
import type { Config } from '../../config.ts';
import { CdcError } from '../../errors.ts';
import type { Store } from '../../store/store.ts';
import { awsOf } from '../aws/names.ts';
import type { NotesStore } from './task-notes.ts';

/** Written only to see when. */
const CLOCK_KEY = '_cdc/clock';

export type StagingBucket = NotesStore & Pick<Store, 'stat'>;

export function openStagingBucket(session: AwsSession, config: Config): StagingBucket {
  const { bucket, prefix } = awsOf(config).staging;
  const whole = (key: string) => (prefix === '' ? key : `${prefix}/${key}`);
  const read = async (key: string) => {
    const text = await readObject(session, bucket, whole(key));
    return text === undefined ? undefined : Buffer.from(text);
  };
  return {
    location: config.staging.location,
    getIfPresent: read,
    async get(key) {
      const body = await read(key);
      if (body !== undefined) return body;
      throw new CdcError('store.not-found', `reading ${config.staging.location}/${key}: it is not there`);
    },
    async list(prefix) {
      const found = await listObjects(session, { bucket, prefix: whole(prefix) });
      return found.map(({ key, ...object }) => ({ key: key.slice(whole('').length), ...object }));
    },
    // What the bucket dates an object with now: the clock of this machine may be another.
    async now() {
      await writeObject(session, { bucket, key: whole(CLOCK_KEY), body: '' });
      const written = await findObject(session, bucket, whole(CLOCK_KEY));
      return written?.modified ?? new Date(session.clock.now());
    },
    async put(key, body) {
      await writeObject(session, { bucket, key: whole(key), body: body.toString() });
    },
    async stat(key) {
      const found = await findObject(session, bucket, whole(key));
      return found === undefined ? undefined : { key, ...found };
    },
  };
}
