/** What a run of the Glue job says it has done: the last line of its output is one JSON document, as `cdc merge --json` prints it. */

import { z } from 'zod';
import { readLogLines } from '../../aws/log-events.ts';
import type { AwsRun } from './run.ts';

const problem = z.object({ code: z.string(), message: z.string(), hint: z.string().optional() });
const tableReport = z.object({
  schema: z.string(),
  table: z.string(),
  files: z.number(),
  changes: z.number(),
  inserted: z.number(),
  updated: z.number(),
  deleted: z.number(),
  quarantined: z.number(),
  version: z.number(),
  seconds: z.number(),
  waiting: z.string().optional(),
  error: problem.optional(),
});
const runReport = z.object({ tables: z.array(tableReport), error: problem.optional() });

export type RunTable = z.output<typeof tableReport>;
export interface RunReport {
  tables: RunTable[];
  /** Of the run as a whole, before any table. */
  error?: z.output<typeof problem> | undefined;
}

export interface RunOutput {
  /** Undefined: the run ended before it could say anything. */
  report: RunReport | undefined;
  /** The last lines that are no report, for a run that failed. */
  lines: string[];
}

/** Lines reach CloudWatch some seconds after they are written. */
const LOOKS = 6;
const LOOK_SECONDS = 5;
const LAST_LINES = 5;

export async function readRunOutput(
  { session, names }: Pick<AwsRun, 'session' | 'names'>,
  run: { id: string; startedAt: Date | undefined },
): Promise<RunOutput> {
  for (let look = 1; ; look++) {
    const lines = await readLogLines(session, names.logGroup.glueOutput, {
      since: run.startedAt ?? new Date(0),
      stream: run.id,
    });
    const texts = lines.map(({ text }) => text).filter((text) => text !== '');
    const reports = texts.flatMap((text) => parseReport(text) ?? []);
    const report = reports.at(-1);
    if (report !== undefined || look === LOOKS)
      return { report, lines: texts.filter((text) => parseReport(text) === undefined).slice(-LAST_LINES) };
    await session.clock.sleep(LOOK_SECONDS * 1000, session.signal);
  }
}

function parseReport(text: string): RunReport | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    return runReport.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
