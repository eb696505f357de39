import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { CAPTURE_LEASE } from '../../../src/core/change-file/layout.ts';
import { parseConfig } from '../../../src/core/config.ts';
import { withEngine } from '../../../src/core/engine/engine.ts';
import { mergeTable } from '../../../src/core/merge/merge-table.ts';
import { describeLake } from '../../../src/core/pipeline/lake-contents.ts';
import { makeFolders, planRemoval } from '../../../src/core/pipeline/local-resources.ts';
import { openPipeline, type Pipeline } from '../../../src/core/pipeline/pipeline.ts';
import { silent } from '../../../src/core/progress.ts';
import { acquireLease } from '../../../src/core/store/lease.ts';
import { StagedTable, TABLE } from '../../support/staged-table.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

function pipelineIn(folder: string, name = 'mine'): Pipeline {
  const text = `name: ${name}\nsource: mysql://user@127.0.0.1:3306\n`;
  return openPipeline(parseConfig({ file: join(folder, 'cdc.yaml'), text }), {});
}

async function put(...path: string[]): Promise<void> {
  const file = join(...path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, 'somebody else wrote this\n');
}

async function remove(pipeline: Pipeline): Promise<void> {
  const signal = new AbortController().signal;
  const lakeHolds = await describeLake(pipeline);
  for (const { remove } of await planRemoval({ pipeline, deleteLake: true, lakeHolds, progress: silent, signal }))
    await remove?.();
}

async function files(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1))
    .sort();
}

/** A pipeline with one merged table of two rows. */
async function merged(folder: string): Promise<Pipeline> {
  const pipeline = pipelineIn(folder);
  await makeFolders(pipeline);
  const staged = new StagedTable(folder);
  const definition = staged.define(1_000_000_000_000_000n);
  await staged.putDefinition(definition);
  await staged.putLoad(
    definition,
    [
      ['1', 'a', '1'],
      ['2', 'b', '2'],
    ],
    { number: definition.number },
  );
  await staged.putChanges(definition, [{ number: definition.number + 1n, op: 'D', values: ['1', 'a', '1'] }]);
  await withEngine(pipeline.engineOptions, (engine) =>
    mergeTable({ ...pipeline.mergeOf(TABLE), engine, progress: silent }),
  );
  return pipeline;
}

it('leaves nothing of a pipeline, and no folder of its own', async () => {
  const folder = await temporaryFolder();
  const pipeline = await merged(folder);
  expect(await describeLake(pipeline)).toBe('shop.orders: 1 rows');
  await remove(pipeline);
  expect(await readdir(folder)).toEqual([]);
});

it('leaves every file that it did not make, also beside its own', async () => {
  const folder = await temporaryFolder();
  const pipeline = await merged(folder);
  const foreign = [
    'lake/README.md',
    'lake/shop/orders/notes.txt',
    'lake/shop/spark/_delta_log/00000000000000000000.json',
    'lake/shop/spark/part-0.parquet',
    'lake/100%/x',
    'staging/shop/orders/LOAD00000009.csv',
    'staging/shop/orders/20991231-000000000.csv',
    'staging/shop/orders/20991231-0000000000.csv',
    'staging/shop/other/20991231-000000000.csv',
  ];
  for (const path of foreign) await put(folder, path);
  await remove(pipeline);
  expect(await files(folder)).toEqual(foreign.sort());
});

it('finishes what an interrupted call began', async () => {
  const folder = await temporaryFolder();
  const pipeline = await merged(folder);
  const { staging, lake } = pipeline;
  for (const store of [staging, lake]) {
    const stop = new Error('pulled the plug');
    const { delete: remove } = store;
    let left = 2;
    store.delete = async (key) => {
      if (left-- === 0) throw stop;
      await remove.call(store, key);
    };
  }
  await expect(remove(pipeline)).rejects.toThrow('pulled the plug');
  await remove(pipelineIn(folder));
  expect(await readdir(folder)).toEqual([]);
});

it('keeps off the folders of another pipeline', async () => {
  const folder = await temporaryFolder();
  await merged(folder);
  const before = await files(folder);
  await expect(remove(pipelineIn(folder, 'yours'))).rejects.toMatchObject({ code: 'store.not-ours' });
  expect(await files(folder)).toEqual(before);
});

it('refuses while a worker of another machine writes', async () => {
  const folder = await temporaryFolder();
  const pipeline = await merged(folder);
  const identity = { host: 'elsewhere', pid: 1 };
  const lease = await acquireLease({ store: pipeline.staging, folder: CAPTURE_LEASE, engine: 'cdc', identity });
  await expect(remove(pipeline)).rejects.toMatchObject({ code: 'worker.elsewhere' });
  await lease.release();
  await remove(pipeline);
  expect(await readdir(folder)).toEqual([]);
});
