import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { command } from '../../src/commands/merge.ts';
import { runCli } from '../support/command-line.ts';
import { parseCommand } from '../support/parse-command.ts';
import { StagedTable } from '../support/staged-table.ts';
import { temporaryFolder } from '../support/temp-folder.ts';

const LOOSE = [
  '--table',
  'shop.persons',
  '--key',
  'PersonId',
  '--columns',
  'PersonId bigint, FullName varchar(50), City varchar(50)',
  '--lake',
  'lake',
];

/** The guide's six lines. */
const CHANGES = `U,7,ABC XYZ,Phoenix
I,130,Alica Bing,New York
I,131,Malinda Bing,Detroit
I,132,Chandler Bing,Portland
U,8,ABC XYZ,Denver
D,10,Jack Hicks,Houston
`;

describe('the words of cdc merge', () => {
  const pending = {
    kind: 'pending',
    file: undefined,
    tables: [],
    watch: false,
    takeOver: false,
    loadComplete: false,
    overrides: [],
  };
  const loose = {
    kind: 'loose',
    file: 'c.csv',
    table: { schema: 'a', table: 'b' },
    key: ['id'],
    columns: 'id int',
    lake: 'out',
    again: false,
    takeOver: false,
  };
  it.each([
    [[], pending],
    [['staging/a/b/x.csv'], { ...pending, file: 'staging/a/b/x.csv' }],
    [['--watch', '--take-over'], { ...pending, watch: true, takeOver: true }],
    [['--load-complete'], { ...pending, loadComplete: true }],
    [
      ['--table', 'a.b', '--table', 'a.c.d'],
      {
        ...pending,
        tables: [
          { schema: 'a', table: 'b' },
          { schema: 'a', table: 'c.d' },
        ],
      },
    ],
    [
      ['--engine', 'local'],
      { ...pending, overrides: [{ path: 'merge.engine', value: 'local', origin: 'flag --engine' }] },
    ],
    [['c.csv', '--table', 'a.b', '--key', 'id', '--columns', 'id int', '--lake', 'out'], loose],
    [
      ['c.csv', '--table', 'a.b', '--key', 'id, at', '--key', 'n', '--columns', 'id int', '--lake', 'out', '--again'],
      { ...loose, key: ['id', 'at', 'n'], again: true },
    ],
  ])('%j are taken apart', (words, options) => {
    expect(parseCommand('merge', command, words)).toEqual(options);
  });

  it.each([
    [['--table', 'orders'], '--table orders: a table is named schema.table'],
    [['c.csv', '--key', 'id'], 'merge: --key describes a loose file, and that needs --lake'],
    [['c.csv', '--columns', 'id int'], 'merge: --columns describes a loose file, and that needs --lake'],
    [['--again'], 'merge: --again describes a loose file, and that needs --lake'],
    [['--lake', 'out'], 'merge: --lake is for a loose FILE, and none is given'],
    [['c.csv', '--lake', 'out'], 'merge: a loose file needs one --table'],
    [['c.csv', '--lake', 'out', '--table', 'a.b', '--table', 'a.c'], 'merge: a loose file needs one --table'],
    [['c.csv', '--lake', 'out', '--table', 'a.b'], 'merge: a loose file needs --key'],
    [['c.csv', '--lake', 'out', '--table', 'a.b', '--key', 'id,'], 'merge: a loose file needs --key'],
    [['c.csv', '--lake', 'out', '--table', 'a.b', '--key', 'id'], 'merge: a loose file needs --columns'],
    [
      ['c.csv', '--lake', 'out', '--table', 'a.b', '--key', 'id', '--columns', 'id int', '--watch'],
      'merge: --watch is for a pipeline, not for a loose file',
    ],
  ])('%j are refused', (words, message) => {
    expect(() => parseCommand('merge', command, words)).toThrow(message);
  });
});

describe('cdc merge of a loose file', () => {
  it('makes a lake table without a database and without cdc.yaml', async () => {
    const cwd = await temporaryFolder();
    await writeFile(join(cwd, 'changes.csv'), CHANGES);
    const { code, stdout } = await runCli(['merge', 'changes.csv', ...LOOSE, '--json'], { cwd });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      tables: [
        {
          schema: 'shop',
          table: 'persons',
          files: 1,
          changes: 6,
          inserted: 5,
          updated: 0,
          deleted: 0,
          quarantined: 0,
          version: 0,
          seconds: expect.any(Number),
        },
      ],
      engine: 'local',
    });
    const rows = await runCli(['query', '--lake', 'lake', '--json', 'SELECT * FROM shop.persons ORDER BY 1'], { cwd });
    expect(JSON.parse(rows.stdout)).toEqual([
      { PersonId: 7, FullName: 'ABC XYZ', City: 'Phoenix' },
      { PersonId: 8, FullName: 'ABC XYZ', City: 'Denver' },
      { PersonId: 130, FullName: 'Alica Bing', City: 'New York' },
      { PersonId: 131, FullName: 'Malinda Bing', City: 'Detroit' },
      { PersonId: 132, FullName: 'Chandler Bing', City: 'Portland' },
    ]);
  });

  it('says so when the same bytes were merged before, and merges them with --again', async () => {
    const cwd = await temporaryFolder();
    await writeFile(join(cwd, 'changes.csv'), CHANGES);
    await runCli(['merge', 'changes.csv', ...LOOSE], { cwd });
    expect(await runCli(['merge', 'changes.csv', ...LOOSE], { cwd })).toMatchObject({
      code: 0,
      stdout: 'already merged: the same bytes were applied before (--again applies them)\n',
    });
    const again = await runCli(['merge', 'changes.csv', ...LOOSE, '--again', '--json'], { cwd });
    expect(JSON.parse(again.stdout).tables[0]).toMatchObject({ inserted: 0, updated: 5, version: 1 });
  });

  it.each([
    ['a file that is not there', undefined, 'there is no such file', 1],
    ['a file of another width', '7,a\n', 'it has 2 fields, but the table has 3 columns', 1],
    ['a file cut in the middle of a row', `${CHANGES}I,133,Cut`, 'line 7: the file ends inside a row', 1],
  ])('refuses %s and leaves no table', async (_name, content, message, code) => {
    const cwd = await temporaryFolder();
    if (content !== undefined) await writeFile(join(cwd, 'changes.csv'), content);
    const result = await runCli(['merge', 'changes.csv', ...LOOSE], { cwd });
    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr).toContain(message);
    expect((await runCli(['query', '--lake', 'lake'], { cwd })).stdout).toBe('the lake is empty\n');
  });
});

describe('cdc merge of a pipeline', () => {
  /** A load of two rows and two files of changes. */
  async function pipeline() {
    const cwd = await temporaryFolder();
    await writeFile(join(cwd, 'cdc.yaml'), 'name: shop');
    const staged = new StagedTable(cwd);
    const number = (n: number) => 1_000_000_000_000_000n + BigInt(n);
    const definition = staged.define(number(0));
    await staged.putDefinition(definition);
    await staged.putLoad(
      definition,
      [
        ['1', 'ann', '5'],
        ['2', 'bob', null],
      ],
      { number: number(0) },
    );
    const first = await staged.putChanges(definition, [
      { number: number(1), op: 'U', values: ['1', 'Ann', '6'] },
      { number: number(2), op: 'I', values: ['3', 'cid', null] },
    ]);
    const second = await staged.putChanges(definition, [{ number: number(3), op: 'D', values: ['2', 'bob', null] }]);
    const arrive = (at = 4) =>
      staged.putChanges(definition, [{ number: number(at), op: 'I', values: ['4', 'dan', '1'] }]);
    return { cwd, first, second, arrive };
  }

  const rowsOf = async (cwd: string) =>
    JSON.parse((await runCli(['query', '--json', 'SELECT * FROM shop.orders ORDER BY id'], { cwd })).stdout);

  it('applies everything that is pending, and says so when nothing is', async () => {
    const { cwd } = await pipeline();
    expect((await runCli(['merge', '--dry-run'], { cwd })).stdout).toBe('would merge 3 files of shop.orders\n');
    const { stdout } = await runCli(['merge', '--json'], { cwd });
    expect(JSON.parse(stdout)).toMatchObject({
      engine: 'local',
      tables: [{ schema: 'shop', table: 'orders', files: 3 }],
    });
    expect(await rowsOf(cwd)).toEqual([
      { id: 1, name: 'Ann', qty: 6 },
      { id: 3, name: 'cid', qty: null },
    ]);
    expect((await runCli(['merge'], { cwd })).stdout).toBe('already merged: nothing is pending\n');
    expect((await runCli(['merge', '--dry-run'], { cwd })).stdout).toBe('already merged: nothing is pending\n');
  });

  it('tells what it has committed of a table that fails then, and how it failed', async () => {
    const { cwd, arrive } = await pipeline();
    const long = new Date(Date.now() - 3_600_000);
    await utimes(join(cwd, 'staging', await arrive(5)), long, long);
    const { code, stdout, stderr } = await runCli(['merge', '--json'], { cwd });
    expect(code).toBe(1);
    expect(JSON.parse(stdout).tables).toMatchObject([
      { files: 3, changes: 5, version: 0, error: { code: 'merge.gap' } },
    ]);
    expect(stderr).toContain('change 4 of run 1 is missing');
    // Of a table of which nothing was merged, the error is all there is.
    expect(await runCli(['merge', '--json'], { cwd })).toMatchObject({ code: 1, stdout: '' });
  });

  it('of one file applies what is pending before it, says so, and nothing after it', async () => {
    const { cwd, first } = await pipeline();
    const { code, stderr } = await runCli(['merge', join('staging', first)], { cwd });
    expect(code).toBe(0);
    expect(stderr).toContain('1 earlier pending file of shop.orders came first');
    expect((await rowsOf(cwd)).map((row: { id: number }) => row.id)).toEqual([1, 2, 3]);
  });

  it('--watch merges what is there and what arrives, a line for each, until it is interrupted', async () => {
    const { cwd, arrive } = await pipeline();
    const interrupt = new AbortController();
    let printed = '';
    const onStdout = (text: string) => {
      printed += text;
    };
    const watching = runCli(['merge', '--watch', '--json'], { cwd, signal: interrupt.signal, onStdout });
    await vi.waitUntil(() => printed.split('\n').length === 2, { timeout: 30_000 });
    await arrive();
    await vi.waitUntil(() => printed.split('\n').length === 3, { timeout: 30_000 });
    interrupt.abort();
    const { code, stdout } = await watching;
    expect(code).toBe(130);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { schema: 'shop', table: 'orders', files: 3, version: 0 },
      { schema: 'shop', table: 'orders', files: 1, changes: 1, inserted: 1, version: 1 },
    ]);
  });

  it.each([
    [['--table', 'shop.ordres'], 'staging holds nothing of it (did you mean shop.orders?)', 1],
    [['nope.csv'], 'holds no change file of that name', 1],
    [
      ['--engine', 'sprak'],
      'merge.engine: sprak is not known here: write one of local, spark, glue (did you mean spark?)',
      2,
    ],
    [['--engine', 'glue'], 'merge.engine: glue with target: local needs merge.glue_job', 2],
    [['--take-over'], 'there is no terminal', 2],
  ])('with %j fails with its reason', async (words, message, code) => {
    const { cwd } = await pipeline();
    const result = await runCli(['merge', ...words], { cwd });
    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr).toContain(message);
  });

  it('lists its files with kind, rows, numbers and the version that took them', async () => {
    const { cwd, first, second } = await pipeline();
    await runCli(['merge', first], { cwd });
    const { files } = JSON.parse((await runCli(['files', '--json'], { cwd })).stdout);
    expect(files).toMatchObject([
      { file: 'shop/orders/LOAD00000001.csv', kind: 'load', rows: 2, state: 'merged', version: 0 },
      {
        file: first,
        kind: 'changes',
        rows: 2,
        first: '0001000000000000001',
        last: '0001000000000000002',
        state: 'merged',
        version: 0,
      },
      { file: second, kind: 'changes', rows: 1, state: 'pending', version: null },
    ]);
    const pending = await runCli(['files', '--pending'], { cwd });
    expect(pending.stdout.split('\n')).toHaveLength(3);
    expect(pending.stdout).toContain('1:3-3');
  });

  it('shows a file by key and by path, in the headerless form and as JSON', async () => {
    const { cwd, first, second } = await pipeline();
    expect((await runCli(['show', first], { cwd })).stdout).toBe('U,1,Ann,6\nI,3,cid,\n');
    expect((await runCli(['show', join('staging', second)], { cwd })).stdout).toBe('D,2,bob,\n');
    const { stdout } = await runCli(['show', second, '--json'], { cwd });
    expect(JSON.parse(stdout)).toEqual({
      op: 'D',
      ts: expect.any(String),
      number: '0001000000000000003',
      columns: { id: '2', name: 'bob', qty: null },
    });
  });
});
