/** `logs` on AWS: what DMS, the Lambda function, the Glue job and RDS wrote, in one stream by time. */

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
  const lines = await Promise.all(groupsOf(run, from).map((group) => readLogLines(run.session, group, { since })));
  return lines.flat().map((line) => ({ from, line }));
}

function groupsOf({ names }: LogRun, from: LogSource): string[] {
  switch (from) {
    case 'dms':
      return [names.logGroup.dms];
    case 'lambda':
      return [names.logGroup.lambda];
    case 'rds':
      return [`/aws/rds/instance/${names.database}/error`];
    case 'glue':
      // What the script says. Spark's own words, thousands of lines a run, are in the group beside it.
      return [names.logGroup.glueOutput];
  }
}
