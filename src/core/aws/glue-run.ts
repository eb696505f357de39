/** Glue: runs of a job. */

import {
  GetJobRunCommand,
  GetJobRunsCommand,
  GlueClient,
  type JobRun as SdkRun,
  StartJobRunCommand,
} from '@aws-sdk/client-glue';
import { CdcError } from '../errors.ts';
import { type AwsSession, ask, clientOf, ifFound, replied } from './session.ts';

const clientFor = clientOf((options) => new GlueClient(options));

export interface JobRun {
  id: string;
  /** `STARTING`, `WAITING`, `RUNNING`, `STOPPING`; the rest has ended. */
  state: string;
  /** Why it failed. */
  error: string | undefined;
  startedAt: Date | undefined;
  endedAt: Date | undefined;
  /** Billed. */
  seconds: number;
}

const UNDER_WAY: ReadonlySet<string> = new Set(['STARTING', 'WAITING', 'RUNNING', 'STOPPING']);

export function isUnderWay(run: JobRun): boolean {
  return UNDER_WAY.has(run.state);
}

/** The new run, or undefined while another one runs: the job has one at a time. */
export async function startRun(
  session: AwsSession,
  job: string,
  /** Absent: the job's own. The API says that given ones replace those, so all are given. */
  given?: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  try {
    const reply = await ask(session, 'glue:StartJobRun', `starting the Glue job ${job}`, (options) =>
      clientFor(session).send(
        new StartJobRunCommand({ JobName: job, ...(given === undefined ? {} : { Arguments: { ...given } }) }),
        options,
      ),
    );
    return replied(reply.JobRunId, 'JobRunId');
  } catch (error) {
    if (isConcurrentRun(error)) return undefined;
    throw error;
  }
}

function isConcurrentRun(error: unknown): boolean {
  return (
    error instanceof CdcError && error.cause instanceof Error && error.cause.name === 'ConcurrentRunsExceededException'
  );
}

export async function findRun(session: AwsSession, job: string, id: string): Promise<JobRun | undefined> {
  const reply = await ifFound(
    ask(session, 'glue:GetJobRun', `looking at run ${id} of the Glue job ${job}`, (options) =>
      clientFor(session).send(new GetJobRunCommand({ JobName: job, RunId: id }), options),
    ),
  );
  return reply?.JobRun && runOf(reply.JobRun);
}

/** The latest first; undefined when there is no such job. */
export async function latestRuns(session: AwsSession, job: string): Promise<JobRun[] | undefined> {
  const reply = await ifFound(
    ask(session, 'glue:GetJobRuns', `looking for runs of the Glue job ${job}`, (options) =>
      clientFor(session).send(new GetJobRunsCommand({ JobName: job, MaxResults: 20 }), options),
    ),
  );
  return reply && (reply.JobRuns ?? []).map(runOf).sort((a, b) => timeOf(b) - timeOf(a));
}

function runOf(run: SdkRun): JobRun {
  return {
    id: replied(run.Id, 'Id'),
    state: replied(run.JobRunState, 'JobRunState'),
    error: run.ErrorMessage,
    startedAt: run.StartedOn,
    endedAt: run.CompletedOn,
    seconds: run.ExecutionTime ?? 0,
  };
}

function timeOf(run: JobRun): number {
  return run.startedAt?.getTime() ?? 0;
}
