/** The keys of cdc.yaml, their values and defaults. */

import { z } from 'zod';
import { type AwsConfig, awsSchema, dmsSchema, ownPieces, whyNoAwsName } from './config-aws.ts';
import { keyed, oneOf, shorthand } from './config-keys.ts';
import { bucketPlaces, freePlaces, isBucketUrl, placeKeys } from './config-place.ts';
import { type SourceConfig, sourceSchema } from './config-source.ts';
import { parseBytes, parseDuration } from './quantity.ts';
import { splitPattern } from './table-pattern.ts';

export const NAME_PATTERN = /^[a-z][a-z0-9-]{0,24}$/;

const DAY_MS = 86_400_000;

/** The default of `tables:`: every table that is not the system's. */
export const EVERY_TABLE = '%.%';

function quantity(parse: (text: string) => number | undefined, example: string) {
  return z.unknown().transform((value, context): number => {
    const number = typeof value === 'string' ? parse(value) : undefined;
    if (number !== undefined && Number.isSafeInteger(number) && number > 0) return number;
    context.addIssue({ code: 'custom', message: `${JSON.stringify(value)} is not ${example}` });
    return z.NEVER;
  });
}

const bytes = quantity(parseBytes, 'a size such as 64MB or 768MiB');
const bytesPerHour = quantity((text) => parseBytes(text.replace(/\s*\/\s*h$/, '')), 'a size such as 20GB');
const duration = quantity(parseDuration, 'a duration such as 500ms, 10s or 1d');
const seconds = duration.transform((milliseconds) => Math.max(1, Math.round(milliseconds / 1000)));

const pattern = z.unknown().transform((value, context): string => {
  if (typeof value === 'string' && splitPattern(value) !== undefined) return value;
  context.addIssue({
    code: 'custom',
    message: `${JSON.stringify(value)} is not a table as schema.table, such as shop.orders or shop.%`,
  });
  return z.NEVER;
});

/** A pattern, or an object whose `table:` is one. */
const tableRule = shorthand(
  'table',
  keyed({
    table: pattern,
    key: z.array(z.string().min(1)).min(1).optional(),
    mode: oneOf(['mirror', 'append']).default('mirror'),
  }).transform(({ table, key, mode }) => ({ pattern: table, ...(key && { key }), mode })),
);

/** Paths in the file are relative to `folder`. */
export function configSchema(folder: string) {
  const source = sourceSchema(folder);
  const capture = keyed({
    max_file_bytes: bytes.prefault('64MB'),
    max_delay: duration.optional(),
    truncate: oneOf(['apply', 'stop']).default('apply'),
    foreign_key_cascades: oneOf(['refuse', 'accept']).default('refuse'),
  });
  const merge = keyed({
    engine: oneOf(['local', 'spark', 'glue']).optional(),
    spark_submit: z.string().trim().min(1).default('spark-submit'),
    glue_job: z.string().trim().min(1).optional(),
    unfit: oneOf(['fail', 'quarantine']).default('fail'),
    zero_dates: oneOf(['null', 'fail', 'text']).default('null'),
    write_budget: bytesPerHour.prefault('20GB'),
    memory_limit: bytes.prefault('768MB'),
  });
  return keyed({
    name: z.unknown().transform((value, context): string => {
      if (typeof value === 'string' && NAME_PATTERN.test(value)) return value;
      const why =
        value === undefined ? 'is missing: write name: with' : `${JSON.stringify(value)} is not a name: write`;
      context.addIssue({ code: 'custom', message: `${why} at most 25 of a-z, 0-9 and -, beginning with a letter` });
      return z.NEVER;
    }),
    target: oneOf(['local', 'aws']).default('local'),
    aws: awsSchema.optional(),
    dms: dmsSchema(seconds.prefault('300s')).optional(),
    source: source.optional(),
    tables: z.array(tableRule).min(1).prefault([EVERY_TABLE]),
    exclude: z.array(pattern).default([]),
    staging: shorthand('location', keyed({ ...placeKeys, keep: duration.optional() })).prefault({}),
    lake: shorthand('location', keyed(placeKeys)).prefault({}),
    capture: capture.prefault({}),
    merge: merge.prefault({}),
  }).transform(({ staging, lake, capture, merge, aws, dms, ...rest }, context) => {
    const issue = (path: PropertyKey[], message: string) => context.addIssue({ code: 'custom', path, message });
    const values = {
      ...rest,
      source: rest.source ?? source.parse(rest.target === 'aws' ? 'rds' : 'private'),
      s3: {
        ...(aws?.region === undefined ? {} : { region: aws.region }),
        ...(aws?.profile === undefined ? {} : { profile: aws.profile }),
      },
      merge: {
        // The plain `cdc merge` is done where the pipeline runs.
        engine: merge.engine ?? (rest.target === 'aws' ? 'glue' : 'local'),
        sparkSubmit: merge.spark_submit,
        ...(merge.glue_job === undefined ? {} : { glueJob: merge.glue_job }),
        unfit: merge.unfit,
        zeroDates: merge.zero_dates,
        writeBudgetBytesPerHour: merge.write_budget,
        memoryLimitBytes: merge.memory_limit,
      },
    };
    const valuesAt = (places: Record<'staging' | 'lake', string>) => {
      const inBucket = isBucketUrl(places.staging);
      return {
        ...values,
        staging: { location: places.staging, keepMs: staging.keep ?? (inBucket ? 7 : 1) * DAY_MS },
        lake: { location: places.lake },
        capture: {
          maxFileBytes: capture.max_file_bytes,
          // On S3 every file costs requests, here and in every merge.
          maxDelayMs: capture.max_delay ?? (inBucket ? 60_000 : 500),
          truncate: capture.truncate,
          foreignKeyCascades: capture.foreign_key_cascades,
        },
      };
    };
    if (values.target === 'local') {
      const places = freePlaces(folder, { staging, lake }, issue);
      if (aws?.vpc !== undefined || aws?.subnets !== undefined || aws?.roles !== undefined)
        issue(['aws'], 'vpc, subnets and roles are for target: aws');
      const { engine, glueJob } = values.merge;
      // Nobody makes a job here, and Glue sees no folder of this machine.
      if (engine === 'glue' && (glueJob === undefined || !Object.values(places).every(isBucketUrl)))
        issue(
          ['merge', 'engine'],
          'glue with target: local needs merge.glue_job, the name of a Glue job, and staging and lake on s3://',
        );
      refuseMixedSlots(values, { aws: Object.values(places).some(isBucketUrl) ? undefined : aws, dms }, issue);
      return valuesAt(places);
    }
    refuseMixedSlots(values, { aws, dms }, issue);
    if (values.merge.glueJob !== undefined)
      issue(['merge', 'glue_job'], 'is for target: local; here init makes the job');
    const wrongName = whyNoAwsName(values.name);
    if (wrongName !== undefined) issue(['name'], wrongName);
    const places = bucketPlaces(values.name, { staging, lake }, issue);
    const { class: instanceClass, private: isPrivate, full_load_tasks, max_batch_interval } = dms ?? dmsDefaults;
    const awsConfig: AwsConfig = {
      ...values.s3,
      ...ownPieces(aws),
      staging: places.staging,
      lake: places.lake,
      dms: { instanceClass, isPrivate, fullLoadTasks: full_load_tasks, maxBatchSeconds: max_batch_interval },
    };
    return { ...valuesAt(places.locations), aws: awsConfig };
  });
}

const dmsDefaults = dmsSchema(seconds.prefault('300s')).parse({});

/** Slots are filled by their target for now; what does not go together is refused by name. */
function refuseMixedSlots(
  { target, source }: { target: 'local' | 'aws'; source: SourceConfig },
  keys: { aws: unknown; dms: unknown },
  issue: (path: PropertyKey[], message: string) => void,
): void {
  if (target === 'aws' && source.kind === 'private')
    issue(['source'], 'private is for target local: write rds, or the URL of a server that DMS can reach');
  if (target === 'local' && source.kind === 'rds') issue(['source'], 'rds is for target: aws');
  if (target === 'local')
    for (const [key, value] of Object.entries(keys))
      if (value !== undefined)
        issue([key], key === 'aws' ? 'is for target: aws, and for staging or lake on s3://' : 'is for target: aws');
}
