import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { costOf } from '../../../../src/core/pipeline/aws/prices.ts';
import { type AwsCall, installCallFaults } from '../../../support/aws/call-faults.mjs';
import { hasAwsEmulator } from '../../../support/aws/emulator.ts';
import { findBadRequests } from '../../../support/aws/request-oracle.ts';
import { defaultSubnets } from '../../../support/aws/stack.ts';
import { type Account, newPipeline, startAccount } from './account.ts';

const PRIVATE = 'dms: { private: true }\n';

describe.skipIf(!(await hasAwsEmulator()))('a private replication instance', () => {
  let account: Account;
  beforeAll(async () => {
    account = await startAccount();
  });
  afterAll(() => account.stop());
  afterEach(() => account.empty());
  const toDo = async (pipeline: Awaited<ReturnType<typeof newPipeline>>) =>
    (await pipeline.look()).steps.filter(({ action }) => action !== 'none').map(({ id, action }) => `${action} ${id}`);

  it('reaches bucket and secret by endpoints that are made, adopted, and removed with it', async () => {
    const pipeline = await newPipeline(account, PRIVATE);
    const calls: AwsCall[] = [];
    const { uninstall } = installCallFaults({ onCall: (call) => void calls.push(call) });
    const { rights } = await pipeline.look();
    await pipeline.init();
    expect(pipeline.warned).toEqual([]);
    const { ec2, dms } = account.clients;
    const { ReplicationInstances = [] } = await dms.describeReplicationInstances({});
    expect(ReplicationInstances[0]?.PubliclyAccessible).toBe(false);
    const { VpcEndpoints = [] } = await ec2.describeVpcEndpoints({});
    expect(VpcEndpoints.map(({ ServiceName, VpcEndpointType }) => [ServiceName, VpcEndpointType]).sort()).toEqual([
      ['com.amazonaws.eu-west-1.s3', 'Gateway'],
      ['com.amazonaws.eu-west-1.secretsmanager', 'Interface'],
    ]);
    const secrets = VpcEndpoints.find(({ VpcEndpointType }) => VpcEndpointType === 'Interface');
    // Nobody else in the VPC finds Secrets Manager there.
    expect(secrets).toMatchObject({ PrivateDnsEnabled: false, SubnetIds: [expect.any(String)] });
    const { Connections = [] } = await dms.describeConnections({});
    expect(Connections.map(({ Status }) => Status)).toEqual(['successful', 'successful']);

    expect(await toDo(pipeline)).toEqual([]);
    const elsewhere = await newPipeline(account, PRIVATE);
    expect(await toDo(elsewhere)).toContain('adopt vpc-endpoints');
    await elsewhere.init();
    const { removed } = await elsewhere.destroy({ deleteLake: true });
    uninstall();
    expect(removed).toContain('VPC endpoints for S3 (gateway, free) and Secrets Manager (interface)');
    expect(Object.keys(await account.emulator.alive())).toEqual(['iam:role']);

    const own = calls.filter(
      ({ service, operation }) => service === 'ec2' && /VpcEndpoint|RouteTables/.test(operation),
    );
    expect(own.map(({ operation }) => `ec2:${operation}`).filter((right) => !rights.includes(right))).toEqual([]);
    const file = join(pipeline.folder, 'calls.jsonl');
    await writeFile(file, calls.map((call) => JSON.stringify(call)).join('\n'));
    expect((await findBadRequests(file)).findings).toEqual([]);
  });

  it('takes the way to S3 that the network has, and leaves it there', async () => {
    const { ec2 } = account.clients;
    const { vpc } = await defaultSubnets(account.clients);
    const { RouteTables = [] } = await ec2.describeRouteTables({ Filters: [{ Name: 'vpc-id', Values: [vpc] }] });
    const { VpcEndpoint } = await ec2.createVpcEndpoint({
      VpcId: vpc,
      ServiceName: 'com.amazonaws.eu-west-1.s3',
      VpcEndpointType: 'Gateway',
      RouteTableIds: RouteTables.flatMap(({ RouteTableId }) => RouteTableId ?? []),
    });
    const pipeline = await newPipeline(account, PRIVATE);
    await pipeline.init();
    expect(await toDo(pipeline)).toEqual([]);
    await pipeline.destroy({ deleteLake: true });
    const { VpcEndpoints = [] } = await ec2.describeVpcEndpoints({
      Filters: [{ Name: 'vpc-endpoint-state', Values: ['available'] }],
    });
    expect(
      VpcEndpoints.filter(({ State }) => String(State).toLowerCase() === 'available').map(
        ({ VpcEndpointId }) => VpcEndpointId,
      ),
    ).toEqual([VpcEndpoint?.VpcEndpointId]);
  });

  it('goes on where one of the endpoints is missing', async () => {
    const pipeline = await newPipeline(account, PRIVATE);
    await pipeline.init();
    const { ec2 } = account.clients;
    const { VpcEndpoints = [] } = await ec2.describeVpcEndpoints({});
    const secrets = VpcEndpoints.filter(({ VpcEndpointType }) => VpcEndpointType === 'Interface');
    await ec2.deleteVpcEndpoints({ VpcEndpointIds: secrets.flatMap(({ VpcEndpointId }) => VpcEndpointId ?? []) });
    const { steps } = await pipeline.look();
    expect(steps.find(({ id }) => id === 'vpc-endpoints')?.differences).toMatchObject([
      { what: 'endpoint for Secrets Manager', is: 'absent' },
    ]);
    await pipeline.init();
    // The new one has another name: the source endpoint of DMS was told of it, and tested again.
    expect(await toDo(pipeline)).toEqual([]);
    const { Connections = [] } = await account.clients.dms.describeConnections({});
    expect(Connections.map(({ Status }) => Status)).toEqual(['successful', 'successful']);
  });

  it('pays for an endpoint instead of a public address', async () => {
    const pipeline = await newPipeline(account, PRIVATE);
    const open = await newPipeline(account);
    const hourly = (one: typeof pipeline) => costOf(one.config).idle.hourly_usd;
    expect(hourly(pipeline) - hourly(open)).toBeCloseTo(0.01 - 0.005, 4);
    expect(costOf(pipeline.config).stopped_all.items.map(({ resource }) => resource)).toContain(
      'VPC endpoint for Secrets Manager',
    );
  });
});
