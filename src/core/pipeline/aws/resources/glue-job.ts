/** The Glue job that merges (guide, section 10): its code in a bucket, the job, and the clock that starts it every hour. */

import { createJob, deleteJob, findJob, type JobSettings, jobInput, updateJob } from '../../../aws/glue-job.ts';
import {
  changeSchedule,
  createSchedule,
  deleteSchedule,
  findSchedule,
  type Schedule,
  scheduleInput,
  startSchedule,
} from '../../../aws/glue-schedule.ts';
import { findObject, lookAtBucket, writeObject } from '../../../aws/s3.ts';
import { waitFor } from '../../../aws/wait.ts';
import type { Config } from '../../../config.ts';
import { jobArguments } from '../../aws-run/job-arguments.ts';
import type { JobPackage } from '../../aws-run/job-package.ts';
import type { AwsNames } from '../names.ts';
import { type AwsContext, compare, idOf, owned, type Resource } from '../resource.ts';

const GLUE_VERSION = '5.1';
const WORKER_TYPE = 'G.1X';
export const GLUE_WORKERS = 2;
/** A first merge of a large load takes its time; a run that hangs would cost $0.88 an hour. */
const TIMEOUT_MINUTES = 120;

/** Keys say what is in them, so what is there is right. */
export function jobCode(names: AwsNames, code: JobPackage): Resource {
  const bucket = names.codeBucket;
  const files = [code.script, code.modules];
  return {
    id: 'job-code',
    guideSection: '10',
    title: `code of the job: s3://${bucket}/${code.script.key}`,
    needs: ['code-bucket'],
    expectedSeconds: 2,
    rights: ['s3:PutObject', 's3:ListBucket'],
    async look({ session }) {
      if ((await lookAtBucket(session, bucket)) !== 'ours') return { state: 'absent' };
      const found = await Promise.all(files.map(({ key }) => findObject(session, bucket, key)));
      if (found.every((object) => object === undefined)) return { state: 'absent' };
      const differences = files.flatMap(({ key, body }, index) =>
        compare({ [key]: [found[index]?.size ?? 'absent', body.length] }),
      );
      return { state: 'ours', ids: {}, differences };
    },
    create: upload,
    mend: upload,
  };

  async function upload({ session }: AwsContext): Promise<void> {
    for (const { key, body } of files) await writeObject(session, { bucket, key, body });
  }
}

export function glueJob(names: AwsNames, code: JobPackage, config: Config): Resource {
  const inBucket = (key: string) => `s3://${names.codeBucket}/${key}`;
  const settings = (context: AwsContext): JobSettings => ({
    name: names.job,
    role: idOf(context, 'role_glue'),
    script: inBucket(code.script.key),
    glueVersion: GLUE_VERSION,
    workerType: WORKER_TYPE,
    workers: GLUE_WORKERS,
    timeoutMinutes: TIMEOUT_MINUTES,
    // Spark's commit on S3 is not conditional: there must be one at a time.
    maxConcurrentRuns: 1,
    maxRetries: 0,
    arguments: jobArguments(config, inBucket(code.modules.key)),
  });
  return {
    id: 'glue-job',
    guideSection: '10',
    title: `Glue job ${names.job} (Glue ${GLUE_VERSION}, ${GLUE_WORKERS} × ${WORKER_TYPE}, one run at a time)`,
    needs: ['glue-role', 'job-code', 'log-groups', 'staging-bucket', 'lake-bucket'],
    expectedSeconds: 10,
    rights: ['glue:CreateJob', 'glue:TagResource', 'glue:UpdateJob', 'glue:DeleteJob', 'iam:PassRole'],
    async look(context) {
      const found = await findJob(context.session, names.job);
      if (found === undefined) return { state: 'absent' };
      const role = context.ids.get('role_glue');
      const { arguments: given, ...wanted } = settings({ ...context, ids: new Map([['role_glue', role ?? '']]) });
      return owned(context, `Glue job ${names.job}`, found.tags, {
        differences: compare({
          role: [found.role, role],
          script: [found.script, wanted.script],
          'Glue version': [found.glueVersion, wanted.glueVersion],
          workers: [`${found.workers} ${found.workerType}`, `${wanted.workers} ${wanted.workerType}`],
          'timeout in minutes': [found.timeoutMinutes, wanted.timeoutMinutes],
          'runs at a time': [found.maxConcurrentRuns, wanted.maxConcurrentRuns],
          retries: [found.maxRetries, wanted.maxRetries],
          ...Object.fromEntries(
            Object.entries(given).map(([key, value]) => [key, [found.arguments[key], value] as const]),
          ),
        }),
      });
    },
    create: (context) => createJob(context.session, settings(context), context.tags),
    mend: (context) => updateJob(context.session, settings(context)),
    commands: (context) => [
      { service: 'glue', operation: 'CreateJob', input: jobInput(settings(context), context.tags) },
    ],
    remove: ({ session }) => deleteJob(session, names.job),
  };
}

/** Finds what an event has missed; S3 delivers nearly always, and a busy Lambda gives up after six hours. */
export function sweep(names: AwsNames): Resource {
  // Not on the hour, when everybody's clocks strike.
  const schedule: Schedule = { name: names.sweep, job: names.job, cron: 'cron(17 * * * ? *)' };
  return {
    id: 'sweep',
    guideSection: '10',
    title: `Glue trigger ${names.sweep} (starts the job every hour)`,
    needs: ['glue-job'],
    expectedSeconds: 10,
    rights: ['glue:CreateTrigger', 'glue:TagResource', 'glue:UpdateTrigger', 'glue:StartTrigger', 'glue:DeleteTrigger'],
    async look(context) {
      const found = await findSchedule(context.session, names.sweep);
      if (found === undefined || found.state === 'DELETING') return { state: 'absent' };
      // Deactivated: `cdc stop` did that, and `cdc start` goes on.
      return owned(context, `Glue trigger ${names.sweep}`, found.tags, {
        differences: compare({
          schedule: [found.cron, schedule.cron],
          job: [found.job, schedule.job],
          ...(found.state === 'CREATED' ? { state: [found.state, 'ACTIVATED'] } : {}),
        }),
      });
    },
    create: (context) => createSchedule(context.session, schedule, context.tags),
    commands: ({ tags }) => [{ service: 'glue', operation: 'CreateTrigger', input: scheduleInput(schedule, tags) }],
    async mend({ session }, differences) {
      if (differences.some(({ what }) => what !== 'state')) await changeSchedule(session, schedule);
      if (differences.some(({ what }) => what === 'state')) await startSchedule(session, names.sweep);
    },
    settle: async (context) => {
      await waitFor(context.session, {
        what: `the Glue trigger ${names.sweep} to be activated`,
        look: () => findSchedule(context.session, names.sweep),
        isReady: (seen) => seen === undefined || !seen.state.endsWith('ING'),
        describe: (seen) => seen?.state ?? 'absent',
        everySeconds: 2,
        boundSeconds: 120,
      });
    },
    async remove({ session }) {
      await deleteSchedule(session, names.sweep);
      await waitFor(session, {
        what: `the Glue trigger ${names.sweep} to be deleted`,
        look: () => findSchedule(session, names.sweep),
        isReady: (seen) => seen === undefined,
        describe: (seen) => seen?.state ?? 'gone',
        everySeconds: 2,
        boundSeconds: 120,
      });
    },
  };
}
