/** A pipeline on an emulated account as `init` leaves it, with a real MySQL as its source, for tests of what runs on it. */

import { fileURLToPath } from 'node:url';

import { STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, beforeEach, inject, onTestFinished } from 'vitest';
import { createReplicationInstance, findReplicationInstance } from '../../../../src/core/aws/dms.ts';
import { openSession } from '../../../../src/core/aws/session.ts';
import { type Config, parseConfig } from '../../../../src/core/config.ts';
import { awsNames, glueLogs } from '../../../../src/core/pipeline/aws/names.ts';
import { lambdaPackage } from '../../../../src/core/pipeline/aws-run/lambda-package.ts';
import type { AwsRun } from '../../../../src/core/pipeline/aws-run/run.ts';
import type { Progress } from '../../../../src/core/progress.ts';
import type { AwsCall, Fault } from '../../../support/aws/call-faults.mjs';
import { installCallFaults } from '../../../support/aws/call-faults.mjs';
import { type AwsClients, awsClients, seenUntil } from '../../../support/aws/clients.ts';
import {
  type AwsEmulator,
  type AwsEmulatorOptions,
  hasAwsEmulator,
  REGION,
  startAwsEmulator,
} from '../../../support/aws/emulator.ts';
import { type FakeClock, fakeClock } from '../../../support/aws/fake-clock.ts';
import { defaultSubnets, makeRole, makeVpcRole } from '../../../support/aws/stack.ts';
import { MemoryStore } from '../../../support/memory-store.ts';
import { startTestServer, type TestServer } from '../../../support/servers.ts';

/** Whether this machine has what a world takes. */
export async function hasWorld(): Promise<boolean> {
  return !('reason' in inject('testServers').mysql) && (await hasAwsEmulator());
}

export interface World {
  run: AwsRun;
  clients: AwsClients;
  clock: FakeClock;
  staging: MemoryStore;
  /** What was reported with `warn`. */
  warnings: string[];
  /** Makes the replication instance as `init` does. */
  makeInstance(): Promise<void>;
}

export const TABLES = [
  ['shop', 'orders'],
  ['shop', 'persons'],
] as [string, string][];

export const SOURCE_SQL = [
  'DROP DATABASE IF EXISTS shop',
  'CREATE DATABASE shop',
  'CREATE TABLE shop.orders (id INT PRIMARY KEY, note VARCHAR(50))',
  'CREATE TABLE shop.persons (id INT PRIMARY KEY, name VARCHAR(50))',
  'INSERT INTO shop.orders VALUES (1, "a"), (2, "b")',
];

export function testConfig(more = '', tables = "tables: ['shop.%']"): Config {
  const text = `name: shop\ntarget: aws\nsource: rds\n${tables}\n${more}`;
  return parseConfig({ file: '/pipelines/shop/cdc.yaml', text });
}

/** The emulator must have been reset. */
export async function makeWorld(
  aws: AwsEmulator,
  server: TestServer,
  options: { config?: Config; signal?: AbortSignal } = {},
): Promise<World> {
  const config = options.config ?? testConfig();
  const names = awsNames(config);
  const clients = awsClients(aws);
  await aws.control({ tables: TABLES });
  await server.query(...SOURCE_SQL);
  await makeVpcRole(clients);
  const role = await makeRole(clients, names.role.dmsS3, 'dms.amazonaws.com', {
    actions: ['s3:PutObject', 's3:DeleteObject', 's3:ListBucket'],
    resources: [`arn:aws:s3:::${names.stagingBucket}`, `arn:aws:s3:::${names.stagingBucket}/*`],
  });
  await clients.s3.createBucket({
    Bucket: names.stagingBucket,
    CreateBucketConfiguration: { LocationConstraint: REGION },
  });
  const { subnets } = await defaultSubnets(clients);
  await clients.dms.createReplicationSubnetGroup({
    ReplicationSubnetGroupIdentifier: names.subnetGroup,
    ReplicationSubnetGroupDescription: 'shop',
    SubnetIds: subnets,
  });
  await clients.secrets.createSecret({ Name: names.secret, SecretString: '{}' });
  await clients.rds.createDBInstance({
    DBInstanceIdentifier: names.database,
    DBInstanceClass: 'db.t3.micro',
    Engine: 'mysql',
    EngineVersion: '8.4.5',
    AllocatedStorage: 20,
    MasterUsername: 'admin',
    MasterUserPassword: 'Abcdefgh1',
    BackupRetentionPeriod: 1,
    PubliclyAccessible: true,
  });
  await seenUntil('available', async () => {
    const { DBInstances } = await clients.rds.describeDBInstances({ DBInstanceIdentifier: names.database });
    return DBInstances?.[0]?.DBInstanceStatus;
  });
  const clock = fakeClock();
  const session = await openTestSession(aws, clock, options.signal);
  const makeInstance = async () => {
    const id = names.replicationInstance;
    const settings = { instanceClass: 'dms.t3.micro', version: '3.5.4', securityGroups: [], tags: {} };
    if ((await findReplicationInstance(session, id)) === undefined)
      await createReplicationInstance(session, { id, isPublic: true, subnetGroup: names.subnetGroup, ...settings });
    await seenUntil('available', async () => (await findReplicationInstance(session, id))?.status);
  };
  await makeInstance();
  await clients.dms.createEndpoint({
    EndpointIdentifier: names.sourceEndpoint,
    EndpointType: 'source',
    EngineName: 'mysql',
    ServerName: server.host,
    Port: server.port,
    Username: 'cdc',
    Password: 'secret',
  });
  await clients.dms.createEndpoint({
    EndpointIdentifier: names.targetEndpoint,
    EndpointType: 'target',
    EngineName: 's3',
    S3Settings: { BucketName: names.stagingBucket, ServiceAccessRoleArn: role },
  });

  const staging = new MemoryStore();
  const warnings: string[] = [];
  const progress: Progress = { update() {}, done() {}, detail() {}, warn: (text) => warnings.push(text) };
  const address = async () => ({ host: server.host, port: server.port, ...server.admin });
  return {
    run: { session, config, names, staging, address, progress },
    clients,
    clock,
    staging,
    warnings,
    makeInstance,
  };
}

export interface Place {
  aws: AwsEmulator;
  server: TestServer;
  world: World;
}

/** For the tests of a `describe`: an account and a source for all of them, and before each a new world, handed to `use`. */
export function eachInItsWorld(use: (place: Place) => void, emulator: AwsEmulatorOptions = {}): void {
  let aws: AwsEmulator;
  let server: TestServer;
  beforeAll(async () => {
    [aws, server] = await Promise.all([startAwsEmulator(emulator), startTestServer('mysql')]);
  });
  afterAll(async () => {
    await Promise.all([aws?.stop(), server?.stop()]);
  });
  beforeEach(async () => {
    await aws.reset();
    use({ aws, server, world: await makeWorld(aws, server) });
  });
}

/** The SDK reads where AWS is from the environment: it is set for as long as the session is opened. */
export async function openTestSession(aws: AwsEmulator, clock: FakeClock, signal?: AbortSignal) {
  for (const [name, value] of Object.entries(aws.env)) process.env[name] = value;
  return openSession({ clock, ...(signal === undefined ? {} : { signal }) });
}

/** What functions of the emulator may import. */
export const NODE_MODULES = fileURLToPath(new URL('../../../../node_modules', import.meta.url));

/** The Glue job and the function that wakes it. */
export async function makeMerge(world: World): Promise<void> {
  const { clients, run } = world;
  const { names, config } = run;
  const glueRole = await makeRole(clients, 'shop-glue', 'glue.amazonaws.com');
  await clients.glue.createJob({
    Name: names.job,
    Role: glueRole,
    Command: { Name: 'glueetl', ScriptLocation: `s3://${names.stagingBucket}/merge.py`, PythonVersion: '3' },
    GlueVersion: '5.1',
    WorkerType: 'G.1X',
    NumberOfWorkers: 2,
    ExecutionProperty: { MaxConcurrentRuns: 1 },
    DefaultArguments: { '--custom-logGroup-prefix': glueLogs(config.name) },
  });
  await clients.glue.createTrigger({
    Name: names.sweep,
    Type: 'SCHEDULED',
    Schedule: 'cron(17 * * * ? *)',
    Actions: [{ JobName: names.job }],
    StartOnCreation: true,
  });
  const { zip, handler, runtime, timeoutSeconds, environment } = await lambdaPackage({
    job: names.job,
    staging: config.aws?.staging ?? { bucket: '', prefix: '' },
  });
  const role = await makeRole(clients, names.role.lambda, 'lambda.amazonaws.com', {
    actions: ['glue:StartJobRun', 'glue:GetJobRuns'],
    resources: ['*'],
  });
  await clients.lambda.createFunction({
    FunctionName: names.function,
    Runtime: runtime,
    Role: role,
    Handler: handler,
    Timeout: timeoutSeconds,
    Environment: { Variables: environment },
    Code: { ZipFile: zip },
  });
  await seenUntil('Active', async () => {
    const { Configuration } = await clients.lambda.getFunction({ FunctionName: names.function });
    return Configuration?.State;
  });
}

/** Records the calls of this process from now on, and lets some go wrong, until the test ends or `uninstall`. */
export function watchCalls(...faults: Fault[]) {
  const calls: AwsCall[] = [];
  const fired: string[] = [];
  const installed = installCallFaults({
    faults,
    onCall: (call) => calls.push(call),
    onFault: ({ service, operation, kind }) => fired.push(`${kind} ${service}:${operation}`),
  });
  let isInstalled = true;
  const uninstall = () => {
    if (isInstalled) installed.uninstall();
    isInstalled = false;
  };
  onTestFinished(uninstall);
  return {
    calls,
    fired,
    uninstall,
    count: (operation: string) => calls.filter((call) => call.operation === operation).length,
  };
}

const Client = Object.getPrototypeOf(STSClient);

/** Changes what AWS answers to an operation, until the test ends: what the emulator does not model. */
export function alterAnswers<Output>(operation: string, alter: (answer: Output) => Output): void {
  const { send } = Client.prototype;
  Client.prototype.send = async function (command: { constructor: { name: string } }, ...rest: unknown[]) {
    const answer = await send.call(this, command, ...rest);
    return command.constructor.name === `${operation}Command` ? alter(answer) : answer;
  };
  onTestFinished(() => {
    Client.prototype.send = send;
  });
}
