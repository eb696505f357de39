import { execFile } from 'node:child_process';
import { isDeepStrictEqual, promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { kebab, quote, renderLine } from '../../../../src/core/pipeline/aws/cli-command.ts';
import { cliCommands } from '../../../../src/core/pipeline/aws/cli-commands.ts';
import { type SourceSql, sourceSql } from '../../../../src/core/pipeline/aws/source-sql.ts';
import { type AwsCall, installCallFaults } from '../../../support/aws/call-faults.mjs';
import { type CliCall, readCliScript } from '../../../support/aws/cli-oracle.ts';
import { hasAwsEmulator } from '../../../support/aws/emulator.ts';
import { type Account, newPipeline, type Pipeline, startAccount } from './account.ts';

/** Of the guide. */
const SECTIONS = ['3', '4', '5', '5.1', '5.2', '5.3', '10', '11'];

/** What makes or sets something; the rest of init's requests look. */
const MAKES = /^(Create|Put|Add|Attach|Authorize|Import|Test)/;

const parameters = z.array(z.object({ ParameterName: z.string(), ParameterValue: z.string() }));

const secret = z.object({ password: z.string() }).loose();

/** A printed call as the SDK sends it, but for what cannot be the same. */
function asSent({ service, operation, input }: CliCall): CliCall {
  const {
    // The SDK says where a bucket is to be by itself.
    CreateBucketConfiguration,
    // The password is drawn at random by either; the rest of the text is compared by itself.
    SecretString,
    // The name of a file, as against its bytes.
    Body,
    ...same
  } = input;
  return { service, operation, input: same };
}

/** A call of init as far as the command line can say it. */
function asPrinted({ service, operation, input }: AwsCall): CliCall {
  // Whose bucket it must be stands in each call of ours.
  const { ExpectedBucketOwner, SecretString, Body, ...same } = input;
  return { service, operation, input: same };
}

describe('a command of the AWS CLI', () => {
  it.each([
    ['DBInstanceIdentifier', 'db-instance-identifier'],
    ['MySQLSettings', 'my-sql-settings'],
    ['MultiAZ', 'multi-az'],
    ['logGroupName', 'log-group-name'],
  ])('calls %s --%s', (name, option) => {
    expect(kebab(name)).toBe(option);
  });

  it('can be pasted, whatever is in its values', async () => {
    const nasty = `it's $HOME \`id\` "x" \\ {{NAME}} end`;
    const line = `NAME='a b'; printf %s ${quote(nasty)}`;
    const { stdout } = await promisify(execFile)('bash', ['-c', line]);
    expect(stdout).toBe(`it's $HOME \`id\` "x" \\ a b end`);
  });

  it('takes secrets from what it reads, and switches by their own words', () => {
    const line = renderLine({
      service: 's3',
      operation: 'PutObject',
      input: { Bucket: 'b', BypassGovernanceRetention: false },
      stdin: '{"password":"{{PASSWORD}}"}',
      assigns: { variable: 'TAG', query: 'ETag' },
    });
    expect(line).toBe(
      `TAG=$(printf '%s' '{"password":"'"$PASSWORD"'"}' | aws s3api put-object --bucket b --no-bypass-governance-retention --query ETag --output text)`,
    );
  });
});

describe.skipIf(!(await hasAwsEmulator()))('plan --aws-cli', () => {
  let account: Account;
  beforeAll(async () => {
    account = await startAccount();
  });
  afterAll(() => account.stop());
  afterEach(() => account.empty());

  /** What the variables of the script stand for in the account that init has made. */
  async function valuesOf(pipeline: Pipeline, ids: Record<string, string>): Promise<Map<string, string>> {
    const { ec2, s3 } = account.clients;
    const { staging } = pipeline.config.aws ?? {};
    const Key = [staging?.prefix ?? '', '_cdc/dialect.json'].filter((part) => part !== '').join('/');
    const { Body } = await s3.getObject({ Bucket: staging?.bucket ?? '', Key });
    const dialect = z.object({ null: z.string() }).parse(JSON.parse((await Body?.transformToString()) ?? ''));
    const main = await ec2.describeRouteTables({ Filters: [{ Name: 'association.main', Values: ['true'] }] });
    return new Map([
      ...Object.entries(ids).map(([id, value]): [string, string] => [id.toUpperCase(), value]),
      ['NULL_TEXT', dialect.null],
      ['ROUTES', main.RouteTables?.[0]?.RouteTableId ?? ''],
    ]);
  }

  /** Runs init, and holds the script that was printed before it against the requests that it sent. */
  async function compareWithInit(pipeline: Pipeline, sql: SourceSql = sourceSql) {
    const script = cliCommands(await pipeline.look());
    for (const section of SECTIONS) expect(script).toContain(`\n# §${section} `);
    for (const id of ['lambda', 'job-code']) expect(script).toContain(`# cdc init --only ${id}\n`);

    const asked: AwsCall[] = [];
    const { uninstall } = installCallFaults({ onCall: (call) => void asked.push(call) });
    const { ids } = await pipeline.init({ sql });
    uninstall();
    const printed = await readCliScript(script, { folder: pipeline.folder, values: await valuesOf(pipeline, ids) });

    const changes = printed.filter(({ operation }) => MAKES.test(operation)).map(asSent);
    const sent = asked.filter(({ operation }) => MAKES.test(operation)).map(asPrinted);
    for (const change of changes) {
      const alike = sent.filter((call) => call.service === change.service && call.operation === change.operation);
      // Only those of its kind are shown when it is missing.
      if (!alike.some((call) => isDeepStrictEqual(call, change))) expect(alike).toContainEqual(change);
    }
    // The other way round: nothing is made that is not printed, or said to be made by cdc.
    const missing = sent.filter((call) => !changes.some((change) => isDeepStrictEqual(call, change)));
    expect(missing.map(({ service, operation }) => `${service}:${operation}`).sort()).toEqual([
      'lambda:CreateFunction',
      's3:PutObject',
      's3:PutObject',
    ]);

    // init sets a parameter at once where RDS lets it, and leaves one alone that is right by default.
    const parametersOf = (calls: readonly CliCall[]) =>
      calls
        .filter(({ operation }) => operation === 'ModifyDBParameterGroup')
        .flatMap(({ input }) => parameters.parse(input.Parameters));
    expect(parametersOf(printed)).toEqual(expect.arrayContaining(parametersOf(asked)));
    const others = printed.filter(({ operation }) => !/^(Describe|Get|ModifyDBParameterGroup$)/.test(operation));
    expect(others).toHaveLength(changes.length);

    // What is piped into the secret, against what init wrote there.
    const { SecretString } = await account.clients.secrets.getSecretValue({ SecretId: 'shop-qkzw/dms-source' });
    const piped = printed.find(({ operation }) => operation === 'CreateSecret')?.input.SecretString;
    const written = secret.parse(JSON.parse(SecretString ?? ''));
    expect(secret.parse(JSON.parse(String(piped)))).toEqual({
      ...written,
      password: 'var-DMS_PASSWORD',
      // The emulated database answers at the port of the server behind it, RDS at the one that was asked for.
      ...(pipeline.config.source.kind === 'rds' ? { port: 3306 } : {}),
    });
    return { script, parameters: parametersOf(printed) };
  }

  it('prints the very requests and statements that init sends', async () => {
    const { Vpcs } = await account.clients.ec2.describeVpcs({});
    const pipeline = await newPipeline(
      account,
      [
        `aws: { vpc: ${Vpcs?.[0]?.VpcId} }`,
        'dms: { private: true }',
        'staging: { prefix: in, bucket: shop-in }',
        "tables: ['shop.%', 'ahmad[_]schema.Persons']",
        '',
      ].join('\n'),
    );
    const ran: string[] = [];
    const recording: SourceSql = (address, signal, use) =>
      sourceSql(address, signal, (run) =>
        use((doing, sql, values = []) => {
          const left = values.map((value) => (typeof value === 'number' ? String(value) : `'${value}'`));
          ran.push(sql.replace(/\?/g, () => left.shift() ?? ''));
          return run(doing, sql, values);
        }),
      );
    const { script, parameters: all } = await compareWithInit(pipeline, recording);
    expect(all).toHaveLength(4);
    const changes = ran.filter((sql) => !/^SELECT|rds_show/.test(sql));
    const printed = script.split('\n').flatMap((line) => /^#(?: SQL, as \w+:| {2}) (.*);$/.exec(line)?.[1] ?? []);
    expect(printed).toEqual(changes.map((sql) => sql.replace(/(IDENTIFIED BY )'[^']+'/, "$1'…'")));
    expect(printed).toContain("GRANT SELECT ON `ahmad\\_schema`.* TO 'cdc_dms'@'%'");
  });

  it('prints no secret of a database by URL, and only what is left', async () => {
    const { host, port, cdc } = account.server;
    const pipeline = await newPipeline(
      account,
      `source: { url: 'mysql://${cdc.user}@${host}:${port}', tls: { ca: '${account.certificates.caFile}' } }\n`,
    );
    await pipeline.init({ only: 'dms-roles' });
    const { script } = await compareWithInit(pipeline);
    expect(script).toContain(`read -rsp 'password of cdc: ' DMS_PASSWORD`);
    expect(script).not.toContain(cdc.password);
    // What is there is not made again, and the commands that need it are told.
    expect(script).not.toContain('--role-name shop-qkzw-dms-s3');
    expect(script).toContain('\nROLE_DMS_S3=arn:aws:iam::123456789012:role/shop-qkzw-dms-s3\n');
    expect(cliCommands(await pipeline.look())).toBe('# nothing is left to be made');
  });
});
