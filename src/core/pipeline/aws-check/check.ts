/** `check` on AWS: everything that can stand in the way of a pipeline in an account, found without changing anything. */

import { findInstance } from '../../aws/rds.ts';
import type { AwsSession } from '../../aws/session.ts';
import type { Config } from '../../config.ts';
import { CdcError } from '../../errors.ts';
import type { Finding } from '../../source/finding.ts';
import { desiredResources } from '../aws/desired.ts';
import { type AwsOptions, codeOf, lookAtAll, makeContext } from '../aws/look.ts';
import { awsNames, awsOf } from '../aws/names.ts';
import { findNetwork, lookAtPlace, type Place } from '../aws/place.ts';
import { type Cost, costOf } from '../aws/prices.ts';
import { readRecord } from '../aws/record.ts';
import type { Actual, Resource } from '../aws/resource.ts';
import { rightsNeeded } from '../aws/rights.ts';
import { awsSourceAddress } from '../aws/source-address.ts';
import { RUN_RIGHTS } from '../aws-run/run-rights.ts';
import { checkAccountRoles } from './account-roles.ts';
import { checkBeforeImages } from './before-images.ts';
import { checkClock, checkCredentials, checkRecord } from './credentials.ts';
import { type Found, findingOf, warning } from './findings.ts';
import { checkLimits, UNKNOWN_LIMITS } from './limits.ts';
import { checkDatabaseOffer, checkReplicationOffer } from './offers.ts';
import { CHECK_RIGHTS, checkRights } from './rights.ts';
import { checkAwsSource } from './source.ts';
import { checkStanding } from './standing.ts';

export interface AwsCheckReport {
  findings: Finding[];
  ok: boolean;
  /** What was found in order, and is worth a line. */
  facts: string[];
  /** What cannot be known from here. */
  unknown: string[];
  cost: Cost;
}

export async function checkAws(options: AwsOptions & { only: readonly string[] }): Promise<AwsCheckReport> {
  const { config, session, progress } = options;
  const names = awsNames(config);
  progress.update(`checking account ${session.account}, ${session.region}`);
  const [identity, clock, record, network, databaseOffer, replicationOffer, accountRoles] = await Promise.all([
    findingOf(() => checkCredentials(session)),
    findingOf(() => checkClock(session)),
    findingOf(() => checkRecord(session, config)),
    findingOf(() => checkNetwork(session, config)),
    findingOf(() => checkDatabaseOffer(session, config), { optional: 'which classes and versions RDS offers' }),
    findingOf(() => checkReplicationOffer(session, config), { optional: 'which classes and versions DMS offers' }),
    findingOf(() => checkAccountRoles(session)),
  ]);
  const standing = await checkPipeline(options);
  const limits = await Promise.all(
    (['dms', 'rds', 'iam'] as const).map((service) =>
      findingOf(() => checkLimits(service, session, { config, missing: standing.missing }), {
        optional: `how much of its limits ${service} has left`,
      }),
    ),
  );
  const rights = await findingOf(
    () =>
      checkRights(session, {
        names,
        rights: [...new Set([...rightsNeeded(standing.resources), ...RUN_RIGHTS, ...CHECK_RIGHTS])].sort(),
      }),
    { optional: 'which rights are missing' },
  );
  const cost = costOf(config);
  let withoutBeforeImages: readonly string[] = [];
  const beforeImages = await findingOf(
    async () => {
      const found = await checkBeforeImages(session, config);
      withoutBeforeImages = found.without;
      return found;
    },
    { optional: 'whether the replication task writes what a key was before an update' },
  );
  const parts = [
    identity,
    clock,
    record,
    network,
    accountRoles,
    databaseOffer,
    replicationOffer,
    standing,
    ...limits,
    rights,
    checkPrices(config, cost),
    beforeImages,
    await checkSourceIfThere({ ...options, withoutBeforeImages }),
  ];
  const findings = withoutRepeated(parts.flatMap((part) => part.findings));
  return {
    findings,
    ok: findings.every(({ level }) => level !== 'error'),
    facts: parts.flatMap(({ facts = [] }) => facts),
    unknown: [...parts.flatMap(({ unknown = [] }) => unknown), UNKNOWN_LIMITS],
    cost,
  };
}

async function checkNetwork(session: AwsSession, config: Config): Promise<Found> {
  const { vpcId, subnets } = await findNetwork(session, awsOf(config));
  const zones = new Set(subnets.map(({ zone }) => zone)).size;
  return { findings: [], facts: [`network: ${vpcId}, ${subnets.length} subnets in ${zones} zones`] };
}

/** Each resource by itself: one that AWS does not let us look at keeps no other from being looked at. */
async function checkPipeline(
  options: AwsOptions,
): Promise<Found & { missing: string[]; resources: readonly Resource[] }> {
  const { config, session } = options;
  let place: Place | undefined;
  const unfit = await findingOf(async () => {
    place = await lookAtPlace(session, config, options.operatorAddress);
    return { findings: [] };
  });
  if (place === undefined)
    return {
      ...unfit,
      missing: [],
      resources: [],
      unknown: ['what of the pipeline is there, until that is mended'],
    };
  const record = await readRecord(config).catch(() => undefined);
  const context = makeContext(options, place, record);
  const resources = desiredResources({ config, place, code: await codeOf(options) });
  const failures: Found[] = [];
  const tolerant = resources.map((resource) => ({
    ...resource,
    async look(own: typeof context): Promise<Actual> {
      let actual: Actual = { state: 'absent' };
      failures.push(
        await findingOf(async () => {
          actual = await resource.look(own);
          return { findings: [] };
        }),
      );
      return actual;
    },
  }));
  const actual = await lookAtAll(context, tolerant);
  const standing = checkStanding(resources, actual);
  return { ...standing, resources, findings: [...failures.flatMap(({ findings }) => findings), ...standing.findings] };
}

function checkPrices(config: Config, { idle, continuous, as_of, prices_of, notes }: Cost): Found {
  const { source } = config;
  const classes = source.kind === 'rds' ? [source.instanceClass] : [];
  const isMicro = classes.every((name) => name.endsWith('.micro'));
  return {
    facts: [
      `costs $${idle.daily_usd.toFixed(2)} a day idle, $${continuous.daily_usd.toFixed(2)} under continuous change; list prices of ${prices_of}, ${as_of}`,
    ],
    findings: notes
      .filter((note) => note.startsWith('no price'))
      .map((note) => warning('aws.price', note, 'look it up in the AWS pricing calculator')),
    unknown: [
      `whether the account is on AWS's free plan: on it, RDS makes micro classes only${isMicro ? ', as cdc.yaml asks for' : ` and would refuse ${classes.join()}`}, and DMS and Glue may be refused`,
    ],
  };
}

/** A database that is not there yet, or stands still, is none to be looked into. */
async function checkSourceIfThere(
  options: AwsOptions & { only: readonly string[]; withoutBeforeImages: readonly string[] },
): Promise<Found> {
  const { config, session, sourcePassword, only, withoutBeforeImages } = options;
  return findingOf(async () => {
    if (config.source.kind === 'rds') {
      const found = await findInstance(session, awsNames(config).database);
      if (found === undefined) return { findings: [], facts: ['source: not there yet'] };
      if (found.status !== 'available')
        return { findings: [], facts: [`source: the database is ${found.status}, so its tables were not looked at`] };
    }
    const address = await awsSourceAddress({ session, config, user: 'admin', sourcePassword }).catch(
      (failure: unknown) => {
        if (failure instanceof CdcError && failure.code === 'aws.not-made') return undefined;
        throw failure;
      },
    );
    if (address === undefined) return { findings: [], facts: ['source: not there yet'] };
    return checkAwsSource({ config, address, only, withoutBeforeImages, signal: session.signal });
  });
}

function withoutRepeated(findings: readonly Finding[]): Finding[] {
  const seen = new Set<string>();
  return findings.filter(({ code, message }) => {
    const key = `${code} ${message}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
