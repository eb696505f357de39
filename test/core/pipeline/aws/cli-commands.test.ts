import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { kebab, quote, renderCommand } from '../../../../src/core/pipeline/aws/cli-command.ts';
import { cliCommands } from '../../../../src/core/pipeline/aws/cli-commands.ts';
import { type AwsCall, installCallFaults } from '../../../support/aws/call-faults.mjs';
import { EMULATOR_PYTHON, hasAwsEmulator } from '../../../support/aws/emulator.ts';
import { findBadRequests } from '../../../support/aws/request-oracle.ts';
import { pythonOf } from '../../../support/python-environment.ts';
import { type Account, newPipeline, startAccount } from './account.ts';

const ORACLE = fileURLToPath(new URL('../../../support/aws/cli_oracle.py', import.meta.url));
const callSchema = z.object({
  service: z.string(),
  operation: z.string(),
  input: z.record(z.string(), z.unknown()),
});

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
    const line = renderCommand({
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

  it('prints what init would ask of AWS, in words that its command line and its API know', async () => {
    const pipeline = await newPipeline(account, 'dms: { private: true }\nstaging: { prefix: in, bucket: shop-in }\n');
    const script = cliCommands(await pipeline.look());
    const file = join(pipeline.folder, 'commands.sh');
    await writeFile(file, script);
    await promisify(execFile)('bash', ['-n', file]);
    const python = await pythonOf(EMULATOR_PYTHON);
    const { stdout } = await promisify(execFile)(python, [ORACLE, file]);
    const printed = stdout
      .trimEnd()
      .split('\n')
      .map((line) => callSchema.parse(JSON.parse(line)));
    expect(printed.length).toBeGreaterThan(50);
    const calls = join(pipeline.folder, 'printed.jsonl');
    await writeFile(calls, stdout.replaceAll('var-DMS_GROUP', 'sg-0123456789abcdef0'));
    expect((await findBadRequests(calls)).findings).toEqual([]);
    // Every step has its section of the guide.
    for (const section of ['§3 ', '§4 ', '§5 ', '§5.1 ', '§5.2 ', '§5.3 ', '§10 ', '§11 '])
      expect(script).toContain(`# ${section}`);
    expect(script).toContain('aws rds wait db-instance-available --db-instance-identifier shop-qkzw-db');

    const asked: AwsCall[] = [];
    const { uninstall } = installCallFaults({ onCall: (call) => void asked.push(call) });
    await pipeline.init();
    uninstall();
    const changes = printed.filter(({ operation }) => !/^(Describe|Get)/.test(operation));
    const different = changes.flatMap(({ service, operation, input }) => {
      // The SDK says where a bucket is to be by itself.
      const { CreateBucketConfiguration, ...said } = input;
      const members = Object.keys(said).sort().join();
      const same = asked.filter((call) => call.service === service && call.operation === operation);
      const isAsked = same.some((call) => {
        // Whose bucket it is stands in each call of ours; a file is the body of the command.
        const { ExpectedBucketOwner, ...own } = call.input;
        const set = Object.entries(own).flatMap(([key, value]) => (value === undefined ? [] : [key]));
        return set.sort().join() === members;
      });
      return isAsked ? [] : [`${service}:${operation} with ${members}`];
    });
    expect(different).toEqual([]);
    // The other way round: nothing is made that is not printed, or said to be made by cdc.
    const known = new Set(changes.map(({ service, operation }) => `${service}:${operation}`));
    const made = asked.filter(({ operation }) => /^(Create|Put|Add|Attach|Authorize|Import|Test)/.test(operation));
    const missing = made.map(({ service, operation }) => `${service}:${operation}`).filter((name) => !known.has(name));
    expect([...new Set(missing)].sort()).toEqual(['glue:CreateJob', 'lambda:CreateFunction']);
    for (const id of ['glue-job', 'lambda', 'job-code']) expect(script).toContain(`# cdc init --only ${id}`);
  });

  it('prints no secret, and only what is left', async () => {
    const { host, port, cdc } = account.server;
    const pipeline = await newPipeline(
      account,
      `source: { url: 'mysql://${cdc.user}@${host}:${port}', tls: { ca: '${account.certificates.caFile}' } }\n`,
    );
    const script = cliCommands(await pipeline.look());
    expect(script).toContain(`read -rsp 'password of cdc: ' DMS_PASSWORD`);
    expect(script).not.toContain(cdc.password);
    await pipeline.init();
    expect(cliCommands(await pipeline.look())).toBe('# nothing is left to be made');
  });
});
