/** The merge on AWS: a run of the Glue job, started or found, and followed to its end. */

import { findRun, isUnderWay, type JobRun, latestRuns, startRun } from '../../aws/glue-run.ts';
import type { AwsSession } from '../../aws/session.ts';
import { waitFor } from '../../aws/wait.ts';
import { CdcError } from '../../errors.ts';
import type { Progress } from '../../progress.ts';

interface Merging {
  session: AwsSession;
  job: string;
  progress: Progress;
}

const LOOK_SECONDS = 10;
/** Longer than any run may take: the job's own timeout ends it. */
const BOUND_SECONDS = 3 * 3600;

/**
 * Starts a run that sees everything that is in staging now. One that is under way may have made its last listing, so it is
 * waited for first; then there is little left to do.
 */
export async function mergeOnGlue({ session, job, progress }: Merging): Promise<JobRun> {
  for (;;) {
    const id = await startRun(session, job);
    if (id !== undefined) return followRun({ session, job, progress }, id);
    const other = (await latestRuns(session, job))?.find(isUnderWay);
    if (other === undefined) await session.clock.sleep(LOOK_SECONDS * 1000, session.signal);
    else await waitForRun({ session, job, progress }, other.id);
  }
}

/** Throws `merge.failed` with the job's own error. */
export async function followRun(merging: Merging, id: string): Promise<JobRun> {
  const run = await waitForRun(merging, id);
  if (run.state === 'SUCCEEDED') return run;
  throw new CdcError(
    'merge.failed',
    `merging on Glue: run ${id} of ${merging.job} ended as ${run.state}${run.error === undefined ? '' : `: ${run.error}`}`,
    { hint: 'cdc logs   # has its output; what it did not commit is pending, and the next run takes it up' },
  );
}

async function waitForRun({ session, job, progress }: Merging, id: string): Promise<JobRun> {
  const since = session.clock.now();
  return waitFor<JobRun>(session, {
    what: `run ${id} of the Glue job ${job} to end`,
    look: async () => {
      const run = await findRun(session, job, id);
      if (run !== undefined) return run;
      throw new CdcError('merge.failed', `merging on Glue: run ${id} of ${job} is not there any more`, {
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
