/** CloudWatch: the latest values of metrics. */

import { CloudWatchClient, GetMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { type AwsSession, ask, clientOf } from './session.ts';

const clientFor = clientOf((options) => new CloudWatchClient(options));

/** By metric; those without a value since then are left out. All of one thing, which the dimensions name. */
export async function latestMetrics(
  session: AwsSession,
  options: { namespace: string; metrics: readonly string[]; dimensions: Readonly<Record<string, string>>; since: Date },
): Promise<Map<string, number>> {
  const Dimensions = Object.entries(options.dimensions).map(([Name, Value]) => ({ Name, Value }));
  const reply = await ask(session, 'cloudwatch:GetMetricData', 'reading the metrics of DMS', (abort) =>
    clientFor(session).send(
      new GetMetricDataCommand({
        StartTime: options.since,
        EndTime: new Date(session.clock.now()),
        ScanBy: 'TimestampDescending',
        MetricDataQueries: options.metrics.map((MetricName, index) => ({
          Id: `m${index}`,
          MetricStat: { Metric: { Namespace: options.namespace, MetricName, Dimensions }, Period: 60, Stat: 'Average' },
        })),
      }),
      abort,
    ),
  );
  const found = new Map<string, number>();
  for (const [index, metric] of options.metrics.entries()) {
    const value = reply.MetricDataResults?.find(({ Id }) => Id === `m${index}`)?.Values?.[0];
    if (value !== undefined) found.set(metric, value);
  }
  return found;
}
