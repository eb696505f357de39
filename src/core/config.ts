/** cdc.yaml: what a pipeline is made of, validated whole; flag > environment > file > default (DESIGN 3). */

import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { TableName } from './change.ts';
import type { ZeroDates } from './column-type.ts';
import type { AwsConfig } from './config-aws.ts';
import { type ConfigOverride, readConfigText } from './config-problems.ts';
import { configSchema } from './config-schema.ts';
import type { SourceConfig } from './config-source.ts';
import { CdcError, messageOf, nativeCodeOf } from './errors.ts';
import { hasWildcard, matchesPattern, matchesTables } from './table-pattern.ts';

export type { AwsConfig, BucketPlace, RdsSource } from './config-aws.ts';
export type { ConfigOverride } from './config-problems.ts';
export type { PrivateSource, SourceConfig, UrlSource } from './config-source.ts';

export const CONFIG_FILE = 'cdc.yaml';

/** One entry of `tables:`. */
export interface TableRule {
  /** `schema.table`, with wildcards. */
  pattern: string;
  /** The columns to use as key instead of the primary key. */
  key?: readonly string[];
  /** `mirror`: the lake table equals the source table; `append`: it keeps every change as a row. */
  mode: 'mirror' | 'append';
}

export interface Config {
  /** Absolute path of the file this came from. */
  file: string;
  /** Its folder: paths in the file are relative to it. */
  folder: string;
  /** `.cdc/` beside it: private to this machine. */
  stateFolder: string;
  /** Prefixes every resource, so that several pipelines share a machine or an account. */
  name: string;
  target: 'local' | 'aws';
  /** With target aws only. */
  aws?: AwsConfig;
  source: SourceConfig;
  tables: readonly TableRule[];
  exclude: readonly string[];
  /** How buckets are asked, with any target; what is absent is as the SDK finds it. */
  s3: { region?: string; profile?: string };
  /** A folder, or `s3://bucket/prefix`. `keepMs`: how long a merged change file stays. */
  staging: { location: string; keepMs: number };
  lake: { location: string };
  capture: {
    /** A file closes at the first of the two, at the end of a transaction. */
    maxFileBytes: number;
    maxDelayMs: number;
    truncate: 'apply' | 'stop';
    foreignKeyCascades: 'refuse' | 'accept';
  };
  merge: {
    /** Who merges: this process, Spark by the Glue job's script, or the Glue job. */
    engine: 'local' | 'spark' | 'glue';
    /** The command that starts Spark, as typed in a shell. */
    sparkSubmit: string;
    /** Of \`engine: glue\` with target local: the name of a job with the script; with target aws \`init\` makes one. */
    glueJob?: string;
    /** What happens to a row that does not fit its type. */
    unfit: 'fail' | 'quarantine';
    zeroDates: ZeroDates;
    /** Most bytes that rewriting lake files may cost in an hour; merges are spaced to stay under it. */
    writeBudgetBytesPerHour: number;
    memoryLimitBytes: number;
  };
}

/** Reads and validates the file; throws ConfigError with every problem, or `config.missing`. */
export async function readConfig(options: { file: string; overrides?: readonly ConfigOverride[] }): Promise<Config> {
  const text = await readFile(options.file, 'utf8').catch((error: unknown) => {
    if (nativeCodeOf(error) === 'ENOENT')
      throw new CdcError('config.missing', `reading the configuration: there is no ${options.file}`, {
        hint: '`cdc init` writes one in this folder; --config names one elsewhere',
      });
    throw new CdcError('config.unreadable', `reading the configuration: ${messageOf(error)}`, { cause: error });
  });
  return parseConfig({ ...options, text });
}

/** The configuration in a text that stands, or would stand, at `file`. */
export function parseConfig(options: { file: string; text: string; overrides?: readonly ConfigOverride[] }): Config {
  const file = resolve(options.file);
  const folder = dirname(file);
  const values = readConfigText({ file, text: options.text, overrides: options.overrides ?? [] }, configSchema(folder));
  return freeze({ file, folder, stateFolder: join(folder, '.cdc'), ...values });
}

/** Whether the pipeline follows this table. */
export function followsTable(config: Pick<Config, 'tables' | 'exclude'>, name: TableName): boolean {
  return matchesTables(
    config.tables.map((rule) => rule.pattern),
    config.exclude,
    name,
  );
}

/** The entry of `tables:` that counts for this table: one that names it before one with wildcards, else the last that fits. */
export function tableRuleFor(config: Pick<Config, 'tables' | 'exclude'>, name: TableName): TableRule | undefined {
  if (!followsTable(config, name)) return undefined;
  const fitting = config.tables.filter((rule) => matchesPattern(rule.pattern, name));
  return fitting.findLast((rule) => !hasWildcard(rule.pattern)) ?? fitting.at(-1);
}

/** Frozen all the way down: no command can change what another part reads. */
function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  }
  return value;
}
