/** Facts about the account that the desired resources depend on: network, versions that are offered, our own address. */

import { replicationVersions } from '../../aws/dms.ts';
import { findDefaultVpc, type Subnet, subnetsById, subnetsOf } from '../../aws/ec2.ts';
import { engineVersions } from '../../aws/rds.ts';
import type { AwsSession } from '../../aws/session.ts';
import type { AwsConfig, Config } from '../../config.ts';
import { CdcError } from '../../errors.ts';
import { awsOf } from './names.ts';

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
    findNetwork(session, awsOf(config)),
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
  const vpcId = (await vpcOf(session, awsOf(config))) ?? 'vpc-none';
  const mysql = source.kind === 'rds' ? { version: source.version, family: `mysql${source.version}` } : undefined;
  return { account, region, partition, vpcId, subnets: [], mysql, dmsVersion: '', operator: undefined };
}

export interface Network {
  vpcId: string;
  subnets: Subnet[];
}

/** The user's own where cdc.yaml names one, else the default VPC; throws `aws.no-vpc` for one that cannot hold a pipeline. */
export async function findNetwork(session: AwsSession, aws: Pick<AwsConfig, 'network'>): Promise<Network> {
  const { vpc, subnets: named } = aws.network ?? {};
  if (named !== undefined) return namedSubnets(session, { named, vpc });
  const vpcId = vpc ?? (await findDefaultVpc(session));
  if (vpcId === undefined)
    throw new CdcError('aws.no-vpc', `looking at the network: ${session.region} has no default VPC`, {
      hint: `aws ec2 create-default-vpc --region ${session.region}, or name one of yours: \`aws: { vpc: vpc-… }\` in cdc.yaml`,
    });
  const subnets = await subnetsOf(session, vpcId);
  refuseOneZone(vpcId, subnets, {
    hint:
      vpc === undefined
        ? 'aws ec2 create-default-subnet --availability-zone …, once for each zone'
        : 'make a subnet in a second zone, or name another VPC with `aws: { vpc }` in cdc.yaml',
  });
  return { vpcId, subnets };
}

async function namedSubnets(
  session: AwsSession,
  { named, vpc }: { named: readonly string[]; vpc: string | undefined },
): Promise<Network> {
  const hint = 'mend `aws: { vpc, subnets }` in cdc.yaml: two subnets or more of one VPC, in two zones';
  const found = await subnetsById(session, named);
  const missing = named.filter((id) => !found.some((subnet) => subnet.id === id));
  if (missing.length > 0)
    throw new CdcError('aws.no-vpc', `looking at the network: there is no ${missing.join(', ')} in ${session.region}`, {
      hint,
    });
  const [vpcId = '', ...others] = [...new Set([...(vpc === undefined ? [] : [vpc]), ...found.map((one) => one.vpcId)])];
  if (others.length > 0)
    throw new CdcError('aws.no-vpc', `looking at the network: the subnets lie in ${[vpcId, ...others].join(', ')}`, {
      hint,
    });
  refuseOneZone(vpcId, found, { hint });
  return { vpcId, subnets: found.map(({ id, zone }) => ({ id, zone })) };
}

function refuseOneZone(vpcId: string, subnets: readonly Subnet[], { hint }: { hint: string }): void {
  if (new Set(subnets.map(({ zone }) => zone)).size >= 2) return;
  throw new CdcError('aws.no-vpc', `looking at the network: the subnets of ${vpcId} lie in fewer than two zones`, {
    hint,
  });
}

async function vpcOf(session: AwsSession, { network }: Pick<AwsConfig, 'network'>): Promise<string | undefined> {
  if (network?.vpc !== undefined) return network.vpc;
  if (network?.subnets === undefined) return findDefaultVpc(session);
  return (await subnetsById(session, network.subnets))[0]?.vpcId;
}

export async function chooseMysql(session: AwsSession, wanted: string): Promise<{ version: string; family: string }> {
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

export async function chooseDms(session: AwsSession): Promise<string> {
  const [newest] = await replicationVersions(session);
  if (newest !== undefined && newest.localeCompare(LEAST_DMS, 'en', { numeric: true }) >= 0) return newest;
  throw new CdcError('aws.version', `choosing the version of DMS: ${session.region} offers none from ${LEAST_DMS} on`, {
    hint: 'choose another region with `aws: { region: … }` in cdc.yaml',
  });
}

export async function ownAddress(ask: (() => Promise<string>) | undefined): Promise<string | undefined> {
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
