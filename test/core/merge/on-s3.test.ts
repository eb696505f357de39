import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { S3 } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { putDmsEpoch } from '../../../src/core/change-file/dms-epoch.ts';
import { definitionKey } from '../../../src/core/change-file/layout.ts';
import { changeNumber } from '../../../src/core/change-number.ts';
import { readSnapshot } from '../../../src/core/delta/snapshot.ts';
import { type Engine, openEngine } from '../../../src/core/engine/engine.ts';
import { mergeTable } from '../../../src/core/merge/merge-table.ts';
import { openS3Store } from '../../../src/core/store/s3.ts';
import { definitionToJson } from '../../../src/core/table-definition.ts';
import { dmsSequence, putDialect, putDmsChanges, putDmsLoad } from '../../support/aws/dms-writer.ts';
import { FakeS3, type Mishap } from '../../support/fake-s3.ts';
import { askOnly } from '../../support/s3-environment.ts';
import { type Change, StagedTable, TABLE } from '../../support/staged-table.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

const N = (number: number) => changeNumber(1, number);
const change = (number: number, op: Change['op'], ...values: (string | null)[]): Change => ({
  number: N(number),
  op,
  values,
});

/** One machine: its own copies of files, its own engine. */
interface Machine {
  table: StagedTable;
  engine: Engine;
}

describe('merging a table on S3', () => {
  let fake: FakeS3;
  let prefix: string;
  beforeAll(async () => {
    fake = await FakeS3.start();
    askOnly(fake.url);
  });
  beforeEach(() => {
    prefix = randomUUID();
  });
  afterEach(() => {
    fake.mishap = () => undefined;
    fake.listsLateMs = 0;
    fake.asked.length = 0;
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await fake.stop();
  });

  async function machine(): Promise<Machine> {
    const root = await temporaryFolder();
    const open = (role: string) =>
      openS3Store({ bucket: 'shop', prefix: `${prefix}/${role}` }, { cacheFolder: join(root, 'cache') });
    const table = new StagedTable(root, { staging: open('staging'), lake: open('lake') });
    const engine = await openEngine({ tempDirectory: join(root, 'engine'), threads: 1 });
    onTestFinished(() => engine.close());
    return { table, engine };
  }

  /** Three rows at 1:0. */
  async function load({ table }: Machine) {
    const definition = table.define(N(0));
    await table.putDefinition(definition);
    const rows = [
      ['1', 'a', '10'],
      ['2', 'b', '20'],
      ['3', null, null],
    ];
    await table.putLoad(definition, rows, { number: N(0) });
    return definition;
  }

  const merge = ({ table, engine }: Machine) => mergeTable(table.options(engine));
  const dataFilesRead = () =>
    fake.asked.filter(({ method, key }) => method === 'GET' && key.endsWith('.parquet')).length;

  it('reads no data file twice, and none that this machine wrote', async () => {
    const writer = await machine();
    const definition = await load(writer);
    await merge(writer);
    await writer.table.putChanges(definition, [change(1, 'U', '2', 'B', '21')]);
    expect(await merge(writer)).toMatchObject({ updated: 1, version: 1 });
    expect(dataFilesRead()).toBe(0);

    const other = await machine();
    await writer.table.putChanges(definition, [change(2, 'D', '2', 'B', '21')]);
    expect(await merge(other)).toMatchObject({ deleted: 1, version: 2 });
    expect(dataFilesRead()).toBe(1);
    await writer.table.putChanges(definition, [change(3, 'I', '2', 'again', '1')]);
    expect(await merge(other)).toMatchObject({ inserted: 1, version: 3 });
    expect(dataFilesRead()).toBe(1);
    expect(await other.table.lakeRows(other.engine)).toMatchObject([{ id: 1 }, { id: 2, name: 'again' }, { id: 3 }]);
  });

  it('reads no piece of a change file that is merged', async () => {
    const one = await machine();
    const definition = await load(one);
    const keys: string[] = [];
    for (let number = 1; number <= 3; number++) {
      keys.push(await one.table.putChanges(definition, [change(number, 'U', '1', `change ${number}`, '1')]));
      fake.asked.length = 0;
      await merge(await machine());
      const read = fake.asked.filter(({ method, key }) => method === 'GET' && key.endsWith('.csv'));
      const own = keys.filter((key) => read.some((asked) => asked.key.endsWith(key)));
      expect(own).toEqual(keys.slice(-1));
    }
    fake.asked.length = 0;
    expect(await merge(await machine())).toMatchObject({ already: true });
    expect(fake.asked.filter(({ method, key }) => method === 'GET' && key.endsWith('.csv'))).toEqual([]);
  });

  it('looks through a change file of DMS once, and then takes it', async () => {
    const one = await machine();
    const { staging } = one.table;
    const definition = one.table.define(1n);
    await putDialect(staging);
    await staging.put(definitionKey(TABLE, 1n), JSON.stringify(definitionToJson(definition)));
    const started = new Date('2026-11-22T10:00:00Z');
    const epoch = { ...TABLE, kind: 'start' as const, task: 't', caches: false, definition: 1n };
    await putDmsEpoch(staging, { ...epoch, started, state: 'complete' });
    const named = new Date(started.getTime() + 1000);
    const change = { op: 'I' as const, row: ['1', 'a', null], sequence: dmsSequence(named, 1) };
    const key = await putDmsChanges(staging, definition, [change], { named });
    expect(await merge(one)).toMatchObject({ files: 1, inserted: 1 });
    // Its first line and all of it for its sequence, the first line for its layout, and all of it for the engine.
    expect(fake.asked.filter((asked) => asked.method === 'GET' && asked.key.endsWith(key))).toHaveLength(4);
  });

  it('goes on in another bucket, where copies have other tags: a late file of DMS is put in its place', async () => {
    const before = await machine();
    const { staging } = before.table;
    const definition = before.table.define(1n);
    const at = (seconds: number) => new Date(Date.parse('2026-11-22T10:00:00Z') + seconds * 1000);
    const dmsChange = (seconds: number, name: string, to: Machine) => {
      const sequence = dmsSequence(at(seconds), seconds);
      return putDmsChanges(to.table.staging, definition, [{ op: 'U', row: ['1', name, null], sequence }], {
        named: at(seconds),
      });
    };
    await putDialect(staging);
    await staging.put(definitionKey(TABLE, 1n), JSON.stringify(definitionToJson(definition)));
    const epoch = { ...TABLE, kind: 'load' as const, task: 't', caches: false, definition: 1n };
    await putDmsEpoch(staging, { ...epoch, started: at(0), state: 'complete', rows: 1 });
    await putDmsLoad(staging, definition, [['1', 'a', null]]);
    await merge(before);
    const last = await dmsChange(30, 'last', before);
    await merge(before);
    const old = prefix;
    prefix = randomUUID();
    const after = await machine();
    for (const role of ['staging', 'lake'] as const)
      for (const { key } of await before.table[role].list(''))
        await uploadInParts(`${prefix}/${role}/${key}`, await before.table[role].get(key));
    expect(await after.table.staging.tagOf(last)).not.toBe(await before.table.staging.tagOf(last));
    await dmsChange(20, 'late', after);
    expect(await merge(after)).toMatchObject({ files: 2 });
    expect(await after.table.lakeRows(after.engine)).toMatchObject([{ id: 1, name: 'last' }]);

    // In its own bucket a file of the same size and another tag is another file.
    prefix = old;
    const own = await machine();
    const bytes = Buffer.from(await staging.get(last)).toString();
    await staging.put(last, bytes.replace('last', 'lost'));
    await dmsChange(20, 'late', own);
    await expect(merge(own)).rejects.toMatchObject({ code: 'replay.gone' });
  });

  it('applies each change once when two machines merge at once, again and again', async () => {
    const machines = [await machine(), await machine()] as const;
    const definition = await load(machines[0]);
    let number = 0;
    for (let round = 0; round < 4; round++) {
      await machines[0].table.putChanges(definition, [change(++number, 'I', `${number + 10}`, 'x', '1')]);
      const ends = await Promise.allSettled(machines.map(merge));
      for (const end of ends) if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'lease.held' });
      await merge(machines[0]);
    }
    const { table, engine } = machines[1];
    const rows = await table.lakeRows(engine);
    expect(rows?.map(({ id }) => id)).toEqual([1, 2, 3, 11, 12, 13, 14]);
    const snapshot = await readSnapshot({ store: table.lake, folder: `${TABLE.schema}/${TABLE.table}/`, engine });
    // The load with the first change, or after it, and one version for each change: none was applied twice.
    expect(snapshot?.version).toBeLessThanOrEqual(4);
  });

  it('ends right on a day of late listings, lost replies, conflicts and 503', async () => {
    const one = await machine();
    fake.listsLateMs = 60;
    // Each fifth write and each fifth read, in turn: a conflict is for writes, and only a body that is read can be cut.
    const kinds: { [method: string]: Mishap[] } = {
      PUT: ['lost-reply', '503', '409', 'lost-request', 'done-503'],
      GET: ['503', 'cut', 'lost-reply'],
    };
    const met = new Set<string>();
    const count: { [method: string]: number } = {};
    fake.mishap = ({ method, query }) => {
      const own = kinds[method];
      if (own === undefined || query.has('list-type')) return undefined;
      const number = (count[method] ?? 0) + 1;
      count[method] = number;
      if (number % 5 !== 0) return undefined;
      const kind = own[(number / 5) % own.length];
      met.add(`${method} ${kind}`);
      return kind;
    };
    const definition = await load(one);
    for (let number = 1; number <= 12; number++) {
      await one.table.putChanges(definition, [change(number, 'U', '1', `change ${number}`, `${number}`)]);
      // A listing that is late leaves a file for the next merge.
      await merge(number % 3 === 0 ? await machine() : one);
    }
    fake.listsLateMs = 0;
    fake.mishap = () => undefined;
    await merge(one);
    expect(met.size).toBe(8);
    expect(await one.table.lakeRows(one.engine)).toMatchObject([
      { id: 1, name: 'change 12', qty: 12 },
      { id: 2, name: 'b' },
      { id: 3, name: null },
    ]);
    expect(fake.uploads).toBe(0);
  });
});

/** As a tool that copies in parts does: the object has the ETag of its parts, not of its bytes. */
async function uploadInParts(Key: string, Body: Uint8Array): Promise<void> {
  const client = new S3({ forcePathStyle: true });
  const object = { Bucket: 'shop', Key };
  const { UploadId } = await client.createMultipartUpload(object);
  const { ETag } = await client.uploadPart({ ...object, UploadId, PartNumber: 1, Body });
  await client.completeMultipartUpload({ ...object, UploadId, MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } });
  client.destroy();
}
