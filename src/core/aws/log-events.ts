/** CloudWatch Logs: the lines of a log group. */

import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { type AwsSession, ask, clientOf, ifFound } from './session.ts';

const clientFor = clientOf((options) => new CloudWatchLogsClient(options));

export interface LogLine {
  /** For telling lines apart that were seen before. */
  id: string;
  time: Date;
  stream: string;
  text: string;
}

/** Lines since a time, oldest first; none where the group is not there. */
export async function readLogLines(
  session: AwsSession,
  group: string,
  options: {
    since: Date;
    stream?: string;
    /** CloudWatch's filter: `{ $.level = "error" }`. */
    pattern?: string;
  },
): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  let token: string | undefined;
  do {
    const reply = await ifFound(
      ask(session, 'logs:FilterLogEvents', `reading the log group ${group}`, (abort) =>
        clientFor(session).send(
          new FilterLogEventsCommand({
            logGroupName: group,
            startTime: Math.max(0, options.since.getTime()),
            ...(options.stream === undefined ? {} : { logStreamNamePrefix: options.stream }),
            ...(options.pattern === undefined ? {} : { filterPattern: options.pattern }),
            ...(token === undefined ? {} : { nextToken: token }),
          }),
          abort,
        ),
      ),
    );
    for (const { eventId, timestamp, logStreamName, message } of reply?.events ?? [])
      lines.push({
        id: eventId ?? `${timestamp}:${logStreamName}:${message}`,
        time: new Date(timestamp ?? 0),
        stream: logStreamName ?? '',
        text: (message ?? '').trimEnd(),
      });
    token = reply?.nextToken;
  } while (token !== undefined);
  return lines.sort((a, b) => a.time.getTime() - b.time.getTime());
}
