/**
 * What S3 calls when a file arrives: it wakes the Glue job. The event only wakes; the job itself lists what is pending.
 * The environment says CDC_GLUE_JOB, CDC_STAGING_BUCKET and CDC_STAGING_PREFIX (pipeline/aws-run/lambda-package.ts).
 */

import { GlueClient } from '@aws-sdk/client-glue';
import { type Arrival, readArrivals } from './arrivals.ts';
import { type GlueCalls, wakeJob } from './wake-job.ts';

export interface HandlerAnswer {
  /** Keys as they stand in the bucket. */
  files: string[];
  ignored: { key: string; reason: string }[];
  /** The run that this call started. */
  run: string | null;
  /** Why none was started. */
  reason: string | null;
}

export interface HandlerSettings {
  job: string;
  bucket: string;
  prefix: string;
}

const client = new GlueClient({});

export async function handler(event: unknown, context?: { awsRequestId?: string }): Promise<HandlerAnswer> {
  const request = context?.awsRequestId;
  // Not console.log: Lambda would put time, request and level before it, and the line would be no JSON.
  const log: Log = (level, message, details) =>
    process.stdout.write(`${JSON.stringify({ level, message, request, ...details })}\n`);
  return handle({ event, settings: readSettings(process.env), glue: client, log });
}

export type Log = (level: 'info' | 'error', message: string, details: Record<string, unknown>) => unknown;

/** Throws whatever kept the job from being woken: S3's invocation is asynchronous, so it is tried again later. */
export async function handle(options: {
  event: unknown;
  settings: HandlerSettings;
  glue: GlueCalls;
  log: Log;
}): Promise<HandlerAnswer> {
  const { event, settings, glue, log } = options;
  const arrivals = readArrivals(event, settings);
  const files = arrivals.filter(({ ignored }) => ignored === undefined).map(({ key }) => key);
  const ignored = arrivals.flatMap(({ key, ignored }: Arrival) =>
    ignored === undefined ? [] : [{ key, reason: ignored }],
  );
  if (ignored.length > 0) log('info', 'ignored what is no change file', { ignored });
  if (files.length === 0) return { files, ignored, run: null, reason: 'no change file has arrived' };
  try {
    const woken = await wakeJob(glue, settings.job);
    log('info', woken.run === null ? woken.reason : 'started the job', { job: settings.job, run: woken.run, files });
    return { files, ignored, run: woken.run, reason: woken.run === null ? woken.reason : null };
  } catch (error) {
    const [name, why] = error instanceof Error ? [error.name, error.message] : ['Error', String(error)];
    // A job at work is no fault that `status` should show as the function's last.
    const level = name === 'ConcurrentRunsExceededException' ? 'info' : 'error';
    log(level, 'the job was not started; this event comes again', { job: settings.job, error: name, why, files });
    throw error;
  }
}

function readSettings(env: Record<string, string | undefined>): HandlerSettings {
  const need = (name: string): string => {
    const value = env[name];
    if (value === undefined || value === '') throw new Error(`${name} is not set: \`cdc init\` sets it`);
    return value;
  };
  return {
    job: need('CDC_GLUE_JOB'),
    bucket: need('CDC_STAGING_BUCKET'),
    prefix: env.CDC_STAGING_PREFIX ?? '',
  };
}
