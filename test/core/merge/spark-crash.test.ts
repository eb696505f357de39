import { rename, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { changeNumber } from '../../../src/core/change-number.ts';
import { mergeTable } from '../../../src/core/merge/merge-table.ts';
import { daySample, repeatable } from '../../support/day-sample.ts';
import { recordResult } from '../../support/proof-result.ts';
import { readDeltaTable } from '../../support/python.ts';
import { compileNothing, mergeBySpark, runSparkJob } from '../../support/spark.ts';
import { startSparkJob } from '../../support/spark-job.ts';
import { hasSpark } from '../../support/spark-parts.ts';
import { stagedOrders } from '../../support/staged-orders.ts';
import { StagedTable } from '../../support/staged-table.ts';

const isThere = await hasSpark();

async function stagedTable() {
  const { options, path, load, ...orders } = await stagedOrders();
  await load(['1', 'a', '5']);
  return { ...orders, options: { ...options, appId: 'cdc/shop/shop.orders' }, rows: () => readDeltaTable(path) };
}

/** Each point with the engine that goes on; `npm run proof -- engines` takes all, a day the one or the other of each. */
const CUTS = ['merge.planned', 'merge.written', 'merge.committed'].flatMap((crash, index) =>
  daySample(index % 2 === 0 ? (['spark', 'local'] as const) : (['local', 'spark'] as const), 1).map(
    (next) => [crash, next] as const,
  ),
);

if (isThere) compileNothing();

describe.runIf(isThere)('a batch of Spark that is cut short', () => {
  it.each(CUTS)(
    'at %s, and the %s engine goes on: every change once',
    async (crash, next) => {
      repeatable('test/core/merge/spark-crash.test.ts', `at ${crash}, and the ${next} engine`);
      await recordResult({ cut: crash, next }, async () => {
        const { options, change, rows } = await stagedTable();
        await mergeTable(options);
        await change(1, 'U', '1', 'b', '6');
        await change(2, 'I', '2', 'c', '7');
        expect(await mergeBySpark({ ...options, crash })).toEqual({ crashed: crash });
        const again = next === 'spark' ? await mergeBySpark(options) : await mergeTable(options);
        expect(again.changes).toBe(crash === 'merge.committed' ? 0 : 2);
        const found = (await rows()).sort((a, b) => Number(a.id) - Number(b.id));
        expect(found).toEqual([
          { id: 1, name: 'b', qty: 6 },
          { id: 2, name: 'c', qty: 7 },
        ]);
        return { rows: found.length };
      });
    },
    240_000,
  );

  it('before its first commit leaves an empty table of ours, and the first batch follows', async () => {
    const { options, rows } = await stagedTable();
    expect(await mergeBySpark({ ...options, crash: 'merge.written' })).toEqual({ crashed: 'merge.written' });
    expect(await rows()).toEqual([]);
    expect(await mergeTable(options)).toMatchObject({ changes: 1, inserted: 1 });
    expect(await rows()).toEqual([{ id: 1, name: 'a', qty: 5 }]);
  }, 120_000);
});

describe.runIf(isThere)('a file that lands while the job is at work', () => {
  it('comes with the same run, also when its own table was done before another one', async () => {
    const { table, change, rows } = await stagedTable();
    const other = new StagedTable(table.root, table, { schema: 'shop', table: 'zones' });
    const definition = other.define(changeNumber(1, 0));
    await other.putDefinition(definition);
    await other.putLoad(definition, [['1', 'z', '1']], { number: changeNumber(1, 0) });
    // Away, until a batch has been planned: after the listing, before the commit.
    const aside = async (key: string) => {
      const path = join(table.staging.location, key);
      const away = join(table.root, basename(key));
      await rename(path, away);
      return [away, path] as const;
    };
    const duringOwn = await aside(await change(1, 'U', '1', 'b', '6'));
    const duringOther = await aside(await change(2, 'I', '2', 'c', '7'));
    // The batches: the load of orders, its first change, the load of zones, and what landed meanwhile.
    const nothing = join(table.root, 'nothing');
    await writeFile(nothing, '');
    const reports = await runSparkJob(table, [duringOwn, [nothing, `${nothing}.moved`], duringOther]);
    expect(reports).toMatchObject([
      { table: 'orders', files: 3, changes: 3 },
      { table: 'zones', files: 1, changes: 1 },
    ]);
    expect((await rows()).sort((a, b) => Number(a.id) - Number(b.id))).toEqual([
      { id: 1, name: 'b', qty: 6 },
      { id: 2, name: 'c', qty: 7 },
    ]);
  }, 240_000);
});

describe.runIf(isThere)('a table that fails', () => {
  it('after a batch of the same run tells what was committed before', async () => {
    const { table, options, definition, change } = await stagedTable();
    await change(1, 'U', '1', 'b', '6');
    // Away until the first batch has been planned.
    const bad = await table.putChanges(definition, [
      { number: changeNumber(1, 2), op: 'U', values: ['1', 'c', 'many'] },
    ]);
    const away = join(table.root, basename(bad));
    await rename(join(table.staging.location, bad), away);
    const [report] = await runSparkJob(table, [[away, join(table.staging.location, bad)]]);
    expect(report).toMatchObject({ files: 2, changes: 2, inserted: 1, version: 1, error: { code: 'row.unfit' } });
    expect(await mergeBySpark(options).catch(({ code }: { code: string }) => code)).toBe('row.unfit');
  }, 240_000);
});

describe.runIf(isThere)('the job in a process of its own', () => {
  it('killed by SIGKILL with its plan written and its lease held: the next run takes both over', async () => {
    const { table, options, rows } = await stagedTable();
    const killed = await startSparkJob(table, { env: { CDC_KILL_AT: 'merge.planned' } });
    await killed.ended;
    expect(await table.lake.list('shop/orders/_cdc/batches/')).toHaveLength(1);
    // Its JVM sees that Python is gone and ends a moment later; until then the lease is its.
    expect(await mergeTable({ ...options, leaseWaitMs: 60_000 })).toMatchObject({ changes: 1, inserted: 1 });
    expect(await rows()).toEqual([{ id: 1, name: 'a', qty: 5 }]);
  }, 240_000);

  it('while it merges, nobody else does; its report is the last line of its output', async () => {
    const { table, options, rows } = await stagedTable();
    const job = await startSparkJob(table);
    while ((await table.lake.list('shop/orders/_cdc/batches/')).length === 0) await sleep(20);
    await expect(mergeTable({ ...options, leaseWaitMs: 0 })).rejects.toMatchObject({
      code: 'lease.held',
      message: expect.stringContaining('spark on'),
    });
    // And another of its kind waits for it, finds nothing left and says so.
    const other = await mergeBySpark(options);
    const { code, report, stderr } = await job.ended;
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    expect(report).toMatchObject({ engine: 'spark', tables: [{ table: 'orders', inserted: 1, version: 1 }] });
    expect(other).toMatchObject({ files: 0, version: 1 });
    expect(await rows()).toEqual([{ id: 1, name: 'a', qty: 5 }]);
  }, 240_000);
});
