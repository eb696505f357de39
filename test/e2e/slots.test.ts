/**
 * The mixes of the slots (DESIGN 1): who captures, where staging and lake lie, who merges. Each runs in full by the built
 * command line where it can on this machine: `npm run proof -- slots`. `npm test` has samples: s3, dms, aws-glue beside this
 * file, and here one pipeline that moves from the first mix to the last.
 */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openLocalStore } from '../../src/core/store/local.ts';
import { openStore } from '../../src/core/store/open-store.ts';
import { TestBucket } from '../support/aws/bucket.ts';
import { recordDefinition, recordedLoad } from '../support/aws/dms-records.ts';
import { DmsStandIn } from '../support/aws/dms-stand-in.ts';
import { type AwsEmulator, hasAwsEmulator, startAwsEmulator } from '../support/aws/emulator.ts';
import { glueBySpark } from '../support/aws/guide-account.ts';
import { verifyJson } from '../support/cli-json.ts';
import { PipelineFolder } from '../support/pipeline-folder.ts';
import { recordResult } from '../support/proof-result.ts';
import { hasDeltaReader, readDeltaTable } from '../support/python.ts';
import { askOnly } from '../support/s3-environment.ts';
import { startTestServer, type TestServer } from '../support/servers.ts';
import { hasSpark, sparkSubmit } from '../support/spark-parts.ts';

/** `npm run proof -- slots` sets it. */
const isFull = process.env.CDC_PROOF_SLOTS !== undefined;
const canRun = (await hasAwsEmulator()) && (await hasDeltaReader()) && (await hasSpark());
const NAME = { schema: 'shop', table: 'orders' };
const TABLE = 'shop.orders';
const MINUTES = 60_000;
/** Of whom only a job is wanted. */
const SOMEWHERE = 'source: { rds: { operator: 203.0.113.7/32 } }';

type Place = 'folder' | 's3';
const CAPTURES = ['own', 'dms'] as const;
const PLACES: readonly Place[] = ['folder', 's3'];
const ENGINES = ['local', 'spark', 'glue'] as const;

interface Mix {
  capture: (typeof CAPTURES)[number];
  staging: Place;
  lake: Place;
  engine: (typeof ENGINES)[number];
}
/** Glue sees no folder, and what DMS writes is merged by the job of `target: aws` (aws-glue.test.ts). */
const mixes: Mix[] = CAPTURES.flatMap((capture) =>
  PLACES.flatMap((staging) => PLACES.flatMap((lake) => ENGINES.map((engine) => ({ capture, staging, lake, engine })))),
).filter(({ engine, ...others }) => engine !== 'glue' || Object.values(others).join() === 'own,s3,s3');

describe.runIf(canRun)('the slots', () => {
  let aws: AwsEmulator;
  let server: TestServer;
  let bucket: TestBucket;
  let submit: string;
  beforeAll(async () => {
    [aws, server] = await Promise.all([startAwsEmulator(await glueBySpark()), startTestServer('mariadb')]);
    askOnly(aws.url);
    bucket = await TestBucket.make(aws, 'shop-data');
    submit = await sparkSubmit();
  }, 10 * MINUTES);
  afterAll(async () => {
    vi.unstubAllEnvs();
    await Promise.all([aws?.stop(), server?.stop()]);
  });

  async function pipeline(places: { staging: string; lake: string }, more: string[] = []): Promise<PipelineFolder> {
    const { password } = server.cdc;
    const folder = await PipelineFolder.make({
      env: { ...aws.env, CDC_SOURCE_PASSWORD: password, CDC_SPARK_SUBMIT: submit },
      secrets: [password],
    });
    await folder.configure(configText(places, more));
    await folder.ok('init', '--yes');
    return folder;
  }

  function configText(places: { staging: string; lake: string }, more: string[]): string {
    return [
      'name: slots',
      `source: mysql://${server.cdc.user}@${server.host}:${server.port}`,
      `tables: [${TABLE}]`,
      `staging: ${places.staging}`,
      `lake: ${places.lake}`,
      'capture: { max_delay: 200ms }',
      ...more,
      '',
    ].join('\n');
  }

  async function makeTable(): Promise<void> {
    await server.query(
      'CREATE DATABASE IF NOT EXISTS shop',
      `DROP TABLE IF EXISTS ${TABLE}`,
      `CREATE TABLE ${TABLE} (id INT PRIMARY KEY, note VARCHAR(200) NOT NULL, total DECIMAL(12,2))`,
      `INSERT INTO ${TABLE} VALUES (1, 'one', 1.10), (2, 'NULL', NULL), (3, 'a,"b"\\n', 3.30)`,
    );
  }

  /** The lake has what the source has, by another reader and by `verify`. Returns how many rows. */
  async function isEqual(folder: PipelineFolder, place: string): Promise<number> {
    const source = await server.query(`SELECT id, note, CAST(total AS CHAR) AS total FROM ${TABLE} ORDER BY id`);
    const lake = await readDeltaTable(
      `${place}/shop/orders`,
      place.startsWith('s3://') ? { storage: bucket.storage } : {},
    );
    expect(lake.sort((a, b) => Number(a.id) - Number(b.id))).toEqual(source);
    expect(verifyJson.parse(await folder.json('verify')).equal).toBe(true);
    return lake.length;
  }

  /** Waits until capture has written so many files of changes. */
  async function captured(folder: PipelineFolder, files: number): Promise<void> {
    const changes = async () => {
      const { files: all } = JSON.parse(await folder.ok('files', '--json'));
      return all.filter(({ kind }: { kind: string }) => kind === 'changes').length;
    };
    await expect.poll(changes, { timeout: 2 * MINUTES, interval: 500 }).toBeGreaterThanOrEqual(files);
  }

  const rest = [
    `UPDATE ${TABLE} SET note = 'changed' WHERE id = 2`,
    `INSERT INTO ${TABLE} VALUES (4, '\\\\N', 4.40), (5, '', 5.50)`,
    `DELETE FROM ${TABLE} WHERE id = 1`,
    `UPDATE ${TABLE} SET id = 6 WHERE id = 5`,
  ];

  it(
    'change under a pipeline that moves to a bucket and Glue, its files copied by any tool: it carries on from its ledger',
    async () => {
      await makeTable();
      const folder = await pipeline({ staging: 'staging', lake: 'lake' });
      await folder.ok('replicate', '--no-merge');
      await server.query(`INSERT INTO ${TABLE} VALUES (4, 'merged in folders', 4)`);
      await folder.changeFile(TABLE, 1);
      await folder.ok('merge');
      await server.query(`INSERT INTO ${TABLE} VALUES (5, 'captured, not merged', 5)`);
      await folder.changeFile(TABLE, 2);
      await folder.ok('stop');

      for (const place of ['staging', 'lake']) {
        await bucket.upload(join(folder.path, place), `moved/${place}/`);
        await rm(join(folder.path, place), { recursive: true });
      }
      const places = { staging: 's3://shop-data/moved/staging', lake: 's3://shop-data/moved/lake' };
      await folder.configure(configText(places, [`merge: { engine: glue, glue_job: ${await job('moved/')} }`]));
      await folder.ok('start');
      await server.query(`DELETE FROM ${TABLE} WHERE id = 1`);
      await captured(folder, 3);

      const plans = async () => (await bucket.keys('moved/lake/shop/orders/_cdc/batches/')).length;
      const before = await plans();
      const run = await folder.start('merge', '--json');
      await expect.poll(plans, { timeout: 5 * MINUTES, interval: 100 }).toBeGreaterThan(before);
      // Glue is at work on the table; whoever comes now finds it taken, or everything done.
      const beside = await folder.cdc('merge', '--engine', 'local');
      if (beside.code === 0) expect(beside.stdout).toBe('already merged: nothing is pending\n');
      else expect(beside.stderr).toMatch(/is held by|lease\.held/);
      const { code, stdout, stderr } = await run.ended;
      expect(code, stderr).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({
        engine: 'glue',
        tables: [{ files: 2, changes: 2, inserted: 1, deleted: 1 }],
      });
      await isEqual(folder, places.lake);
    },
    10 * MINUTES,
  );

  it.each((isFull ? mixes : []).map((mix, index) => [Object.values(mix).join(' '), mix, index] as const))(
    '%s',
    async (name, mix, index) => {
      await recordResult({ mix: name }, async () => {
        await makeTable();
        const at = (role: 'staging' | 'lake') => (mix[role] === 's3' ? `s3://shop-data/${index}/${role}` : role);
        const places = { staging: at('staging'), lake: at('lake') };
        const more = mix.engine === 'glue' ? [`merge: { engine: glue, glue_job: ${await job(`${index}/`)} }`] : [];
        const folder = await pipeline(places, more);
        const merge = () => folder.ok('merge', '--engine', mix.engine);
        // DMS is played by what our own capture writes into a pipeline of its own.
        const capturing = mix.capture === 'own' ? folder : await pipeline({ staging: 'staging', lake: 'lake' });
        await capturing.ok('replicate', '--no-merge');
        const to = openStore(places.staging, { base: folder.path, cacheFolder: join(folder.path, '.copies') });
        const task = mix.capture === 'own' ? undefined : await played(capturing, to);
        await merge();
        await server.query(...rest);
        await captured(capturing, 1);
        await capturing.ok('stop');
        await task?.follow(NAME);
        await merge();
        const rows = await isEqual(folder, mix.lake === 's3' ? places.lake : join(folder.path, places.lake));
        // The engine on this machine has nothing left to do, whoever has merged.
        expect(await folder.ok('merge', '--engine', 'local')).toBe('already merged: nothing is pending\n');
        return { rows };
      });
    },
    // Spark starts twice, beside whatever else runs.
    30 * MINUTES,
  );

  /** The name of a Glue job that may reach these prefixes, as `init` makes it of a pipeline without anything else. */
  async function job(prefix: string): Promise<string> {
    const folder = await PipelineFolder.make({ env: aws.env });
    const places = ['staging', 'lake'].map((role) => `${role}: { bucket: shop-data, prefix: ${prefix}${role} }`);
    await folder.configure(['name: jobs-abcd', 'target: aws', SOMEWHERE, ...places, ''].join('\n'));
    await folder.ok('init', '--only', 'glue-job', '--yes');
    return 'jobs-abcd-merge';
  }

  /** A task that has loaded the table, and follows it. */
  async function played(capturing: PipelineFolder, to: ReturnType<typeof openStore>): Promise<DmsStandIn> {
    const from = openLocalStore(join(capturing.path, 'staging'));
    const task = new DmsStandIn({
      from,
      to,
      onDefinition: async (definition) => {
        await recordDefinition(to, definition);
      },
    });
    await recordedLoad(task, { from, to, table: NAME, rowsPerFile: 2 });
    return task;
  }
});
