import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Fault } from '../../support/aws/call-faults.mjs';
import { type AwsCalls, failCall, failOperation, recordCalls } from '../../support/aws/calls.ts';
import { type AwsEmulator, hasAwsEmulator, refuseRealAws, startAwsEmulator } from '../../support/aws/emulator.ts';
import { findBadRequests } from '../../support/aws/request-oracle.ts';

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));

/** One call of each protocol: query (STS, RDS, IAM), EC2's, JSON (DMS, Glue …), REST-JSON (Lambda), S3's XML. */
const EACH_SERVICE = {
  sts: 'await sts.send(new STS.GetCallerIdentityCommand({}))',
  ec2: 'await ec2.send(new EC2.DescribeVpcsCommand({}))',
  iam: 'await iam.send(new IAM.ListRolesCommand({}))',
  s3: 'await s3.send(new S3.ListBucketsCommand({}))',
  rds: 'await rds.send(new RDS.DescribeDBInstancesCommand({}))',
  secretsmanager: 'await secrets.send(new SECRETS.ListSecretsCommand({}))',
  dms: 'await dms.send(new DMS.DescribeEndpointsCommand({}))',
  lambda: 'await lambda.send(new LAMBDA.ListFunctionsCommand({}))',
  glue: 'await glue.send(new GLUE.ListJobsCommand({}))',
  logs: 'await logs.send(new LOGS.DescribeLogGroupsCommand({}))',
  tag: 'await tag.send(new TAG.GetResourcesCommand({}))',
};

const CLIENTS = {
  sts: "import * as STS from '@aws-sdk/client-sts'; const sts = new STS.STSClient({});",
  ec2: "import * as EC2 from '@aws-sdk/client-ec2'; const ec2 = new EC2.EC2Client({});",
  iam: "import * as IAM from '@aws-sdk/client-iam'; const iam = new IAM.IAMClient({});",
  s3: "import * as S3 from '@aws-sdk/client-s3'; const s3 = new S3.S3Client({});",
  rds: "import * as RDS from '@aws-sdk/client-rds'; const rds = new RDS.RDSClient({});",
  secrets:
    "import * as SECRETS from '@aws-sdk/client-secrets-manager'; const secrets = new SECRETS.SecretsManagerClient({});",
  dms: "import * as DMS from '@aws-sdk/client-database-migration-service'; const dms = new DMS.DatabaseMigrationServiceClient({});",
  lambda: "import * as LAMBDA from '@aws-sdk/client-lambda'; const lambda = new LAMBDA.LambdaClient({});",
  glue: "import * as GLUE from '@aws-sdk/client-glue'; const glue = new GLUE.GlueClient({});",
  logs: "import * as LOGS from '@aws-sdk/client-cloudwatch-logs'; const logs = new LOGS.CloudWatchLogsClient({});",
  tag: "import * as TAG from '@aws-sdk/client-resource-groups-tagging-api'; const tag = new TAG.ResourceGroupsTaggingAPIClient({});",
};

interface Outcome {
  /** `ok`, or the error's name. */
  results: string[];
  signal: NodeJS.Signals | null;
}

describe.skipIf(!(await hasAwsEmulator()))('calls of the AWS SDK that go wrong', () => {
  let aws: AwsEmulator;
  beforeAll(async () => {
    aws = await startAwsEmulator();
  });
  afterAll(() => aws?.stop());
  beforeEach(() => aws.reset());

  /** Runs statements in a process of its own that has the preload; one result for each. */
  async function run(statements: readonly string[], ...faults: Fault[]): Promise<Outcome & { calls: AwsCalls }> {
    const calls = await recordCalls(...faults);
    onTestFinished(() => calls.remove());
    const tried = statements.map(
      (statement) =>
        `await (async () => { ${statement} })().then(() => say('ok'), (e) => say(e.name === 'Error' ? e.code : e.name));`,
    );
    const clients = Object.entries(CLIENTS).filter(([name]) =>
      statements.some((text) => text.includes(`${name}.send(`)),
    );
    const imports = clients.map(([, text]) => text).join('\n');
    const script = `${imports}\nconst say = (text) => process.stdout.write(text + '\\n');\n${tried.join('\n')}`;
    const { PATH } = process.env;
    return await new Promise((resolve, reject) => {
      const child = execFile(
        process.execPath,
        ['--input-type=module', '--eval', script],
        { cwd: REPOSITORY, env: { PATH, ...aws.env, ...calls.env } },
        (_, stdout, stderr) => {
          if (stderr !== '') reject(new Error(stderr));
          else resolve({ results: stdout.split('\n').filter(Boolean), signal: child.signalCode, calls });
        },
      );
    });
  }

  const create = `await rds.send(new RDS.CreateDBParameterGroupCommand(
    { DBParameterGroupName: 'g', DBParameterGroupFamily: 'mysql8.4', Description: 'd' }))`;
  const identity = EACH_SERVICE.sts;

  it('loses the reply to work that was done, and the retry of the SDK finds it done', async () => {
    const { results, calls } = await run([identity, create], failCall(2, 'lost-reply'));
    expect(results).toEqual(['ok', 'DBParameterGroupAlreadyExistsFault']);
    expect(await calls.fired()).toEqual([
      { kind: 'lost-reply', call: 2, service: 'rds', operation: 'CreateDBParameterGroup', attempt: 1 },
    ]);
    expect(await aws.alive()).toEqual({ 'rds-pg': ['eu-west-1:g'] });
  });

  it('loses every reply of a call, which then fails though it was done', async () => {
    const { results, calls } = await run([create], failCall(1, 'lost-for-good'));
    expect(results).toEqual(['ECONNRESET']);
    expect((await calls.fired()).map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect(await aws.alive()).toEqual({ 'rds-pg': ['eu-west-1:g'] });
  });

  it('aborts a call before it is sent', async () => {
    const { results } = await run([create], failOperation('rds:CreateDBParameterGroup', 'abort'));
    expect(results).toEqual(['ENETUNREACH']);
    expect(await aws.alive()).toEqual({});
  });

  it('throttles once, which the SDK bears, and for good, which it does not', async () => {
    const all = Object.values(EACH_SERVICE);
    const together = `await Promise.all([${all.map((statement) => `(async () => { ${statement} })()`).join(', ')}])`;
    const once = await run([together], ...all.map((_, index) => failCall(index + 1, 'throttle')));
    expect(once.results).toEqual(['ok']);
    expect(await once.calls.fired()).toHaveLength(all.length);
    const { results } = await run([identity], failCall(1, 'throttle-for-good'));
    expect(results).toEqual(['Throttling']);
  });

  it('denies an operation for good, by the name that each service gives it', async () => {
    const all = Object.values(EACH_SERVICE);
    const other = 'await s3.send(new S3.CreateBucketCommand({ Bucket: "other" }))';
    const { results } = await run([...all, other, ...all], ...all.map((_, index) => failCall(index + 1, 'denied')));
    const denied = [
      ...['AccessDenied', 'UnauthorizedOperation', 'AccessDenied', 'AccessDenied', 'AccessDenied'],
      ...Array.from({ length: 6 }, () => 'AccessDeniedException'),
    ];
    expect(results).toEqual([...denied, 'ok', ...denied]);
  });

  it('lets the credentials expire, for every service from then on', async () => {
    const { results } = await run([identity, ...Object.values(EACH_SERVICE)], failCall(2, 'expired'));
    expect(results).toEqual([
      'ok',
      ...['ExpiredToken', 'RequestExpired', 'ExpiredToken', 'ExpiredToken', 'ExpiredToken'],
      ...Array.from({ length: 6 }, () => 'ExpiredTokenException'),
    ]);
  });

  it('kills the process before a call, or when it was answered', async () => {
    const before = await run([identity, create, identity], failCall(2, 'kill'));
    expect(before).toMatchObject({ results: ['ok'], signal: 'SIGKILL' });
    expect(await aws.alive()).toEqual({});
    const after = await run([identity, create, identity], failCall(2, 'kill-after'));
    expect(after).toMatchObject({ results: ['ok'], signal: 'SIGKILL' });
    expect(await after.calls.fired()).toMatchObject([{ kind: 'kill-after', call: 2 }]);
    expect(await aws.alive()).toEqual({ 'rds-pg': ['eu-west-1:g'] });
  });

  it('reports nothing when the call of the fault was never made', async () => {
    const { results, calls } = await run([identity], failCall(2, 'abort'));
    expect(results).toEqual(['ok']);
    expect(await calls.calls()).toMatchObject([{ call: 1, service: 'sts', operation: 'GetCallerIdentity' }]);
    expect(await calls.fired()).toEqual([]);
  });

  it('records no secret, and what Amazon finds wrong with a request', async () => {
    const { calls } = await run([
      `await secrets.send(new SECRETS.CreateSecretCommand({ Name: 's', SecretString: 'hunter2' }))`,
      `await dms.send(new DMS.CreateEndpointCommand(
        { EndpointIdentifier: 'e', EndpointType: 'sauce', EngineName: 'mysql', Password: 'hunter2', Colour: 'red' }))`,
    ]);
    const [secret, endpoint] = await calls.calls();
    expect(secret?.input).toMatchObject({ Name: 's', SecretString: 'xxxxxxx' });
    expect(JSON.stringify(endpoint)).not.toContain('hunter2');
    const { checked, findings } = await findBadRequests(calls.file);
    expect(checked).toBe(2);
    expect(findings).toEqual([
      expect.stringMatching(/^dms:CreateEndpoint: Unknown parameter in input: "Colour"/),
      expect.stringMatching(/^dms:CreateEndpoint: CreateEndpoint\.EndpointType: 'sauce' is none of/),
    ]);
  });

  it('are never calls of a real account', () => {
    expect(() => refuseRealAws(aws.env)).not.toThrow();
    expect(() => refuseRealAws({})).toThrow('AWS_ENDPOINT_URL');
    for (const other of ['http://localhost:5000', 'https://rds.eu-west-1.amazonaws.com', 'nonsense'])
      expect(() => refuseRealAws({ ...aws.env, AWS_ENDPOINT_URL_RDS: other })).toThrow('AWS_ENDPOINT_URL_RDS');
  });
});
