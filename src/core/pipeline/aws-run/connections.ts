/** DMS starts no task before it has reached both ends from its instance: the tests of that. */

import { type Connection, type ConnectionPair, findConnection, testConnection } from '../../aws/dms.ts';
import type { AwsSession } from '../../aws/session.ts';
import { waitFor } from '../../aws/wait.ts';
import { CdcError } from '../../errors.ts';
import type { Progress } from '../../progress.ts';
import type { AwsRun, ReadyInstance } from './run.ts';

export type End = 'source' | 'target';

/** Throws `connection.failed` with DMS's reason and the usual cure. */
export async function ensureConnections(run: AwsRun, ready: ReadyInstance): Promise<void> {
  const instanceArn = ready.instance.arn;
  await Promise.all([
    ensureConnection(run, 'source', { endpointArn: ready.source, instanceArn }),
    ensureConnection(run, 'target', { endpointArn: ready.target, instanceArn }),
  ]);
}

/** A test that has succeeded counts until the endpoint is changed: DMS forgets it then. */
async function ensureConnection(
  { session, progress }: { session: AwsSession; progress: Progress },
  end: End,
  pair: ConnectionPair,
): Promise<void> {
  const known = await findConnection(session, pair);
  if (known?.status === 'successful') return;
  if (known?.status !== 'testing') await testConnection(session, pair);
  const tested = await waitFor<Connection | undefined>(session, {
    what: `DMS to reach the ${end}`,
    look: () => findConnection(session, pair),
    isReady: (seen) => seen?.status === 'successful' || seen?.status === 'failed',
    describe: (seen) => seen?.status ?? 'not tested',
    everySeconds: 5,
    boundSeconds: 10 * 60,
    onLook: () => progress.update(`testing whether DMS reaches the ${end}`),
  });
  if (tested?.status !== 'failed') return;
  throw new CdcError(
    'connection.failed',
    `testing whether DMS reaches the ${end}: ${tested.failure ?? 'it does not, and DMS does not say why'}`,
    {
      hint:
        end === 'source'
          ? 'cdc init   # mends security group, secret and role; a server of your own must let DMS in'
          : 'cdc init   # mends bucket policy and role; from a private instance S3 needs a VPC endpoint',
    },
  );
}

/** As `status` shows them. */
export async function connectionStates(run: AwsRun, ready: ReadyInstance): Promise<Record<End, string>> {
  const instanceArn = ready.instance.arn;
  const stateOf = async (endpointArn: string) => {
    const found = await findConnection(run.session, { endpointArn, instanceArn });
    if (found === undefined) return 'not tested';
    return found.failure === undefined || found.status !== 'failed' ? found.status : `failed: ${found.failure}`;
  };
  const [source, target] = await Promise.all([stateOf(ready.source), stateOf(ready.target)]);
  return { source, target };
}
