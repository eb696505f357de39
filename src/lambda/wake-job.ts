/** Starts the Glue job, at most as often as needed: a run that has not begun to work will list the new file too. */

import {
  GetJobRunsCommand,
  type GetJobRunsCommandOutput,
  type GlueClient,
  StartJobRunCommand,
} from '@aws-sdk/client-glue';

export type GlueCalls = Pick<GlueClient, 'send'>;

export type Woken = { run: string } | { run: null; reason: string };

/**
 * A run that works may have made its last listing already, so `ConcurrentRunsExceededException` is thrown on: the event
 * comes again in a minute. No arguments are given, so that the job's own stand, whichever way Glue merges the two.
 */
export async function wakeJob(glue: GlueCalls, job: string): Promise<Woken> {
  try {
    const { JobRunId } = await glue.send(new StartJobRunCommand({ JobName: job }));
    return { run: JobRunId ?? 'unknown' };
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'ConcurrentRunsExceededException') throw error;
    const waiting = await waitingRun(glue, job);
    if (waiting === undefined) throw error;
    return { run: null, reason: `run ${waiting} has not begun yet and will see the file` };
  }
}

/** Undefined also where nobody may ask: then the event comes again, which is dearer and as safe. */
async function waitingRun(glue: GlueCalls, job: string): Promise<string | undefined> {
  let answer: GetJobRunsCommandOutput;
  try {
    answer = await glue.send(new GetJobRunsCommand({ JobName: job, MaxResults: 20 }));
  } catch {
    return undefined;
  }
  const waiting = answer.JobRuns?.find(({ JobRunState }) => JobRunState === 'STARTING' || JobRunState === 'WAITING');
  return waiting?.Id;
}
