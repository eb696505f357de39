/** What a run of the Glue job says it has done: the last line of its output is one JSON document, as `cdc merge --json` prints it. */

import { readLogLines } from '../../aws/log-events.ts';
import { type JobReport, parseJobReport } from '../job-report.ts';
import type { AwsRun } from './run.ts';

export interface RunOutput {
  /** Undefined: the run ended before it could say anything. */
  report: JobReport | undefined;
  /** The last lines that are no report, for a run that failed. */
  lines: string[];
}

/** How a job is called, and where what its runs print goes. */
export interface GlueNames {
  job: string;
  logGroup: { glueOutput: string };
}

/** Lines reach CloudWatch some seconds after they are written. */
const LOOKS = 6;
const LOOK_SECONDS = 5;
const LAST_LINES = 5;

export async function readRunOutput(
  { session, names }: Pick<AwsRun, 'session'> & { names: GlueNames },
  run: { id: string; startedAt: Date | undefined },
): Promise<RunOutput> {
  for (let look = 1; ; look++) {
    const lines = await readLogLines(session, names.logGroup.glueOutput, {
      since: run.startedAt ?? new Date(0),
      stream: run.id,
    });
    const texts = lines.map(({ text }) => text).filter((text) => text !== '');
    const reports = texts.flatMap((text) => parseJobReport(text) ?? []);
    const report = reports.at(-1);
    if (report !== undefined || look === LOOKS)
      return { report, lines: texts.filter((text) => parseJobReport(text) === undefined).slice(-LAST_LINES) };
    await session.clock.sleep(LOOK_SECONDS * 1000, session.signal);
  }
}
