import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assertOurHeader, recogniseLayout } from '../../../src/core/change-file/header.ts';
import {
  type ChangeRow,
  changeHeader,
  formatHeaderless,
  readChanges,
  readNumberRange,
} from '../../../src/core/change-file/read.ts';
import { changeNumber } from '../../../src/core/change-number.ts';
import { parseColumnList } from '../../../src/core/merge/loose-columns.ts';
import { openLocalStore } from '../../../src/core/store/local.ts';
import { defineTable } from '../../../src/core/table-definition.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

const PERSONS = defineTable(
  { schema: 'shop', table: 'persons' },
  {
    number: 0n,
    columns: parseColumnList('PersonId bigint not null, FullName varchar(50), City varchar(50)'),
    key: ['PersonId'],
    zeroDates: 'null',
  },
);
const seq = (number: number) => `2026112210153012${String(changeNumber(1, number)).padStart(19, '0')}`;
const HEADER = 'Op,cdc_ts,PersonId,FullName,City,cdc_seq\n';

async function stored(body: string) {
  const root = await temporaryFolder();
  await writeFile(join(root, 'a.csv'), body);
  return openLocalStore(root);
}

async function all(rows: AsyncIterable<ChangeRow>): Promise<ChangeRow[]> {
  const found: ChangeRow[] = [];
  for await (const row of rows) found.push(row);
  return found;
}

describe('our header', () => {
  it('names the columns between Op, cdc_ts and cdc_seq, quoted where a name needs it', () => {
    expect(changeHeader(PERSONS)).toBe(HEADER);
    const odd = defineTable(
      { schema: 's', table: 't' },
      { number: 0n, columns: parseColumnList('`a,b` int, `c"d` int'), key: [], zeroDates: 'null' },
    );
    expect(changeHeader(odd)).toBe('Op,cdc_ts,"a,b","c""d",cdc_seq\n');
  });

  it('must be the one of the definition', () => {
    expect(() => assertOurHeader(['Op', 'cdc_ts', 'PersonId', 'Name', 'City', 'cdc_seq'], PERSONS, 'a.csv')).toThrow(
      /field 4 is "Name", expected "FullName"/,
    );
    expect(() => assertOurHeader(['Op', 'cdc_ts', 'PersonId', 'FullName', 'cdc_seq'], PERSONS, 'a.csv')).toThrow(
      /a\.csv, line 1/,
    );
    expect(() =>
      assertOurHeader(['Op', 'cdc_ts', 'PersonId', 'FullName', 'City', 'cdc_seq', 'x'], PERSONS, 'a.csv'),
    ).toThrow(/7 fields, expected 6/);
  });
});

describe('the layout of a file made elsewhere', () => {
  const columns = ['Op', 'b'];
  const layout = (first: string[], dialect = {}) => recogniseLayout(first, { columns, file: 'a.csv', dialect });

  it('follows from header and width, never from values', () => {
    expect(layout(['I', 'x'])).toMatchObject({
      hasHeader: false,
      fields: [
        { is: 'column', index: 0 },
        { is: 'column', index: 1 },
      ],
    });
    expect(layout(['I', 'I', 'x'])).toMatchObject({
      hasHeader: false,
      fields: [{ is: 'op' }, { is: 'column', index: 0 }, { is: 'column', index: 1 }],
    });
    expect(layout(['Op', 'Op', 'b'])).toMatchObject({
      hasHeader: true,
      fields: [{ is: 'op' }, { is: 'column', index: 0 }, { is: 'column', index: 1 }],
    });
    expect(layout(['Op', 'b'])).toMatchObject({
      hasHeader: true,
      fields: [
        { is: 'column', index: 0 },
        { is: 'column', index: 1 },
      ],
    });
  });

  it('has a timestamp after Op where the dialect says so', () => {
    expect(layout(['I', '2026-01-01', 'x', 'y'], { timestampColumn: 'ts' })).toMatchObject({
      hasHeader: false,
      fields: [{ is: 'op' }, { is: 'time' }, {}, {}],
    });
    expect(layout(['Op', 'ts', 'Op', 'b'], { timestampColumn: 'ts' })).toMatchObject({
      hasHeader: true,
      writer: 'dms',
    });
  });

  it('may be told that there is no header, or that there is one', () => {
    expect(layout(['Op', 'b'], { header: false })).toMatchObject({ hasHeader: false });
    expect(() => layout(['x', 'y'], { header: true })).toThrow(/does not name the columns Op, b/);
  });
});

describe('reading changes', () => {
  it('tells NULL from the text that looks like it', async () => {
    const store = await stored(`${HEADER}I,t,1,\\N,\\\\N,${seq(1)}\nD,t,2,,"a,b",${seq(2)}\n`);
    expect(await all(readChanges(store, 'a.csv', { columns: PERSONS }))).toEqual([
      { op: 'I', ts: 't', values: ['1', null, '\\N'], seq: seq(1), line: 2 },
      { op: 'D', ts: 't', values: ['2', '', 'a,b'], seq: seq(2), line: 3 },
    ]);
  });

  it('needs no definition for a file of ours', async () => {
    const store = await stored(`${HEADER}I,t,1,Ann,Reno,\n`);
    expect(await all(readChanges(store, 'a.csv'))).toEqual([
      { op: 'I', ts: 't', values: ['1', 'Ann', 'Reno'], seq: undefined, line: 2 },
    ]);
  });

  it("shows a change in the guide's form", async () => {
    const store = await stored(`${HEADER}U,t,7,ABC XYZ,Phoenix,${seq(1)}\nI,t,8,\\N,,${seq(2)}\n`);
    expect((await all(readChanges(store, 'a.csv'))).map(formatHeaderless)).toEqual(['U,7,ABC XYZ,Phoenix', 'I,8,,""']);
  });

  it('reads headerless lines when the columns are known, and says so when they are not', async () => {
    const store = await stored('U,7,ABC XYZ,Phoenix\n');
    expect((await all(readChanges(store, 'a.csv', { columns: PERSONS }))).map(formatHeaderless)).toEqual([
      'U,7,ABC XYZ,Phoenix',
    ]);
    await expect(all(readChanges(store, 'a.csv'))).rejects.toMatchObject({ code: 'file.columns-unknown' });
  });
});

describe('the numbers of a change file', () => {
  const row = (number: number, name = 'Ann') => `I,t,1,${name},Reno,${seq(number)}\n`;

  it('are read from its ends', async () => {
    const store = await stored(HEADER + row(3) + row(4) + row(5));
    expect(await readNumberRange(store, 'a.csv')).toMatchObject({
      first: changeNumber(1, 3),
      last: changeNumber(1, 5),
    });
  });

  it('are none in a file without a row', async () => {
    expect(await readNumberRange(await stored(HEADER), 'a.csv')).toMatchObject({
      first: undefined,
      last: undefined,
      size: HEADER.length,
    });
  });

  it('are found behind a first row of megabytes', async () => {
    const store = await stored(HEADER + row(3, `"${'x,\n'.repeat(300_000)}"`) + row(4));
    expect(await readNumberRange(store, 'a.csv')).toMatchObject({
      first: changeNumber(1, 3),
      last: changeNumber(1, 4),
    });
  });

  it('are refused wherever the file is cut, by its line', async () => {
    const body = HEADER + row(3) + row(4, '"two\nlines"');
    const whole = [HEADER.length, HEADER.length + row(3).length, body.length];
    for (let length = 0; length < body.length; length++) {
      const store = await stored(body.slice(0, length));
      if (whole.includes(length)) await expect(readNumberRange(store, 'a.csv')).resolves.toBeDefined();
      else
        await expect(readNumberRange(store, 'a.csv')).rejects.toMatchObject({
          code: expect.stringMatching(/^file\.(cut|header|width|number)$/),
          message: expect.stringMatching(/a\.csv, line \d/),
        });
    }
  });

  it.each([
    ['behind its header', HEADER.length],
    ['to nothing', 0],
    ['behind its first row', HEADER.length + row(3).length],
  ])('are refused, by the name of the file, where it shrank since it was listed: %s', async (_, left) => {
    const body = HEADER + row(3) + row(4, `"${'x'.repeat(100_000)}"`) + row(5);
    const store = await stored(body.slice(0, left));
    await expect(readNumberRange(store, 'a.csv', body.length)).rejects.toMatchObject({
      code: 'input.changed',
      message: expect.stringMatching(new RegExp(`a\\.csv: it had ${body.length} bytes .* ${left} are left`)),
    });
  });

  it('are refused where it shrank behind what was read of it first', async () => {
    const body = HEADER + row(3) + row(4, `"${'x'.repeat(100_000)}"`) + row(5);
    const store = await stored(body.slice(0, 70_000));
    await expect(readNumberRange(store, 'a.csv', body.length)).rejects.toMatchObject({ code: 'input.changed' });
  });

  it('are refused in a file that is not ours', async () => {
    await expect(readNumberRange(await stored('U,7,ABC XYZ,Phoenix\n'), 'a.csv')).rejects.toMatchObject({
      code: 'file.header',
    });
    await expect(readNumberRange(await stored(`${HEADER}I,t,1,Ann,Reno,\n`), 'a.csv')).rejects.toMatchObject({
      code: 'file.number',
    });
  });
});
