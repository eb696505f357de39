/** Staging and lake on S3, each by itself and both, through the built command line: capture and merge by this machine, read by outsiders. */

import { once } from 'node:events';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestBucket } from '../support/aws/bucket.ts';
import { type AwsEmulator, hasAwsEmulator, startAwsEmulator } from '../support/aws/emulator.ts';
import { filesJson, verifyJson } from '../support/cli-json.ts';
import { PipelineFolder } from '../support/pipeline-folder.ts';
import { hasDeltaReader, readDeltaTable } from '../support/python.ts';
import { describeOnServers, startTestServer, type TestServer } from '../support/servers.ts';
import { temporaryFolder } from '../support/temp-folder.ts';

const MINUTES = 60_000;
const canRun = (await hasAwsEmulator()) && (await hasDeltaReader());
const TABLE = 'shop.orders';

describeOnServers('a pipeline on S3', (flavor) => {
  describe.skipIf(!canRun)(`captured from ${flavor} and merged by this machine`, () => {
    let aws: AwsEmulator;
    let server: TestServer;
    let bucket: TestBucket;
    beforeAll(async () => {
      [aws, server] = await Promise.all([startAwsEmulator(), startTestServer(flavor)]);
      bucket = await TestBucket.make(aws, 'shop-data');
    });
    afterAll(async () => {
      await Promise.all([aws?.stop(), server?.stop()]);
    });

    /** A pipeline of its own, on a table with three rows. */
    async function pipeline(places: { staging: string; lake: string }): Promise<PipelineFolder> {
      await server.query(
        'CREATE DATABASE IF NOT EXISTS shop',
        `DROP TABLE IF EXISTS ${TABLE}`,
        `CREATE TABLE ${TABLE} (id INT PRIMARY KEY, note VARCHAR(200), total DECIMAL(12,2))`,
        `INSERT INTO ${TABLE} VALUES (1, 'one', 1.10), (2, NULL, 2.20), (3, 'a,"b"\\n\\\\N', 3.30)`,
      );
      const folder = await PipelineFolder.make({
        env: { ...aws.env, CDC_SOURCE_PASSWORD: server.cdc.password },
        secrets: [server.cdc.password],
      });
      await folder.configure(configText(places));
      await folder.ok('init', '--yes');
      return folder;
    }

    function configText({ staging, lake }: { staging: string; lake: string }): string {
      return [
        'name: on-s3',
        `source: mysql://${server.cdc.user}@${server.host}:${server.port}`,
        `tables: [${TABLE}]`,
        `staging: ${staging}`,
        `lake: ${lake}`,
        'capture: { max_delay: 200ms }',
        '',
      ].join('\n');
    }

    const change = (...statements: string[]) => server.query(...statements);

    async function expectEqual(folder: PipelineFolder, place: string): Promise<void> {
      expect(verifyJson.parse(await folder.json('verify')).equal).toBe(true);
      const source = await server.query(`SELECT id, note, CAST(total AS CHAR) AS total FROM ${TABLE} ORDER BY id`);
      const options = place.startsWith('s3://') ? { storage: bucket.storage } : {};
      const lake = await readDeltaTable(`${place}/shop/orders`, options);
      expect(lake.sort((a, b) => Number(a.id) - Number(b.id))).toEqual(source);
    }

    const mixes =
      flavor === 'mariadb'
        ? [{ staging: 's3://shop-data/both/staging', lake: 's3://shop-data/both/lake' }]
        : [
            { staging: 's3://shop-data/in', lake: 'lake' },
            { staging: 'staging', lake: 's3://shop-data/out' },
          ];
    for (const places of mixes)
      it(`works with staging ${places.staging} and lake ${places.lake}`, { timeout: 3 * MINUTES }, async () => {
        const ofOthers = [...new Set(Object.values(places))]
          .filter((place) => place.startsWith('s3://'))
          .map((place) => `${place.replace('s3://shop-data/', '')}/shop/orders/notes of somebody else.txt`);
        for (const key of ofOthers) await bucket.put(key, 'not ours');
        const folder = await pipeline(places);
        const lake = places.lake.startsWith('s3://') ? places.lake : join(folder.path, places.lake);
        await folder.ok('replicate');
        await change(
          `UPDATE ${TABLE} SET note = 'changed' WHERE id = 2`,
          `INSERT INTO ${TABLE} VALUES (4, 'four', 4.40), (5, 'five', 5.50)`,
          `DELETE FROM ${TABLE} WHERE id = 1`,
          `UPDATE ${TABLE} SET id = 6 WHERE id = 5`,
        );
        await expectEqual(folder, lake);
        await folder.ok('stop');
        expect((await folder.status()).slots).toMatchObject({ capture: 'cdc', merge: 'local' });

        const { files } = filesJson.parse(await folder.json('files'));
        expect(files.length).toBeGreaterThan(1);
        expect(new Set(files.map(({ state }) => state))).toEqual(new Set(['merged']));
        const last = files.at(-1)?.file ?? '';
        const staging = places.staging.startsWith('s3://') ? places.staging : join(folder.path, places.staging);
        expect(await folder.ok('show', `${staging}/${last}`)).toBe(await folder.ok('show', last));
        expect(await folder.json('query', `SELECT count(*) AS n FROM ${TABLE}`)).toEqual([{ n: 4 }]);

        if (lake.startsWith('s3://')) {
          const copy = await temporaryFolder();
          await bucket.download(`${lake.replace('s3://shop-data/', '')}/`, copy);
          const count = ['query', '--json', `SELECT count(*) AS n, max(id) AS last FROM ${TABLE}`, '--lake'];
          expect(await folder.ok(...count, copy)).toBe(await folder.ok(...count, lake));
        }

        await folder.ok('destroy', '--delete-lake', '--yes');
        expect((await bucket.keys()).sort()).toEqual(ofOthers.sort());
        for (const key of ofOthers) await bucket.remove(key);
      });

    if (flavor === 'mysql')
      it('moves from folders to S3, its files copied by any tool, and carries on', {
        timeout: 3 * MINUTES,
      }, async () => {
        const folder = await pipeline({ staging: 'staging', lake: 'lake' });
        await folder.ok('replicate', '--no-merge');
        await change(`INSERT INTO ${TABLE} VALUES (4, 'before', 4)`);
        await folder.changeFile(TABLE, 1);
        await folder.ok('merge');
        await change(`INSERT INTO ${TABLE} VALUES (5, 'captured, not merged', 5)`);
        await folder.changeFile(TABLE, 2);
        await folder.ok('stop');
        const places = { staging: 's3://shop-data/moved/staging', lake: 's3://shop-data/moved/lake' };
        await bucket.upload(join(folder.path, 'staging'), 'moved/staging/');
        await bucket.upload(join(folder.path, 'lake'), 'moved/lake/');
        await rm(join(folder.path, 'staging'), { recursive: true });
        await rm(join(folder.path, 'lake'), { recursive: true });
        await change(`DELETE FROM ${TABLE} WHERE id = 1`);
        await folder.configure(configText(places));
        await folder.ok('replicate');
        await change(`INSERT INTO ${TABLE} VALUES (6, 'after', 6)`);
        await expectEqual(folder, places.lake);
        await folder.ok('stop');
        const { files } = filesJson.parse(await folder.json('files'));
        expect(files.filter(({ kind }) => kind === 'load')).toHaveLength(1);
        expect(files.every(({ state }) => state === 'merged')).toBe(true);

        // And back, to another machine's folder, which has nothing of .cdc.
        const other = await PipelineFolder.make({ env: folder.env });
        await bucket.download('moved/staging/', join(other.path, 'staging'));
        await bucket.download('moved/lake/', join(other.path, 'lake'));
        await other.configure(configText({ staging: 'staging', lake: 'lake' }));
        await other.ok('start');
        await change(`UPDATE ${TABLE} SET note = 'home again' WHERE id = 6`);
        await expectEqual(other, join(other.path, 'lake'));
        await other.ok('stop');
      });

    if (flavor === 'mariadb')
      it('merges by --watch what another machine captures into a bucket, without any Lambda', {
        timeout: 3 * MINUTES,
      }, async () => {
        const places = { staging: 's3://shop-data/watched/in', lake: 's3://shop-data/watched/out' };
        const folder = await pipeline(places);
        await folder.ok('replicate', '--no-merge');
        const elsewhere = await PipelineFolder.make({ env: folder.env });
        await cp(join(folder.path, 'cdc.yaml'), join(elsewhere.path, 'cdc.yaml'));
        const watch = await elsewhere.start('merge', '--watch');
        await change(`INSERT INTO ${TABLE} VALUES (4, 'seen', 4)`);
        await expect
          .poll(
            async () =>
              (await readDeltaTable(`${places.lake}/shop/orders`, { storage: bucket.storage }).catch(() => [])).length,
            { timeout: MINUTES, interval: 500 },
          )
          .toBe(4);
        watch.process.kill('SIGINT');
        expect((await watch.ended).code).toBe(130);
        await folder.ok('stop');
      });

    if (flavor === 'mariadb')
      it('loses and doubles nothing to kill -9, and lets one of two merges in', { timeout: 5 * MINUTES }, async () => {
        const places = { staging: 's3://shop-data/killed/in', lake: 's3://shop-data/killed/out' };
        const folder = await pipeline(places);
        await folder.ok('replicate', '--no-merge');
        await folder.ok('merge');
        await folder.ok('stop');
        let id = 10;
        for (const point of ['capture.synced', 'capture.published']) {
          const worker = await killing(folder, point, 'replicate', '--foreground', '--no-merge');
          await change(`INSERT INTO ${TABLE} VALUES (${++id}, '${point}', 1)`, `UPDATE ${TABLE} SET total = total + 1`);
          await once(worker.process, 'exit');
          expect(worker.process.signalCode).toBe('SIGKILL');
        }
        await folder.ok('start');
        await change(`DELETE FROM ${TABLE} WHERE id = 3`);
        await expectEqual(folder, places.lake);
        await folder.ok('stop', '--worker');
        for (const point of ['merge.written', 'merge.committed']) {
          await folder.ok('replicate', '--no-merge');
          await change(`INSERT INTO ${TABLE} VALUES (${++id}, '${point}', 1)`, `UPDATE ${TABLE} SET total = total + 1`);
          await expect.poll(async () => (await folder.status()).tables[0]?.pending_files, { timeout: MINUTES }).toBe(1);
          await folder.ok('stop', '--worker');
          const merge = await killing(folder, point, 'merge');
          await merge.ended;
          expect(merge.process.signalCode).toBe('SIGKILL');
          // Both at once: one applies it, the other finds it applied, or the table taken.
          const [a, b] = await Promise.all([folder.cdc('merge', '--json'), folder.cdc('merge', '--json')]);
          const ends = [a, b].map(({ code, stderr }) =>
            code === 0 ? 'done' : /lease\.held|is held by/.test(stderr) ? 'held' : stderr,
          );
          expect(ends.filter((end) => end !== 'held')).not.toEqual([]);
          expect(ends.filter((end) => end !== 'held' && end !== 'done')).toEqual([]);
        }
        await folder.ok('start');
        await expectEqual(folder, places.lake);
        await folder.ok('stop');
      });

    function killing(folder: PipelineFolder, point: string, ...words: string[]) {
      const env = { ...folder.env, CDC_KILL_AT: point };
      return new PipelineFolder(folder.path, { env }).start(...words);
    }
  });
});
