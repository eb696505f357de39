/** Whether the region offers what cdc.yaml asks for: version and class of the database and of the replication instance. */

import { databaseZones, forcedUpgrade, replicationClasses, standardSupportEnd } from '../../aws/offers.ts';
import type { AwsSession } from '../../aws/session.ts';
import type { Config } from '../../config.ts';
import { awsOf } from '../aws/names.ts';
import { chooseDms, chooseMysql } from '../aws/place.ts';
import { error, type Found, warning } from './findings.ts';

const DAY_MS = 86_400_000;

export async function checkDatabaseOffer(session: AwsSession, config: Config, now: Date = new Date()): Promise<Found> {
  const { source } = config;
  if (source.kind !== 'rds') return { findings: [] };
  const { version } = await chooseMysql(session, source.version);
  const family = version.split('.').slice(0, 2).join('.');
  const [zones, supportEnd] = await Promise.all([
    databaseZones(session, { version, instanceClass: source.instanceClass }),
    standardSupportEnd(session, family),
  ]);
  const facts = [`database: MySQL ${version} on ${source.instanceClass}`];
  const findings = [];
  if (zones.length === 0)
    findings.push(
      error(
        'aws.class',
        `RDS offers no ${source.instanceClass} for MySQL ${version} in ${session.region}`,
        'choose another with `source: { rds: { class: … } }` in cdc.yaml, such as db.t3.micro or db.t4g.micro',
      ),
    );
  if (supportEnd !== undefined) {
    const day = supportEnd.toISOString().slice(0, 10);
    facts.push(`MySQL ${family} is in standard support until ${day}`);
    const days = (supportEnd.getTime() - now.getTime()) / DAY_MS;
    if (days < 0)
      findings.push(
        error(
          'aws.support',
          `MySQL ${family} left standard support on ${day}: RDS would bill it at ten times the instance, so init refuses to make it`,
          'choose a newer one with `source: { rds: { version: … } }` in cdc.yaml',
        ),
      );
    else if (days < 180)
      findings.push(
        warning(
          'aws.support',
          `MySQL ${family} leaves standard support on ${day}, and then costs ten times as much`,
          'plan its upgrade, or begin with a newer version',
        ),
      );
  }
  return { findings, facts };
}

export async function checkReplicationOffer(
  session: AwsSession,
  config: Config,
  now: Date = new Date(),
): Promise<Found> {
  const { instanceClass } = awsOf(config).dms;
  const version = await chooseDms(session);
  const [classes, upgrade] = await Promise.all([replicationClasses(session, version), forcedUpgrade(session, version)]);
  const findings = [];
  if (!classes.includes(instanceClass))
    findings.push(
      error(
        'aws.class',
        `DMS ${version} offers no ${instanceClass} in ${session.region}`,
        `choose another with \`dms: { class: … }\` in cdc.yaml: ${classes.slice(0, 6).join(', ')}`,
      ),
    );
  if (upgrade !== undefined && upgrade.getTime() - now.getTime() < 90 * DAY_MS)
    findings.push(
      warning(
        'aws.support',
        `DMS upgrades instances of ${version} by itself on ${upgrade.toISOString().slice(0, 10)}`,
        'stop the task before that day and start it after: cdc stop, then cdc start',
      ),
    );
  return { findings, facts: [`replication instance: DMS ${version} on ${instanceClass}`] };
}
