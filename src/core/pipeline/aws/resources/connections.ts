/** The connection tests: DMS starts no task before both have succeeded (guide, sections 5.1 and 5.2). */

import {
  type Connection,
  type ConnectionPair,
  connectionInput,
  findConnection,
  testConnection,
} from '../../../aws/dms.ts';
import type { AwsSession } from '../../../aws/session.ts';
import { repeatWhile, waitFor } from '../../../aws/wait.ts';
import { CdcError } from '../../../errors.ts';
import type { AwsContext, Resource } from '../resource.ts';
import { idOf } from '../resource.ts';

const SIDES = [
  { name: 'source', idName: 'source_endpoint' },
  { name: 'target', idName: 'target_endpoint' },
] as const;
type Side = (typeof SIDES)[number];

export function connections(): Resource {
  return {
    id: 'connections',
    guideSection: '5.3',
    title: 'connection tests of both endpoints',
    // The user too: the source's test signs in as it.
    needs: ['replication-instance', 'source-endpoint', 'target-endpoint', 'users'],
    expectedSeconds: 60,
    rights: ['dms:TestConnection'],
    async look(context) {
      if (context.ids.get('replication_instance') === undefined) return { state: 'absent' };
      const seen = await Promise.all(
        SIDES.map(async (side) => ({
          side,
          found: context.ids.get(side.idName) === undefined ? undefined : await connectionOf(context, side),
        })),
      );
      if (seen.every(({ found }) => found === undefined)) return { state: 'absent' };
      return {
        state: 'ours',
        ids: {},
        differences: seen
          .filter(({ found }) => found?.status !== 'successful')
          .map(({ side, found }) => ({
            what: side.name,
            is:
              found === undefined
                ? 'not tested'
                : `${found.status}${found.failure === undefined ? '' : `: ${found.failure}`}`,
            wanted: 'successful',
            isMendable: true,
          })),
      };
    },
    create: (context) => test(context),
    mend: (context) => test(context),
    commands: (context) =>
      SIDES.flatMap((side) => {
        const pair = pairOf(context, side);
        const Filters = [
          { Name: 'endpoint-arn', Values: [pair.endpointArn] },
          { Name: 'replication-instance-arn', Values: [pair.instanceArn] },
        ];
        return [
          { service: 'dms', operation: 'TestConnection', input: connectionInput(pair) },
          { service: 'dms', operation: 'wait test-connection-succeeds', input: { Filters } },
        ];
      }),
  };

  async function test(context: AwsContext): Promise<void> {
    await Promise.all(
      SIDES.map((side) =>
        testUntilSuccessful(context.session, {
          side: side.name,
          pair: pairOf(context, side),
          report: (state) => context.report('connections', `${side.name} ${state}`),
        }),
      ),
    );
  }
}

/** A test that has succeeded counts until its endpoint is changed: DMS forgets it then. Throws `aws.connection-failed`. */
export async function testUntilSuccessful(
  session: AwsSession,
  { side, pair, report }: { side: Side['name']; pair: ConnectionPair; report: (state: string) => void },
): Promise<void> {
  // A role made a moment ago is not known to DMS: the test is made again for a while.
  await repeatWhile(session, { isTooEarly: isRoleUnknown, boundSeconds: 120, everySeconds: 10 }, async () => {
    const known = await findConnection(session, pair);
    if (known?.status === 'successful') return;
    if (known?.status !== 'testing') await testConnection(session, pair);
    await waitFor(session, {
      what: `the connection test of the ${side} endpoint`,
      look: () => findConnection(session, pair),
      isReady(seen) {
        if (seen?.status === 'failed') throw failedTest(side, seen);
        return seen?.status === 'successful';
      },
      describe: (seen) => seen?.status ?? 'not begun',
      everySeconds: 5,
      boundSeconds: 600,
      onLook: (seen) => report(seen?.status ?? 'not begun'),
    });
  });
}

function isRoleUnknown(error: CdcError): boolean {
  return error.code === 'aws.connection-failed' && /assume role|not configured properly/i.test(error.message);
}

function connectionOf(context: AwsContext, side: Side): Promise<Connection | undefined> {
  return findConnection(context.session, pairOf(context, side));
}

function pairOf(context: AwsContext, { idName }: Side): ConnectionPair {
  return { endpointArn: idOf(context, idName), instanceArn: idOf(context, 'replication_instance') };
}

/** Causes as they have been met (reference: aws 7.3). */
function failedTest(side: Side['name'], { failure = 'DMS gives no reason' }: Connection): CdcError {
  const hint =
    side === 'source'
      ? /secret/i.test(failure)
        ? 'DMS may not read the secret yet: run cdc init again in two minutes'
        : /Access denied|password/i.test(failure)
          ? 'cdc init --only users   # sets the password of its user again'
          : 'check that the database runs and lets the replication instance connect (its security group)'
      : 'check that the bucket is in the same region, not versioned, and that nobody changed the role; a new role takes two minutes';
  return new CdcError('aws.connection-failed', `testing the connection of DMS to the ${side}: ${failure}`, {
    hint,
  });
}
