/** VPC endpoints: how something without a public address reaches S3 and Secrets Manager; and the route tables that lead there. */

import {
  CreateVpcEndpointCommand,
  DeleteVpcEndpointsCommand,
  DescribeRouteTablesCommand,
  DescribeVpcEndpointsCommand,
  ModifyVpcEndpointCommand,
  type VpcEndpointType,
} from '@aws-sdk/client-ec2';
import { ec2ClientFor } from './ec2.ts';
import { type AwsSession, ask, ifFound } from './session.ts';
import { type Tags, tagList, tagsOf } from './tags.ts';

export interface VpcEndpoint {
  id: string;
  /** `com.amazonaws.eu-west-1.s3` */
  service: string;
  type: string;
  /** `pending`, `available`, `deleting`, `failed` … */
  state: string;
  tags: Tags;
  /** Of a gateway. */
  routeTableIds: string[];
  /** Of an interface: the name that every zone answers to. */
  host: string | undefined;
  securityGroups: string[];
}

/** Without those that are gone or going. */
export async function vpcEndpoints(session: AwsSession, vpcId: string): Promise<VpcEndpoint[]> {
  const reply = await ask(session, 'ec2:DescribeVpcEndpoints', `listing the endpoints of ${vpcId}`, (options) =>
    ec2ClientFor(session).send(
      new DescribeVpcEndpointsCommand({ Filters: [{ Name: 'vpc-id', Values: [vpcId] }] }),
      options,
    ),
  );
  return (reply.VpcEndpoints ?? [])
    .map((found) => ({
      id: found.VpcEndpointId ?? '',
      service: found.ServiceName ?? '',
      type: found.VpcEndpointType ?? '',
      state: (found.State ?? '').toLowerCase(),
      tags: tagsOf(found.Tags),
      routeTableIds: found.RouteTableIds ?? [],
      host: found.DnsEntries?.[0]?.DnsName,
      securityGroups: (found.Groups ?? []).flatMap(({ GroupId }) => GroupId ?? []),
    }))
    .filter(({ state }) => state !== 'deleted');
}

export interface NewVpcEndpoint {
  service: string;
  vpcId: string;
  tags: Tags;
  reach:
    | { type: 'Gateway'; routeTableIds: readonly string[] }
    | { type: 'Interface'; subnetIds: readonly string[]; securityGroups: readonly string[] };
}

export function vpcEndpointInput({ service, vpcId, tags, reach }: NewVpcEndpoint) {
  const type: VpcEndpointType = reach.type;
  return {
    VpcEndpointType: type,
    VpcId: vpcId,
    ServiceName: service,
    ...(reach.type === 'Gateway'
      ? { RouteTableIds: [...reach.routeTableIds] }
      : {
          SubnetIds: [...reach.subnetIds],
          SecurityGroupIds: [...reach.securityGroups],
          // With it, whatever else is in the VPC would find the service here, behind a group that lets only DMS in.
          PrivateDnsEnabled: false,
        }),
    TagSpecifications: [{ ResourceType: 'vpc-endpoint' as const, Tags: tagList(tags) }],
  };
}

export async function createVpcEndpoint(session: AwsSession, endpoint: NewVpcEndpoint): Promise<void> {
  await ask(session, 'ec2:CreateVpcEndpoint', `making an endpoint for ${endpoint.service}`, (options) =>
    ec2ClientFor(session).send(new CreateVpcEndpointCommand(vpcEndpointInput(endpoint)), options),
  );
}

export async function addRouteTables(session: AwsSession, id: string, routeTableIds: readonly string[]): Promise<void> {
  await ask(session, 'ec2:ModifyVpcEndpoint', `leading more route tables to ${id}`, (options) =>
    ec2ClientFor(session).send(
      new ModifyVpcEndpointCommand({ VpcEndpointId: id, AddRouteTableIds: [...routeTableIds] }),
      options,
    ),
  );
}

export async function deleteVpcEndpoints(session: AwsSession, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await ifFound(
    ask(session, 'ec2:DeleteVpcEndpoints', `deleting the endpoints ${ids.join(', ')}`, (options) =>
      ec2ClientFor(session).send(new DeleteVpcEndpointsCommand({ VpcEndpointIds: [...ids] }), options),
    ),
  );
}

/** The tables that say where packets from these subnets go: a subnet without one of its own takes the VPC's main table. */
export async function routeTablesOf(
  session: AwsSession,
  { vpcId, subnetIds }: { vpcId: string; subnetIds: readonly string[] },
): Promise<string[]> {
  const reply = await ask(session, 'ec2:DescribeRouteTables', `listing the route tables of ${vpcId}`, (options) =>
    ec2ClientFor(session).send(
      new DescribeRouteTablesCommand({ Filters: [{ Name: 'vpc-id', Values: [vpcId] }] }),
      options,
    ),
  );
  const tables = reply.RouteTables ?? [];
  const main = tables.find(({ Associations = [] }) => Associations.some(({ Main }) => Main === true));
  const ids = subnetIds.flatMap((subnet) => {
    const own = tables.find(({ Associations = [] }) => Associations.some(({ SubnetId }) => SubnetId === subnet));
    return (own ?? main)?.RouteTableId ?? [];
  });
  return [...new Set(ids)].sort();
}
