/** Where staging and lake of a pipeline are: folders or buckets for `target: local`, buckets for `target: aws`. */

import { isAbsolute, relative, resolve } from 'node:path';
import { z } from 'zod';
import { type BucketPlace, bucketName, keyPrefix, parseBucketUrl } from './config-aws.ts';

const location = z.unknown().transform((value, context): string => {
  if (typeof value === 'string' && value !== '') {
    const scheme = /^([a-z][a-z0-9+]*):\/\//i.exec(value)?.[1];
    if (scheme === undefined || scheme === 's3') return value;
    context.addIssue({
      code: 'custom',
      message: `${scheme}:// is not built yet: write a folder, or s3://bucket/prefix`,
    });
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
/** Absolute folders, or `s3://bucket/prefix`. */
type Locations = Record<Role, string>;

/** Target local: each a folder or a bucket that is there, independently of the other. */
export function freePlaces(folder: string, written: Record<Role, WrittenPlace>, issue: Issue): Locations {
  const locate = (role: Role): string => {
    const { location = role, bucket, prefix } = written[role];
    if (bucket === undefined && prefix === undefined && !location.startsWith('s3://')) return resolve(folder, location);
    if (bucket === undefined && prefix !== undefined)
      issue([role], 'has a prefix and no bucket: write s3://bucket/prefix');
    else {
      const place = bucketPlace(written[role]);
      if (place !== undefined) return bucketUrl(place);
      issue([role], 'takes a folder or a bucket: write s3://bucket/prefix');
    }
    return '';
  };
  const places = { staging: locate('staging'), lake: locate('lake') };
  if (places.staging !== '' && places.lake !== '') refuseNested(places, issue);
  return places;
}

export function isBucketUrl(location: string): boolean {
  return location.startsWith('s3://');
}

/** Buckets that cdc.yaml does not name are called after the pipeline: `<name>-staging`, `<name>-lake`. */
export function bucketPlaces(
  name: string,
  written: Record<Role, WrittenPlace>,
  issue: Issue,
): Record<Role, BucketPlace> & { locations: Locations } {
  const locate = (role: Role): BucketPlace => {
    const { location, bucket, prefix } = written[role];
    if (location === undefined && bucket === undefined)
      return { bucket: `${name}-${role}`, prefix: prefix ?? '', isNamed: false };
    const place = bucketPlace(written[role]);
    if (place !== undefined) return place;
    // DMS writes and Glue reads and writes there; this machine alone can take files from a bucket into a folder.
    const instead = role === 'lake' ? '; a folder takes target: local, whose staging may be that bucket' : '';
    issue([role], `takes a bucket for target aws: write s3://bucket/prefix, or { bucket: …, prefix: … }${instead}`);
    return { bucket: '', prefix: '', isNamed: true };
  };
  const places = { staging: locate('staging'), lake: locate('lake') };
  const locations = { staging: bucketUrl(places.staging), lake: bucketUrl(places.lake) };
  if (places.staging.bucket !== '' && places.lake.bucket !== '') refuseNested(locations, issue);
  return { ...places, locations };
}

/** A bucket that is named, one way or the other; undefined when it is written both ways, or no name of one. */
function bucketPlace({ location, bucket, prefix }: WrittenPlace): BucketPlace | undefined {
  if (location === undefined) return bucket === undefined ? undefined : { bucket, prefix: prefix ?? '', isNamed: true };
  const url = parseBucketUrl(location);
  const parsed = url && z.object({ bucket: bucketName, prefix: keyPrefix }).safeParse(url);
  if (parsed?.success !== true || bucket !== undefined || prefix !== undefined) return undefined;
  return { ...parsed.data, isNamed: true };
}

/** Each would take the other's files for its own. */
function refuseNested({ staging, lake }: Locations, issue: Issue): void {
  if (isBucketUrl(staging) !== isBucketUrl(lake)) return;
  // Two paths either way: the bucket is the first part of its own.
  const [a, b] = [staging, lake].map((place) => place.replace(/^s3:\//, '').replace(/(?<=.)\/$/, ''));
  if (a === undefined || b === undefined || !(isWithin(a, b) || isWithin(b, a))) return;
  issue(
    ['lake'],
    isBucketUrl(lake)
      ? 'lies under the same prefix as staging: give each its own'
      : 'lies in the same folder as staging: give each its own',
  );
}

function bucketUrl({ bucket, prefix }: BucketPlace): string {
  return `s3://${bucket}/${prefix}`;
}

function isWithin(outer: string, inner: string): boolean {
  const path = relative(outer, inner);
  return path === '' || (!path.startsWith('..') && !isAbsolute(path));
}
