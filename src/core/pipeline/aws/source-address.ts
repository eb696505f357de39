/** Where the source of a pipeline on AWS answers, as whom, and by which authorities: read from AWS at the moment of connecting. */

import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { findInstance } from '../../aws/rds.ts';
import { findSecret, readSecret } from '../../aws/secrets-manager.ts';
import type { AwsSession } from '../../aws/session.ts';
import type { SourceAddress } from '../../binlog/connection.ts';
import type { Config, RdsSource, SourceConfig } from '../../config.ts';
import { CdcError, messageOf } from '../../errors.ts';
import { awsNames } from './names.ts';
import { rdsAuthorities } from './rds-authorities.ts';
import { type AwsContext, idOf } from './resource.ts';
import { parseSourceSecret } from './resources/secret.ts';

const managedSecret = z.object({ username: z.string(), password: z.string() });

/**
 * `admin` may write: the master user of an RDS instance. `cdc` reads, as DMS does. A source given by URL has one user, whose
 * password is the caller's to resolve.
 */
export async function awsSourceAddress(options: {
  session: AwsSession;
  config: Config;
  user: 'admin' | 'cdc';
  sourcePassword: () => Promise<string>;
}): Promise<SourceAddress> {
  const { session, config, user } = options;
  const { source } = config;
  const names = awsNames(config);
  if (source.kind === 'url')
    return {
      host: source.host,
      port: source.port,
      user: source.user,
      password: await options.sourcePassword(),
      tls: await tlsOf(source, session.region),
    };
  if (source.kind !== 'rds') throw new CdcError('target.not-built', 'connecting to the source: it is not on AWS');
  const found = await findInstance(session, names.database);
  if (found?.host === undefined || found.secretArn === undefined)
    throw new CdcError('aws.not-made', `connecting to the source: there is no database ${names.database} yet`, {
      hint: 'cdc init',
    });
  const base = { host: found.host, port: found.port, tls: await tlsOf(source, session.region) };
  if (user === 'admin') return { ...base, ...(await masterUser(session, found.secretArn)) };
  const secret = await findSecret(session, names.secret);
  if (secret === undefined)
    throw new CdcError('aws.not-made', `connecting to the source: there is no secret ${names.secret} yet`, {
      hint: 'cdc init',
    });
  const { username, password } = parseSourceSecret(await readSecret(session, secret.arn), names.secret);
  return { ...base, user: username, password };
}

/** The same for the steps of init, which know what earlier steps found. */
export async function adminAddress(context: AwsContext, source: RdsSource): Promise<SourceAddress> {
  const { session } = context;
  return {
    host: idOf(context, 'database_host'),
    port: Number(idOf(context, 'database_port')),
    ...(await masterUser(session, idOf(context, 'database_secret'))),
    tls: await tlsOf(source, session.region),
  };
}

async function masterUser(session: AwsSession, secretArn: string): Promise<{ user: string; password: string }> {
  const text = await readSecret(session, secretArn);
  try {
    const { username, password } = managedSecret.parse(JSON.parse(text));
    return { user: username, password };
  } catch {
    throw new CdcError('aws.secret', `reading the secret ${secretArn}: RDS keeps no user and password there`);
  }
}

/** PEM of whoever signs the source; undefined where it is reached without TLS. */
export async function authoritiesOf(source: SourceConfig, region: string): Promise<string | undefined> {
  if (source.kind === 'private' || source.tls.mode === 'off') return undefined;
  const { ca } = source.tls;
  if (ca !== undefined)
    try {
      return await readFile(ca, 'utf8');
    } catch (cause) {
      throw new CdcError('source.tls', `reading the certificate authority ${ca}: ${messageOf(cause)}`, {
        cause,
        hint: 'name a PEM file with `source: { tls: { ca } }` in cdc.yaml or CDC_TLS_CA',
      });
    }
  if (source.kind === 'rds' || /\.rds\.amazonaws\.com(\.cn)?$/.test(source.host)) return rdsAuthorities(region);
  throw new CdcError('source.tls', `reaching ${source.host} from DMS: it must be told who signed that server`, {
    hint: 'name its PEM file with `source: { tls: { ca } }` in cdc.yaml or CDC_TLS_CA',
  });
}

async function tlsOf(source: SourceConfig, region: string): Promise<NonNullable<SourceAddress['tls']>> {
  const ca = await authoritiesOf(source, region);
  return ca === undefined ? { mode: 'off' } : { mode: 'verify', ca };
}
