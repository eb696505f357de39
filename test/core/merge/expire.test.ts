import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { batchFolder } from '../../../src/core/change-file/layout.ts';
import { changeNumber, formatChangeNumber } from '../../../src/core/change-number.ts';
import { type Engine, openEngine } from '../../../src/core/engine/engine.ts';
import { expireChangeFiles } from '../../../src/core/merge/expire.ts';
import { maintainTable } from '../../../src/core/merge/maintain.ts';
import { mergeTable } from '../../../src/core/merge/merge-table.ts';
import { tableState } from '../../../src/core/merge/table-state.ts';
import { StagedTable, TABLE } from '../../support/staged-table.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

const N = (number: number) => changeNumber(1, number);
const DAY_MS = 86_400_000;
const LONG_AGO = new Date(Date.now() - 3 * DAY_MS);

let table: StagedTable;
let engine: Engine;
/** Change files, the first with number 1. */
let files: string[];

/** A table that has merged its load and `count` files of one change each, all of them long ago. */
async function merged(count: number): Promise<void> {
  const definition = table.define(N(0));
  await table.putDefinition(definition);
  await table.putLoad(definition, [['1', 'a', '1']], { number: N(0) });
  await mergeTable(table.options(engine));
  files = [];
  for (let number = 1; number <= count; number++) {
    files.push(await table.putChanges(definition, [{ number: N(number), op: 'U', values: ['1', `v${number}`, '1'] }]));
    await mergeTable(table.options(engine));
  }
  await age((await table.staging.list('shop/')).map(({ key }) => key));
}

async function age(keys: string[]): Promise<void> {
  for (const key of keys) await utimes(join(table.staging.location, key), LONG_AGO, LONG_AGO);
}

const expire = (options: Partial<Parameters<typeof expireChangeFiles>[0]> = {}) =>
  expireChangeFiles({ staging: table.staging, lake: table.lake, table: TABLE, keepMs: DAY_MS, engine, ...options });

beforeEach(async () => {
  table = new StagedTable(await temporaryFolder());
  engine = await openEngine({ tempDirectory: join(table.root, '.tmp-engine'), threads: 1 });
  onTestFinished(() => engine.close());
});

describe('expiry of change files', () => {
  it('takes what ten commits and the time to keep lie above', async () => {
    await merged(12);
    const [recent = ''] = files;
    await utimes(join(table.staging.location, recent), new Date(), new Date());
    expect(await expire()).toEqual([files[1], 'shop/orders/LOAD00000001.csv']);
    // Its time comes; the ten newest stay.
    await age([recent]);
    expect(await expire()).toEqual([recent]);
    expect(await expire()).toEqual([]);
    expect(await mergeTable(table.options(engine))).toMatchObject({ already: true });
  });

  it('takes nothing before the eleventh commit, or of a table that is not merged', async () => {
    expect(await expire()).toEqual([]);
    await merged(9);
    expect(await expire()).toEqual([]);
  });

  it('takes records and definitions that later ones have overtaken, and leaves those in force', async () => {
    const first = table.define(N(0));
    await table.putDefinition(first);
    await table.putLoad(first, [['1', 'a', '1']], { number: N(0) });
    await table.putLoad(first, [], { number: N(1), kind: 'truncate' });
    await table.putLoad(first, [], { number: N(2), kind: 'truncate' });
    const later = table.define(N(3), 'id int not null, name varchar(50), qty int, city varchar(20)');
    await table.putDefinition(later);
    for (let number = 4; number <= 16; number++) {
      await table.putChanges(later, [{ number: N(number), op: 'I', values: [`${number}`, 'v', '1', 'x'] }]);
      await mergeTable(table.options(engine));
    }
    const records = async () =>
      (await table.staging.list('_cdc/')).map(({ key }) => key.replace(/.*(loads|tables)/, '$1'));
    const key = (folder: string, number: number) => `${folder}/shop/orders/${formatChangeNumber(N(number))}.json`;
    const before = await records();
    expect(before).toHaveLength(5);
    await expire();
    expect(await records()).toEqual(before);
    await age((await table.staging.list('')).map(({ key: each }) => each));
    await expire();
    expect(await records()).toEqual([key('loads', 2), key('tables', 3)]);
    expect(await mergeTable(table.options(engine))).toMatchObject({ already: true });
    await table.putChanges(later, [{ number: N(17), op: 'I', values: ['17', 'v', '1', 'x'] }]);
    expect(await mergeTable(table.options(engine))).toMatchObject({ inserted: 1 });
  });

  it('leaves what a load in progress needs', async () => {
    await merged(12);
    expect(await expire({ neededAbove: N(1) })).toEqual([files[0], 'shop/orders/LOAD00000001.csv']);
  });

  it('leaves the files of a load that is still to come', async () => {
    await merged(12);
    await table.putLoad(table.define(N(0)), [['9', 'z', '9']], { number: N(12) });
    await age(['shop/orders/LOAD00000002.csv']);
    expect(await expire()).not.toContain('shop/orders/LOAD00000002.csv');
    expect(await mergeTable(table.options(engine))).toMatchObject({ inserted: 1, deleted: 1 });
  });
});

describe('maintenance of a lake table', () => {
  it('takes old plans and data files away and leaves the table as it is', async () => {
    await merged(22);
    const ago = async (prefix: string) => {
      for (const { key } of await table.lake.list(prefix))
        await utimes(join(table.lake.location, key), LONG_AGO, LONG_AGO);
    };
    await ago(batchFolder(TABLE));
    const before = await table.lakeRows(engine);
    // Removed a moment ago, the data files stay for readers of those versions.
    expect(await maintainTable({ lake: table.lake, table: TABLE, engine })).toEqual({ dataFiles: 0, plans: 2 });
    expect(await table.lakeRows(engine)).toEqual(before);
    expect(await tableState({ staging: table.staging, lake: table.lake, table: TABLE, engine })).toMatchObject({
      seq: 23,
      watermark: N(22),
    });
    expect((await table.lake.list(batchFolder(TABLE))).map(({ key }) => key.slice(-8))).toHaveLength(21);
  });

  it('has nothing to do for a table that is not there', async () => {
    expect(await maintainTable({ lake: table.lake, table: TABLE, engine })).toEqual({ dataFiles: 0, plans: 0 });
  });
});
