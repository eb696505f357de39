/** Glue: a job of Spark, as it is defined. Its runs are in glue-run.ts. */

import {
  CreateJobCommand,
  type CreateJobCommandInput,
  DeleteJobCommand,
  GetJobCommand,
  GetTagsCommand,
  GlueClient,
  type JobUpdate,
  UpdateJobCommand,
  type WorkerType,
} from '@aws-sdk/client-glue';
import { isAwsError } from './aws-error.ts';
import { type AwsSession, ask, clientOf, ifFound } from './session.ts';
import type { Tags } from './tags.ts';
import { repeatWhile } from './wait.ts';

export const glueClientFor = clientOf((options) => new GlueClient(options));

export interface JobSettings {
  name: string;
  role: string;
  /** `s3://bucket/key` of a Python file. */
  script: string;
  glueVersion: string;
  workerType: WorkerType;
  workers: number;
  timeoutMinutes: number;
  maxConcurrentRuns: number;
  maxRetries: number;
  /** What every run is given; a secret would be logged. */
  arguments: Readonly<Record<string, string>>;
}

export interface FoundJob extends Omit<JobSettings, 'workerType'> {
  workerType: string;
  tags: Tags;
}

export async function findJob(session: AwsSession, name: string): Promise<FoundJob | undefined> {
  const doing = `looking for the Glue job ${name}`;
  const reply = await ifFound(
    ask(session, 'glue:GetJob', doing, (options) =>
      glueClientFor(session).send(new GetJobCommand({ JobName: name }), options),
    ),
  );
  const found = reply?.Job;
  if (found === undefined) return undefined;
  return {
    name,
    role: found.Role ?? '',
    script: found.Command?.ScriptLocation ?? '',
    glueVersion: found.GlueVersion ?? '',
    workerType: found.WorkerType ?? '',
    workers: found.NumberOfWorkers ?? 0,
    timeoutMinutes: found.Timeout ?? 0,
    maxConcurrentRuns: found.ExecutionProperty?.MaxConcurrentRuns ?? 0,
    maxRetries: found.MaxRetries ?? 0,
    arguments: found.DefaultArguments ?? {},
    tags: await glueTags(session, `job/${name}`, doing),
  };
}

/** Of a job, a trigger or a database: `job/NAME`. */
export async function glueTags(session: AwsSession, resource: string, doing: string): Promise<Tags> {
  const { partition, region, account } = session;
  const reply = await ifFound(
    ask(session, 'glue:GetTags', doing, (options) =>
      glueClientFor(session).send(
        new GetTagsCommand({ ResourceArn: `arn:${partition}:glue:${region}:${account}:${resource}` }),
        options,
      ),
    ),
  );
  return reply?.Tags ?? {};
}

/** A role made a moment ago is refused for up to two minutes. */
const UNTIL_ROLE_IS_KNOWN = { isTooEarly: (error: unknown) => isAwsError(error, 'not-yet'), boundSeconds: 120 };

export async function createJob(session: AwsSession, settings: JobSettings, tags: Tags): Promise<void> {
  await repeatWhile(session, UNTIL_ROLE_IS_KNOWN, () =>
    ask(session, 'glue:CreateJob', `making the Glue job ${settings.name}`, (options) =>
      glueClientFor(session).send(new CreateJobCommand(jobInput(settings, tags)), options),
    ),
  );
}

/** What is asked of Glue, also by `plan --aws-cli`. */
export function jobInput(settings: JobSettings, tags: Tags): CreateJobCommandInput {
  return { Name: settings.name, ...definitionOf(settings), Tags: { ...tags } };
}

/** Sets all of it: what an update leaves out is reset. */
export async function updateJob(session: AwsSession, settings: JobSettings): Promise<void> {
  await repeatWhile(session, UNTIL_ROLE_IS_KNOWN, () =>
    ask(session, 'glue:UpdateJob', `changing the Glue job ${settings.name}`, (options) =>
      glueClientFor(session).send(
        new UpdateJobCommand({ JobName: settings.name, JobUpdate: definitionOf(settings) }),
        options,
      ),
    ),
  );
}

function definitionOf(settings: JobSettings) {
  return {
    Role: settings.role,
    Command: { Name: 'glueetl', ScriptLocation: settings.script, PythonVersion: '3' },
    GlueVersion: settings.glueVersion,
    WorkerType: settings.workerType,
    NumberOfWorkers: settings.workers,
    Timeout: settings.timeoutMinutes,
    ExecutionProperty: { MaxConcurrentRuns: settings.maxConcurrentRuns },
    MaxRetries: settings.maxRetries,
    DefaultArguments: { ...settings.arguments },
  } satisfies JobUpdate;
}

/** Glue is content when there is none. */
export async function deleteJob(session: AwsSession, name: string): Promise<void> {
  await ifFound(
    ask(session, 'glue:DeleteJob', `deleting the Glue job ${name}`, (options) =>
      glueClientFor(session).send(new DeleteJobCommand({ JobName: name }), options),
    ),
  );
}
