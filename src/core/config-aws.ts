/** The keys of cdc.yaml that only `target: aws` has: account, buckets, RDS instance, DMS instance. */

import { z } from 'zod';
import { keyed } from './config-keys.ts';

/** An RDS for MySQL instance that `init` makes. */
export interface RdsSource {
  kind: 'rds';
  instanceClass: string;
  storageGb: number;
  /** `8.4`, or an exact version of it. */
  version: string;
  /** The master user, which `load` works as. RDS keeps its password. */
  user: string;
  /** Who may connect, besides DMS. Absent: the address this machine is seen with, at each `init`. */
  operator?: string;
  /** The guide's rule: everybody may try to connect. */
  openToWorld: boolean;
  /** How long a pause of DMS may last. RDS deletes the binlog at once without it. */
  binlogRetentionHours: number;
  /** `ca`: a PEM file (absolute) in place of RDS's own authorities. */
  tls: { mode: 'verify'; ca?: string };
}

export interface BucketPlace {
  bucket: string;
  /** Without slashes at its ends; empty: the bucket's root. */
  prefix: string;
  /** Whether cdc.yaml names the bucket: then one that is there already may be used, and is never deleted. */
  isNamed: boolean;
}

/** Roles that services take in our name. */
export type RoleUse = 'dmsS3' | 'dmsSecret' | 'glue' | 'lambda';

export interface AwsConfig {
  /** Absent: as the SDK finds it (AWS_REGION, the profile). */
  region?: string;
  profile?: string;
  /** A network of the user's own; absent: the default VPC, all its subnets. */
  network?: { vpc?: string; subnets?: readonly string[] };
  /** Names of roles of the user's own, which are neither made nor changed. */
  roles: Partial<Readonly<Record<RoleUse, string>>>;
  staging: BucketPlace;
  lake: BucketPlace;
  dms: {
    instanceClass: string;
    /** Without a public address: it reaches S3 and Secrets Manager by endpoints in the VPC. */
    isPrivate: boolean;
    /** Tables loaded at the same time. */
    fullLoadTasks: number;
    /** How long DMS gathers changes before it writes a file; each file costs a Glue run. */
    maxBatchSeconds: number;
  };
}

const text = (pattern: RegExp, example: string) =>
  z.unknown().transform((value, context): string => {
    if (typeof value === 'string' && pattern.test(value)) return value;
    context.addIssue({ code: 'custom', message: `${JSON.stringify(value)} is not ${example}` });
    return z.NEVER;
  });

/** YAML reads 8.4 as a number. */
const version = z.unknown().transform((value, context): string => {
  const written = String(value);
  if (/^8\.4(\.\d+)?$/.test(written)) return written;
  context.addIssue({
    code: 'custom',
    message: /^(5|8$|8\.0)/.test(written)
      ? `${written} has left standard support, which RDS bills at ten times the instance: write '8.4'`
      : `${written} is not built yet: write '8.4'`,
  });
  return z.NEVER;
});

const rdsKeys = keyed({
  class: text(/^db\.[a-z0-9-]+\.[a-z0-9]+$/, 'a class such as db.t3.micro').prefault('db.t3.micro'),
  storage: z.int().min(20).max(65_536).default(20),
  version: version.prefault('8.4'),
  user: text(
    /^(?!rdsadmin$|rdsrepladmin$)[a-z][a-z0-9_]{0,15}$/i,
    'a user name of at most 16 letters, digits and _, and none that RDS keeps for itself',
  ).prefault('admin'),
  operator: text(/^(\d{1,3}\.){3}\d{1,3}\/\d{1,2}$/, 'an address range such as 203.0.113.7/32').optional(),
  open_to_world: z.boolean().default(false),
  binlog_retention: z.int().min(1).max(168).default(24),
});

/** `{ rds: {…}, tls: { ca } }`. */
export function rdsSchema(resolvePath: (path: string) => string) {
  return keyed({ rds: rdsKeys, tls: keyed({ ca: z.string().optional() }).prefault({}) }).transform(
    ({ rds, tls }): RdsSource => ({
      kind: 'rds',
      instanceClass: rds.class,
      storageGb: rds.storage,
      version: rds.version,
      user: rds.user,
      ...(rds.operator === undefined ? {} : { operator: rds.operator }),
      openToWorld: rds.open_to_world,
      binlogRetentionHours: rds.binlog_retention,
      tls: { mode: 'verify', ...(tls.ca === undefined ? {} : { ca: resolvePath(tls.ca) }) },
    }),
  );
}

/** By its name, or by its ARN, of which the name is the end. */
const role = text(
  /^(arn:[a-z-]+:iam::\d{12}:role\/([\w+=,.@-]+\/)*)?[\w+=,.@-]{1,64}$/,
  'the name or ARN of a role',
).transform((written) => written.replace(/^.*\//, ''));

const subnet = text(/^subnet-[0-9a-f]{8,17}$/, 'a subnet such as subnet-0a1b2c3d4e5f60718');

export const awsSchema = keyed({
  region: text(/^[a-z]{2}(-[a-z]+)+-\d$/, 'a region such as eu-west-1').optional(),
  profile: z.string().min(1).optional(),
  vpc: text(/^vpc-[0-9a-f]{8,17}$/, 'a VPC such as vpc-0a1b2c3d4e5f60718').optional(),
  subnets: z.array(subnet).min(2).optional(),
  roles: keyed({
    dms_s3: role.optional(),
    dms_secret: role.optional(),
    glue: role.optional(),
    lambda: role.optional(),
  }).optional(),
});

/** The pieces of the user's own. */
export function ownPieces(written: z.output<typeof awsSchema> = {}): Pick<AwsConfig, 'network' | 'roles'> {
  const { vpc, subnets, roles = {} } = written;
  return {
    ...(vpc === undefined && subnets === undefined
      ? {}
      : { network: { ...(vpc === undefined ? {} : { vpc }), ...(subnets === undefined ? {} : { subnets }) } }),
    roles: {
      ...(roles.dms_s3 === undefined ? {} : { dmsS3: roles.dms_s3 }),
      ...(roles.dms_secret === undefined ? {} : { dmsSecret: roles.dms_secret }),
      ...(roles.glue === undefined ? {} : { glue: roles.glue }),
      ...(roles.lambda === undefined ? {} : { lambda: roles.lambda }),
    },
  };
}

export const dmsSchema = (seconds: z.ZodType<number>) =>
  keyed({
    class: text(/^dms\.[a-z0-9]+\.[a-z0-9]+$/, 'a class such as dms.t3.micro').prefault('dms.t3.micro'),
    private: z.boolean().default(false),
    full_load_tasks: z.int().min(1).max(49).default(8),
    max_batch_interval: seconds,
  });

/**
 * What a service refuses in the name that all of a pipeline's resources begin with, before anything is made: RDS and DMS take
 * no two hyphens in a row, of which there would be two with one at the end; EC2 keeps `sg-` for itself, S3 `sthree-` and `xn--`.
 */
export function whyNoAwsName(name: string): string | undefined {
  const wrong = [
    [/--/, 'has two hyphens in a row, which RDS and DMS refuse'],
    [/-$/, 'ends with a hyphen, which RDS and DMS refuse before the next one'],
    [/^sg-/, 'begins with sg-, which EC2 keeps for itself'],
    [/^(sthree-|amzn-s3-demo-)/, 'begins with what S3 keeps for itself'],
  ] as const;
  const [, why] = wrong.find(([pattern]) => pattern.test(name)) ?? [];
  return why && `${JSON.stringify(name)} ${why}`;
}

export const bucketName = text(
  /^(?!.*\.\.)(?!(\d{1,3}\.){3}\d{1,3}$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
  'the name of a bucket (3 to 63 of a-z, 0-9, - and .)',
);

export const keyPrefix = z.unknown().transform((value, context): string => {
  const written = typeof value === 'string' ? value.replace(/^\/+|\/+$/g, '') : undefined;
  if (written !== undefined && /^[\w.!'()/-]*$/.test(written) && !written.includes('//')) return written;
  context.addIssue({ code: 'custom', message: 'takes a prefix such as pipelines/shop (letters, digits, _ - . /)' });
  return z.NEVER;
});

/** `s3://bucket/prefix` taken apart; undefined for anything else. */
export function parseBucketUrl(location: string): { bucket: string; prefix: string } | undefined {
  const [, bucket, prefix] = /^s3:\/\/([^/]+)\/?(.*)$/.exec(location) ?? [];
  return bucket === undefined || prefix === undefined ? undefined : { bucket, prefix };
}
