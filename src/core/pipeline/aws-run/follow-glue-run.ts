/** The merge on AWS: a run of the Glue job, started or found, and followed to its end. */

import { findJob } from '../../aws/glue-job.ts';
import { findRun, isUnderWay, type JobRun, latestRuns, startRun } from '../../aws/glue-run.ts';
import { waitFor } from '../../aws/wait.ts';
import { CdcError } from '../../errors.ts';
import type { JobReport } from '../job-report.ts';
import { type MergeRequest, runArguments } from './job-arguments.ts';
import type { AwsRun } from './run.ts';
import { type GlueNames, readRunOutput } from './run-report.ts';

/** `given`: arguments of every run that are not the job's own, for a job that belongs to no pipeline, or to another one. */
export type Merging = Pick<AwsRun, 'session' | 'progress'> & {
  names: GlueNames;
  given?: Readonly<Record<string, string>>;
};

export interface MergedRun extends JobRun {
  /** Undefined where its log has none. */
  report: JobReport | undefined;
}

const LOOK_SECONDS = 10;
/** Longer than any run may take: the job's own timeout ends it. */
const BOUND_SECONDS = 3 * 3600;

/**
 * Starts a run that sees everything that is in staging now. One that is under way may have made its last listing, so it is
 * waited for first; then there is little left to do.
 */
export async function mergeOnGlue(merging: Merging, request: MergeRequest = {}): Promise<MergedRun> {
  const { session, names } = merging;
  const given = await argumentsOf(merging, request);
  for (;;) {
    const id = await startRun(session, names.job, given);
    if (id !== undefined) return followRun(merging, id);
    const other = (await latestRuns(session, names.job))?.find(isUnderWay);
    if (other === undefined) await session.clock.sleep(LOOK_SECONDS * 1000, session.signal);
    else await waitForRun(merging, other.id);
  }
}

async function argumentsOf({ session, names, given = {} }: Merging, request: MergeRequest) {
  const more = { ...given, ...runArguments(request) };
  if (Object.keys(more).length === 0) return undefined;
  const job = await findJob(session, names.job);
  return { ...job?.arguments, ...more };
}

/** Throws `merge.failed` with the job's own error, unless its report says which tables have failed, and why. */
export async function followRun(merging: Merging, id: string): Promise<MergedRun> {
  const { names, progress } = merging;
  const run = await waitForRun(merging, id);
  const { report, lines } = await readRunOutput(merging, run);
  if (run.state === 'SUCCEEDED' || report?.tables.some(({ error }) => error !== undefined)) return { ...run, report };
  for (const line of lines) progress.warn(line);
  const why = report?.error?.message ?? run.error;
  throw new CdcError(
    'merge.failed',
    `merging on Glue: run ${id} of ${names.job} ended as ${run.state}${why === undefined ? '' : `: ${why}`}`,
    {
      hint:
        report?.error?.hint ??
        'cdc logs   # has its output; what it did not commit is pending, and the next run takes it up',
    },
  );
}

/** For a caller that has no answer to show tables in. */
export function refuseFailed({ id, report }: MergedRun): void {
  for (const { error } of report?.tables ?? [])
    if (error !== undefined)
      throw new CdcError('merge.failed', `merging on Glue: run ${id}: ${error.message}`, {
        hint: error.hint ?? 'cdc logs',
      });
}

async function waitForRun({ session, names, progress }: Merging, id: string): Promise<JobRun> {
  const since = session.clock.now();
  return waitFor<JobRun>(session, {
    what: `run ${id} of the Glue job ${names.job} to end`,
    look: async () => {
      const run = await findRun(session, names.job, id);
      if (run !== undefined) return run;
      throw new CdcError('merge.failed', `merging on Glue: run ${id} of ${names.job} is not there any more`, {
        hint: 'cdc merge --engine glue',
      });
    },
    isReady: (run) => !isUnderWay(run),
    describe: (run) => run.state,
    everySeconds: LOOK_SECONDS,
    boundSeconds: BOUND_SECONDS,
    onLook: (run) => {
      const seconds = Math.round((session.clock.now() - since) / 1000);
      progress.update(`merging on Glue: ${run.state.toLowerCase()}, ${seconds} s (a start takes about a minute)`);
    },
  });
}
