/** What the commands of a pipeline on AWS work with once `init` has made its resources. */

import { findEndpoint, findReplicationInstance, type ReplicationInstance } from '../../aws/dms.ts';
import { type DatabaseInstance, findInstance as findDatabaseInstance } from '../../aws/rds.ts';
import type { AwsSession } from '../../aws/session.ts';
import type { SourceAddress } from '../../binlog/connection.ts';
import type { Config } from '../../config.ts';
import { CdcError } from '../../errors.ts';
import type { Progress } from '../../progress.ts';
import { type AwsNames, awsNames } from '../aws/names.ts';
import { awsSourceAddress } from '../aws/source-address.ts';
import type { NotesStore } from './task-notes.ts';

export interface AwsRun {
  session: AwsSession;
  config: Config;
  names: AwsNames;
  staging: NotesStore;
  /** Of a user that may read the tables and ask for the binlog's position. */
  address(): Promise<SourceAddress>;
  progress: Progress;
}

export function openAwsRun(options: {
  session: AwsSession;
  config: Config;
  staging: NotesStore;
  progress: Progress;
  /** Of a source given by URL; asked at the moment of connecting. */
  sourcePassword: () => Promise<string>;
}): AwsRun {
  const { session, config, staging, progress, sourcePassword } = options;
  return {
    session,
    config,
    names: awsNames(config),
    staging,
    progress,
    address: () => awsSourceAddress({ session, config, user: 'admin', sourcePassword }),
  };
}

/** By ARN. */
export interface Endpoints {
  source: string;
  target: string;
}

export interface ReadyInstance extends Endpoints {
  instance: ReplicationInstance;
}

/** The replication instance and its endpoints, unless these are known; throws `aws.not-made` naming what `init` has to make first. */
export async function needInstance(run: AwsRun, known?: Endpoints): Promise<ReadyInstance> {
  const [instance, { source, target }] = await Promise.all([findInstance(run), known ?? needEndpoints(run)]);
  if (instance === undefined) throw notMade(`replication instance ${run.names.replicationInstance}`);
  return { instance, source, target };
}

/** What stays when the replication instance is deleted. */
export async function needEndpoints({ session, names }: AwsRun): Promise<Endpoints> {
  const [source, target] = await Promise.all([
    findEndpoint(session, names.sourceEndpoint),
    findEndpoint(session, names.targetEndpoint),
  ]);
  if (source === undefined) throw notMade(`endpoint ${names.sourceEndpoint}`);
  if (target === undefined) throw notMade(`endpoint ${names.targetEndpoint}`);
  return { source: source.arn, target: target.arn };
}

export async function findInstance({ session, names }: AwsRun): Promise<ReplicationInstance | undefined> {
  return findReplicationInstance(session, names.replicationInstance);
}

/** Undefined for a server that RDS does not run for us. */
export async function findDatabase({ session, config, names }: AwsRun): Promise<DatabaseInstance | undefined> {
  if (config.source.kind !== 'rds') return undefined;
  const database = await findDatabaseInstance(session, names.database);
  if (database === undefined) throw notMade(`database ${names.database}`);
  return database;
}

function notMade(what: string): CdcError {
  return new CdcError('aws.not-made', `looking for the pipeline: there is no ${what}`, {
    hint: 'cdc init   # makes what is missing',
  });
}
