/** `trigger FILE` on AWS: calls the Lambda function with the event of one file, and follows the Glue run that it wakes. */

import { z } from 'zod';
import { isUnderWay, latestRuns } from '../../aws/glue-run.ts';
import { invokeFunction } from '../../aws/lambda-invoke.ts';
import { tableOfKey } from '../../change-file/find-file.ts';
import { CdcError } from '../../errors.ts';
import type { Store } from '../../store/store.ts';
import { awsOf } from '../aws/names.ts';
import type { JobTable } from '../job-report.ts';
import { followRun } from './follow-glue-run.ts';
import type { AwsRun } from './run.ts';

export interface AwsTriggerReport {
  /** As the event has them: `s3://bucket`, the key within the bucket, the file's name. */
  store: string;
  key: string;
  file: string;
  /** Null when another run will take the file up. */
  run: string | null;
  state: string;
  seconds: number | null;
  /** What the function said. */
  reason: string | null;
  /** What the run says it did, table by table; null when nobody waited, or it said nothing. */
  tables: JobTable[] | null;
}

const answerSchema = z.object({
  files: z.array(z.string()),
  ignored: z.array(z.object({ key: z.string(), reason: z.string() })),
  run: z.string().nullable(),
  reason: z.string().nullable(),
});

type TriggerRun = Omit<AwsRun, 'staging'> & {
  staging: Pick<Store, 'stat' | 'location'>;
  /** Relative to staging, as `cdc files` lists it; or `s3://bucket/…`. */
  file: string;
};

/** The file as its event has it; throws `file.missing` for one that is not there, or is no change file. */
export async function findArrival({
  config,
  staging,
  file,
}: TriggerRun): Promise<Pick<AwsTriggerReport, 'store' | 'key' | 'file'> & { stagingKey: string }> {
  const { bucket, prefix } = awsOf(config).staging;
  const root = prefix === '' ? '' : `${prefix}/`;
  const key = keyInStaging(file, `s3://${bucket}/${root}`);
  if (tableOfKey(key) === undefined || (await staging.stat(key)) === undefined)
    throw new CdcError(
      'file.missing',
      `looking for ${file}: staging (${staging.location}) holds no change file of that name`,
      { hint: '`cdc files` lists what is there' },
    );
  return {
    store: `s3://${bucket}`,
    key: `${root}${key}`,
    file: key.slice(key.lastIndexOf('/') + 1),
    stagingKey: key,
  };
}

export async function triggerOnAws(
  options: TriggerRun & {
    /** False: returns when the function has answered. */
    wait: boolean;
  },
): Promise<AwsTriggerReport> {
  const { session, config, names, progress, wait } = options;
  const { stagingKey, ...arrival } = await findArrival(options);
  const event = arrivalEvent({ bucket: awsOf(config).staging.bucket, key: arrival.key, region: session.region });
  progress.update(`calling ${names.function}`);
  const invoked = await invokeFunction(session, names.function, event);
  for (const line of invoked.log) progress.detail(line);
  const report: AwsTriggerReport = { ...arrival, run: null, state: 'woken', seconds: null, reason: null, tables: null };
  if (!invoked.ok) {
    if (invoked.error !== 'ConcurrentRunsExceededException')
      throw new CdcError(
        'trigger.failed',
        `calling the function ${names.function}: it failed with ${invoked.error}: ${invoked.why}`,
        { hint: 'cdc logs   # has what it wrote' },
      );
    // S3 would bring the event again in a minute; here nobody does.
    const busy = (await latestRuns(session, names.job))?.find(isUnderWay);
    return {
      ...report,
      run: busy?.id ?? null,
      state: 'busy',
      reason: 'a run is under way; it lists again before it ends, and `cdc trigger` again makes sure',
    };
  }
  const { ignored, run, reason } = answerSchema.parse(invoked.answer);
  const [left] = ignored;
  if (left !== undefined)
    throw new CdcError(
      'trigger.failed',
      `calling the function ${names.function}: it ignored ${left.key}: ${left.reason}`,
      {
        hint: 'cdc init   # brings the function up to date',
      },
    );
  if (run === null || !wait) return { ...report, run, reason };
  const { state, seconds, report: merged } = await followRun(options, run);
  return { ...report, run, state, seconds, reason, tables: merged?.tables ?? null };
}

function keyInStaging(file: string, root: string): string {
  return file.startsWith(root) ? file.slice(root.length) : file;
}

/** The event as S3 sends it, with the key encoded as S3 encodes it. */
export function arrivalEvent({ bucket, key, region }: { bucket: string; key: string; region: string }) {
  return {
    Records: [
      {
        eventVersion: '2.1',
        eventSource: 'aws:s3',
        awsRegion: region,
        eventName: 'ObjectCreated:Put',
        s3: {
          s3SchemaVersion: '1.0',
          configurationId: 'cdc-trigger',
          bucket: { name: bucket, arn: `arn:aws:s3:::${bucket}` },
          object: { key: encodeKey(key) },
        },
      },
    ],
  };
}

export function encodeKey(key: string): string {
  return key
    .split('/')
    .map((part) =>
      encodeURIComponent(part)
        .replaceAll('%20', '+')
        .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`),
    )
    .join('/');
}
