/** The staging bucket as far as the commands on AWS touch it: notes, and whether a file is there. */

import { findObject, readObject, writeObject } from '../../aws/s3.ts';
import type { AwsSession } from '../../aws/session.ts';
import type { Config } from '../../config.ts';
import type { Store } from '../../store/store.ts';
import { awsOf } from '../aws/names.ts';

export type StagingBucket = Pick<Store, 'location' | 'getIfPresent' | 'put' | 'stat'>;

export function openStagingBucket(session: AwsSession, config: Config): StagingBucket {
  const { bucket, prefix } = awsOf(config).staging;
  const whole = (key: string) => (prefix === '' ? key : `${prefix}/${key}`);
  return {
    location: config.staging.location,
    async getIfPresent(key) {
      const text = await readObject(session, bucket, whole(key));
      return text === undefined ? undefined : Buffer.from(text);
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
