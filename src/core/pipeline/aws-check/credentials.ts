/** Who we are in which account, for how long, and whether that is who made the pipeline. */

import { type AwsSession, credentialsEnd } from '../../aws/session.ts';
import type { Config } from '../../config.ts';
import { ConfigError } from '../../errors.ts';
import { readRecord, refuseOtherAccount } from '../aws/record.ts';
import { error, type Found, warning } from './findings.ts';

/** An `init` from nothing takes a quarter of an hour, with room to spare. */
const ENOUGH_MINUTES = 30;

export async function checkCredentials(session: AwsSession, now: Date = new Date()): Promise<Found> {
  const end = await credentialsEnd(session);
  const who = `account ${session.account}, region ${session.region}, as ${session.principal}`;
  const minutes = end === undefined ? undefined : Math.round((end.getTime() - now.getTime()) / 60_000);
  const facts = [
    who,
    end === undefined
      ? 'the credentials name no end'
      : `the credentials end at ${end.toISOString()}, in ${minutes} minutes`,
  ];
  if (minutes === undefined || minutes >= ENOUGH_MINUTES) return { facts, findings: [] };
  return {
    facts,
    findings: [
      warning(
        'aws.credentials-expiring',
        `the credentials end in ${minutes} minutes, and \`cdc init\` takes some fifteen`,
        'aws sso login, or new keys; an init that is cut short goes on where it was',
      ),
    ],
  };
}

export async function checkClock({ clockOffsetMs }: AwsSession): Promise<Found> {
  const minutes = Math.round(Math.abs(clockOffsetMs) / 60_000);
  if (minutes === 0) return { findings: [] };
  return {
    findings: [
      error(
        'aws.clock',
        `this machine's clock is ${minutes} minutes ${clockOffsetMs > 0 ? 'behind' : 'ahead of'} that of AWS, which refuses requests from five on`,
        'set the clock right, and let it follow a time server',
      ),
    ],
  };
}

/** The record is kept by `init`; each thing in which it differs is a finding of its own. */
export async function checkRecord(session: AwsSession, config: Config): Promise<Found> {
  try {
    refuseOtherAccount(session, await readRecord(config), config);
    return { findings: [] };
  } catch (failure) {
    if (!(failure instanceof ConfigError)) throw failure;
    const fix = failure.hint ?? 'choose the right profile and region';
    return {
      findings: failure.problems.map(({ path, message }) => error('aws.other-account', `${path} ${message}`, fix)),
    };
  }
}
