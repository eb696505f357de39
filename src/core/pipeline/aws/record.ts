/**
 * `.cdc/aws.json`: which account a pipeline lives in, and the ids of what was made there. A convenience: all of it is found
 * again by names and tags. Nothing in it is secret.
 */

import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { AwsSession } from '../../aws/session.ts';
import type { Config } from '../../config.ts';
import { CdcError, ConfigError, messageOf, nativeCodeOf } from '../../errors.ts';

/** What steps tell each other, and the other commands: ARNs, ids, the database's address. */
export const ID_NAMES = [
  'dms_security_group',
  'database_security_group',
  'database',
  'database_host',
  'database_port',
  'database_secret',
  'secret',
  'role_dms_s3',
  'role_dms_secret',
  'role_glue',
  'role_lambda',
  'secrets_host',
  'replication_instance',
  'certificate',
  'source_endpoint',
  'target_endpoint',
  'function',
] as const;
export type IdName = (typeof ID_NAMES)[number];
export type Ids = Partial<Record<IdName, string>>;

const recordSchema = z.object({
  format: z.literal(1),
  pipeline: z.string(),
  account: z.string(),
  region: z.string(),
  principal: z.string(),
  /** Steps that have been done. */
  made: z.array(z.string()),
  /** Steps that were begun: a bucket is ours from then on, though its tag comes a call later. */
  begun: z.array(z.string()),
  ids: z.partialRecord(z.enum(ID_NAMES), z.string()),
  updated_at: z.string(),
});

export interface AwsRecord {
  pipeline: string;
  account: string;
  region: string;
  principal: string;
  made: readonly string[];
  begun: readonly string[];
  ids: Ids;
}

function fileOf(config: Pick<Config, 'stateFolder'>): string {
  return join(config.stateFolder, 'aws.json');
}

/** Undefined when nothing was recorded on this machine. */
export async function readRecord(config: Pick<Config, 'stateFolder'>): Promise<AwsRecord | undefined> {
  const file = fileOf(config);
  try {
    const { format, updated_at, ...record } = recordSchema.parse(JSON.parse(await readFile(file, 'utf8')));
    return record;
  } catch (cause) {
    if (nativeCodeOf(cause) === 'ENOENT') return undefined;
    throw new CdcError('aws.record', `reading what is known of the account: ${file} is no record of ours`, {
      hint: `remove ${file}: what is in the account is found again by its tags`,
      cause,
    });
  }
}

/** Whole or not at all. */
export async function writeRecord(config: Pick<Config, 'stateFolder'>, record: AwsRecord): Promise<void> {
  const file = fileOf(config);
  const text = JSON.stringify({ format: 1, ...record, updated_at: new Date().toISOString() }, undefined, 2);
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(`${file}.tmp`, `${text}\n`);
    await rename(`${file}.tmp`, file);
  } catch (cause) {
    throw new CdcError('store.not-writable', `writing ${file}: ${messageOf(cause)}`, {
      hint: 'make the folder writable',
      cause,
    });
  }
}

export async function removeRecord(config: Pick<Config, 'stateFolder'>): Promise<void> {
  await rm(fileOf(config), { force: true });
}

/** Exit 2 when the credentials lead somewhere else than where the pipeline lives: half of it would be made twice. */
export function refuseOtherAccount(
  session: AwsSession,
  record: AwsRecord | undefined,
  config: Config,
  /** Whoever only works with what is there may be somebody else. */
  keys: readonly ('account' | 'region' | 'principal')[] = ['account', 'region', 'principal'],
): void {
  if (record === undefined) return;
  const differing = keys.filter((key) => withoutSession(session[key]) !== withoutSession(record[key]));
  if (record.pipeline === config.name && differing.length === 0) return;
  throw new ConfigError(
    [
      ...(record.pipeline === config.name
        ? []
        : [
            {
              path: 'name',
              origin: config.file,
              message: `is ${config.name}, and ${record.pipeline} in .cdc/aws.json`,
            },
          ]),
      ...differing.map((key) => ({
        path: `aws.${key === 'region' ? key : 'profile'}`,
        origin: 'the AWS session',
        message: `leads to the ${key} ${session[key]}, but this pipeline was made with ${record[key]} (.cdc/aws.json)`,
      })),
    ],
    `choose the right profile and region (\`aws:\` in cdc.yaml, AWS_PROFILE, AWS_REGION). A second pipeline takes a folder of its own; if who you are has changed for good, remove ${fileOf(config)}`,
  );
}

/** An assumed role is another session each time. */
function withoutSession(principal: string): string {
  return principal.replace(/(:assumed-role\/[^/]+)\/.*$/, '$1');
}
