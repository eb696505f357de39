import { once } from 'node:events';
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { mergeLease, tableFolder } from '../../../src/core/change-file/layout.ts';
import { changeNumber } from '../../../src/core/change-number.ts';
import { type CrashPoint, onCrashPoint } from '../../../src/core/crash-point.ts';
import { readSnapshot } from '../../../src/core/delta/snapshot.ts';
import { type Engine, openEngine } from '../../../src/core/engine/engine.ts';
import { mergeTable } from '../../../src/core/merge/merge-table.ts';
import { pendingState, tableState } from '../../../src/core/merge/table-state.ts';
import { acquireLease } from '../../../src/core/store/lease.ts';
import { type CompiledChild, compileChild } from '../../support/child.ts';
import { describeDeltaTable } from '../../support/python.ts';
import { type Change, StagedTable, TABLE } from '../../support/staged-table.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

const N = (number: number) => changeNumber(1, number);
const change = (number: number, op: Change['op'], ...values: (string | null)[]): Change => ({
  number: N(number),
  op,
  values,
});

let table: StagedTable;
let engine: Engine;

beforeEach(async () => {
  table = new StagedTable(await temporaryFolder());
  engine = await openEngine({ tempDirectory: join(table.root, '.tmp-engine'), threads: 1 });
  onTestFinished(() => engine.close());
});
afterEach(() => onCrashPoint(undefined));

/** A load of three rows at 1:0. */
async function load() {
  const definition = table.define(N(0));
  await table.putDefinition(definition);
  await table.putLoad(
    definition,
    [
      ['1', 'a', '10'],
      ['2', 'b', '20'],
      ['3', null, null],
    ],
    { number: N(0) },
  );
  return definition;
}

const merge = (options: Partial<Parameters<typeof mergeTable>[0]> = {}) =>
  mergeTable({ ...table.options(engine), ...options });

describe('merging a table', () => {
  it('says that nothing is pending, without taking a lease or committing', async () => {
    await load();
    await merge();
    const lease = await acquireLease({ store: table.lake, folder: mergeLease(TABLE), engine: 'cdc' });
    expect(await merge()).toMatchObject({ already: true, files: 0, version: 0 });
    await lease.release();
  });

  it('ends with what was there when it began, however fast more arrives', async () => {
    const definition = await load();
    const aside: (readonly [string, string])[] = [];
    for (const number of [1, 2, 3]) {
      const path = join(
        table.staging.location,
        await table.putChanges(definition, [change(number, 'U', '1', 'x', `${number}`)]),
      );
      if (number === 1) continue;
      aside.push([path, join(table.root, `${number}`)]);
      renameSync(path, join(table.root, `${number}`));
    }
    onCrashPoint((point) => {
      if (point !== 'merge.committed') return;
      const [path, away] = aside.shift() ?? [];
      if (path !== undefined && away !== undefined) renameSync(away, path);
    });
    expect(await merge()).toMatchObject({ files: 2, version: 0, watermark: N(1) });
    expect(await merge()).toMatchObject({ files: 1, version: 1, watermark: N(2) });
    expect(await merge()).toMatchObject({ files: 1, version: 2, watermark: N(3) });
    expect(await merge()).toMatchObject({ already: true });
  });

  it('writes its properties and its ledger into the table', async () => {
    await load();
    await merge();
    const info = await describeDeltaTable(join(table.root, 'lake', tableFolder(TABLE)));
    expect(info.properties).toMatchObject({
      'cdc.appId': 'test/shop.orders',
      'cdc.key': '["id"]',
      'delta.logRetentionDuration': 'interval 1 day',
      'delta.deletedFileRetentionDuration': 'interval 1 day',
    });
    expect(await tableState({ staging: table.staging, lake: table.lake, table: TABLE, engine })).toMatchObject({
      version: 0,
      seq: 1,
      watermark: N(0),
      rows: 3,
      quarantined: 0,
      epoch: { kind: 'load', number: N(0) },
    });
  });

  it('merges up to one file: what is pending before it first, nothing after it', async () => {
    const definition = await load();
    await table.putChanges(definition, [change(1, 'U', '1', 'v1', '1')]);
    const second = await table.putChanges(definition, [change(2, 'U', '1', 'v2', '2')]);
    await table.putChanges(definition, [change(3, 'U', '1', 'v3', '3')]);
    expect(await merge({ upTo: second })).toMatchObject({ files: 3, changes: 5 });
    expect((await table.lakeRows(engine))?.[0]).toMatchObject({ name: 'v2' });
    expect(await merge({ upTo: second })).toMatchObject({ already: true, files: 0 });
    expect(await merge()).toMatchObject({ changes: 1 });
    await expect(merge({ upTo: 'shop/orders/20200101-000000000.csv' })).rejects.toMatchObject({ code: 'file.unknown' });
  });

  it('takes a load file for its load', async () => {
    const definition = await load();
    await table.putChanges(definition, [change(1, 'U', '1', 'v1', '1')]);
    expect(await merge({ upTo: 'shop/orders/LOAD00000001.csv' })).toMatchObject({ files: 1, changes: 3 });
    await table.staging.put('shop/orders/LOAD0000000A.csv', 'x');
    await expect(merge({ upTo: 'shop/orders/LOAD0000000A.csv' })).rejects.toMatchObject({ code: 'load.unpublished' });
  });

  it('says which number is missing once it has been missing for too long, after merging what comes before', async () => {
    const definition = await load();
    await table.putChanges(definition, [change(1, 'U', '1', 'v1', '1')]);
    const late = await table.putChanges(definition, [change(3, 'U', '1', 'v3', '3')]);
    expect(await merge()).toMatchObject({
      waits: 'gap',
      waiting: expect.stringContaining('change 2 of run 1 is missing'),
    });
    const old = new Date(Date.now() - 6 * 60_000);
    await utimes(join(table.staging.location, late), old, old);
    await expect(merge()).rejects.toMatchObject({
      code: 'merge.gap',
      hint: expect.stringContaining('cdc reload shop.orders'),
    });
    await table.putChanges(definition, [change(2, 'U', '1', 'v2', '2')]);
    expect(await merge()).toMatchObject({ changes: 2 });
  });

  it('stops when a file goes or changes between plan and commit', async () => {
    const definition = await load();
    const path = join(table.staging.location, await table.putChanges(definition, [change(1, 'U', '1', 'v1', '1')]));
    const content = readFileSync(path, 'utf8');
    onCrashPoint((point) => point === 'merge.planned' && rmSync(path));
    await expect(merge()).rejects.toMatchObject({ code: 'file.missing' });
    writeFileSync(path, content);
    onCrashPoint((point) => point === 'merge.planned' && writeFileSync(path, content.replace('v1', 'v9')));
    await expect(merge()).rejects.toMatchObject({ code: 'input.changed' });
    expect(await table.lakeRows(engine)).toBeNull();
    expect(dataFiles()).toEqual([]);
    onCrashPoint(undefined);
    expect(await merge()).toMatchObject({ changes: 4, version: 0 });
  });

  it('plans again when someone else commits first, and leaves no file behind', async () => {
    const definition = await load();
    await merge();
    await table.putChanges(definition, [change(1, 'U', '1', 'v1', '1')]);
    let intruded = false;
    onCrashPoint((point) => {
      if (point !== 'merge.written' || intruded) return;
      intruded = true;
      const log = join(table.root, 'lake/shop/orders/_delta_log/00000000000000000001.json');
      writeFileSync(log, '{"commitInfo":{"operation":"OTHER"}}\n{"txn":{"appId":"other","version":1}}\n');
    });
    expect(await merge()).toMatchObject({ changes: 1, updated: 1, version: 2 });
    const info = await describeDeltaTable(join(table.root, 'lake/shop/orders'));
    // The removed file of version 0 stays for readers of that version.
    expect(dataFiles()).toHaveLength(info.files + 1);
  });

  it('a load below what readers have seen waits for the changes since, and never takes them back', async () => {
    const definition = await load();
    const gone = await table.putChanges(definition, [change(1, 'U', '1', 'v1', '1'), change(2, 'U', '1', 'v2', '2')]);
    await table.putChanges(definition, [change(3, 'U', '1', 'v3', '3')]);
    await merge();
    await table.staging.delete(gone);
    await table.putLoad(definition, [['1', 'v1', '1']], { number: N(1) });
    expect(await merge()).toMatchObject({ already: true, waits: 'gap', version: 0 });
    expect((await table.lakeRows(engine))?.map((row) => row.name)).toEqual(['v3', 'b', null]);
    await table.putChanges(definition, [change(2, 'U', '1', 'v2', '2')]);
    expect(await merge()).toMatchObject({ changes: 3, version: 1 });
    expect(await table.lakeRows(engine)).toEqual([{ id: 1, name: 'v3', qty: 3 }]);
  });

  it('says what is pending, also of a table that is not loaded', async () => {
    const look = (options = {}) => pendingState({ ...table.options(engine), ...options });
    expect(await look()).toEqual({ pendingFiles: 0, waiting: undefined });
    const definition = table.define(N(0));
    await table.putDefinition(definition);
    const first = await table.putChanges(definition, [change(1, 'U', '1', 'v1', '1')]);
    await table.putChanges(definition, [change(2, 'U', '1', 'v2', '2')]);
    expect(await look()).toMatchObject({ pendingFiles: 2, waiting: { reason: 'loading', files: 2 } });
    await load();
    expect(await look()).toMatchObject({ pendingFiles: 3, waiting: undefined });
    await merge({ upTo: first });
    expect(await look()).toMatchObject({ pendingFiles: 1, waiting: undefined });
    await merge();
    expect(await look()).toEqual({ pendingFiles: 0, waiting: undefined });
  });

  it('reads each file of a listing once', async () => {
    const definition = await load();
    const known = new Map();
    const key = await table.putChanges(definition, [change(1, 'U', '1', 'v1', '1')]);
    await merge({ known });
    expect(known.get(key)).toMatchObject({ first: N(1), last: N(1) });
    // A range that is known is taken at its word: a wrong one shows that the file was not read.
    const next = await table.putChanges(definition, [change(2, 'U', '1', 'v2', '2')]);
    const size = (await table.staging.stat(next))?.size ?? 0;
    known.set(next, { size, first: N(3), last: N(3) });
    expect(await merge({ known })).toMatchObject({ already: true, waits: 'gap' });
  });

  it('takes files from those it was told of, without a listing, when asked to', async () => {
    const definition = await load();
    const known = new Map();
    await merge({ known, trustKnown: true });
    const key = await table.putChanges(definition, [change(1, 'U', '1', 'v1', '1')]);
    expect(await merge({ known, trustKnown: true })).toMatchObject({ already: true });
    known.set(key, { size: (await table.staging.stat(key))?.size, first: N(1), last: N(1) });
    expect(await merge({ known, trustKnown: true })).toMatchObject({ changes: 1 });
  });

  it('refuses a lake table that another pipeline keeps', async () => {
    await load();
    await merge();
    await expect(merge({ appId: 'other/shop.orders' })).rejects.toMatchObject({ code: 'lake.foreign' });
  });

  it('rewrites only the files that hold a changed key, and small files take the new rows', async () => {
    const definition = await load();
    await merge();
    for (let number = 1; number <= 3; number++) {
      await table.putChanges(definition, [change(number, 'I', String(100 + number), 'n', null)]);
      await merge();
    }
    const snapshot = await readSnapshot({ store: table.lake, folder: tableFolder(TABLE), engine });
    expect(snapshot?.files.size).toBe(1);
  });

  it('waits for the lease, and names its holder when the wait is over', async () => {
    await load();
    const lease = await acquireLease({ store: table.lake, folder: mergeLease(TABLE), engine: 'cdc' });
    await expect(merge({ leaseWaitMs: 10 })).rejects.toMatchObject({ code: 'lease.held' });
    const merging = merge({ leaseWaitMs: 20_000 });
    await lease.release();
    expect(await merging).toMatchObject({ changes: 3 });
  });
});

function dataFiles(): string[] {
  return readdirSync(join(table.root, 'lake', tableFolder(TABLE))).filter((name) => name.endsWith('.parquet'));
}

const POINTS: CrashPoint[] = [
  'merge.planned',
  'merge.written',
  'merge.committed',
  'merge.cleaned',
  'lake.checkpoint-written',
];

describe('merging in processes of their own', () => {
  let child: CompiledChild;
  beforeAll(async () => {
    child = await compileChild('test/core/merge/merge-child.ts');
  });
  afterAll(() => child.remove());

  const start = async (point = '', times = 1, rounds = 1) => {
    const process = child.start(table.root, join(table.root, '.tmp-child'), point, String(times), String(rounds));
    const message = once(process, 'message')
      .then(([body]) => Number(body.changes))
      .catch(() => 0);
    const [code, signal] = await once(process, 'exit');
    return { code, signal, changes: signal === null ? await message : 0 };
  };

  it.each(POINTS)('killed at %s, the next run ends with the same rows and nothing twice', async (point) => {
    const definition = await load();
    // Versions enough, so that a checkpoint is due in the killed run.
    for (let number = 1; number <= 11; number++)
      await merge({ upTo: await table.putChanges(definition, [change(number, 'I', String(100 + number), 'n', null)]) });
    await table.putChanges(definition, [
      change(12, 'U', '1', 'v12', '1'),
      change(13, 'D', '2', 'b', '20'),
      change(14, 'I', '4', 'd', null),
    ]);
    const killed = await start(point);
    expect(killed.signal).toBe('SIGKILL');
    const again = await start();
    expect(again.code).toBe(0);
    expect(again.changes).toBe(point === 'merge.planned' || point === 'merge.written' ? 3 : 0);
    const rows = await table.lakeRows(engine);
    expect(rows?.map((row) => row.id)).toEqual([1, 3, 4, ...Array.from({ length: 11 }, (_, index) => 101 + index)]);
    expect(rows?.[0]).toEqual({ id: 1, name: 'v12', qty: 1 });
    expect(await tableState({ staging: table.staging, lake: table.lake, table: TABLE, engine })).toMatchObject({
      version: 11,
      watermark: N(14),
      rows: 14,
    });
    // What the killed run left is found by the vacuum's rule: files that no version names.
    expect(await merge()).toMatchObject({ already: true });
  });

  it('two processes that merge one table while files arrive lose and double nothing', async () => {
    const definition = await load();
    const workers = [start('', 1, 12), start('', 1, 12)];
    let number = 0;
    for (let file = 0; file < 20; file++) {
      const changes = Array.from({ length: 5 }, () =>
        change(++number, 'U', String((number % 7) + 1), `v${number}`, String(number)),
      );
      await table.putChanges(definition, changes);
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    const done = await Promise.all(workers);
    expect(done.map(({ code }) => code)).toEqual([0, 0]);
    const rest = await merge();
    const total = done.reduce((sum, { changes }) => sum + changes, 0) + rest.changes;
    expect(total).toBe(3 + 100);
    const rows = await table.lakeRows(engine);
    expect(rows?.map((row) => [row.id, row.qty])).toEqual([1, 2, 3, 4, 5, 6, 7].map((id) => [id, lastWith(id)]));
  });
});

/** The last of 100 changes whose key is this. */
function lastWith(id: number): number {
  for (let number = 100; number > 0; number--) if ((number % 7) + 1 === id) return number;
  return 0;
}
