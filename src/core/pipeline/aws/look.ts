/** What `plan` and `init` begin with: the account as it is, compared with what cdc.yaml describes. Changes nothing. */

import type { AwsSession } from '../../aws/session.ts';
import { pipelineTags } from '../../aws/tags.ts';
import type { Config } from '../../config.ts';
import { CdcError } from '../../errors.ts';
import type { Progress } from '../../progress.ts';
import { type JobPackage, jobPackage } from '../aws-run/job-package.ts';
import { type LambdaPackage, lambdaPackage } from '../aws-run/lambda-package.ts';
import { RUN_RIGHTS } from '../aws-run/run-rights.ts';
import { desiredResources } from './desired.ts';
import { runGraph } from './graph.ts';
import { awsNames, awsOf } from './names.ts';
import { lookAtPlace, type Place } from './place.ts';
import { type AwsStep, expectedSeconds, planAws } from './plan.ts';
import { type Cost, costOf } from './prices.ts';
import { type AwsRecord, readRecord, refuseOtherAccount } from './record.ts';
import type { Actual, AwsContext, Resource } from './resource.ts';
import { rightsNeeded } from './rights.ts';
import { type SourceSql, sourceSql } from './source-sql.ts';

export interface AwsOptions {
  config: Config;
  session: AwsSession;
  progress: Progress;
  /** Of a source given by URL; asked at the moment of use. */
  sourcePassword: () => Promise<string>;
  /** Which IPv4 address this machine is seen with; asked unless cdc.yaml says `operator:`. */
  operatorAddress?: () => Promise<string>;
  sql?: SourceSql;
  /** Absent: what was built. */
  function?: LambdaPackage;
  job?: JobPackage;
}

export interface AwsView {
  options: AwsOptions;
  context: AwsContext;
  resources: readonly Resource[];
  actual: Map<string, Actual>;
  record: AwsRecord | undefined;
  steps: readonly AwsStep[];
  expectedSeconds: number;
  cost: Cost;
  /** IAM actions for init and destroy, and for the commands that run what was made. */
  rights: readonly string[];
}

/** Throws ConfigError (exit 2) for another account than the recorded one, `aws.not-ours` for what is somebody else's. */
export async function lookAtAws(options: AwsOptions): Promise<AwsView> {
  const { config, session, progress } = options;
  const record = await readRecord(config);
  refuseOtherAccount(session, record, config);
  progress.update(`looking at account ${session.account}, ${session.region}`);
  if (config.source.kind === 'rds' && config.source.openToWorld)
    progress.warn('everybody may try to connect to the database (`open_to_world`); without it only DMS and you may');
  const place = await lookAtPlace(session, config, options.operatorAddress);
  const context = makeContext(options, place, record);
  const resources = desiredResources({ config, place, code: await codeOf(options) });
  const actual = await lookAtAll(context, resources);
  const steps = planAws(resources, actual, record?.made ?? []);
  return {
    options,
    context,
    resources,
    actual,
    record,
    steps,
    expectedSeconds: expectedSeconds(steps),
    cost: costOf(config),
    rights: [...new Set([...rightsNeeded(resources), ...RUN_RIGHTS])].sort(),
  };
}

export function makeContext(options: AwsOptions, place: Place, record: AwsRecord | undefined): AwsContext {
  const { config, session } = options;
  return {
    session,
    config,
    aws: awsOf(config),
    names: awsNames(config),
    place,
    tags: pipelineTags(config.name),
    ids: new Map(),
    begun: new Set(record?.begun ?? []),
    stopped: new Set(),
    sql: options.sql ?? sourceSql,
    sourcePassword: options.sourcePassword,
    report: () => {},
  };
}

/** Each after those it needs, for it may compare itself with their ids. */
export async function lookAtAll(context: AwsContext, resources: readonly Resource[]): Promise<Map<string, Actual>> {
  const actual = new Map<string, Actual>();
  await runGraph(resources, {
    signal: context.session.signal,
    run: async (resource, signal) => {
      const found = await resource.look({ ...context, session: { ...context.session, signal } });
      actual.set(resource.id, found);
      takeIds(context, found);
    },
  });
  return actual;
}

export function takeIds(context: AwsContext, found: Actual): void {
  if (found.state === 'absent' || found.state === 'foreign') return;
  for (const [name, id] of entriesOf(found.ids)) context.ids.set(name, id);
}

function entriesOf<Key extends string>(record: Partial<Record<Key, string>>): [Key, string][] {
  const entries: [Key, string][] = [];
  for (const key in record) {
    const value = record[key];
    if (value !== undefined) entries.push([key, value]);
  }
  return entries;
}

export async function codeOf({ config, ...given }: AwsOptions): Promise<{ function: LambdaPackage; job: JobPackage }> {
  const { staging } = awsOf(config);
  return {
    function: given.function ?? (await lambdaPackage({ job: awsNames(config).job, staging })),
    job: given.job ?? (await jobPackage()),
  };
}

/** What a step says when the thing it should have made is not there. */
export function notThere(resource: Resource): CdcError {
  return new CdcError('aws.not-made', `making ${resource.title}: AWS does not show it`, { hint: 'cdc init' });
}
