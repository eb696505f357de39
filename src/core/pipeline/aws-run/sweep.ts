/** The clock that starts the merge every hour: it stands still while the pipeline does, for each run is paid for. */

import { type FoundSchedule, findSchedule, startSchedule, stopSchedule } from '../../aws/glue-schedule.ts';
import { despiteLostReply } from './despite-lost-reply.ts';
import type { AwsRun } from './run.ts';

type SweepRun = Pick<AwsRun, 'session' | 'names'>;

/** Fires, or is about to. */
export function isSweeping(schedule: FoundSchedule | undefined): boolean {
  return schedule?.state === 'ACTIVATED' || schedule?.state === 'ACTIVATING';
}

export async function haltSweep({ session, names }: SweepRun): Promise<void> {
  const look = () => findSchedule(session, names.sweep);
  if (!isSweeping(await look())) return;
  await despiteLostReply(
    () => stopSchedule(session, names.sweep),
    async () => !isSweeping(await look()),
  );
}

export async function resumeSweep({ session, names }: SweepRun): Promise<void> {
  const look = () => findSchedule(session, names.sweep);
  const found = await look();
  // A pipeline of an earlier version has none: `init` makes it.
  if (found === undefined || isSweeping(found)) return;
  await despiteLostReply(
    () => startSchedule(session, names.sweep),
    async () => isSweeping(await look()),
  );
}
