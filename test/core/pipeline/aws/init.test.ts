import { readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ConfigError } from '../../../../src/core/errors.ts';
import { refuseStepNotPlanned, refuseUnknownStep } from '../../../../src/core/pipeline/aws/init.ts';
import type { AwsStep } from '../../../../src/core/pipeline/aws/plan.ts';
import { rightsNeeded } from '../../../../src/core/pipeline/aws/rights.ts';
import { RUN_RIGHTS } from '../../../../src/core/pipeline/aws-run/run-rights.ts';
import { type AwsCall, installCallFaults } from '../../../support/aws/call-faults.mjs';
import { hasAwsEmulator } from '../../../support/aws/emulator.ts';
import { findBadRequests } from '../../../support/aws/request-oracle.ts';
import { type Account, newPipeline, startAccount, TEST_JOB } from './account.ts';

/** What a test's process asks of AWS from here on. */
function record(): AwsCall[] {
  const calls: AwsCall[] = [];
  const { uninstall } = installCallFaults({ onCall: (call) => void calls.push(call) });
  onTestFinished(uninstall);
  return calls;
}

const isChange = ({ operation }: AwsCall) => !/^(Describe|Get|List|Head)/.test(operation);
const named = ({ service, operation }: AwsCall) => `${service}:${operation}`;
const actions = (steps: readonly AwsStep[]) =>
  Object.fromEntries(steps.filter(({ action }) => action !== 'none').map((s) => [s.id, s.action]));

/** Calls whose right is called otherwise than they are. */
const RIGHTS_OF: Readonly<Record<string, readonly string[]>> = {
  'sts:GetCallerIdentity': ['none'],
  's3:HeadBucket': ['s3:ListBucket'],
  's3:ListObjectsV2': ['s3:ListBucket'],
  's3:ListObjectVersions': ['s3:ListBucketVersions'],
  's3:ListMultipartUploads': ['s3:ListBucketMultipartUploads'],
  's3:DeleteObjects': ['s3:DeleteObject', 's3:DeleteObjectVersion'],
  's3:GetPublicAccessBlock': ['s3:GetBucketPublicAccessBlock'],
  's3:PutPublicAccessBlock': ['s3:PutBucketPublicAccessBlock'],
  's3:GetBucketLifecycleConfiguration': ['s3:GetLifecycleConfiguration'],
  's3:PutBucketLifecycleConfiguration': ['s3:PutLifecycleConfiguration'],
  's3:GetBucketNotificationConfiguration': ['s3:GetBucketNotification'],
  's3:PutBucketNotificationConfiguration': ['s3:PutBucketNotification'],
  'ec2:CreateSecurityGroup': ['ec2:CreateSecurityGroup', 'ec2:CreateTags'],
  'rds:CreateDBInstance': ['rds:CreateDBInstance', 'rds:AddTagsToResource', 'kms:DescribeKey'],
  'secretsmanager:CreateSecret': ['secretsmanager:CreateSecret', 'secretsmanager:TagResource'],
  'iam:CreateRole': ['iam:CreateRole', 'iam:TagRole'],
  'dms:CreateEndpoint': ['dms:CreateEndpoint', 'dms:AddTagsToResource', 'iam:PassRole'],
  'glue:CreateJob': ['glue:CreateJob', 'glue:TagResource', 'iam:PassRole'],
  'glue:CreateTrigger': ['glue:CreateTrigger', 'glue:TagResource'],
  'lambda:CreateFunction': ['lambda:CreateFunction', 'lambda:TagResource', 'iam:PassRole'],
  'logs:CreateLogGroup': ['logs:CreateLogGroup', 'logs:TagResource'],
};

/** Rights that a walk from nothing to nothing does not take, and when they are. */
const NOT_CALLED_HERE: Readonly<Record<string, string>> = {
  'dms:DeleteReplicationTask': 'there is a task',
  'dms:StopReplicationTask': 'a task runs',
  'dms:ModifyEndpoint': 'cdc.yaml changes',
  'dms:ModifyReplicationInstance': 'cdc.yaml changes',
  'ec2:DeleteNetworkInterface': 'DMS leaves one behind',
  'ec2:DescribeAvailabilityZones': 'DMS asks for it in our name',
  'ec2:DescribeInternetGateways': 'DMS asks for it in our name',
  'glue:StartTrigger': 'it was made and does not fire',
  'glue:UpdateJob': 'a new version of cdc',
  'glue:UpdateTrigger': 'somebody changed it',
  'iam:DetachRolePolicy': 'somebody attached a policy to a role of ours',
  'iam:UpdateAssumeRolePolicy': 'somebody changed it',
  'lambda:UpdateFunctionCode': 'a new version of cdc',
  'lambda:UpdateFunctionConfiguration': 'cdc.yaml changes',
  'rds:ModifyDBInstance': 'cdc.yaml changes',
  's3:AbortMultipartUpload': 'an upload was given up',
  'secretsmanager:PutSecretValue': 'the database has another address',
};

describe.skipIf(!(await hasAwsEmulator()))('init on AWS', () => {
  let account: Account;
  beforeAll(async () => {
    account = await startAccount();
  });
  afterAll(() => account.stop());
  afterEach(() => account.empty());

  it('makes everything from nothing as the field asks for it, and by requests that AWS takes', async () => {
    const pipeline = await newPipeline(account);
    const calls = record();
    const report = await pipeline.init();
    expect(report.done).toHaveLength(25);
    expect(pipeline.said[0]).toMatch(/^account 123456789012, region eu-west-1, as arn:aws:sts::123456789012:/);
    expect(pipeline.warned).toEqual([]);

    const { rds, ec2, s3, dms, iam, secrets, lambda, logs } = account.clients;
    const { DBInstances } = await rds.describeDBInstances({ DBInstanceIdentifier: 'shop-qkzw-db' });
    expect(DBInstances?.[0]).toMatchObject({
      DBInstanceStatus: 'available',
      DBInstanceClass: 'db.t3.micro',
      EngineVersion: expect.stringMatching(/^8\.4\./),
      BackupRetentionPeriod: 1,
      StorageEncrypted: true,
      DBParameterGroups: [{ DBParameterGroupName: 'shop-qkzw-params' }],
    });
    const parameters = await rds.describeDBParameters({ DBParameterGroupName: 'shop-qkzw-params' });
    const set = (name: string) => parameters.Parameters?.find((p) => p.ParameterName === name)?.ParameterValue;
    expect([set('binlog_format'), set('binlog_row_image'), set('binlog_checksum')]).toEqual(['ROW', 'full', 'NONE']);

    const rules = await ec2.describeSecurityGroupRules({
      Filters: [{ Name: 'group-id', Values: [report.ids.database_security_group ?? ''] }],
    });
    const ingress = (rules.SecurityGroupRules ?? []).filter((rule) => rule.IsEgress === false);
    expect(ingress.map((rule) => [rule.FromPort, rule.CidrIpv4 ?? rule.ReferencedGroupInfo?.GroupId]).sort()).toEqual(
      [
        [3306, '203.0.113.7/32'],
        [3306, report.ids.dms_security_group],
      ].sort(),
    );

    for (const Bucket of ['shop-qkzw-staging', 'shop-qkzw-lake', 'shop-qkzw-code']) {
      const block = await s3.getPublicAccessBlock({ Bucket });
      expect(new Set(Object.values(block.PublicAccessBlockConfiguration ?? {}))).toEqual(new Set([true]));
      expect((await s3.getBucketPolicy({ Bucket })).Policy).toContain('aws:SecureTransport');
      expect((await s3.getBucketVersioning({ Bucket })).Status).toBeUndefined();
      expect((await s3.getBucketLifecycleConfiguration({ Bucket })).Rules).toMatchObject([
        { AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 } },
      ]);
    }

    const { Endpoints = [] } = await dms.describeEndpoints({});
    const target = Endpoints.find((endpoint) => String(endpoint.EndpointType) === 'TARGET');
    expect(target?.S3Settings).toMatchObject({
      BucketName: 'shop-qkzw-staging',
      AddColumnName: true,
      IncludeOpForFullLoad: true,
      TimestampColumnName: 'dms_ts',
      CdcMaxBatchInterval: 300,
      ExpectedBucketOwner: '123456789012',
      CsvNullValue: expect.stringMatching(/^<null .{16}>$/),
    });
    const dialect = await s3.getObject({ Bucket: 'shop-qkzw-staging', Key: '_cdc/dialect.json' });
    expect(JSON.parse((await dialect.Body?.transformToString()) ?? '')).toEqual({
      format: 1,
      null: target?.S3Settings?.CsvNullValue,
      timestamp_column: 'dms_ts',
    });
    const source = Endpoints.find((endpoint) => String(endpoint.EndpointType) === 'SOURCE');
    expect(source).toMatchObject({
      SslMode: 'verify-full',
      CertificateArn: report.ids.certificate,
      MySQLSettings: { SecretsManagerSecretId: report.ids.secret, ServerTimezone: 'UTC' },
    });
    expect(source?.MySQLSettings?.DatabaseName).toBeUndefined();
    const { Connections = [] } = await dms.describeConnections({});
    expect(Connections.map(({ Status }) => Status)).toEqual(['successful', 'successful']);

    // The user of the secret can read the binlog over TLS, and nothing but read.
    const secret = JSON.parse((await secrets.getSecretValue({ SecretId: 'shop-qkzw/dms-source' })).SecretString ?? '');
    const session = await createConnection({
      host: secret.host,
      port: secret.port,
      user: secret.username,
      password: secret.password,
      ssl: { ca: account.certificates.ca },
    });
    const [grants] = await session.query('SHOW GRANTS');
    expect(JSON.stringify(grants)).toContain('GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.*');
    await session.end();
    await expect(
      createConnection({ host: secret.host, port: secret.port, user: secret.username, password: secret.password }),
    ).rejects.toThrow(/Access denied/);
    expect(await account.query('SELECT name, value FROM mysql.rds_configuration')).toEqual([
      { name: 'binlog retention hours', value: '24' },
    ]);

    const trust = JSON.stringify(
      decodeURIComponent(
        (await iam.getRole({ RoleName: 'shop-qkzw-dms-secret' })).Role?.AssumeRolePolicyDocument ?? '',
      ),
    );
    expect(trust).toContain('dms.eu-west-1.amazonaws.com');
    const notification = await s3.getBucketNotificationConfiguration({ Bucket: 'shop-qkzw-staging' });
    expect(notification.LambdaFunctionConfigurations).toMatchObject([
      { Id: 'cdc-shop-qkzw', LambdaFunctionArn: report.ids.function, Events: ['s3:ObjectCreated:*'] },
    ]);
    const invoked = await lambda.invoke({ FunctionName: 'shop-qkzw-trigger', Payload: '{}' });
    expect(Buffer.from(invoked.Payload ?? []).toString()).toBe('"woken"');
    const { logGroups = [] } = await logs.describeLogGroups({});
    expect(logGroups.map(({ logGroupName, retentionInDays }) => [logGroupName, retentionInDays]).sort()).toEqual([
      ['/aws-glue/shop-qkzw-merge/error', 14],
      ['/aws-glue/shop-qkzw-merge/output', 14],
      ['/aws/lambda/shop-qkzw-trigger', 14],
      ['dms-tasks-shop-qkzw-dms', 14],
    ]);

    const file = join(tmpdir(), `cdc-test-init-${process.pid}.jsonl`);
    onTestFinished(() => rm(file, { force: true }));
    await writeFile(file, calls.map((call) => JSON.stringify(call)).join('\n'));
    const { checked, findings } = await findBadRequests(file);
    expect(findings).toEqual([]);
    expect(checked).toBeGreaterThan(100);

    // Nothing secret in what was recorded on this machine.
    const written = await readFile(join(pipeline.folder, '.cdc', 'aws.json'), 'utf8');
    expect(written).not.toContain(secret.password);
    expect(JSON.stringify(pipeline.said)).not.toContain(secret.password);
  });

  it('makes a job that merges one run at a time, with the code it finds in its bucket, and starts it every hour', async () => {
    const pipeline = await newPipeline(account, "tables: ['shop.%', { table: shop.orders, mode: append }]\n");
    const { ids } = await pipeline.init();
    const { glue, s3, iam } = account.clients;
    const { Job } = await glue.getJob({ JobName: 'shop-qkzw-merge' });
    const { script, modules } = TEST_JOB;
    expect(Job).toMatchObject({
      Role: ids.role_glue,
      GlueVersion: '5.1',
      WorkerType: 'G.1X',
      NumberOfWorkers: 2,
      Timeout: 120,
      MaxRetries: 0,
      ExecutionProperty: { MaxConcurrentRuns: 1 },
      Command: { Name: 'glueetl', PythonVersion: '3', ScriptLocation: `s3://shop-qkzw-code/${script.key}` },
      DefaultArguments: {
        '--datalake-formats': 'delta',
        '--extra-py-files': `s3://shop-qkzw-code/${modules.key}`,
        '--custom-logGroup-prefix': '/aws-glue/shop-qkzw-merge',
        '--pipeline': 'shop-qkzw',
        '--staging': 's3://shop-qkzw-staging/',
        '--lake': 's3://shop-qkzw-lake/',
        '--unfit': 'fail',
        '--append': '["shop.orders"]',
      },
    });
    const { Trigger } = await glue.getTrigger({ Name: 'shop-qkzw-sweep' });
    expect(Trigger).toMatchObject({
      Type: 'SCHEDULED',
      State: 'ACTIVATED',
      Schedule: 'cron(17 * * * ? *)',
      Actions: [{ JobName: 'shop-qkzw-merge' }],
    });
    const policy = await iam.getRolePolicy({ RoleName: 'shop-qkzw-glue', PolicyName: 'cdc' });
    expect(decodeURIComponent(policy.PolicyDocument ?? '')).not.toMatch(/"(\*|s3:\*|glue:\*)"/);
    const uploaded = await s3.getObject({ Bucket: 'shop-qkzw-code', Key: script.key });
    expect(await uploaded.Body?.transformToString()).toBe(script.body.toString());

    // A new version of the script is drift, which init puts right: the new file beside the old one, then the job.
    const job = { ...TEST_JOB, script: { key: 'glue/merge_changes-fedcba9876543210.py', body: Buffer.from('new') } };
    expect(actions((await pipeline.look({ job })).steps)).toEqual({ 'job-code': 'update', 'glue-job': 'update' });
    await pipeline.init({ job });
    const changed = await glue.getJob({ JobName: 'shop-qkzw-merge' });
    expect(changed.Job?.Command?.ScriptLocation).toBe(`s3://shop-qkzw-code/${job.script.key}`);
    expect(changed.Job?.DefaultArguments).toEqual(Job?.DefaultArguments);
    expect(changed.Job?.ExecutionProperty).toEqual({ MaxConcurrentRuns: 1 });
    expect(actions((await pipeline.look({ job })).steps)).toEqual({});

    // So are settings that somebody changed.
    await glue.updateTrigger({ Name: 'shop-qkzw-sweep', TriggerUpdate: { Schedule: 'cron(0 0 * * ? *)' } });
    await s3.deleteObject({ Bucket: 'shop-qkzw-code', Key: modules.key });
    expect(actions((await pipeline.look({ job })).steps)).toEqual({ 'job-code': 'update', sweep: 'update' });
    await pipeline.init({ job });
    expect(actions((await pipeline.look({ job })).steps)).toEqual({});
    await pipeline.destroy();
    expect(Object.keys(await account.emulator.alive())).toEqual(['iam:role']);
  });

  it('changes nothing the second time, from another machine neither', async () => {
    const pipeline = await newPipeline(account);
    await pipeline.init();
    const calls = record();
    const again = await pipeline.init();
    expect(again.done).toEqual([]);
    expect(calls.filter(isChange).map(named)).toEqual([]);

    const elsewhere = await newPipeline(account);
    expect(new Set(Object.values(actions((await elsewhere.look()).steps)))).toEqual(new Set(['adopt']));
    calls.length = 0;
    const adopted = await elsewhere.init();
    expect(calls.filter(isChange).map(named)).toEqual([]);
    expect(adopted.ids).toEqual(again.ids);
    expect(actions((await elsewhere.look()).steps)).toEqual({});
  });

  it('makes what is missing, and leaves what is there', async () => {
    const pipeline = await newPipeline(account);
    const first = await pipeline.init();
    const { dms, s3, iam } = account.clients;
    await dms.deleteEndpoint({ EndpointArn: first.ids.target_endpoint ?? '' });
    await s3.deleteBucket({ Bucket: 'shop-qkzw-lake' });
    await iam.deleteRolePolicy({ RoleName: 'shop-qkzw-dms-s3', PolicyName: 'cdc' });
    const { steps } = await pipeline.look();
    expect(actions(steps)).toMatchObject({ 'lake-bucket': 'create', 'dms-roles': 'update' });
    const calls = record();
    await pipeline.init();
    const changes = calls.filter(isChange).map(named);
    expect(changes).toEqual(
      expect.arrayContaining(['s3:CreateBucket', 'iam:PutRolePolicy', 'dms:CreateEndpoint', 'dms:TestConnection']),
    );
    expect(changes).not.toContain('rds:CreateDBInstance');
    expect(changes.filter((name) => name === 'dms:CreateEndpoint')).toHaveLength(1);
    expect(actions((await pipeline.look()).steps)).toEqual({});
    // The same text for NULL as in the files that are there.
    const { Endpoints = [] } = await dms.describeEndpoints({});
    const dialect = await s3.getObject({ Bucket: 'shop-qkzw-staging', Key: '_cdc/dialect.json' });
    expect(await dialect.Body?.transformToString()).toContain(
      Endpoints.find(({ EndpointType }) => String(EndpointType) === 'TARGET')?.S3Settings?.CsvNullValue,
    );
  });

  it("shows drift, puts right what is the pipeline's, and leaves a rule that somebody added", async () => {
    const pipeline = await newPipeline(account);
    const { ids } = await pipeline.init();
    const { rds, ec2, s3, dms } = account.clients;
    const ApplyMethod = 'immediate';
    await rds.modifyDBParameterGroup({
      DBParameterGroupName: 'shop-qkzw-params',
      Parameters: [{ ParameterName: 'binlog_format', ParameterValue: 'MIXED', ApplyMethod }],
    });
    const GroupId = ids.database_security_group ?? '';
    await ec2.authorizeSecurityGroupIngress({
      GroupId,
      IpPermissions: [{ IpProtocol: 'tcp', FromPort: 3306, ToPort: 3306, IpRanges: [{ CidrIp: '198.51.100.0/24' }] }],
    });
    await s3.deletePublicAccessBlock({ Bucket: 'shop-qkzw-staging' });
    await s3.deleteBucketLifecycle({ Bucket: 'shop-qkzw-code' });
    await s3.putBucketLifecycleConfiguration({
      Bucket: 'shop-qkzw-lake',
      LifecycleConfiguration: {
        Rules: [{ ID: 'tidy', Status: 'Enabled', Filter: { Prefix: '' }, Expiration: { Days: 30 } }],
      },
    });
    await s3.deleteBucketOwnershipControls({ Bucket: 'shop-qkzw-lake' });
    await dms.modifyEndpoint({ EndpointArn: ids.target_endpoint ?? '', S3Settings: { AddColumnName: false } });
    await account.query("REVOKE REPLICATION SLAVE ON *.* FROM 'cdc_dms'@'%'");

    const view = await pipeline.look({ operatorAddress: async () => '203.0.113.99' });
    const drift = Object.fromEntries(
      view.steps.flatMap(({ id, differences }) =>
        differences.map(({ what, is, wanted, isMendable }) => [`${id}: ${what}`, `${is} → ${wanted} ${isMendable}`]),
      ),
    );
    expect(drift).toMatchObject({
      'parameter-group: binlog_format': 'MIXED → ROW true',
      'security-groups: rule for 203.0.113.99/32': 'absent → port 3306 true',
      'security-groups: rule for 203.0.113.7/32': 'port 3306 (cdc operator) → absent true',
      'security-groups: rule for 198.51.100.0/24': 'port 3306 → absent false',
      'staging-bucket: private': 'false → true true',
      // As a kill between two calls leaves it.
      'code-bucket: lifecycle': 'none → given-up-uploads true',
      'lake-bucket: lifecycle': 'tidy → given-up-uploads true',
      'lake-bucket: owned by this account alone': 'false → true true',
      'target-endpoint: AddColumnName': 'false → true true',
      'users: REPLICATION SLAVE': 'N → Y true',
    });
    await pipeline.init({ operatorAddress: async () => '203.0.113.99' });
    expect(pipeline.warned).toEqual([expect.stringContaining('rule for 198.51.100.0/24')]);
    const rules = await ec2.describeSecurityGroupRules({ Filters: [{ Name: 'group-id', Values: [GroupId] }] });
    const from = (rules.SecurityGroupRules ?? []).flatMap((rule) => (rule.IsEgress ? [] : (rule.CidrIpv4 ?? [])));
    expect(from.sort()).toEqual(['198.51.100.0/24', '203.0.113.99/32']);
    expect(actions((await pipeline.look({ operatorAddress: async () => '203.0.113.99' })).steps)).toEqual({});
    // What was changed has been tested again.
    const { Connections = [] } = await dms.describeConnections({});
    expect(Connections.map(({ Status }) => Status)).toEqual(['successful', 'successful']);
  });

  it("refuses what is somebody else's by name, all at once, and makes nothing", async () => {
    const { ec2, s3, secrets, iam } = account.clients;
    const Tags = [{ Key: 'cdc:pipeline', Value: 'other-abcd' }];
    const { Vpcs } = await ec2.describeVpcs({});
    await ec2.createSecurityGroup({ GroupName: 'shop-qkzw-db', Description: 'x', VpcId: Vpcs?.[0]?.VpcId ?? '' });
    await s3.createBucket({
      Bucket: 'shop-qkzw-lake',
      CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' },
    });
    await secrets.createSecret({ Name: 'shop-qkzw/dms-source', SecretString: '{}', Tags });
    await iam.createRole({ RoleName: 'shop-qkzw-lambda', AssumeRolePolicyDocument: '{"Statement":[]}', Tags });
    const pipeline = await newPipeline(account);
    const calls = record();
    const refusal = pipeline.init();
    await expect(refusal).rejects.toMatchObject({ code: 'aws.not-ours' });
    await expect(refusal).rejects.toThrow(
      'security group shop-qkzw-db belongs to nobody we know (it has no tag of ours)',
    );
    await expect(refusal).rejects.toThrow('bucket shop-qkzw-lake belongs to nobody we know');
    await expect(refusal).rejects.toThrow('secret shop-qkzw/dms-source belongs to the pipeline other-abcd');
    await expect(refusal).rejects.toThrow('role shop-qkzw-lambda belongs to the pipeline other-abcd');
    expect(calls.filter(isChange)).toEqual([]);
  });

  it('uses a bucket of yours under its prefix, as it is', async () => {
    const { s3, iam } = account.clients;
    await s3.createBucket({ Bucket: 'mine', CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' } });
    const pipeline = await newPipeline(account, 'staging: { bucket: mine, prefix: cdc/in }\n');
    const calls = record();
    await pipeline.init();
    const touched = calls.filter((call) => isChange(call) && call.input.Bucket === 'mine').map(named);
    expect(touched.sort()).toEqual(['s3:PutBucketNotificationConfiguration', 's3:PutObject']);
    const policy = await iam.getRolePolicy({ RoleName: 'shop-qkzw-dms-s3', PolicyName: 'cdc' });
    expect(decodeURIComponent(policy.PolicyDocument ?? '')).toContain('arn:aws:s3:::mine/cdc/in/*');
    const report = await pipeline.destroy();
    expect(report.remaining).toContainEqual(
      expect.objectContaining({
        resource: expect.stringContaining('bucket mine'),
        why: expect.stringContaining('yours'),
      }),
    );
    const kept = await s3.listObjectsV2({ Bucket: 'mine' });
    expect(kept.Contents?.map(({ Key }) => Key)).toEqual(['cdc/in/_cdc/dialect.json']);
  });

  it('follows a server of yours without making one', async () => {
    const { host, port, cdc } = account.server;
    const pipeline = await newPipeline(
      account,
      `source: { url: 'mysql://${cdc.user}@${host}:${port}', tls: { ca: '${account.certificates.caFile}' } }\n`,
    );
    const { ids } = await pipeline.init();
    const { rds, secrets } = account.clients;
    expect((await rds.describeDBInstances({})).DBInstances).toEqual([]);
    const secret = JSON.parse((await secrets.getSecretValue({ SecretId: ids.secret ?? '' })).SecretString ?? '');
    expect(secret).toEqual({ username: cdc.user, password: cdc.password, host, port });
    expect(actions((await pipeline.look()).steps)).toEqual({});
  });

  it('takes one step with what it needs', async () => {
    const pipeline = await newPipeline(account);
    const report = await pipeline.init({ only: 'subnet-group' });
    expect(report.done.sort()).toEqual(['account-roles', 'subnet-group']);
    await expect(pipeline.init({ only: 'subnets' })).rejects.toThrow('--only subnets: there is no such step');
    expect(() => refuseUnknownStep('subnet-group')).not.toThrow();
    expect(() => refuseUnknownStep('databse')).toThrow(
      expect.objectContaining({ hint: expect.stringMatching(/^did you mean database\? the steps are .*, database, /) }),
    );
    // A step of other plans: DMS without a public address has it.
    const view = await pipeline.look();
    expect(() => refuseUnknownStep('vpc-endpoints')).not.toThrow();
    expect(() => refuseStepNotPlanned(view, 'vpc-endpoints')).toThrow(
      expect.objectContaining({
        message: '--only vpc-endpoints: there is no such step',
        hint: expect.not.stringContaining('vpc-endpoints'),
      }),
    );
  });

  it('opens the port to everybody only when cdc.yaml says so', async () => {
    const { caFile } = account.certificates;
    const pipeline = await newPipeline(account, `source: { rds: { open_to_world: true }, tls: { ca: '${caFile}' } }\n`);
    const { ids } = await pipeline.init({ only: 'security-groups' });
    const rules = await account.clients.ec2.describeSecurityGroupRules({
      Filters: [{ Name: 'group-id', Values: [ids.database_security_group ?? ''] }],
    });
    const from = (rules.SecurityGroupRules ?? []).flatMap((rule) => (rule.IsEgress ? [] : (rule.CidrIpv4 ?? [])));
    expect(from).toEqual(['0.0.0.0/0']);
    expect(pipeline.warned).toEqual([expect.stringContaining('everybody may try to connect')]);
  });

  it('leaves a stopped database alone, and says that it could not be looked into', async () => {
    const pipeline = await newPipeline(account);
    await pipeline.init();
    const { rds } = account.clients;
    await rds.stopDBInstance({ DBInstanceIdentifier: 'shop-qkzw-db' });
    await rds.describeDBInstances({});
    const calls = record();
    await pipeline.init();
    expect(calls.filter(isChange).map(named)).toEqual([]);
    expect(pipeline.warned.filter((line) => line.includes('database is stopped'))).toHaveLength(2);
  });

  it('asks for the rights that init and destroy use, and for no other', async () => {
    const pipeline = await newPipeline(account);
    const { resources, rights: all } = await pipeline.look();
    const rights = rightsNeeded(resources);
    // Those that run what was made have theirs, held to it in operate.test.ts.
    expect(all).toEqual([...new Set([...rights, ...RUN_RIGHTS])].sort());
    const calls = record();
    await pipeline.init();
    await account.clients.s3.putObject({ Bucket: 'shop-qkzw-lake', Key: 'shop/persons/x', Body: 'x' });
    await pipeline.destroy({ deleteLake: true });
    const used = new Set(calls.flatMap((call) => RIGHTS_OF[named(call)] ?? [named(call)]));
    expect([...used].filter((right) => !rights.includes(right) && right !== 'none')).toEqual([]);
    const unused = rights.filter((right) => !used.has(right));
    expect(unused).toEqual(Object.keys(NOT_CALLED_HERE).sort());
  });

  it('stops with exit code 2 before anything is done where the credentials lead to another region than the record', async () => {
    const pipeline = await newPipeline(account);
    await pipeline.init({ only: 'log-groups' });
    const elsewhere = process.env.AWS_REGION;
    process.env.AWS_REGION = 'us-west-2';
    onTestFinished(() => {
      process.env.AWS_REGION = elsewhere;
    });
    const calls = record();
    const refusal = pipeline.init();
    await expect(refusal).rejects.toBeInstanceOf(ConfigError);
    await expect(refusal).rejects.toThrow('leads to the region us-west-2, but this pipeline was made with eu-west-1');
    expect(calls.map(named)).toEqual(['sts:GetCallerIdentity']);
  });
});
