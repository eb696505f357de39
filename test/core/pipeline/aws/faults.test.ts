import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { CancelledError } from '../../../../src/core/errors.ts';
import { type AwsCall, type Fault, type FiredFault, installCallFaults } from '../../../support/aws/call-faults.mjs';
import { failOperation } from '../../../support/aws/calls.ts';
import { hasAwsEmulator } from '../../../support/aws/emulator.ts';
import { type Account, newPipeline, type Pipeline, startAccount } from './account.ts';

/** Lets calls go wrong until the test is over, or `heal` is called. */
function fail(...faults: Fault[]) {
  const calls: AwsCall[] = [];
  const fired: FiredFault[] = [];
  const { uninstall } = installCallFaults({
    faults,
    onCall: (call) => void calls.push(call),
    onFault: (fault) => void fired.push(fault),
  });
  let isInstalled = true;
  const heal = () => {
    if (isInstalled) uninstall();
    isInstalled = false;
  };
  onTestFinished(heal);
  return { calls, fired, heal };
}

const left = async (pipeline: Pipeline) =>
  (await pipeline.look()).steps.filter(({ action }) => action !== 'none').map(({ id }) => id);

/** Every call that makes something. */
const CREATES = [
  'rds:CreateDBParameterGroup',
  'ec2:CreateSecurityGroup',
  'ec2:AuthorizeSecurityGroupIngress',
  'rds:CreateDBInstance',
  's3:CreateBucket',
  's3:PutBucketTagging',
  's3:PutBucketPolicy',
  's3:PutObject',
  'iam:CreateRole',
  'iam:AttachRolePolicy',
  'iam:PutRolePolicy',
  'secretsmanager:CreateSecret',
  'dms:ImportCertificate',
  'dms:CreateReplicationSubnetGroup',
  'dms:CreateReplicationInstance',
  'dms:CreateEndpoint',
  'dms:TestConnection',
  'logs:CreateLogGroup',
  'glue:CreateJob',
  'glue:CreateTrigger',
  'lambda:CreateFunction',
  'lambda:AddPermission',
  's3:PutBucketNotificationConfiguration',
];

describe.skipIf(!(await hasAwsEmulator()))('init and destroy on AWS, when things go wrong', () => {
  let account: Account;
  beforeAll(async () => {
    account = await startAccount();
  });
  afterAll(() => account.stop());
  afterEach(() => account.empty());
  const aliveOfOurs = async () => {
    const { 'iam:role': roles = [], ...others } = await account.emulator.alive();
    return { others, roles: roles.filter((name) => !/dms-(vpc|cloudwatch-logs)-role$/.test(name)) };
  };
  const NOTHING = { others: {}, roles: [] };

  it('takes a lost reply of every call that makes something for what it is, and makes nothing twice', async () => {
    const pipeline = await newPipeline(account);
    await pipeline.init();
    const clean = await account.emulator.alive();
    await pipeline.destroy();
    expect(await aliveOfOurs()).toEqual(NOTHING);
    await account.emulator.reset();

    const { fired, heal } = fail(...CREATES.map((operation) => failOperation(operation, 'lost-reply')));
    const again = await newPipeline(account);
    await again.init();
    heal();
    expect(fired.map(({ service, operation }) => `${service}:${operation}`).sort()).toEqual([...CREATES].sort());
    expect(Object.keys(await account.emulator.alive())).toEqual(Object.keys(clean));
    expect(await left(again)).toEqual([]);
    await again.destroy();
    expect(await aliveOfOurs()).toEqual(NOTHING);
  });

  it('goes on from wherever it was cut off', async () => {
    const pipeline = await newPipeline(account);
    // Each cut lies behind the ones before it, so that none of them can have been done already by what ran beside an earlier one.
    for (const [operation, only] of [
      ['s3:PutPublicAccessBlock', 'staging-bucket'],
      ['ec2:AuthorizeSecurityGroupIngress'],
      ['rds:CreateDBInstance'],
      ['secretsmanager:CreateSecret'],
      ['dms:CreateEndpoint'],
      ['dms:TestConnection'],
    ] as const) {
      // Refused at once; what else is under way at that moment is cut off with it, done or not.
      const { fired, heal } = fail(failOperation(operation, 'denied'));
      const error = await pipeline.init(only ? { only } : {}).catch((caught: unknown) => caught);
      heal();
      expect(fired.length, operation).toBeGreaterThan(0);
      expect(error, operation).toMatchObject({ code: 'aws.access-denied' });
    }
    await pipeline.init();
    expect(await left(pipeline)).toEqual([]);
    await pipeline.destroy();
    expect(await aliveOfOurs()).toEqual(NOTHING);
  });

  it('knows a bucket as its own that was made and not tagged yet', async () => {
    const pipeline = await newPipeline(account);
    const { fired, heal } = fail(failOperation('s3:PutBucketTagging', 'abort'));
    await expect(pipeline.init({ only: 'lake-bucket' })).rejects.toMatchObject({ code: 'aws.unreachable' });
    heal();
    expect(fired.length).toBeGreaterThan(0);
    await pipeline.init({ only: 'lake-bucket' });
    const tags = await account.clients.s3.getBucketTagging({ Bucket: 'shop-qkzw-lake' });
    expect(tags.TagSet).toEqual([{ Key: 'cdc:pipeline', Value: 'shop-qkzw' }]);
  });

  it('waits for a role that DMS, Lambda and S3 do not know yet', async () => {
    const pipeline = await newPipeline(account);
    await account.emulator.control({ role_refusals: 2 });
    await pipeline.init();
    expect(await left(pipeline)).toEqual([]);
  });

  it('ends at once when the token expires in the middle of a wait, and goes on with a new one', async () => {
    const pipeline = await newPipeline(account);
    const { fired, heal } = fail({ ...failOperation('rds:DescribeDBInstances', 'expired', 3) });
    await expect(pipeline.init()).rejects.toMatchObject({ code: 'aws.credentials-expired' });
    heal();
    expect(fired.length).toBeGreaterThan(0);
    await pipeline.init();
    expect(await left(pipeline)).toEqual([]);
  });

  it('names the right that is missing', async () => {
    const pipeline = await newPipeline(account);
    fail(failOperation('dms:CreateReplicationInstance', 'denied'));
    await expect(pipeline.init()).rejects.toMatchObject({
      code: 'aws.access-denied',
      message: expect.stringContaining('the right dms:CreateReplicationInstance is missing'),
    });
  });

  it('is interrupted at once, also in a wait, and keeps what it knows', async () => {
    const pipeline = await newPipeline(account);
    const abort = new AbortController();
    const { calls, heal } = fail();
    const initing = pipeline.init({ signal: abort.signal });
    // Until it has been made and is waited for.
    const isWaiting = () => {
      const operations = calls.map(({ operation }) => operation);
      const made = operations.indexOf('CreateReplicationInstance');
      return made >= 0 && operations.includes('DescribeReplicationInstances', made);
    };
    while (!isWaiting()) await new Promise((resolve) => setTimeout(resolve, 1));
    abort.abort();
    await expect(initing).rejects.toBeInstanceOf(CancelledError);
    heal();
    expect(Object.keys(await account.emulator.alive())).toContain('dms:rep');
    await pipeline.init();
    expect(await left(pipeline)).toEqual([]);
  });

  it('says why DMS does not reach the source, and tests again', async () => {
    const pipeline = await newPipeline(account);
    await account.emulator.control({ connection_fail: 'Cannot connect to ODBC provider Network error' });
    await expect(pipeline.init()).rejects.toMatchObject({
      code: 'aws.connection-failed',
      message: expect.stringContaining('Cannot connect to ODBC provider Network error'),
    });
    await account.emulator.control({ connection_fail: null });
    expect(await left(pipeline)).toEqual(['connections', ...(await left(pipeline)).slice(1)]);
    await pipeline.init();
    expect(await left(pipeline)).toEqual([]);
  });

  it('destroys a pipeline at work in the order that works, twice', async () => {
    const pipeline = await newPipeline(account);
    const { ids } = await pipeline.init();
    const { dms, s3 } = account.clients;
    const { ReplicationTask } = await dms.createReplicationTask({
      ReplicationTaskIdentifier: 'shop-qkzw-full-load-and-cdc',
      SourceEndpointArn: ids.source_endpoint ?? '',
      TargetEndpointArn: ids.target_endpoint ?? '',
      ReplicationInstanceArn: ids.replication_instance ?? '',
      MigrationType: 'full-load-and-cdc',
      TableMappings: JSON.stringify({
        rules: [
          {
            'rule-type': 'selection',
            'rule-id': '1',
            'rule-name': '1',
            'object-locator': { 'schema-name': 'shop', 'table-name': '%' },
            'rule-action': 'include',
          },
        ],
      }),
    });
    await dms.describeReplicationTasks({});
    await dms.startReplicationTask({
      ReplicationTaskArn: ReplicationTask?.ReplicationTaskArn ?? '',
      StartReplicationTaskType: 'start-replication',
    });
    await s3.putObject({ Bucket: 'shop-qkzw-staging', Key: 'shop/persons/LOAD00000001.csv', Body: 'I,1' });
    await s3.createMultipartUpload({ Bucket: 'shop-qkzw-staging', Key: 'shop/persons/given-up' });
    await s3.putObject({ Bucket: 'shop-qkzw-lake', Key: 'shop/persons/_delta_log/0.json', Body: '{}' });

    const first = await pipeline.destroy();
    expect(first.remaining.map(({ resource, why }) => `${resource}: ${why}`).sort()).toEqual([
      'bucket shop-qkzw-lake (lake; private, TLS only): it holds 1 objects; --delete-lake removes it',
      'roles dms-vpc-role and dms-cloudwatch-logs-role: every user of DMS in the account shares them',
    ]);
    expect(await aliveOfOurs()).toEqual({ others: { s3: expect.anything() }, roles: [] });

    const second = await pipeline.destroy({ deleteLake: true });
    expect(second.removed).toEqual(['bucket shop-qkzw-lake (lake; private, TLS only)']);
    expect(await aliveOfOurs()).toEqual(NOTHING);
    const third = await pipeline.destroy({ deleteLake: true });
    expect(third.removed).toEqual([]);
  });

  it('destroys what an interrupted destroy has left, whatever reply was lost', async () => {
    const pipeline = await newPipeline(account);
    await pipeline.init();
    const deletes = [
      'dms:DeleteReplicationInstance',
      'dms:DeleteEndpoint',
      'rds:DeleteDBInstance',
      's3:DeleteBucket',
      'iam:DeleteRole',
      'secretsmanager:DeleteSecret',
      'ec2:DeleteSecurityGroup',
      'lambda:DeleteFunction',
      'glue:DeleteJob',
      'glue:DeleteTrigger',
      'rds:DeleteDBParameterGroup',
    ];
    const interrupted = fail(failOperation('dms:DeleteReplicationInstance', 'denied'));
    await expect(pipeline.destroy()).rejects.toMatchObject({ code: 'aws.access-denied' });
    interrupted.heal();
    expect(interrupted.fired.length).toBeGreaterThan(0);
    const lost = fail(...deletes.map((operation) => failOperation(operation, 'lost-reply')));
    await pipeline.destroy();
    lost.heal();
    expect(lost.fired.length).toBeGreaterThan(3);
    expect(await aliveOfOurs()).toEqual(NOTHING);
  });

  it("leaves what is somebody else's, and finds its own without a record", async () => {
    const pipeline = await newPipeline(account);
    const { ids } = await pipeline.init();
    await rm(join(pipeline.folder, '.cdc'), { recursive: true });
    const { rds, iam } = account.clients;
    await iam.untagRole({ RoleName: 'shop-qkzw-lambda', TagKeys: ['cdc:pipeline'] });
    await rds.createDBSnapshot({ DBSnapshotIdentifier: 'before', DBInstanceIdentifier: 'shop-qkzw-db' });
    expect(ids.database).toBeDefined();
    const report = await pipeline.destroy();
    expect(report.remaining.map(({ resource }) => resource)).toEqual([
      'role shop-qkzw-lambda',
      'roles dms-vpc-role and dms-cloudwatch-logs-role',
      'snapshot before of the database',
    ]);
    const { roles } = await aliveOfOurs();
    expect(roles).toEqual([expect.stringContaining('shop-qkzw-lambda')]);
  });

  it('says that a record is none, with its cure', async () => {
    const pipeline = await newPipeline(account);
    await pipeline.init({ only: 'log-groups' });
    await writeFile(join(pipeline.folder, '.cdc', 'aws.json'), '{"format": 7}');
    await expect(pipeline.look()).rejects.toMatchObject({
      code: 'aws.record',
      hint: expect.stringContaining('remove'),
    });
  });
});
