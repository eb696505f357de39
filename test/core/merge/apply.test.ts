import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { tableFolder } from '../../../src/core/change-file/layout.ts';
import { changeNumber } from '../../../src/core/change-number.ts';
import { readSnapshot } from '../../../src/core/delta/snapshot.ts';
import { type Engine, openEngine } from '../../../src/core/engine/engine.ts';
import { mergeTable } from '../../../src/core/merge/merge-table.ts';
import { describeDeltaTable } from '../../support/python.ts';
import { type Change, StagedTable, TABLE } from '../../support/staged-table.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

let table: StagedTable;
let engine: Engine;

beforeEach(async () => {
  table = new StagedTable(await temporaryFolder());
  engine = await openEngine({ tempDirectory: join(table.root, '.tmp-engine'), threads: 1 });
  onTestFinished(() => engine.close());
});

/** Merges each list of rows into a data file of its own, as if each were large. */
async function tableOfFiles(columns: string, key: string[], files: (string | null)[][][]) {
  const definition = table.define(changeNumber(1, 0), columns, key);
  await table.putDefinition(definition);
  await table.putLoad(definition, [], { number: changeNumber(1, 0) });
  let number = 0;
  const put = (changes: [Change['op'], ...(string | null)[]][]) =>
    table.putChanges(
      definition,
      changes.map(([op, ...values]) => ({ number: changeNumber(1, ++number), op, values })),
    );
  const merge = () => mergeTable({ ...table.options(engine), sizes: { smallBytes: 0 } });
  await merge();
  for (const rows of files) {
    await put(rows.map((row) => ['I', ...row]));
    await merge();
  }
  return { put, merge };
}

const paths = async () => {
  const snapshot = await readSnapshot({ store: table.lake, folder: tableFolder(TABLE), engine });
  return new Set([...(snapshot?.files.values() ?? [])].map(({ path }) => path));
};

describe('copy on write', () => {
  it.each([
    ['int', ['1', '5'], ['10', '15'], '15', '12'],
    [
      'bigint',
      ['-9223372036854775808', '-5'],
      ['9007199254740993', '9223372036854775807'],
      '9007199254740993',
      '9007199254740992',
    ],
    [
      'decimal(30,4)',
      ['-9999999999999999.0001', '1.0000'],
      ['9007199254740993.0001', '9007199254740993.0002'],
      '9007199254740993.0002',
      '9007199254740993.0003',
    ],
    ['double', ['-1.5e300', '0.1'], ['0.30000000000000004', '1e308'], '0.30000000000000004', '0.3'],
    ['date', ['0001-01-01', '1999-12-31'], ['2000-01-01', '9999-12-31'], '9999-12-31', '2000-01-02'],
    [
      'datetime(6)',
      ['1000-01-01 00:00:00.000001', '1999-12-31 23:59:59.999999'],
      ['2000-01-01 00:00:00.000001', '2000-01-01 00:00:00.000009'],
      '2000-01-01 00:00:00.000009',
      '2000-01-01 00:00:00.000008',
    ],
    [
      'varchar(200)',
      ['', 'é'],
      [`${'x'.repeat(100)}a`, `${'x'.repeat(100)}c`],
      `${'x'.repeat(100)}c`,
      `${'x'.repeat(100)}b`,
    ],
    ['varbinary(10)', ['00', '0a'], ['ff', 'ffff'], 'ffff', 'fffe'],
    [
      'bigint unsigned',
      ['0', '5'],
      ['18446744073709551614', '18446744073709551615'],
      '18446744073709551615',
      '18446744073709551613',
    ],
  ])(
    'finds the file of a %s key by its bounds and leaves the others alone',
    async (type, low, high, present, absent) => {
      const files = [low, high].map((keys) => keys.map((key) => [key, 'old']));
      const { put, merge } = await tableOfFiles(`k ${type} not null, v text`, ['k'], files);
      const before = await paths();
      expect(before.size).toBe(2);
      await put([
        ['U', present, 'new'],
        ['D', absent, 'old'],
      ]);
      expect(await merge()).toMatchObject({ updated: 1, deleted: 0, inserted: 0 });
      const after = await paths();
      expect([...after].filter((path) => before.has(path))).toHaveLength(1);
      expect((await table.lakeRows(engine))?.map((row) => row.v).sort()).toEqual(['new', 'old', 'old', 'old']);
    },
  );

  it('touches no file for a delete of what is not there, and still commits how far it is', async () => {
    const { put, merge } = await tableOfFiles(
      'k int not null, v text',
      ['k'],
      [
        [
          ['1', 'a'],
          ['9', 'b'],
        ],
      ],
    );
    const before = await paths();
    await put([['D', '5', 'x']]);
    expect(await merge()).toMatchObject({ deleted: 0, version: 2, bytesWritten: 0 });
    expect(await paths()).toEqual(before);
    expect(await merge()).toMatchObject({ already: true });
  });

  it('takes a file away whose rows are all deleted', async () => {
    const { put, merge } = await tableOfFiles(
      'k int not null, v text',
      ['k'],
      [
        [
          ['1', 'a'],
          ['2', 'b'],
        ],
        [['3', 'c']],
      ],
    );
    await put([
      ['D', '1', 'a'],
      ['D', '2', 'b'],
    ]);
    expect(await merge()).toMatchObject({ deleted: 2, bytesWritten: 0 });
    expect((await describeDeltaTable(join(table.lake.location, tableFolder(TABLE)))).files).toBe(1);
  });

  it('refuses a lake table in which somebody has doubled a key', async () => {
    const { put, merge } = await tableOfFiles('k int not null, v text', ['k'], [[['1', 'a']], [['2', 'b']]]);
    // The second file a second time under another name, as a broken writer would.
    const folder = tableFolder(TABLE);
    const snapshot = await readSnapshot({ store: table.lake, folder, engine });
    const file = [...(snapshot?.files.values() ?? [])][1]!;
    await table.lake.put(`${folder}copy.parquet`, await table.lake.get(`${folder}${file.path}`));
    await table.lake.put(
      `${folder}_delta_log/00000000000000000003.json`,
      `${JSON.stringify({ add: { ...file, path: 'copy.parquet' } })}\n`,
    );
    await put([['U', '2', 'x']]);
    await expect(merge()).rejects.toMatchObject({ code: 'lake.double-key' });
  });

  it('reads rows of several megabytes', async () => {
    const { put, merge } = await tableOfFiles('k int not null, v longtext', ['k'], []);
    const long = 'a,"b"\n'.repeat(600_000);
    await put([
      ['I', '1', long],
      ['I', '2', 'short'],
    ]);
    expect(await merge()).toMatchObject({ inserted: 2 });
    expect((await table.lakeRows(engine))?.[0]?.v).toBe(long);
  });
});
