/** `destroy` on AWS: the graph of init, backwards. Only what has our tag goes; what stays is named with its price. */

import { manualSnapshots } from '../../aws/rds.ts';
import { withSignal } from '../../aws/session.ts';
import { taggedResources } from '../../aws/tagging.ts';
import type { JobPackage } from '../aws-run/job-package.ts';
import type { LambdaPackage } from '../aws-run/lambda-package.ts';
import { type CostReport, costReport, measureCost } from '../aws-run/measure-cost.ts';
import { desiredResources } from './desired.ts';
import { reversed, runGraph } from './graph.ts';
import { type AwsOptions, lookAtAll, makeContext } from './look.ts';
import { ACCOUNT_ROLES } from './names.ts';
import { placeToRemove } from './place.ts';
import { SNAPSHOT_GB_MONTH, STORAGE_GB_MONTH } from './prices.ts';
import { readRecord, refuseOtherAccount, removeRecord } from './record.ts';
import type { Actual, AwsContext, Resource } from './resource.ts';
import { RunningSteps } from './running-steps.ts';

/** Something that stays. */
export interface Remaining {
  resource: string;
  why: string;
  /** In words, for most of it depends on size. */
  cost: string;
}

export interface DestroyView {
  options: AwsOptions;
  context: AwsContext;
  /** Everything of the pipeline, so that the order is kept where something in between is not removed. */
  resources: readonly Resource[];
  /** In the order in which they can go, with what is in them. */
  removals: readonly { id: string; resource: string; holds: string }[];
  remaining: readonly Remaining[];
}

/** What would go and what would stay; asks only. */
export async function lookAtDestroy(options: AwsOptions & { deleteLake: boolean }): Promise<DestroyView> {
  const { config, session, progress } = options;
  const record = await readRecord(config);
  refuseOtherAccount(session, record, config);
  progress.update(`looking at account ${session.account}, ${session.region}`);
  const place = await placeToRemove(session, config);
  const context = makeContext(options, place, record);
  const resources = desiredResources({ config, place, code: { function: NO_FUNCTION, job: NO_JOB } });
  // Those that only SQL shows go with the database.
  const seen = resources.map(
    (resource): Resource =>
      resource.remove === undefined && !['account-roles', 'network', 'source'].includes(resource.id)
        ? { ...resource, look: async () => ({ state: 'absent' }) }
        : resource,
  );
  const actual = await lookAtAll(context, seen);
  const removals: { id: string; resource: string; holds: string }[] = [];
  const remaining: Remaining[] = [];
  for (const resource of reversed(seen)) {
    const found = actual.get(resource.id) ?? { state: 'absent' };
    if (found.state === 'absent') continue;
    const holds = found.state === 'ours' ? ((await resource.holds?.(context)) ?? '') : '';
    const stays = whyItStays(resource, found, { holds, deleteLake: options.deleteLake });
    if (stays === undefined) removals.push({ id: resource.id, resource: resource.removes ?? resource.title, holds });
    else remaining.push(stays);
  }
  if (config.source.kind === 'rds')
    for (const { id, storageGb } of await manualSnapshots(session, context.names.database))
      remaining.push({
        resource: `snapshot ${id} of the database`,
        why: 'somebody took it',
        cost: `$${(storageGb * SNAPSHOT_GB_MONTH).toFixed(2)} a month at most`,
      });
  return { options, context, resources: seen, removals, remaining };
}

/** For removing, the code does not matter: the job's goes with its bucket. */
const NO_JOB: JobPackage = {
  script: { key: '', body: Buffer.alloc(0) },
  modules: { key: '', body: Buffer.alloc(0) },
};
const NO_FUNCTION: LambdaPackage = {
  zip: Buffer.alloc(0),
  sha256: '',
  handler: '',
  runtime: 'nodejs24.x',
  memoryMb: 0,
  timeoutSeconds: 0,
  environment: {},
};

function whyItStays(
  resource: Resource,
  found: Exclude<Actual, { state: 'absent' }>,
  facts: { holds: string; deleteLake: boolean },
): Remaining | undefined {
  const bytes = `what its bytes cost: $${STORAGE_GB_MONTH} a GB and month`;
  if (found.state === 'foreign') return { resource: found.name, why: `it belongs to ${found.owner}`, cost: 'not ours' };
  if (found.state === 'brought')
    return {
      resource: resource.title,
      why: 'it is yours: named in cdc.yaml',
      cost: resource.id.endsWith('-bucket') ? bytes : 'yours',
    };
  if (found.state === 'shared')
    return {
      resource: `roles ${ACCOUNT_ROLES.map(({ name }) => name).join(' and ')}`,
      why: 'every user of DMS in the account shares them',
      cost: 'nothing',
    };
  if (resource.id === 'lake-bucket' && facts.holds !== '' && !facts.deleteLake)
    return { resource: resource.title, why: `it holds ${facts.holds}; --delete-lake removes it`, cost: bytes };
  return undefined;
}

export interface DestroyAwsReport {
  removed: string[];
  remaining: Remaining[];
  cost: CostReport;
}

/** Needs no question any more: the caller has asked. Can be repeated, also after it was cut short. */
export async function destroyAws(view: DestroyView): Promise<DestroyAwsReport> {
  const { context, removals } = view;
  const { session, config } = context;
  const { progress } = view.options;
  progress.done(`account ${session.account}, region ${session.region}, as ${session.principal}`);
  const before = await measureCost(context);
  const going = new Map(removals.map((removal) => [removal.id, removal]));
  const running = new RunningSteps(session.clock, progress);
  const removed: string[] = [];
  await runGraph(reversed(view.resources), {
    signal: session.signal,
    run: async (resource, signal) => {
      const removal = going.get(resource.id);
      if (removal === undefined || resource.remove === undefined) return;
      running.begin(resource.id, resource.expectedSeconds);
      await resource.remove({
        ...context,
        session: withSignal(session, signal),
        report: (id, text) => running.report(id, text),
      });
      progress.done(`removed ${removal.resource} (${running.end(resource.id)})`);
      removed.push(removal.resource);
    },
  });
  const remaining = [...view.remaining, ...(await leftOver(view))];
  const cost = costReport(before, await measureCost(context));
  await removeRecord(config);
  return { removed, remaining, cost };
}

/** What has our tag and is none of the things we know: made by another version, or for a cdc.yaml that said something else. */
async function leftOver({ context, remaining }: DestroyView): Promise<Remaining[]> {
  const { session, config, names } = context;
  const known = new Set(
    Object.values(names).flatMap((name: string | Readonly<Record<string, string>>) =>
      typeof name === 'string' ? [name] : Object.values(name),
    ),
  );
  const arns = await taggedResources(session, config.name);
  return arns
    .filter((arn) => ![...known].some((name) => endsWithName(arn, name)))
    .filter((arn) => !isOwnId(context, arn))
    .filter((arn) => !remaining.some(({ resource }) => resource.includes(arn.split(/[:/]/).at(-1) ?? arn)))
    .map((arn) => ({
      resource: arn,
      why: `it is tagged as this pipeline's, but this version or cdc.yaml does not speak of it`,
      cost: 'unknown: look at it in the console',
    }));
}

function endsWithName(arn: string, name: string): boolean {
  return new RegExp(`[:/]${name.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')}(-[A-Za-z0-9]{6})?$`).test(arn);
}

/** ARNs that name a random id instead of what we call it. */
function isOwnId({ ids }: AwsContext, arn: string): boolean {
  return [...ids.values()].some((id) => id === arn || arn.endsWith(`/${id}`));
}
