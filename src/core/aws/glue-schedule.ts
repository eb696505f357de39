/** Glue: the trigger that starts a job by the clock. */

import {
  CreateTriggerCommand,
  type CreateTriggerCommandInput,
  DeleteTriggerCommand,
  GetTriggerCommand,
  StartTriggerCommand,
  StopTriggerCommand,
  UpdateTriggerCommand,
} from '@aws-sdk/client-glue';
import { glueClientFor, glueTags } from './glue-job.ts';
import { type AwsSession, ask, ifFound } from './session.ts';
import type { Tags } from './tags.ts';

export interface Schedule {
  name: string;
  job: string;
  /** `cron(17 * * * ? *)`, UTC. */
  cron: string;
}

export interface FoundSchedule extends Schedule {
  /** `ACTIVATED` when it fires; `CREATED` and `DEACTIVATED` stand still; the rest passes. */
  state: string;
  tags: Tags;
}

export async function findSchedule(session: AwsSession, name: string): Promise<FoundSchedule | undefined> {
  const doing = `looking for the Glue trigger ${name}`;
  const reply = await ifFound(
    ask(session, 'glue:GetTrigger', doing, (options) =>
      glueClientFor(session).send(new GetTriggerCommand({ Name: name }), options),
    ),
  );
  const found = reply?.Trigger;
  if (found === undefined) return undefined;
  return {
    name,
    job: found.Actions?.[0]?.JobName ?? '',
    cron: found.Schedule ?? '',
    state: found.State ?? '',
    tags: await glueTags(session, `trigger/${name}`, doing),
  };
}

/** It fires from then on. */
export async function createSchedule(session: AwsSession, schedule: Schedule, tags: Tags): Promise<void> {
  await ask(session, 'glue:CreateTrigger', `making the Glue trigger ${schedule.name}`, (options) =>
    glueClientFor(session).send(new CreateTriggerCommand(scheduleInput(schedule, tags)), options),
  );
}

/** What is asked of Glue, also by `plan --aws-cli`. */
export function scheduleInput({ name, job, cron }: Schedule, tags: Tags): CreateTriggerCommandInput {
  return {
    Name: name,
    Type: 'SCHEDULED',
    Schedule: cron,
    Actions: [{ JobName: job }],
    StartOnCreation: true,
    Tags: { ...tags },
  };
}

export async function changeSchedule(session: AwsSession, { name, job, cron }: Schedule): Promise<void> {
  await ask(session, 'glue:UpdateTrigger', `changing the Glue trigger ${name}`, (options) =>
    glueClientFor(session).send(
      new UpdateTriggerCommand({ Name: name, TriggerUpdate: { Schedule: cron, Actions: [{ JobName: job }] } }),
      options,
    ),
  );
}

export async function startSchedule(session: AwsSession, name: string): Promise<void> {
  await ask(session, 'glue:StartTrigger', `starting the Glue trigger ${name}`, (options) =>
    glueClientFor(session).send(new StartTriggerCommand({ Name: name }), options),
  );
}

export async function stopSchedule(session: AwsSession, name: string): Promise<void> {
  await ask(session, 'glue:StopTrigger', `stopping the Glue trigger ${name}`, (options) =>
    glueClientFor(session).send(new StopTriggerCommand({ Name: name }), options),
  );
}

/** Glue is content when there is none. */
export async function deleteSchedule(session: AwsSession, name: string): Promise<void> {
  await ifFound(
    ask(session, 'glue:DeleteTrigger', `deleting the Glue trigger ${name}`, (options) =>
      glueClientFor(session).send(new DeleteTriggerCommand({ Name: name }), options),
    ),
  );
}
