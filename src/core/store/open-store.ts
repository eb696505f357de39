/** Opens the store that a location names: a folder, or `s3://bucket/prefix`. */

import { isAbsolute, resolve } from 'node:path';
import { parseBucketUrl } from '../config-aws.ts';
import { UsageError } from '../errors.ts';
import { openLocalStore } from './local.ts';
import { openS3Store, type S3StoreOptions } from './s3.ts';
import type { Store } from './store.ts';

/** Touches nothing. A folder's path is relative to `base`; the options count for buckets only. Throws UsageError. */
export function openStore(location: string, options: S3StoreOptions & { base?: string }): Store {
  const { base, ...bucketOptions } = options;
  if (!/^[a-z][a-z0-9+]*:\/\//i.test(location)) {
    if (base === undefined && !isAbsolute(location)) throw new Error(`${location} is relative to nothing`);
    return openLocalStore(base === undefined ? location : resolve(base, location));
  }
  const place = parseBucketUrl(location);
  if (place === undefined)
    throw new UsageError(`${location}: it is no place for a lake`, 'write a folder, or s3://bucket/prefix');
  return openS3Store({ bucket: place.bucket, prefix: place.prefix.replace(/^\/+|\/+$/g, '') }, bucketOptions);
}

/** How a store that is not Amazon's wants to be asked: its address is in the environment, as the AWS tools read it. */
export function asksByPath(variables: Readonly<Record<string, string | undefined>>): boolean | undefined {
  return variables.AWS_ENDPOINT_URL_S3 || variables.AWS_ENDPOINT_URL ? true : undefined;
}
