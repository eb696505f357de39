/** DMS starts no task before it has reached both ends from its instance: the tests of that. */

import { findConnection } from '../../aws/dms.ts';
import { testUntilSuccessful } from '../aws/resources/connections.ts';
import type { AwsRun, ReadyInstance } from './run.ts';
import { together } from './together.ts';

/** Tests what has not been tested well; throws `aws.connection-failed` with DMS's reason and the usual cure. */
export async function ensureConnections({ session, progress }: AwsRun, ready: ReadyInstance): Promise<void> {
  const test = (side: 'source' | 'target') =>
    testUntilSuccessful(session, {
      side,
      pair: { endpointArn: ready[side], instanceArn: ready.instance.arn },
      report: (state) => progress.update(`testing whether DMS reaches the ${side} (${state})`),
    });
  await together(test('source'), test('target'));
}

/** As `status` shows it: `successful`, `not tested`, `failed: …`. */
export async function connectionState(
  { session }: AwsRun,
  pair: { endpointArn: string; instanceArn: string },
): Promise<string> {
  const found = await findConnection(session, pair);
  if (found === undefined) return 'not tested';
  return found.status === 'failed' && found.failure !== undefined ? `failed: ${found.failure}` : found.status;
}
