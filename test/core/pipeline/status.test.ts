import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Checkpoint, CheckpointWriter, type TableCheckpoint } from '../../../src/core/capture/checkpoint.ts';
import { changeNumber } from '../../../src/core/change-number.ts';
import { parseConfig } from '../../../src/core/config.ts';
import { withEngine } from '../../../src/core/engine/engine.ts';
import { mergeTable } from '../../../src/core/merge/merge-table.ts';
import { openPipeline, type Pipeline } from '../../../src/core/pipeline/pipeline.ts';
import { isUnwell, pipelineStatus } from '../../../src/core/pipeline/status.ts';
import { type WorkerState, WorkerStateFile } from '../../../src/core/pipeline/worker-state.ts';
import { silent } from '../../../src/core/progress.ts';
import { ownIdentity } from '../../../src/core/store/process-identity.ts';
import { StagedTable, TABLE } from '../../support/staged-table.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

const position = { file: 'binlog.000002', offset: 100 };
const server = { flavor: 'mysql', version: '8.0.31', serverId: 1 } as const;

interface World {
  pipeline: Pipeline;
  staged: StagedTable;
  /** What the checkpoint says of the table, and of all. */
  check(entry?: Partial<TableCheckpoint>, more?: Partial<Checkpoint>): Promise<void>;
  /** A worker that lives, as far as anybody can see. */
  tell(state: Partial<WorkerState>): Promise<void>;
  merge(): Promise<void>;
  look(): Promise<Awaited<ReturnType<typeof pipelineStatus>>>;
}

/** A pipeline with one table: its load, and two changes behind it. */
async function world(): Promise<World> {
  const folder = await temporaryFolder();
  const text = 'name: status\nsource: mysql://user@127.0.0.1:3306\n';
  const pipeline = openPipeline(parseConfig({ file: join(folder, 'cdc.yaml'), text }), {});
  const staged = new StagedTable(folder);
  const definition = staged.define(changeNumber(1, 0));
  await staged.putDefinition(definition);
  await staged.putLoad(definition, [['1', 'a', '1']], { number: definition.number });
  for (const number of [1, 2])
    await staged.putChanges(definition, [
      { number: changeNumber(1, number), op: 'I', values: [`${number + 1}`, 'b', '2'] },
    ]);
  return {
    pipeline,
    staged,
    async check(entry = {}, more = {}) {
      const loadedAt = { file: 'binlog.000001', offset: 4 };
      const full = { run: 1, number: 2, definitionNumber: 0, loadedAt, loaded: true, ...entry };
      const tables = { 'shop.orders': full };
      const { writer } = await CheckpointWriter.open(pipeline.staging);
      await writer.write({ format: 1, position, server, lease: 1, merge: true, tables, writtenAt: '', ...more });
    },
    async tell(state) {
      const file = new WorkerStateFile(pipeline.config.stateFolder, {
        process: await ownIdentity(),
        startedAt: '',
        state: 'following',
        merge: true,
        ongoing: true,
        doing: '',
        loaded: [],
        warnings: [],
        loadsMerged: true,
        tables: {},
      });
      file.update(state);
      await file.flush();
    },
    merge: () =>
      withEngine(pipeline.engineOptions, async (engine) => {
        await mergeTable({ ...pipeline.mergeOf(TABLE), engine, progress: silent });
      }),
    look: () => pipelineStatus(pipeline),
  };
}

it('says of a table that is merged where it stands, and that nothing is behind', async () => {
  const { check, tell, merge, look } = await world();
  await check();
  await tell({});
  await merge();
  const report = await look();
  expect(report.tables).toMatchObject([
    {
      state: 'following',
      position: 'binlog.000002:100',
      lag_seconds: 0,
      pending_files: 0,
      rows: 3,
      error: null,
      waiting: null,
    },
  ]);
  expect(isUnwell(report)).toBe(false);
});

it('says how long the oldest change has been waiting, and of no position while it does', async () => {
  const { check, tell, look } = await world();
  await check();
  await tell({ tables: { 'shop.orders': { waiting: { reason: 'write-budget', until: '2026-11-24T12:00:00.000Z' } } } });
  const [table] = (await look()).tables;
  expect(table).toMatchObject({ state: 'loading', position: null, waiting: { reason: 'write-budget' } });
  expect(table?.pending_files).toBeGreaterThan(0);
  expect(table?.lag_seconds).toBeGreaterThanOrEqual(0);
});

it('does not call a table up to date while capture reads what was committed long ago', async () => {
  const { check, tell, merge, look } = await world();
  await check();
  await tell({ behindSince: new Date(Date.now() - 90_000).toISOString() });
  await merge();
  expect((await look()).tables[0]?.lag_seconds).toBeGreaterThanOrEqual(90);
});

it('knows no lag without a worker, or while it has no connection', async () => {
  const { check, tell, merge, look } = await world();
  await check();
  await merge();
  const alone = await look();
  expect(alone.tables).toMatchObject([{ state: 'idle', lag_seconds: null, position: 'binlog.000002:100' }]);
  expect(isUnwell(alone)).toBe(true);
  await tell({ state: 'reconnecting' });
  expect((await look()).tables).toMatchObject([{ state: 'following', lag_seconds: null }]);
});

it('keeps a table that is stopped at the position where it stopped', async () => {
  const { check, tell, merge, look } = await world();
  const stopped = { code: 'table.dropped', message: 'dropped', hint: 'cdc reload shop.orders' };
  await check({ stopped, stoppedAt: { file: 'binlog.000001', offset: 77 } });
  await tell({});
  await merge();
  const report = await look();
  expect(report.tables).toMatchObject([
    { state: 'stopped', position: 'binlog.000001:77', lag_seconds: null, error: stopped },
  ]);
  expect(isUnwell(report)).toBe(true);
});

it('shows a table that was loaded later where its load stands, ahead of the others', async () => {
  const { check, tell, merge, look } = await world();
  await check({ loadedAt: { file: 'binlog.000002', offset: 500 } });
  await tell({});
  await merge();
  expect((await look()).tables).toMatchObject([{ position: 'binlog.000002:500' }]);
});

it('calls a table loading until the load of its run is in the lake', async () => {
  const { check, tell, merge, look } = await world();
  await check();
  await merge();
  await check({ run: 2, number: 0 });
  await tell({});
  expect((await look()).tables).toMatchObject([{ state: 'loading', position: null }]);
});

it('stops every table where the position is lost', async () => {
  const { check, merge, look } = await world();
  const broken = { code: 'position.purged', message: 'gone', hint: 'cdc replicate' };
  await check({}, { broken });
  await merge();
  const report = await look();
  expect(report.tables).toMatchObject([{ state: 'stopped', error: broken, lag_seconds: null }]);
  expect(report.worker).toMatchObject({ pid: null, error: broken });
});

it('takes a worker that has said its last word for ended, though its process is there for a moment', async () => {
  const { check, tell, look } = await world();
  await check();
  await tell({ state: 'failed', error: { code: 'position.purged', message: 'gone' } });
  expect((await look()).worker).toEqual({
    state: 'failed',
    pid: null,
    error: { code: 'position.purged', message: 'gone' },
  });
});
