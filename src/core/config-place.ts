/** Where staging and lake of a pipeline are: folders for `target: local`, buckets for `target: aws`. */

import { isAbsolute, relative, resolve } from 'node:path';
import { z } from 'zod';
import { type BucketPlace, bucketName, keyPrefix, parseBucketUrl } from './config-aws.ts';

const location = z.unknown().transform((value, context): string => {
  if (typeof value === 'string' && value !== '') {
    const scheme = /^([a-z][a-z0-9+]*):\/\//i.exec(value)?.[1];
    if (scheme === undefined || scheme === 's3') return value;
    context.addIssue({ code: 'custom', message: `${scheme}:// is not built yet: write a folder` });
  } else context.addIssue({ code: 'custom', message: 'takes the path of a folder' });
  return z.NEVER;
});

/** The keys a place may be written with; its text alone is the location: a folder, or `s3://bucket/prefix`. */
export const placeKeys = {
  location: location.optional(),
  bucket: bucketName.optional(),
  prefix: keyPrefix.optional(),
};

export interface WrittenPlace {
  location?: string | undefined;
  bucket?: string | undefined;
  prefix?: string | undefined;
}

type Role = 'staging' | 'lake';
type Issue = (path: PropertyKey[], message: string) => void;
/** Absolute folders, or `s3://…`. */
type Locations = Record<Role, string>;

export function folderPlaces(folder: string, written: Record<Role, WrittenPlace>, issue: Issue): Locations {
  const locate = (role: Role): string => {
    const { location = role, bucket, prefix } = written[role];
    if (bucket !== undefined || prefix !== undefined) issue([role], 'bucket and prefix are for target: aws');
    else if (!location.startsWith('s3://')) return resolve(folder, location);
    else issue([role], 's3:// is not built yet for target local: write a folder');
    return '';
  };
  const places = { staging: locate('staging'), lake: locate('lake') };
  if (places.staging !== '' && places.lake !== '')
    if (isWithin(places.staging, places.lake) || isWithin(places.lake, places.staging))
      issue(['lake'], 'lies in the same folder as staging: give each its own');
  return places;
}

/** Buckets that cdc.yaml does not name are called after the pipeline: `<name>-staging`, `<name>-lake`. */
export function bucketPlaces(
  name: string,
  written: Record<Role, WrittenPlace>,
  issue: Issue,
): Record<Role, BucketPlace> & { locations: Locations } {
  const locate = (role: Role): BucketPlace => {
    const { location, bucket, prefix } = written[role];
    if (location === undefined)
      return { bucket: bucket ?? `${name}-${role}`, prefix: prefix ?? '', isNamed: bucket !== undefined };
    const url = parseBucketUrl(location);
    const parsed = url && z.object({ bucket: bucketName, prefix: keyPrefix }).safeParse(url);
    if (parsed?.success === true && bucket === undefined && prefix === undefined)
      return { ...parsed.data, isNamed: true };
    issue([role], 'takes a bucket for target aws: write s3://bucket/prefix, or { bucket: …, prefix: … }');
    return { bucket: '', prefix: '', isNamed: true };
  };
  const places = { staging: locate('staging'), lake: locate('lake') };
  const locations = { staging: bucketUrl(places.staging), lake: bucketUrl(places.lake) };
  if (places.staging.bucket !== '' && places.staging.bucket === places.lake.bucket)
    if (
      isWithin(`/${places.staging.prefix}`, `/${places.lake.prefix}`) ||
      isWithin(`/${places.lake.prefix}`, `/${places.staging.prefix}`)
    )
      issue(['lake'], 'lies under the same prefix as staging: give each its own');
  return { ...places, locations };
}

function bucketUrl({ bucket, prefix }: BucketPlace): string {
  return `s3://${bucket}/${prefix}`;
}

function isWithin(outer: string, inner: string): boolean {
  const path = relative(outer, inner);
  return path === '' || (!path.startsWith('..') && !isAbsolute(path));
}
