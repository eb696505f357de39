import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { command } from '../../src/commands/load.ts';
import { runCli } from '../support/command-line.ts';
import { parseCommand } from '../support/parse-command.ts';
import { temporaryFolder } from '../support/temp-folder.ts';

const DUMP = "CREATE TABLE t (a INT);\n-- a comment; it counts for nothing\nINSERT INTO t VALUES ('x;y');\n";

async function pipeline(source = 'private') {
  const cwd = await temporaryFolder();
  await writeFile(join(cwd, 'cdc.yaml'), `name: shop\nsource: ${source}`);
  await writeFile(join(cwd, 'dump.sql'), DUMP);
  await writeFile(join(cwd, 'dump.sql.gz'), gzipSync(DUMP));
  return cwd;
}

describe('the words of cdc load', () => {
  it.each([
    [['dump.sql'], { kind: 'file', file: 'dump.sql' }],
    [['-'], { kind: 'stdin' }],
    [['-e', 'SELECT 1'], { kind: 'text', sql: 'SELECT 1' }],
    [['--execute=SELECT 1'], { kind: 'text', sql: 'SELECT 1' }],
  ])('%j are taken apart', (words, options) => {
    expect(parseCommand('load', command, words)).toEqual(options);
  });

  it.each([[[]], [['dump.sql', '-e', 'SELECT 1']]])('%j are refused', (words) => {
    expect(() => parseCommand('load', command, words)).toThrow('load: give one of FILE, - and -e SQL');
  });
});

describe('cdc load', () => {
  it.each([
    [['dump.sql'], ''],
    [['dump.sql.gz'], ''],
    [['-'], DUMP],
    [['-e', DUMP], ''],
  ])('%j --dry-run counts the statements and connects to nothing', async (words, stdin) => {
    const cwd = await pipeline('mysql://u@db.invalid');
    const { code, stdout } = await runCli(['load', ...words, '--dry-run', '--json'], { cwd, stdin });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ statements: 2, dry_run: true });
  });

  it('of a file that is not there names it', async () => {
    const cwd = await pipeline();
    expect(await runCli(['load', 'nope.sql', '--dry-run'], { cwd })).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(`${join(cwd, 'nope.sql')}: there is no such file`),
    });
  });

  it('asks before it writes to a server that the tool did not make, and takes no for an answer', async () => {
    const cwd = await pipeline('mysql://root@db.invalid:3307');
    const question = 'Run dump.sql on db.invalid:3307 as root?';
    expect(await runCli(['load', 'dump.sql'], { cwd, stdin: 'y\n' })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`asking "${question}": there is no terminal\n→ add --yes`),
    });
    expect(await runCli(['load', 'dump.sql'], { cwd, terminal: true, stdin: 'n\n' })).toMatchObject({
      code: 130,
      stdout: '',
      stderr: expect.stringContaining(' nothing was run\n'),
    });
  });

  it('on a private server that is not there says which command makes it', async () => {
    const cwd = await pipeline();
    expect(await runCli(['load', 'dump.sql'], { cwd })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is none yet\n→ cdc init'),
    });
  });
});
