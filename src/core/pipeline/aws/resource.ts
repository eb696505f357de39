/** What a resource of a pipeline on AWS is to plan, init and destroy: a node of a graph that can be looked at, made and removed. */

import type { AwsSession } from '../../aws/session.ts';
import { PIPELINE_TAG, type Tags } from '../../aws/tags.ts';
import type { AwsConfig, Config } from '../../config.ts';
import { CdcError } from '../../errors.ts';
import type { CliLine } from './cli-command.ts';
import type { AwsNames } from './names.ts';
import type { Place } from './place.ts';
import type { IdName, Ids } from './record.ts';
import type { SourceSql } from './source-sql.ts';

/** In the order of the plan; each is what `init --only ID` takes. */
export const STEP_IDS = [
  'network',
  'source',
  'parameter-group',
  'security-groups',
  'database-subnets',
  'database',
  'binlog-retention',
  'staging-bucket',
  'lake-bucket',
  'account-roles',
  'dms-roles',
  'secret',
  'users',
  'certificate',
  'subnet-group',
  'vpc-endpoints',
  'replication-instance',
  'source-endpoint',
  'target-endpoint',
  'connections',
  'tasks',
  'log-groups',
  'code-bucket',
  'job-code',
  'glue-role',
  'glue-job',
  'sweep',
  'lambda-role',
  'lambda',
  'trigger',
] as const;
export type StepId = (typeof STEP_IDS)[number];

/** Something that is not as cdc.yaml says. */
export interface Difference {
  what: string;
  is: string;
  wanted: string;
  /** False: shown, and left to people. */
  isMendable: boolean;
}

export type Actual =
  | { state: 'absent' }
  /** `ours`: our tag is on it. `shared`: of the account, used by others too. `brought`: the user's, named in cdc.yaml. */
  | { state: 'ours' | 'shared' | 'brought'; ids: Ids; differences: readonly Difference[] }
  | { state: 'foreign'; name: string; owner: string };

/** What looking and making work with. `ids` grows as resources are found and made. */
export interface AwsContext {
  session: AwsSession;
  config: Config;
  aws: AwsConfig;
  names: AwsNames;
  place: Place;
  tags: Tags;
  ids: Map<IdName, string>;
  /** Steps that were begun, now or in an earlier run. */
  begun: Set<string>;
  /** What was found and stands still, by choice: nothing can be asked of it. */
  stopped: Set<StepId>;
  sql: SourceSql;
  /** The password of a source given by URL. */
  sourcePassword: () => Promise<string>;
  /** A word on what a long step waits for. */
  report: (id: StepId, text: string) => void;
}

/** A role that a service takes in our name. */
export interface OwnRole {
  /** Named in cdc.yaml: taken as it is. */
  isYours: boolean;
  name: string;
  idName: IdName;
  description: string;
  /** The service that takes the role; one of a region is another principal than the service at large. */
  service: string;
  statements: readonly Statement[];
}

export interface Statement {
  Effect: 'Allow';
  Action: readonly string[];
  Resource: string | readonly string[];
  Condition?: Readonly<Record<'StringEquals', Readonly<Record<string, string>>>>;
}

export interface Resource {
  id: StepId;
  /** The guide's section in which people click it. */
  guideSection: string;
  /** `database shop-qkzw-db (db.t3.micro, MySQL 8.4.5, 20 GiB)` */
  title: string;
  needs: readonly StepId[];
  expectedSeconds: number;
  /** Rights that making and removing it take, beside those to look. */
  rights: readonly string[];
  look: (context: AwsContext) => Promise<Actual>;
  /** Only where nothing was found. May find that it was made meanwhile: `aws.exists` is looked into. Absent: made by others. */
  create?: (context: AwsContext) => Promise<void>;
  /** Puts right what a look found mendable. */
  mend?: (context: AwsContext, differences: readonly Difference[]) => Promise<void>;
  /** Waits until it can be used. */
  settle?: (context: AwsContext) => Promise<void>;
  /** What goes with it, for the question; empty: nothing of worth. */
  holds?: (context: AwsContext) => Promise<string>;
  /** What of it `remove` removes, where that is not all of its title. */
  removes?: string;
  /**
   * What `create` asks for, as commands of the AWS CLI, made from the same inputs. Ids that only AWS can say are variables,
   * which the command that makes the thing assigns. Absent: only cdc can take this step.
   */
  commands?: (context: AwsContext) => readonly CliLine[];
  /** Returns when it has gone. Absent: it stays, or goes with what it belongs to. */
  remove?: (context: AwsContext) => Promise<void>;
}

/** Whose it is by its tags. */
export function owned(
  { config }: Pick<AwsContext, 'config'>,
  name: string,
  tags: Tags,
  found: { ids?: Ids; differences?: readonly Difference[] } = {},
): Actual {
  const owner = tags[PIPELINE_TAG];
  if (owner === config.name) return { state: 'ours', ids: found.ids ?? {}, differences: found.differences ?? [] };
  return {
    state: 'foreign',
    name,
    owner: owner === undefined ? 'nobody we know (it has no tag of ours)' : `the pipeline ${owner}`,
  };
}

/** Several things that make one step: absent only when all are, foreign when one is, else with what is missing as a difference. */
export function together(parts: readonly { name: string; actual: Actual }[]): Actual {
  const foreign = parts.find(({ actual }) => actual.state === 'foreign');
  if (foreign !== undefined) return foreign.actual;
  if (parts.every(({ actual }) => actual.state === 'absent')) return { state: 'absent' };
  const states = new Set<'ours' | 'shared' | 'brought'>();
  const ids: Ids = {};
  const differences: Difference[] = [];
  for (const { name, actual } of parts) {
    if (actual.state === 'absent') differences.push({ what: name, is: 'absent', wanted: 'there', isMendable: true });
    else if (actual.state !== 'foreign') {
      states.add(actual.state);
      Object.assign(ids, actual.ids);
      differences.push(...actual.differences);
    }
  }
  const isWhole = parts.every(({ actual }) => actual.state !== 'absent');
  // Of what is the user's in part, the other part is, or will be, ours: that goes with the pipeline.
  const state = states.has('shared') ? 'shared' : isWhole && !states.has('ours') ? 'brought' : 'ours';
  return { state, ids, differences };
}

/** A difference for each value that is not as wanted; what is not known yet is not compared. */
export function compare(
  wanted: Readonly<
    Record<string, readonly [is: string | number | boolean | undefined, wanted: string | number | boolean | undefined]>
  >,
  isMendable = true,
): Difference[] {
  return Object.entries(wanted).flatMap(([what, [is, value]]) =>
    value === undefined || String(is ?? '') === String(value)
      ? []
      : [{ what, is: String(is ?? 'not set'), wanted: String(value), isMendable }],
  );
}

/** Documents as IAM and we write them are equal when their values are. */
export function sameDocument(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined';
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join()}}`;
}

/** An id that a step this one needs has found or made. */
export function idOf(context: Pick<AwsContext, 'ids'>, name: IdName): string {
  const id = context.ids.get(name);
  if (id === undefined)
    throw new CdcError('aws.not-made', `going on: ${name.replaceAll('_', ' ')} is not there`, { hint: 'cdc init' });
  return id;
}
