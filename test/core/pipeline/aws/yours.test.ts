import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AwsSettings } from '../../../support/aws/emulator.ts';
import { hasAwsEmulator } from '../../../support/aws/emulator.ts';
import { makeRole } from '../../../support/aws/stack.ts';
import { type Account, newPipeline, startAccount } from './account.ts';

describe.skipIf(!(await hasAwsEmulator()))('pieces of your own', () => {
  let account: Account;
  beforeAll(async () => {
    account = await startAccount();
  });
  afterAll(() => account.stop());
  afterEach(() => account.empty());

  async function makeNetwork(): Promise<{ vpc: string; subnets: string[] }> {
    const { ec2 } = account.clients;
    const { Vpc } = await ec2.createVpc({ CidrBlock: '10.1.0.0/16' });
    const subnets: string[] = [];
    for (const [index, zone] of ['a', 'b'].entries()) {
      const { Subnet } = await ec2.createSubnet({
        VpcId: Vpc?.VpcId ?? '',
        CidrBlock: `10.1.${index}.0/24`,
        AvailabilityZone: `eu-west-1${zone}`,
      });
      subnets.push(Subnet?.SubnetId ?? '');
    }
    return { vpc: Vpc?.VpcId ?? '', subnets };
  }

  const withoutObjects = (settings: AwsSettings) =>
    JSON.parse(JSON.stringify(settings), (key, value) => (key === 'objects' || key === 'notification' ? null : value));

  it('are as they were after init and destroy: database, buckets, network and roles', async () => {
    const { s3, ec2, dms } = account.clients;
    const { vpc, subnets } = await makeNetwork();
    await s3.createBucket({ Bucket: 'mine', CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' } });
    const Tagging = { TagSet: [{ Key: 'team', Value: 'shop' }] };
    await s3.putBucketTagging({ Bucket: 'mine', Tagging });
    await makeRole(account.clients, 'mine-s3', 'dms.amazonaws.com', {
      actions: ['s3:PutObject', 's3:DeleteObject', 's3:PutObjectTagging', 's3:ListBucket'],
      resources: ['arn:aws:s3:::mine', 'arn:aws:s3:::mine/*'],
    });
    for (const name of ['mine-glue', 'mine-lambda'])
      await makeRole(account.clients, name, `${name.replace('mine-', '')}.amazonaws.com`);
    const { host, port, cdc } = account.server;
    const pipeline = await newPipeline(
      account,
      [
        `source: { url: 'mysql://${cdc.user}@${host}:${port}', tls: { ca: '${account.certificates.caFile}' } }`,
        'staging: { bucket: mine, prefix: in }',
        'lake: { bucket: mine, prefix: lake }',
        `aws: { vpc: ${vpc}, subnets: [${subnets.join(', ')}], roles: { dms_s3: mine-s3, glue: 'arn:aws:iam::123456789012:role/mine-glue', lambda: mine-lambda } }`,
        '',
      ].join('\n'),
    );
    const before = withoutObjects(await account.emulator.settings());
    const users = await account.query('SELECT User, Host, authentication_string FROM mysql.user ORDER BY 1, 2');

    const plan = await pipeline.look();
    const yours = plan.steps.filter(({ isYours }) => isYours);
    expect(yours.map(({ id, action, resource }) => `${id} ${action}: ${resource}`)).toEqual([
      `network none: network: VPC ${vpc}, ${subnets.join(', ')}`,
      `source none: database at ${host}:${port}, as ${cdc.user}`,
      'staging-bucket none: bucket mine (staging; private, TLS only)',
      'lake-bucket none: bucket mine (lake; private, TLS only)',
      'glue-role none: role mine-glue (yours)',
      'lambda-role none: role mine-lambda (yours)',
    ]);
    await pipeline.init();
    expect(pipeline.warned).toEqual([]);
    const groups = await ec2.describeSecurityGroups({ Filters: [{ Name: 'group-name', Values: ['shop-qkzw-dms'] }] });
    expect(groups.SecurityGroups?.map(({ VpcId }) => VpcId)).toEqual([vpc]);
    const { ReplicationSubnetGroups = [] } = await dms.describeReplicationSubnetGroups({});
    expect(ReplicationSubnetGroups[0]?.Subnets?.map(({ SubnetIdentifier }) => SubnetIdentifier).sort()).toEqual(
      [...subnets].sort(),
    );
    expect((await pipeline.look()).steps.filter(({ action }) => action !== 'none')).toEqual([]);

    const report = await pipeline.destroy({ deleteLake: true });
    expect(report.removed).toContain('role shop-qkzw-dms-secret');
    expect(report.remaining.filter(({ why }) => why.startsWith('it is yours')).map(({ resource }) => resource)).toEqual(
      expect.arrayContaining([...yours.map(({ resource }) => resource)]),
    );
    const after = withoutObjects(await account.emulator.settings());
    for (const name of ['aws:dms-vpc-role', 'aws:dms-cloudwatch-logs-role']) delete after['iam:role'][name];
    expect(after).toEqual(before);
    expect(await account.query('SELECT User, Host, authentication_string FROM mysql.user ORDER BY 1, 2')).toEqual(
      users,
    );
    const notification = await s3.getBucketNotificationConfiguration({ Bucket: 'mine' });
    expect(notification.LambdaFunctionConfigurations ?? []).toEqual([]);
    // What was written for the pipeline stays with the bucket.
    const { Contents = [] } = await s3.listObjectsV2({ Bucket: 'mine' });
    expect(Contents.map(({ Key }) => Key)).toEqual(['in/_cdc/dialect.json']);
  });

  it('hold a database that init makes: a network other than the default VPC', async () => {
    const { vpc, subnets } = await makeNetwork();
    const pipeline = await newPipeline(account, `aws: { vpc: ${vpc} }\n`);
    await pipeline.init();
    const { DBInstances = [] } = await account.clients.rds.describeDBInstances({});
    expect(DBInstances[0]?.DBSubnetGroup?.Subnets?.map(({ SubnetIdentifier }) => SubnetIdentifier).sort()).toEqual(
      [...subnets].sort(),
    );
    expect((await pipeline.look()).steps.filter(({ action }) => action !== 'none')).toEqual([]);
    await pipeline.destroy({ deleteLake: true });
    expect(await account.emulator.alive()).toEqual({
      'ec2:vpc': [`eu-west-1:${vpc}`],
      'iam:role': ['aws:dms-cloudwatch-logs-role', 'aws:dms-vpc-role'],
    });
  });

  it('are named when they are not there, before anything is made', async () => {
    const role = await newPipeline(account, 'aws: { roles: { dms_s3: nobody } }\n');
    await expect(role.init()).rejects.toMatchObject({
      code: 'aws.yours-missing',
      message: 'looking for the role nobody, which cdc.yaml names: it is not there',
    });
    const subnets = await newPipeline(
      account,
      'aws: { subnets: [subnet-0a1b2c3d4e5f60718, subnet-0a1b2c3d4e5f60719] }\n',
    );
    await expect(subnets.init()).rejects.toMatchObject({ code: 'aws.no-vpc' });
    const { vpc } = await makeNetwork();
    const { Subnets = [] } = await account.clients.ec2.describeSubnets({
      Filters: [{ Name: 'default-for-az', Values: ['true'] }],
    });
    const [one, two] = Subnets.map(({ SubnetId }) => SubnetId);
    const mixed = await newPipeline(account, `aws: { vpc: ${vpc}, subnets: [${one}, ${two}] }\n`);
    await expect(mixed.init()).rejects.toThrow(/the subnets lie in vpc-\w+, vpc-\w+/);
    expect(await account.emulator.alive()).toEqual({ 'ec2:vpc': [`eu-west-1:${vpc}`] });
  });
});
