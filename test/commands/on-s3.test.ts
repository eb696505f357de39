/** Commands that need no database, on buckets of an emulated account, by the built command line. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { changeNumber } from '../../src/core/change-number.ts';
import { openS3Store } from '../../src/core/store/s3.ts';
import { TestBucket } from '../support/aws/bucket.ts';
import { type AwsEmulator, hasAwsEmulator, startAwsEmulator } from '../support/aws/emulator.ts';
import { filesJson, mergeJson } from '../support/cli-json.ts';
import { PipelineFolder } from '../support/pipeline-folder.ts';
import { askOnly } from '../support/s3-environment.ts';
import { StagedTable } from '../support/staged-table.ts';
import { temporaryFolder } from '../support/temp-folder.ts';

describe.skipIf(!(await hasAwsEmulator()))('commands on S3', () => {
  let aws: AwsEmulator;
  beforeAll(async () => {
    aws = await startAwsEmulator();
    askOnly(aws.url);
    await TestBucket.make(aws, 'mine');
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await aws?.stop();
  });

  it('merge a loose file into a bucket and query it, without cdc.yaml', async () => {
    const folder = await PipelineFolder.make({ env: { ...aws.env, CDC_CACHE: await temporaryFolder() } });
    await writeFile(join(folder.path, 'changes.csv'), 'U,7,ABC XYZ,Phoenix\nI,130,Alica Bing,New York\n');
    const merge = [
      ...['merge', 'changes.csv', '--table', 'shop.persons', '--key', 'PersonId'],
      ...['--columns', 'PersonId bigint, FullName varchar(50), City varchar(50)', '--lake', 's3://mine/loose/'],
    ];
    expect(mergeJson.parse(await folder.json(...merge)).tables).toMatchObject([{ inserted: 2, version: 0 }]);
    expect(await folder.ok(...merge)).toBe(
      'already merged: the same bytes were applied before (--again applies them)\n',
    );
    const sql = 'SELECT City FROM shop.persons ORDER BY PersonId';
    expect(await folder.json('query', sql, '--lake', 's3://mine/loose')).toEqual([
      { City: 'Phoenix' },
      { City: 'New York' },
    ]);
    await folder.fails(['query', '--lake', 'gs://mine/loose'], {
      code: 2,
      says: 'cdc: gs://mine/loose: it is no place for a lake\n→ write a folder, or s3://bucket/prefix',
    });
    await folder.fails(['query', '--lake', 's3://nobodys/loose'], {
      code: 1,
      says: 'cdc: listing s3://nobodys/loose/: there is no bucket nobodys\n→ aws s3 mb s3://nobodys   # with target aws: cdc init',
    });
  });

  it('list, show, merge and query what lies in the buckets of a pipeline on AWS', async () => {
    const [staging, lake] = await Promise.all(['in', 'out'].map((role) => TestBucket.make(aws, `shop-qkzw-${role}`)));
    const cacheFolder = await temporaryFolder();
    const open = ({ name }: TestBucket) => openS3Store({ bucket: name, prefix: '' }, { cacheFolder });
    if (staging === undefined || lake === undefined) throw new Error('there are two buckets');
    const table = new StagedTable(cacheFolder, { staging: open(staging), lake: open(lake) });
    const definition = table.define(changeNumber(1, 0));
    await table.putDefinition(definition);
    await table.putLoad(definition, [['1', 'a', '10']], { number: changeNumber(1, 0) });
    const values = ['2', 'b', '20'];
    const key = await table.putChanges(definition, [{ number: changeNumber(1, 1), op: 'I', values }]);

    const folder = await PipelineFolder.make({ env: aws.env });
    await folder.configure(
      `name: shop-qkzw\ntarget: aws\ntables: [shop.%]\nstaging: s3://${staging.name}\nlake: s3://${lake.name}\n`,
    );
    expect(await folder.ok('show', key)).toBe('I,2,b,20\n');
    expect(await folder.ok('show', `s3://${staging.name}/${key}`)).toBe('I,2,b,20\n');
    const pending = filesJson.parse(await folder.json('files', '--pending')).files;
    expect(pending.map(({ kind }) => kind)).toEqual(['load', 'changes']);
    expect(mergeJson.parse(await folder.json('merge', '--engine', 'local'))).toMatchObject({
      engine: 'local',
      tables: [{ schema: 'shop', table: 'orders', files: 2, version: 0 }],
    });
    expect(await folder.ok('merge', '--engine', 'local')).toBe('already merged: nothing is pending\n');
    expect(await folder.json('query', 'SELECT id, name FROM shop.orders ORDER BY id')).toEqual([
      { id: 1, name: 'a' },
      { id: 2, name: 'b' },
    ]);
    // Nothing but what the pipeline writes, and no upload that is not complete.
    expect((await lake.keys()).filter((one) => !/^shop\/orders\/(_cdc|_delta_log|part-)/.test(one))).toEqual([]);
  });

  it('say of a bucket that is not there what makes it', async () => {
    const folder = await PipelineFolder.make({ env: { ...aws.env, CDC_SOURCE_PASSWORD: 'x' } });
    await folder.configure(
      'name: shop\nsource: mysql://cdc@127.0.0.1:1\nstaging: s3://nobodys/in\nlake: s3://mine/lake\n',
    );
    await folder.fails(['files'], {
      code: 1,
      says: 'cdc: listing s3://nobodys/in/_cdc/tables/: there is no bucket nobodys\n→ aws s3 mb s3://nobodys   # with target aws: cdc init',
    });
  });

  it('say that nobody is signed in, and how to', async () => {
    const { AWS_ACCESS_KEY_ID: _, AWS_SECRET_ACCESS_KEY: __, ...env } = aws.env;
    const folder = await PipelineFolder.make({ env });
    const result = await folder.cdc('query', '--lake', 's3://mine/loose');
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('listing s3://mine/loose/: ');
    expect(result.stderr).toContain('→ sign in (aws sso login, or export AWS_PROFILE=…)');
  });
});
