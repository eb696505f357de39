import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type AwsSession, openSession } from '../../../../src/core/aws/session.ts';
import { writeRecord } from '../../../../src/core/pipeline/aws/record.ts';
import { type AwsCheckReport, checkAws } from '../../../../src/core/pipeline/aws-check/check.ts';
import { checkClock, checkCredentials } from '../../../../src/core/pipeline/aws-check/credentials.ts';
import { CHECK_RIGHTS } from '../../../../src/core/pipeline/aws-check/rights.ts';
import { tableMappings } from '../../../../src/core/pipeline/aws-run/table-mappings.ts';
import { type AwsCall, installCallFaults } from '../../../support/aws/call-faults.mjs';
import { seenUntil } from '../../../support/aws/clients.ts';
import { hasAwsEmulator } from '../../../support/aws/emulator.ts';
import { fakeClock } from '../../../support/aws/fake-clock.ts';
import { findBadRequests } from '../../../support/aws/request-oracle.ts';
import { makeRole } from '../../../support/aws/stack.ts';
import { type Account, newPipeline, type Pipeline, startAccount, TEST_FUNCTION, TEST_JOB } from '../aws/account.ts';

describe.skipIf(!(await hasAwsEmulator()))('check on AWS', () => {
  let account: Account;
  beforeAll(async () => {
    account = await startAccount();
  });
  afterAll(() => account.stop());
  afterEach(async () => {
    vi.useRealTimers();
    await account.emulator.reset();
    await account.query('DROP DATABASE IF EXISTS shop', "DROP USER IF EXISTS 'cdc_dms'@'%'");
  });

  async function check(pipeline: Pipeline, more: Partial<AwsSession> = {}): Promise<AwsCheckReport> {
    const session = await openSession({ clock: fakeClock() });
    return checkAws({
      config: pipeline.config,
      session: { ...session, ...more },
      progress: { update() {}, detail() {}, done() {}, warn() {} },
      sourcePassword: async () => account.server.cdc.password,
      operatorAddress: async () => '203.0.113.7',
      function: TEST_FUNCTION,
      job: TEST_JOB,
      only: [],
    });
  }
  const codes = ({ findings }: AwsCheckReport) => findings.map(({ level, code }) => `${level} ${code}`);
  const messages = ({ findings }: AwsCheckReport) => findings.map(({ message }) => message).join('\n');

  it('finds nothing in an account that can hold the pipeline, and says what it saw and what it cannot know', async () => {
    const report = await check(await newPipeline(account));
    expect(report.findings).toEqual([]);
    expect(report.ok).toBe(true);
    expect(report.facts).toEqual([
      expect.stringMatching(/^account 123456789012, region eu-west-1, as arn:aws:sts::/),
      'the credentials name no end',
      expect.stringMatching(/^network: vpc-\w+, 3 subnets in 3 zones$/),
      'role dms-vpc-role: not there yet, init makes it',
      'role dms-cloudwatch-logs-role: not there yet, init makes it',
      'database: MySQL 8.4.5 on db.t3.micro',
      'MySQL 8.4 is in standard support until 2029-07-31',
      'replication instance: DMS 3.6.1 on dms.t3.micro',
      expect.stringMatching(/^0 of 2\d steps are made: cdc plan$/),
      expect.stringMatching(/^costs \$\d\.\d\d a day idle, .*; list prices of us-east-1, 2026-08$/),
      'source: not there yet',
    ]);
    expect(report.unknown.join('\n')).toContain('only Service Quotas knows');
    expect(report.unknown.join('\n')).toContain("AWS's free plan");
    // The emulator's own user is known to no IAM.
    expect(report.unknown.join('\n')).toContain('which rights are missing');
  });

  it('asks by requests that AWS takes, changes nothing, and needs no right that it does not name', async () => {
    const pipeline = await newPipeline(account);
    const arn = await makeRole(account.clients, 'operator', 'ec2.amazonaws.com');
    const calls: AwsCall[] = [];
    const { uninstall } = installCallFaults({ onCall: (call) => void calls.push(call) });
    const view = await pipeline.look();
    await check(pipeline, { principal: `${arn.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/me` });
    uninstall();
    expect(calls.filter(({ operation }) => !/^(Describe|Get|List|Head|Simulate)/.test(operation))).toEqual([]);
    const known = new Set([...view.rights, ...CHECK_RIGHTS, 'sts:GetCallerIdentity', 's3:HeadBucket']);
    const asked = calls.map(({ service, operation }) => `${service}:${operation}`);
    expect([...new Set(asked)].filter((right) => !known.has(right))).toEqual([]);
    expect(CHECK_RIGHTS.filter((right) => !asked.includes(right))).toEqual([]);
    const file = join(pipeline.folder, 'calls.jsonl');
    await writeFile(file, calls.map((call) => JSON.stringify(call)).join('\n'));
    expect((await findBadRequests(file)).findings).toEqual([]);
  });

  it('looks into a source that is there, as on every target, without what only our own capture needs', async () => {
    const pipeline = await newPipeline(account, "tables: ['shop.%', shop.none]\n");
    await pipeline.init();
    await account.query(
      'CREATE DATABASE shop',
      'CREATE TABLE shop.orders (id INT PRIMARY KEY)',
      'CREATE TABLE shop.notes (note TEXT)',
    );
    const report = await check(pipeline);
    expect(report.facts).toContain('everything is made');
    expect(codes(report)).toEqual(['error table.missing', 'error key.missing']);
    expect(report.ok).toBe(false);
  });

  it('warns of a task that does not say what a key was before, and refuses tables whose keys then change unseen', async () => {
    const pipeline = await newPipeline(account, "tables: ['shop.%']\n");
    await pipeline.init();
    await account.query(
      'CREATE DATABASE shop',
      'CREATE TABLE shop.orders (id INT PRIMARY KEY, note VARCHAR(10))',
      'CREATE TABLE shop.codes (code VARCHAR(10), PRIMARY KEY (code))',
      'CREATE TABLE shop.exact (code VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin PRIMARY KEY, n INT)',
      'CREATE TABLE shop.padded (code VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, n INT)',
      'CREATE TABLE shop.fixed (code CHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, n INT)',
    );
    const [source, target] = await Promise.all(
      ['shop-qkzw-source', 'shop-qkzw-target'].map(async (id) => {
        const { Endpoints } = await account.clients.dms.describeEndpoints({
          Filters: [{ Name: 'endpoint-id', Values: [id] }],
        });
        return Endpoints?.[0]?.EndpointArn;
      }),
    );
    const { ReplicationInstances } = await account.clients.dms.describeReplicationInstances({});
    const wanted: { rules: Record<string, unknown>[] } = JSON.parse(
      tableMappings({ config: pipeline.config, refused: [] }),
    );
    const withRules = (rules: Record<string, unknown>[]) => JSON.stringify({ rules });
    const { ReplicationTask } = await account.clients.dms.createReplicationTask({
      ReplicationTaskIdentifier: 'shop-qkzw-full-load-and-cdc',
      MigrationType: 'full-load-and-cdc',
      ReplicationInstanceArn: ReplicationInstances?.[0]?.ReplicationInstanceArn,
      SourceEndpointArn: source,
      TargetEndpointArn: target,
      TableMappings: withRules(wanted.rules.filter((rule) => rule['rule-action'] !== 'add-before-image-columns')),
    });
    const report = await check(pipeline);
    expect(codes(report)).toEqual(['warning task.no-before-image', 'error key.collation', 'error key.collation']);
    expect(report.findings.map(({ table, message }) => [table, message.split(' may ')[0]])).toEqual([
      [undefined, expect.stringContaining('an update of a key leaves the old row in the lake')],
      ['shop.codes', 'its key code (utf8mb4_0900_ai_ci)'],
      ['shop.padded', 'its key code (utf8mb4_bin)'],
    ]);

    await seenUntil('ready', async () => {
      const { ReplicationTasks } = await account.clients.dms.describeReplicationTasks({});
      return ReplicationTasks?.[0]?.Status;
    });
    // With it nothing speaks against such a key, as with our own capture.
    await account.clients.dms.modifyReplicationTask({
      ReplicationTaskArn: ReplicationTask?.ReplicationTaskArn,
      TableMappings: withRules(wanted.rules),
    });
    expect(codes(await check(pipeline))).toEqual([]);
  });

  it('finds limits, classes and networks that stand in the way, all of them at once', async () => {
    const { ec2 } = account.clients;
    await account.emulator.control({ database_limit: 0 });
    const pipeline = await newPipeline(
      account,
      `source: { rds: { class: db.r9.huge }, tls: { ca: '${account.certificates.caFile}' } }\ndms: { class: dms.x1.huge }\n`,
    );
    const report = await check(pipeline);
    expect(codes(report).sort()).toEqual([
      'error aws.class',
      'error aws.class',
      'error aws.quota',
      'warning aws.price',
      'warning aws.price',
    ]);
    expect(messages(report)).toContain('the account has 0 of at most 0 databases, and the pipeline needs 1 more');
    const { Subnets = [] } = await ec2.describeSubnets({});
    for (const { SubnetId } of Subnets.slice(1)) await ec2.deleteSubnet({ SubnetId });
    const narrow = await check(await newPipeline(account));
    expect(codes(narrow)).toEqual(['error aws.no-vpc']);
    expect(narrow.facts).toContain('database: MySQL 8.4.5 on db.t3.micro');
  });

  it("finds roles of the account that DMS cannot use, and what is somebody else's", async () => {
    await makeRole(account.clients, 'dms-vpc-role', 'ec2.amazonaws.com');
    await account.clients.s3.createBucket({
      Bucket: 'shop-qkzw-lake',
      CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' },
    });
    const report = await check(await newPipeline(account));
    const errors = report.findings.filter(({ level }) => level === 'error');
    expect(errors.map(({ code }) => code)).toEqual(['aws.account-role', 'aws.account-role', 'aws.not-ours']);
    expect(errors.map(({ fix }) => fix)).toEqual([
      expect.stringMatching(/^aws iam update-assume-role-policy --role-name dms-vpc-role --policy-document '\{/),
      expect.stringMatching(/^aws iam attach-role-policy --role-name dms-vpc-role --policy-arn arn:aws:iam::aws:/),
      expect.stringContaining('another `name:`'),
    ]);
  });

  it('names the rights that the policies of the role behind the credentials do not give', async () => {
    const everything = ['dms', 'ec2', 'iam', 'lambda', 'logs', 'rds', 's3', 'secretsmanager', 'tag', 'kms', 'glue'];
    const actions = [...everything.map((service) => `${service}:*`), 'cloudwatch:*'];
    const arn = await makeRole(account.clients, 'operator', 'ec2.amazonaws.com', { actions, resources: ['*'] });
    const principal = `${arn.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/me`;
    const pipeline = await newPipeline(account);
    const all = await check(pipeline, { principal });
    expect(all.findings).toEqual([]);
    expect(all.facts.join('\n')).toMatch(/all \d+ rights are there/);

    // Rights on this pipeline's database alone are enough of those of RDS.
    const { iam } = account.clients;
    const { PolicyNames = [] } = await iam.listRolePolicies({ RoleName: 'operator' });
    const database = 'arn:aws:rds:eu-west-1:123456789012:db:shop-qkzw-db';
    const statements = [
      { Effect: 'Allow', Action: actions.filter((action) => !/^(rds|dms)/.test(action)), Resource: '*' },
      { Effect: 'Allow', Action: ['rds:*'], Resource: database },
      { Effect: 'Allow', Action: ['dms:Describe*', 'dms:List*'], Resource: '*' },
    ];
    await iam.putRolePolicy({
      RoleName: 'operator',
      PolicyName: PolicyNames[0] ?? '',
      PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement: statements }),
    });
    const some = await check(pipeline, { principal });
    expect(codes(some)).toEqual(['error aws.access-denied']);
    expect(messages(some)).toMatch(
      /^dms: arn:aws:iam::123456789012:role\/operator lacks AddTagsToResource, CreateEndpoint, /,
    );
    expect(messages(some)).not.toContain('DescribeEndpoints');
  });

  it('says when the operator has another address than the one that may connect', async () => {
    const pipeline = await newPipeline(account);
    await pipeline.init();
    await account.query('CREATE DATABASE shop', 'CREATE TABLE shop.orders (id INT PRIMARY KEY)');
    const { config } = pipeline;
    const session = await openSession({ clock: fakeClock() });
    const progress = { update() {}, detail() {}, done() {}, warn() {} };
    const report = await checkAws({
      config,
      session,
      progress,
      sourcePassword: async () => '',
      operatorAddress: async () => '203.0.113.99',
      function: TEST_FUNCTION,
      job: TEST_JOB,
      only: ['shop.orders'],
    });
    expect(report.ok).toBe(true);
    expect(report.findings).toEqual([
      expect.objectContaining({
        code: 'aws.drift',
        message: 'security-groups: rule for 203.0.113.99/32 is absent, wanted port 3306',
        fix: 'cdc init --only security-groups',
      }),
      expect.objectContaining({ message: expect.stringContaining('rule for 203.0.113.7/32 is port 3306') }),
    ]);
  });

  it('finds credentials that lead to another account than the record, or end soon', async () => {
    const pipeline = await newPipeline(account);
    const { account: number, region, principal } = await openSession({ clock: fakeClock() });
    const record = { pipeline: 'shop-qkzw', account: '210987654321', region, principal, made: [], begun: [], ids: {} };
    await writeRecord(pipeline.config, record);
    const report = await check(pipeline);
    expect(codes(report)).toEqual(['error aws.other-account']);
    expect(messages(report)).toContain(`leads to the account ${number}, but this pipeline was made with 210987654321`);

    await writeFile(join(pipeline.folder, '.cdc', 'aws.json'), 'torn');
    expect(codes(await check(pipeline))).toEqual(['error aws.record']);

    const now = new Date('2026-11-24T12:00:00Z');
    const session = await openSession({ clock: fakeClock() });
    const ending = (minutes: number): AwsSession => ({
      ...session,
      clientOptions: {
        ...session.clientOptions,
        credentials: async () => ({
          accessKeyId: 'a',
          secretAccessKey: 'b',
          expiration: new Date(now.getTime() + minutes * 60_000),
        }),
      },
    });
    expect((await checkCredentials(ending(10), now)).findings).toMatchObject([
      { level: 'warning', code: 'aws.credentials-expiring', message: expect.stringContaining('end in 10 minutes') },
    ]);
    expect(await checkCredentials(ending(90), now)).toMatchObject({
      findings: [],
      facts: [expect.anything(), 'the credentials end at 2026-11-24T13:30:00.000Z, in 90 minutes'],
    });
  });

  it("finds a clock that is further off than AWS allows, by the reply's date", async () => {
    expect((await checkClock(await openSession({ clock: fakeClock() }))).findings).toEqual([]);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 600_000 });
    const late = await openSession({ clock: fakeClock() });
    expect((await checkClock(late)).findings).toMatchObject([
      { level: 'error', code: 'aws.clock', message: expect.stringContaining('10 minutes behind that of AWS') },
    ]);
  });
});
