import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/commands/index.ts';
import { runCli } from '../support/command-line.ts';
import { parseCommand } from '../support/parse-command.ts';

async function parse(name: string, words: string[]): Promise<unknown> {
  const entry = COMMANDS.find((candidate) => candidate.name === name);
  if (entry === undefined) throw new Error(`there is no command ${name}`);
  return parseCommand(name, await entry.load(), words);
}

const ORDERS = { schema: 'shop', table: 'orders' };

describe('the words of a command', () => {
  it.each([
    ['files', [], { tables: [], pending: false }],
    ['files', ['--table', 'shop.orders', '--pending'], { tables: [ORDERS], pending: true }],
    ['show', ['x.csv'], { file: 'x.csv', table: undefined }],
    ['show', ['x.csv', '--table', 'shop.orders'], { file: 'x.csv', table: ORDERS }],
    ['query', [], { sql: undefined, lake: undefined, ddl: undefined }],
    ['query', ['SELECT 1', '--lake', 'l'], { sql: 'SELECT 1', lake: 'l', ddl: undefined }],
    ['query', ['--ddl', 'spark'], { sql: undefined, lake: undefined, ddl: 'spark' }],
    ['explain', [], { code: undefined }],
    ['explain', ['file.cut'], { code: 'file.cut' }],
    ['completion', ['zsh'], { shell: 'zsh' }],
    ['logs', [], { follow: false, lines: 50 }],
    ['logs', ['-f', '--lines', '7'], { follow: true, lines: 7 }],
    ['replicate', [], { fullLoad: true, ongoing: true, merge: true, wait: true, foreground: false, from: undefined }],
    ['replicate', ['--full-load'], expect.objectContaining({ fullLoad: true, ongoing: false })],
    ['replicate', ['--ongoing'], expect.objectContaining({ fullLoad: false, ongoing: true })],
    ['replicate', ['--full-load', '--ongoing'], expect.objectContaining({ fullLoad: true, ongoing: true })],
    ['replicate', ['--no-merge', '--no-wait'], expect.objectContaining({ merge: false, wait: false })],
    ['replicate', ['--ongoing', '--from', 'now'], expect.objectContaining({ from: 'now' })],
    [
      'replicate',
      ['--ongoing', '--from', 'mysql-bin.000042:1234'],
      expect.objectContaining({ from: { file: 'mysql-bin.000042', offset: 1234 } }),
    ],
  ])('%s %j are its options', async (name, words, options) => {
    expect(await parse(name, words)).toEqual(options);
  });

  it.each([
    [['files', '--table', 'orders'], '--table orders: a table is named schema.table'],
    [['show'], 'show: FILE is missing'],
    [['trigger'], 'trigger: FILE is missing'],
    [['reload'], 'reload: TABLE is missing'],
    [['completion'], 'completion: SHELL is missing'],
    [['query', 'SELECT', '1'], 'query: takes no more than SQL'],
    [['query', '--ddl', 'hive'], 'query: --ddl hive: write one of athena, spark, trino, duckdb'],
    [['query', 'SELECT 1', '--ddl', 'spark'], 'query: --ddl prints statements and runs none'],
    [['status', 'shop.orders'], 'status: takes no arguments'],
    [['logs', '--lines', 'many'], '--lines many: write a number of lines'],
    [['replicate', '--from', 'now'], '--from goes with --ongoing alone'],
    [['verify', '--tabel', 'a.b'], 'verify: there is no option --tabel (did you mean --table?)'],
    [['init', '--source', 'mysql://root:hunter2@db'], '--source: a password on the command line'],
  ])('%j are refused: %s', async (words, message) => {
    const { code, stdout, stderr } = await runCli(words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(`cdc: ${message}`);
    expect(stderr).not.toContain('hunter2');
  });

  it.each(COMMANDS.map(({ name }) => [name]))('%s without a cdc.yaml works, or names what is missing', async (name) => {
    if (['init', 'plan', 'demo', 'completion', 'explain'].includes(name)) return;
    const argument = ['show', 'trigger'].includes(name)
      ? ['x.csv']
      : name === 'reload'
        ? ['a.b']
        : name === 'load'
          ? ['-']
          : [];
    const { code, stderr } = await runCli([name, ...argument]);
    expect(code).toBe(2);
    expect(stderr).toContain('reading the configuration: there is no /nowhere/cdc.yaml\n→ `cdc init`');
  });
});
