/** Stopping and starting the RDS instance, from whatever state it is in. */

import type { DatabaseInstance } from '../../aws/rds.ts';
import { startInstance, stopInstance } from '../../aws/rds-power.ts';
import { waitFor } from '../../aws/wait.ts';
import { CdcError } from '../../errors.ts';
import { despiteLostReply } from './despite-lost-reply.ts';
import { type AwsRun, findDatabase } from './run.ts';

/** What was done: `already` nothing. `not ours`: the source is no instance of RDS that we made. */
export type PowerChange = 'done' | 'already' | 'not ours';

/** States that no waiting ends. */
const DEAD =
  /^(failed|deleting|storage-full|restore-error|insufficient-capacity|inaccessible-encryption-credentials.*|incompatible-.*)$/;

const LOOK_SECONDS = 10;
const BOUND_SECONDS = 40 * 60;

export async function stopDatabase(run: AwsRun): Promise<PowerChange> {
  const { session, names } = run;
  const seen = await settle(run, 'stop', ['available', 'stopping', 'stopped']);
  if (seen === undefined) return 'not ours';
  if (seen.status === 'stopped') return 'already';
  if (seen.status === 'available')
    await despiteLostReply(
      () => stopInstance(session, names.database),
      () => isAt(run, 'stopping', 'stopped'),
    );
  await settle(run, 'stop', ['stopped']);
  return 'done';
}

export async function startDatabase(run: AwsRun): Promise<PowerChange> {
  const { session, names } = run;
  const seen = await settle(run, 'start', ['available', 'starting', 'stopped']);
  if (seen === undefined) return 'not ours';
  if (seen.status === 'available') return 'already';
  if (seen.status === 'stopped')
    await despiteLostReply(
      () => startInstance(session, names.database),
      () => isAt(run, 'starting', 'available', 'configuring-enhanced-monitoring', 'backing-up'),
    );
  await settle(run, 'start', ['available']);
  return 'done';
}

async function isAt(run: AwsRun, ...states: string[]): Promise<boolean> {
  return states.includes((await findDatabase(run))?.status ?? 'gone');
}

/** Waits until the instance is in one of the states; throws for one that it never leaves. */
async function settle(
  run: AwsRun,
  to: 'stop' | 'start',
  wanted: readonly string[],
): Promise<DatabaseInstance | undefined> {
  const { session, names, progress } = run;
  if (run.config.source.kind !== 'rds') return undefined;
  const since = session.clock.now();
  return waitFor<DatabaseInstance | undefined>(session, {
    what: `the database ${names.database} to ${to}`,
    look: () => findDatabase(run),
    isReady: (seen) => {
      if (seen === undefined || wanted.includes(seen.status)) return true;
      if (DEAD.test(seen.status))
        throw new CdcError(
          'aws.broken',
          `${to === 'stop' ? 'stopping' : 'starting'} the database ${names.database}: it is ${seen.status}, from which RDS cannot ${to} it`,
          {
            hint:
              seen.status === 'storage-full'
                ? 'give it more storage with `source: { rds: { storage: … } }` in cdc.yaml and cdc init'
                : 'the RDS console says why it is so; cdc destroy removes it',
          },
        );
      return false;
    },
    describe: (seen) => seen?.status ?? 'gone',
    everySeconds: LOOK_SECONDS,
    boundSeconds: BOUND_SECONDS,
    onLook: (seen) => {
      const seconds = Math.round((session.clock.now() - since) / 1000);
      progress.update(`waiting for the database to ${to} (${seen?.status}, ${seconds} s; it takes some minutes)`);
    },
  });
}
