import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { onCrashPoint } from '../../../src/core/crash-point.ts';
import { type Engine, openEngine } from '../../../src/core/engine/engine.ts';
import { type MergeLooseFileOptions, mergeLooseFile } from '../../../src/core/merge/merge-loose-file.ts';
import { silent } from '../../../src/core/progress.ts';
import { openLocalStore } from '../../../src/core/store/local.ts';
import { describeDeltaTable, readDeltaTable } from '../../support/python.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

/** The guide's six changes, as DMS writes them by default. */
const SIX = `U,7,ABC XYZ,Phoenix
I,130,Alica Bing,New York
I,131,Malinda Bing,Detroit
I,132,Chandler Bing,Portland
U,8,ABC XYZ,Denver
D,10,Jack Hicks,Houston
`;
const COLUMNS = 'PersonId bigint, FullName varchar(50), City varchar(50)';

let root: string;
let engine: Engine;

beforeEach(async () => {
  root = await temporaryFolder();
  engine = await openEngine({ tempDirectory: join(root, '.tmp-engine'), threads: 1 });
  onTestFinished(() => engine.close());
});

async function merge(text: string | Buffer, options: Partial<MergeLooseFileOptions> & { name?: string } = {}) {
  const file = join(root, options.name ?? 'changes.csv');
  await writeFile(file, text);
  return await mergeLooseFile({
    file,
    table: { schema: 'shop', table: 'persons' },
    key: ['PersonId'],
    columns: COLUMNS,
    lake: openLocalStore(join(root, 'lake')),
    engine,
    progress: silent,
    ...options,
  });
}

async function rows() {
  const found = await readDeltaTable(join(root, 'lake/shop/persons'));
  return found.sort((a, b) => Number(a.PersonId) - Number(b.PersonId));
}

describe('a loose file', () => {
  it("is the guide's six headerless lines, applied to an empty lake", async () => {
    const report = await merge(SIX);
    expect(report).toMatchObject({
      schema: 'shop',
      table: 'persons',
      files: 1,
      changes: 6,
      inserted: 5,
      updated: 0,
      deleted: 0,
      version: 0,
    });
    expect(await rows()).toEqual([
      { PersonId: 7, FullName: 'ABC XYZ', City: 'Phoenix' },
      { PersonId: 8, FullName: 'ABC XYZ', City: 'Denver' },
      { PersonId: 130, FullName: 'Alica Bing', City: 'New York' },
      { PersonId: 131, FullName: 'Malinda Bing', City: 'Detroit' },
      { PersonId: 132, FullName: 'Chandler Bing', City: 'Portland' },
    ]);
  });

  it('upserts a load without Op, then counts what the changes really did', async () => {
    await merge('7,Old,Nowhere\n8,Old,Nowhere\n10,Jack Hicks,Houston\n11,Stays,Here\n', { name: 'LOAD00000001.csv' });
    const report = await merge(SIX);
    expect(report).toMatchObject({ inserted: 3, updated: 2, deleted: 1, version: 1 });
    expect((await rows()).map((row) => row.PersonId)).toEqual([7, 8, 11, 130, 131, 132]);
  });

  it('changes nothing and says so when the same bytes come again, under another name too; --again applies them', async () => {
    await merge(SIX);
    await merge('D,7,ABC XYZ,Phoenix\n');
    const repeated = await merge(SIX, { name: 'copy.csv' });
    expect(repeated).toMatchObject({ already: true, changes: 0, version: 1 });
    expect((await rows()).map((row) => row.PersonId)).not.toContain(7);
    const again = await merge(SIX, { again: true });
    expect(again).toMatchObject({ inserted: 1, updated: 4, version: 2 });
    expect((await rows()).map((row) => row.PersonId)).toContain(7);
  });

  it('keeps the last change of a key and compares keys after the cast', async () => {
    await merge('I,007,first,A\nU,7,second,B\nI,+8,eight,C\nD,8,eight,C\n');
    expect(await rows()).toEqual([{ PersonId: 7, FullName: 'second', City: 'B' }]);
  });

  it('takes an empty field for NULL, but for an empty text in a NOT NULL column', async () => {
    const columns = 'PersonId bigint, FullName varchar(50) not null, City varchar(50)';
    await merge('I,1,,\nI,2,"",""\n', { columns });
    expect(await rows()).toEqual([
      { PersonId: 1, FullName: '', City: null },
      { PersonId: 2, FullName: '', City: null },
    ]);
  });

  it('takes only the given text for NULL when there is one', async () => {
    await merge('I,1,NULL,\n', { dialect: { null: 'NULL' } });
    expect(await rows()).toEqual([{ PersonId: 1, FullName: null, City: '' }]);
  });

  it("knows our own header by its names: escapes are taken off, and the columns' order is the header's", async () => {
    const seq = '2026112210153012' + '0001000000000000001';
    await merge(`Op,cdc_ts,City,PersonId,FullName,cdc_seq\nI,2026-11-22 10:15:30.120000,\\N,1,\\\\N,${seq}\n`);
    expect(await rows()).toEqual([{ PersonId: 1, FullName: '\\N', City: null }]);
  });

  it('knows a header that names the columns, with and without Op and dms_ts', async () => {
    await merge('PersonId,FullName,City\n1,A,B\n', { name: 'a.csv' });
    await merge('Op,dms_ts,PersonId,FullName,City\nU,2026-01-01 00:00:00.000000,1,C,D\n', { name: 'b.csv' });
    expect(await rows()).toEqual([{ PersonId: 1, FullName: 'C', City: 'D' }]);
  });

  it('reads gz', async () => {
    await merge(gzipSync(SIX), { name: 'changes.csv.gz' });
    expect(await rows()).toHaveLength(5);
  });

  it('gives a bare name as text', async () => {
    await merge('I,7,ABC XYZ,Phoenix\n', { columns: 'PersonId, FullName, City' });
    expect(await rows()).toEqual([{ PersonId: '7', FullName: 'ABC XYZ', City: 'Phoenix' }]);
  });

  it.each([
    ['of another width', 'I,1,a,b,c\n', 'file.width', /changes\.csv, line 1: it has 5 fields/],
    ['whose later row has another width', 'I,1,a,b\nI,2,a\n', 'file.width', /line 2: 3 fields, expected 4/],
    ['cut inside a row', 'I,1,a,b\nI,2,a,Hous', 'file.cut', /line 2: the file ends inside a row/],
    ['cut inside quotes', 'I,1,a,b\nI,2,a,"Hous\nton', 'file.cut', /line 2/],
    ['with a broken quote', 'I,1,a,b\nI,2,"a"x,b\n', 'file.quote', /line 2/],
    ['with a quote inside a plain field', 'I,1,a"b,c\n', 'file.quote', /line 1/],
    ['with a letter that is no Op', 'I,1,a,b\nX,2,a,b\n', 'file.op', /line 2: Op is "X"/],
    ['with Windows line ends', 'I,1,a,b\r\n', 'file.newline', /line 1/],
    ['with a blank line', 'I,1,a,b\n\nI,2,a,b\n', 'file.width', /line 2/],
    ['that is not UTF-8', Buffer.from([0x49, 0x2c, 0x31, 0x2c, 0xff, 0x2c, 0x62, 0x0a]), 'file.encoding', /line 1/],
    ['with a value that does not fit', 'I,1,a,b\nI,2x,a,b\n', 'row.key', /line 2, column PersonId: "2x" is no bigint/],
    ['with a NULL key', 'I,1,a,b\nI,,a,b\n', 'row.key', /line 2, column PersonId: NULL in the key/],
    ['whose header lacks a column', 'Op,PersonId,FullName\nI,1,a\n', 'file.header', /City/],
    ['whose header knows more', 'PersonId,FullName,City,Age\n1,a,b,3\n', 'file.header', /Age/],
  ])('%s is refused by file and line, and nothing is written', async (_, text, code, message) => {
    await expect(merge(text)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    await expect(openLocalStore(join(root, 'lake')).list('shop/persons/_delta_log/')).resolves.toEqual([]);
  });

  it('names the column of a value that does not fit', async () => {
    await expect(merge('I,1,a,thirty\n', { columns: 'PersonId bigint, FullName text, Age int' })).rejects.toMatchObject(
      {
        code: 'row.unfit',
        message: expect.stringMatching(/line 1, column Age: "thirty" is no int/),
      },
    );
  });

  it('refuses a table that has other columns or another key', async () => {
    await merge(SIX);
    await expect(merge('I,1,a,b\n', { columns: 'PersonId int, FullName text, City text' })).rejects.toMatchObject({
      code: 'table.differs',
    });
    await expect(merge('I,1,a,b\n', { key: ['FullName'] })).rejects.toMatchObject({ code: 'table.differs' });
    await expect(merge('I,1,a,b,c\n', { columns: `${COLUMNS}, Age int` })).rejects.toMatchObject({
      code: 'table.differs',
    });
  });

  it('says which words of --columns and --key are wrong', async () => {
    await expect(merge(SIX, { columns: 'PersonId bigimt' })).rejects.toThrow(/PersonId has the type "bigimt"/);
    await expect(merge(SIX, { key: ['Id'] })).rejects.toThrow(/names Id, which is not among/);
    await expect(merge(SIX, { columns: 'a int, A int' })).rejects.toThrow(/twice/);
    await expect(merge(SIX, { columns: 'a decimal(10,2' })).rejects.toThrow(/parenthesis/);
  });

  it('takes a file without a row for what it is', async () => {
    expect(await merge('')).toMatchObject({ changes: 0, inserted: 0 });
    expect(await merge('PersonId,FullName,City\n')).toMatchObject({ changes: 0 });
    expect(await rows()).toEqual([]);
  });

  it.each(['merge.planned', 'merge.written', 'merge.committed', 'merge.cleaned'] as const)(
    'that fails at %s is applied once in the end',
    async (point) => {
      await merge('1,a,b\n2,a,b\n');
      onCrashPoint((passed) => {
        if (passed === point) throw new Error('crash');
      });
      await expect(merge('U,1,v,w\nD,2,a,b\n')).rejects.toThrow('crash');
      onCrashPoint(undefined);
      const isCommitted = point === 'merge.committed' || point === 'merge.cleaned';
      const again = await merge('U,1,v,w\nD,2,a,b\n');
      expect(again).toMatchObject(isCommitted ? { already: true, version: 1 } : { updated: 1, deleted: 1, version: 1 });
      expect(await rows()).toEqual([{ PersonId: 1, FullName: 'v', City: 'w' }]);
    },
  );

  it('keeps one data file while the table is small, and checkpoints every tenth version', async () => {
    for (let id = 1; id <= 12; id++) await merge(`I,${id},a,b\n`);
    expect(await rows()).toHaveLength(12);
    expect((await describeDeltaTable(join(root, 'lake/shop/persons'))).files).toBe(1);
    const log = await openLocalStore(join(root, 'lake')).list('shop/persons/_delta_log/');
    expect(log.some(({ key }) => key.endsWith('00000000000000000010.checkpoint.parquet'))).toBe(true);
    expect(await merge('I,3,a,b\n')).toMatchObject({ already: true });
  });
});
