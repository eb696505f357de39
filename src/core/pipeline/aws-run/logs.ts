/** `logs` on AWS: what DMS, the Lambda function, the Glue job and RDS wrote, in one stream by time. */

import { latestRuns } from '../../aws/glue-run.ts';
import { type LogLine, readLogLines } from '../../aws/log-events.ts';
import type { AwsRun } from './run.ts';

export type LogSource = 'dms' | 'lambda' | 'glue' | 'rds';

export const LOG_SOURCES: readonly LogSource[] = ['dms', 'lambda', 'glue', 'rds'];

export interface AwsLogLine {
  from: LogSource;
  /** ISO, UTC. */
  time: string;
  text: string;
}

type LogRun = Pick<AwsRun, 'session' | 'config' | 'names'>;

/** Lines since a time, oldest first; with `follow` it goes on until the signal fires. */
export async function* logsOnAws(
  options: LogRun & { sources?: readonly LogSource[]; since: Date; follow: boolean },
): AsyncGenerator<AwsLogLine> {
  const { sources = LOG_SOURCES, follow, ...run } = options;
  const { clock, signal } = run.session;
  let since = options.since;
  const seen = new Set<string>();
  for (;;) {
    const lines = (await Promise.all(sources.map((source) => linesOf(run, source, since)))).flat();
    lines.sort((a, b) => a.line.time.getTime() - b.line.time.getTime());
    for (const { from, line } of lines) {
      if (seen.has(line.id)) continue;
      seen.add(line.id);
      if (line.text !== '') yield { from, time: line.time.toISOString(), text: line.text };
    }
    if (!follow || signal?.aborted) return;
    // Lines arrive late, and not in order: the last minutes are read again.
    since = new Date(Math.max(since.getTime(), clock.now() - OVERLAP_MS));
    await clock.sleep(FOLLOW_SECONDS * 1000, signal);
  }
}

const FOLLOW_SECONDS = 5;
const OVERLAP_MS = 120_000;

async function linesOf(run: LogRun, from: LogSource, since: Date): Promise<{ from: LogSource; line: LogLine }[]> {
  const groups = await groupsOf(run, from, since);
  const lines = await Promise.all(
    groups.map(({ group, stream }) =>
      readLogLines(run.session, group, { since, ...(stream === undefined ? {} : { stream }) }),
    ),
  );
  return lines.flat().map((line) => ({ from, line }));
}

/** The groups of Glue belong to all jobs of the account: only the streams of our runs are ours. */
async function groupsOf(
  { session, names }: LogRun,
  from: LogSource,
  since: Date,
): Promise<{ group: string; stream?: string }[]> {
  switch (from) {
    case 'dms':
      return [{ group: names.logGroup.dms }];
    case 'lambda':
      return [{ group: names.logGroup.lambda }];
    case 'rds':
      return [{ group: `/aws/rds/instance/${names.database}/error` }];
    case 'glue': {
      const runs = (await latestRuns(session, names.job)) ?? [];
      return runs
        .filter(({ endedAt }) => endedAt === undefined || endedAt >= since)
        .flatMap(({ id }) => GLUE_GROUPS.map((group) => ({ group, stream: id })));
    }
  }
}

/** Which of them a job of Glue 5 writes to by default is not documented. */
const GLUE_GROUPS = ['/aws-glue/jobs/output', '/aws-glue/jobs/error'];
