/** What RDS and DMS offer in a region: classes for a version, and how long a version stays in standard support. */

import {
  DescribeEngineVersionsCommand,
  paginateDescribeOrderableReplicationInstances,
} from '@aws-sdk/client-database-migration-service';
import { DescribeDBMajorEngineVersionsCommand, DescribeOrderableDBInstanceOptionsCommand } from '@aws-sdk/client-rds';
import { dmsClientFor } from './dms.ts';
import { rdsClientFor } from './rds.ts';
import { type AwsSession, ask } from './session.ts';

/** The zones in which RDS makes such an instance; empty: in none. */
export async function databaseZones(
  session: AwsSession,
  { version, instanceClass }: { version: string; instanceClass: string },
): Promise<string[]> {
  const reply = await ask(
    session,
    'rds:DescribeOrderableDBInstanceOptions',
    `asking where RDS offers ${instanceClass}`,
    (options) =>
      rdsClientFor(session).send(
        new DescribeOrderableDBInstanceOptionsCommand({
          Engine: 'mysql',
          EngineVersion: version,
          DBInstanceClass: instanceClass,
          Vpc: true,
        }),
        options,
      ),
  );
  const zones = (reply.OrderableDBInstanceOptions ?? []).flatMap(({ AvailabilityZones = [] }) =>
    AvailabilityZones.flatMap(({ Name }) => Name ?? []),
  );
  return [...new Set(zones)].sort();
}

/** `version` is that of a family: `8.4`. */
export async function standardSupportEnd(session: AwsSession, version: string): Promise<Date | undefined> {
  const reply = await ask(
    session,
    'rds:DescribeDBMajorEngineVersions',
    `asking how long MySQL ${version} is supported`,
    (options) =>
      rdsClientFor(session).send(
        new DescribeDBMajorEngineVersionsCommand({ Engine: 'mysql', MajorEngineVersion: version }),
        options,
      ),
  );
  const lifecycles = reply.DBMajorEngineVersions?.[0]?.SupportedEngineLifecycles ?? [];
  return lifecycles.find(({ LifecycleSupportName }) => LifecycleSupportName === 'open-source-rds-standard-support')
    ?.LifecycleSupportEndDate;
}

/** The classes in which DMS makes a replication instance of a version. */
export async function replicationClasses(session: AwsSession, version: string): Promise<string[]> {
  return ask(
    session,
    'dms:DescribeOrderableReplicationInstances',
    'asking which replication instances DMS offers',
    async (options) => {
      const classes = new Set<string>();
      const pages = paginateDescribeOrderableReplicationInstances({ client: dmsClientFor(session) }, {}, options);
      for await (const { OrderableReplicationInstances = [] } of pages)
        for (const { ReplicationInstanceClass: name, EngineVersion } of OrderableReplicationInstances)
          if (name !== undefined && EngineVersion === version) classes.add(name);
      return [...classes].sort();
    },
  );
}

/** When DMS upgrades instances of a version by itself; undefined while nothing is announced. */
export async function forcedUpgrade(session: AwsSession, version: string): Promise<Date | undefined> {
  const reply = await ask(session, 'dms:DescribeEngineVersions', 'asking which versions DMS offers', (options) =>
    dmsClientFor(session).send(new DescribeEngineVersionsCommand({}), options),
  );
  const found = (reply.EngineVersions ?? []).find(({ Version }) => Version === version);
  return found?.ForceUpgradeDate ?? found?.AutoUpgradeDate;
}
