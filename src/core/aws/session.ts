/** A session with one AWS account: region, credentials by the SDK's own chain, who we are, and one retry policy for all. */

import { GetCallerIdentityCommand, STSClient, type STSClientConfig } from '@aws-sdk/client-sts';
import { CdcError } from '../errors.ts';
import { awsError } from './aws-error.ts';
import { type Clock, systemClock } from './clock.ts';

/** What every client of the SDK is made with. The endpoint is left to the SDK, which reads it from the environment. */
export type ClientOptions = Pick<STSClientConfig, 'region' | 'credentials' | 'maxAttempts' | 'retryMode'>;

export interface AwsSession {
  readonly account: string;
  readonly region: string;
  /** `aws`, `aws-cn`, `aws-us-gov`. */
  readonly partition: string;
  /** ARN of who we are. */
  readonly principal: string;
  /** By how much AWS's clock is ahead of this machine's; 0 within the five minutes that AWS allows. */
  readonly clockOffsetMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  readonly clientOptions: ClientOptions;
}

export interface OpenSessionOptions {
  region?: string;
  profile?: string;
  signal?: AbortSignal;
  clock?: Clock;
}

/** Throttled and lost calls are tried again by the SDK, so that every call of ours may have been done twice. */
const MAX_ATTEMPTS = 5;

/** Asks who we are, which needs no right: throws `aws.credentials-…` or `aws.region-missing` before anything is done. */
export async function openSession(options: OpenSessionOptions): Promise<AwsSession> {
  const { region, profile, signal, clock = systemClock } = options;
  const client = new STSClient({
    ...(region === undefined ? {} : { region }),
    ...(profile === undefined ? {} : { profile }),
    maxAttempts: MAX_ATTEMPTS,
    retryMode: 'standard',
  });
  const doing = `asking AWS who we are${profile === undefined ? '' : ` (profile ${profile})`}`;
  try {
    const chosen = await client.config.region();
    const { Account, Arn } = await client.send(new GetCallerIdentityCommand({}), abortable(signal));
    if (Account === undefined || Arn === undefined) throw new Error('the reply names no account');
    return {
      account: Account,
      region: chosen,
      partition: Arn.split(':')[1] ?? 'aws',
      principal: Arn,
      // The SDK takes it from the reply's date, and signs by it from then on.
      clockOffsetMs: client.config.systemClockOffset,
      clock,
      signal,
      clientOptions: {
        region: chosen,
        // Resolved once and shared: SSO and assumed roles are not asked for by every service anew.
        credentials: client.config.credentials,
        maxAttempts: MAX_ATTEMPTS,
        retryMode: 'standard',
      },
    };
  } catch (error) {
    throw awsError(error, { action: 'sts:GetCallerIdentity', doing, signal });
  }
}

/** When the credentials end; undefined for those that do not, or do not say so. */
export async function credentialsEnd(session: AwsSession): Promise<Date | undefined> {
  const { credentials } = session.clientOptions;
  const identity = typeof credentials === 'function' ? await credentials() : credentials;
  return identity?.expiration;
}

/** The same session under another signal. */
export function withSignal(session: AwsSession, signal: AbortSignal): AwsSession {
  return { ...session, signal };
}

/** Makes a service's client on first use, one a session. */
export function clientOf<Client>(make: (options: ClientOptions) => Client): (session: AwsSession) => Client {
  const clients = new WeakMap<ClientOptions, Client>();
  return (session) => {
    const made = clients.get(session.clientOptions) ?? make(session.clientOptions);
    clients.set(session.clientOptions, made);
    return made;
  };
}

/** One call. `action` is the right it needs (`rds:CreateDBInstance`), `doing` what it is for (`making the database shop`). */
export async function ask<T>(
  session: AwsSession,
  action: string,
  doing: string,
  send: (options: { abortSignal?: AbortSignal }) => Promise<T>,
): Promise<T> {
  try {
    return await send(abortable(session.signal));
  } catch (error) {
    throw awsError(error, { action, doing, signal: session.signal });
  }
}

/** What the call gives, or undefined when the thing is not there. */
export async function ifFound<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof CdcError && error.code === 'aws.not-found') return undefined;
    throw error;
  }
}

/** A field that every reply has. */
export function replied<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw new CdcError('aws.failed', `reading the reply of AWS: it has no ${field}`);
  return value;
}

function abortable(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}
