/** Facts about the account that the desired resources depend on: network, versions that are offered, our own address. */

import { replicationVersions } from '../../aws/dms.ts';
import { findDefaultVpc, type Subnet, subnetsOf } from '../../aws/ec2.ts';
import { engineVersions } from '../../aws/rds.ts';
import type { AwsSession } from '../../aws/session.ts';
import type { Config } from '../../config.ts';
import { CdcError } from '../../errors.ts';

export interface Place {
  account: string;
  region: string;
  partition: string;
  vpcId: string;
  subnets: readonly Subnet[];
  /** Of the database that would be made; absent for a source of the user's own. */
  mysql: { version: string; family: string } | undefined;
  dmsVersion: string;
  /** Who may connect to the database. Absent: nobody could be asked. */
  operator: string | undefined;
}

/** The first DMS that reads MySQL 8.4. */
const LEAST_DMS = '3.5.4';

/** `operatorAddress` says which address this machine is seen with; it is asked only when cdc.yaml names none. */
export async function lookAtPlace(
  session: AwsSession,
  config: Config,
  operatorAddress: (() => Promise<string>) | undefined,
): Promise<Place> {
  const { source } = config;
  const [network, mysql, dmsVersion, operator] = await Promise.all([
    findNetwork(session),
    source.kind === 'rds' ? chooseMysql(session, source.version) : undefined,
    chooseDms(session),
    source.kind === 'rds' ? (source.operator ?? ownAddress(operatorAddress)) : undefined,
  ]);
  const { account, region, partition } = session;
  return { account, region, partition, ...network, mysql, dmsVersion, operator };
}

/** What removing needs: nothing is chosen, and an account without a network is none to stop at. */
export async function placeToRemove(session: AwsSession, config: Config): Promise<Place> {
  const { account, region, partition } = session;
  const { source } = config;
  const vpcId = (await findDefaultVpc(session)) ?? 'vpc-none';
  const mysql = source.kind === 'rds' ? { version: source.version, family: `mysql${source.version}` } : undefined;
  return { account, region, partition, vpcId, subnets: [], mysql, dmsVersion: '', operator: undefined };
}

async function findNetwork(session: AwsSession): Promise<{ vpcId: string; subnets: Subnet[] }> {
  const vpcId = await findDefaultVpc(session);
  if (vpcId === undefined)
    throw new CdcError('aws.no-vpc', `looking at the network: ${session.region} has no default VPC`, {
      hint: `aws ec2 create-default-vpc --region ${session.region}`,
    });
  const subnets = await subnetsOf(session, vpcId);
  if (new Set(subnets.map(({ zone }) => zone)).size < 2)
    throw new CdcError('aws.no-vpc', `looking at the network: the subnets of ${vpcId} lie in fewer than two zones`, {
      hint: 'aws ec2 create-default-subnet --availability-zone …, once for each zone',
    });
  return { vpcId, subnets };
}

async function chooseMysql(session: AwsSession, wanted: string): Promise<{ version: string; family: string }> {
  const offered = (await engineVersions(session, `mysql${wanted.split('.').slice(0, 2).join('.')}`))
    .filter(({ version }) => version === wanted || version.startsWith(`${wanted}.`))
    .sort((a, b) => a.version.localeCompare(b.version, 'en', { numeric: true }));
  const newest = offered.at(-1);
  if (newest !== undefined) return newest;
  throw new CdcError(
    'aws.version',
    `choosing the database's version: RDS offers no MySQL ${wanted} in ${session.region}`,
    {
      hint: "write `source: { rds: { version: '8.4' } }` in cdc.yaml",
    },
  );
}

async function chooseDms(session: AwsSession): Promise<string> {
  const [newest] = await replicationVersions(session);
  if (newest !== undefined && newest.localeCompare(LEAST_DMS, 'en', { numeric: true }) >= 0) return newest;
  throw new CdcError('aws.version', `choosing the version of DMS: ${session.region} offers none from ${LEAST_DMS} on`, {
    hint: 'choose another region with `aws: { region: … }` in cdc.yaml',
  });
}

async function ownAddress(ask: (() => Promise<string>) | undefined): Promise<string | undefined> {
  if (ask === undefined) return undefined;
  const address = (await ask()).trim();
  if (/^(\d{1,3}\.){3}\d{1,3}$/.test(address)) return `${address}/32`;
  throw new CdcError(
    'aws.no-address',
    `asking which address this machine is seen with: "${address}" is no IPv4 address`,
    {
      hint: 'write it in cdc.yaml: `source: { rds: { operator: 203.0.113.7/32 } }`',
    },
  );
}
