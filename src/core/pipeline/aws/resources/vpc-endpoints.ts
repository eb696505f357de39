/**
 * How a private replication instance reaches what it needs: S3 by a gateway, Secrets Manager by an interface. Since DMS 3.4.7
 * nothing else leads there from an instance without a public address. It needs no more: logs and commands take DMS's own way.
 */

import { PIPELINE_TAG } from '../../../aws/tags.ts';
import {
  addRouteTables,
  createVpcEndpoint,
  deleteVpcEndpoints,
  vpcEndpoints as listVpcEndpoints,
  type NewVpcEndpoint,
  routeTablesOf,
  type VpcEndpoint,
  vpcEndpointInput,
} from '../../../aws/vpc-endpoints.ts';
import { waitFor } from '../../../aws/wait.ts';
import { CdcError } from '../../../errors.ts';
import { type CliCommand, variable } from '../cli-command.ts';
import { type Actual, type AwsContext, compare, type Difference, idOf, type Resource } from '../resource.ts';

export function vpcEndpoints(): Resource {
  return {
    id: 'vpc-endpoints',
    guideSection: '5.3',
    title: 'VPC endpoints for S3 (gateway, free) and Secrets Manager (interface)',
    needs: ['security-groups'],
    expectedSeconds: 120,
    rights: [
      'ec2:CreateVpcEndpoint',
      'ec2:CreateTags',
      'ec2:ModifyVpcEndpoint',
      'ec2:DeleteVpcEndpoints',
      'ec2:DescribeVpcEndpoints',
      'ec2:DescribeRouteTables',
    ],
    look,
    create: make,
    mend: make,
    commands,
    settle: untilAvailable,
    async remove(context) {
      const { session, place } = context;
      await deleteVpcEndpoints(
        session,
        (await ours(context)).map(({ id }) => id),
      );
      // Its interface is in the security group of DMS, which goes next.
      await waitFor(session, {
        what: 'the VPC endpoints to be deleted',
        look: () => ours(context),
        isReady: (found) => found.length === 0,
        describe: (found) => found.map(({ id, state }) => `${id} ${state}`).join(', '),
        everySeconds: 10,
        boundSeconds: 900,
        onLook: (found) => context.report('vpc-endpoints', `${found.length} left in ${place.vpcId}`),
      });
    },
  };
}

async function look(context: AwsContext): Promise<Actual> {
  const { gateway, secrets, missingRoutes } = await standing(context);
  if (gateway === undefined && secrets === undefined) return { state: 'absent' };
  const differences: Difference[] = [
    ...(missingRoutes.length > 0
      ? [{ what: 'way to S3', is: `missing in ${missingRoutes.join(', ')}`, wanted: 'there', isMendable: true }]
      : []),
    ...(secrets === undefined
      ? [{ what: 'endpoint for Secrets Manager', is: 'absent', wanted: 'there', isMendable: true }]
      : compare({ 'state of the endpoint for Secrets Manager': [secrets.state, 'available'] })),
  ];
  return { state: 'ours', ids: secrets?.host === undefined ? {} : { secrets_host: secrets.host }, differences };
}

async function make(context: AwsContext): Promise<void> {
  const { session } = context;
  const { gateway, secrets, missingRoutes } = await standing(context);
  if (missingRoutes.length > 0)
    if (gateway === undefined) await createVpcEndpoint(session, toS3(context, missingRoutes));
    else await addRouteTables(session, gateway.id, missingRoutes);
  if (secrets === undefined) await createVpcEndpoint(session, toSecrets(context));
}

function toS3(context: AwsContext, routeTableIds: readonly string[]): NewVpcEndpoint {
  const { place, tags } = context;
  const reach = { type: 'Gateway', routeTableIds } as const;
  return { service: serviceOf(context, 's3'), vpcId: place.vpcId, tags, reach };
}

function toSecrets(context: AwsContext): NewVpcEndpoint {
  const { place, tags } = context;
  return {
    service: serviceOf(context, 'secretsmanager'),
    vpcId: place.vpcId,
    tags,
    // One zone: each costs by itself, and the replication instance is in one zone too.
    reach: {
      type: 'Interface',
      subnetIds: place.subnets.slice(0, 1).map(({ id }) => id),
      securityGroups: [idOf(context, 'dms_security_group')],
    },
  };
}

function commands(context: AwsContext): CliCommand[] {
  const { vpcId } = context.place;
  const Filters = [
    { Name: 'vpc-id', Values: [vpcId] },
    { Name: 'association.main', Values: ['true'] },
  ];
  return [
    {
      service: 'ec2',
      operation: 'DescribeRouteTables',
      input: { Filters },
      assigns: { variable: 'ROUTES', query: 'RouteTables[0].RouteTableId' },
    },
    { service: 'ec2', operation: 'CreateVpcEndpoint', input: vpcEndpointInput(toS3(context, [variable('ROUTES')])) },
    {
      service: 'ec2',
      operation: 'CreateVpcEndpoint',
      input: vpcEndpointInput(toSecrets(context)),
      assigns: { id: 'secrets_host', query: 'VpcEndpoint.DnsEntries[0].DnsName' },
    },
  ];
}

/** What is there, ours and others': a route table takes one way to S3, whoever made it. */
async function standing(context: AwsContext) {
  const { session, place } = context;
  const all = await listVpcEndpoints(session, place.vpcId);
  const own = all.filter((endpoint) => isOurs(context, endpoint));
  const wanted = await routeTablesOf(session, { vpcId: place.vpcId, subnetIds: place.subnets.map(({ id }) => id) });
  const s3 = all.filter(({ service, type }) => service === serviceOf(context, 's3') && type === 'Gateway');
  const routed = new Set(s3.flatMap(({ routeTableIds }) => routeTableIds));
  const missingRoutes = wanted.filter((table) => !routed.has(table));
  return {
    gateway: own.find(({ service }) => service === serviceOf(context, 's3')),
    secrets: own.find(({ service }) => service === serviceOf(context, 'secretsmanager')),
    missingRoutes,
  };
}

async function ours(context: AwsContext): Promise<VpcEndpoint[]> {
  const all = await listVpcEndpoints(context.session, context.place.vpcId);
  return all.filter((endpoint) => isOurs(context, endpoint, ['deleting']));
}

/** One that is being deleted counts for nothing but the wait until it has gone. */
function isOurs({ config }: AwsContext, { tags, state }: VpcEndpoint, more: readonly string[] = []): boolean {
  return tags[PIPELINE_TAG] === config.name && (state !== 'deleting' || more.includes(state));
}

function serviceOf({ place }: AwsContext, service: 's3' | 'secretsmanager'): string {
  return `${place.partition === 'aws-cn' ? 'cn.com' : 'com'}.amazonaws.${place.region}.${service}`;
}

async function untilAvailable(context: AwsContext): Promise<void> {
  await waitFor(context.session, {
    what: 'the VPC endpoints to become available',
    look: () => ours(context),
    isReady(found) {
      const broken = found.find(({ state }) => ['failed', 'rejected', 'expired'].includes(state));
      if (broken !== undefined)
        throw new CdcError('aws.broken', `making the VPC endpoint for ${broken.service}: EC2 says ${broken.state}`, {
          hint: 'the VPC console says more; cdc destroy removes it',
        });
      return found.every(({ state }) => state === 'available');
    },
    describe: (found) => found.map(({ service, state }) => `${service} ${state}`).join(', '),
    everySeconds: 10,
    boundSeconds: 900,
    onLook: (found) => context.report('vpc-endpoints', found.map(({ state }) => state).join(', ')),
  });
}
