/** A Glue job that belongs to no pipeline, or to another one, as a pipeline of target local names it in cdc.yaml. */

import { findJob } from '../../aws/glue-job.ts';
import { openSession } from '../../aws/session.ts';
import type { Config } from '../../config.ts';
import { CdcError } from '../../errors.ts';
import type { Progress } from '../../progress.ts';
import type { Merging } from './follow-glue-run.ts';
import { pipelineArguments } from './job-arguments.ts';

/** Where Glue writes what runs print, unless a job says otherwise. */
const GLUE_LOGS = '/aws-glue/jobs';

/** Throws `merge.no-job`, `merge.other-job`. */
export async function openNamedJob(options: {
  config: Config;
  progress: Progress;
  signal: AbortSignal;
}): Promise<Merging> {
  const { config, progress, signal } = options;
  const session = await openSession({ ...config.s3, signal });
  const name = config.merge.glueJob ?? '';
  const job = await findJob(session, name);
  const doing = `merging on Glue by the job ${name}`;
  if (job === undefined)
    throw new CdcError('merge.no-job', `${doing}: there is none in account ${session.account}, ${session.region}`, {
      hint: 'name another one with merge.glue_job in cdc.yaml; `cdc init --only glue-job` of a pipeline with target: aws makes one',
    });
  if (!/merge_changes[^/]*\.py$/.test(job.script))
    throw new CdcError('merge.other-job', `${doing}: its script is ${job.script}, and not merge_changes.py of cdc`, {
      hint: 'name another one with merge.glue_job in cdc.yaml',
    });
  const logs = job.arguments['--custom-logGroup-prefix'] ?? GLUE_LOGS;
  const names = { job: name, logGroup: { glueOutput: `${logs}/output` } };
  return { session, progress, names, given: pipelineArguments(config) };
}
