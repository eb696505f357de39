/** What a person can do wrong without a source, through the built command line: each has one clear error, its exit code, and leaves everything as it was. */

import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import { errorJson } from '../support/cli-json.ts';
import { PipelineFolder } from '../support/pipeline-folder.ts';

describe('without a configuration', () => {
  it.each([
    [['check']],
    [['load', '-e', 'SELECT 1']],
    [['replicate']],
    [['merge']],
    [['trigger', 'a/b/x.csv']],
    [['start']],
    [['stop']],
    [['reload', 'shop.orders', '--yes']],
    [['destroy', '--yes']],
    [['status']],
    [['files']],
    [['show', 'a/b/x.csv']],
    [['query']],
    [['verify']],
    [['logs']],
  ])('%j says where it looked and how to make one', async (words) => {
    const folder = await PipelineFolder.make();
    await folder.fails(words, {
      code: 2,
      says: 'cdc: reading the configuration: there is no …/cdc.yaml\n→ `cdc init` writes one in this folder; --config names one elsewhere',
    });
  });
});

describe('a wrong configuration', () => {
  const TWO_PROBLEMS = 'name: shop\nsoruce: private\nmerge: { engine: sprak }\n';
  const SAYS = [
    'cdc: the configuration has 2 problems:',
    '  soruce: is not a key (did you mean source?) (from cdc.yaml:2)',
    '  merge.engine: "sprak" is not an engine',
  ];

  it('is told with every problem at once: key, place and nearest word', async () => {
    const folder = await PipelineFolder.make({ config: TWO_PROBLEMS });
    const result = await folder.cdc('status');
    expect(result).toMatchObject({ code: 2, stdout: '' });
    const [title, first, second, ...rest] = result.stderr.trimEnd().split('\n');
    expect([title, first, rest]).toEqual([SAYS[0], SAYS[1], []]);
    expect(second).toMatch(/^ {2}merge\.engine: .*sprak.* \(from cdc\.yaml:3\)$/);
  });

  it('is told with --json as one object', async () => {
    const folder = await PipelineFolder.make({ config: TWO_PROBLEMS });
    const result = await folder.cdc('status', '--json');
    expect(result).toMatchObject({ code: 2, stdout: '' });
    const { error } = errorJson.parse(JSON.parse(result.stderr));
    expect(error).toMatchObject({ code: 'config', exit_code: 2 });
    expect(error.problems?.map(({ path, origin }) => ({ path, origin }))).toEqual([
      { path: 'soruce', origin: 'cdc.yaml:2' },
      { path: 'merge.engine', origin: 'cdc.yaml:3' },
    ]);
  });

  it('with a password in it is refused without repeating the password', async () => {
    const folder = await PipelineFolder.make({
      config: "name: shop\nsource: 'mysql://cdc:hunter2secret@127.0.0.1:1'\n",
      secrets: ['hunter2secret'],
    });
    await folder.fails(['check'], {
      code: 2,
      says: [
        'cdc: the configuration has 1 problem:',
        '  source: the URL has a password in it: leave it out and export CDC_SOURCE_PASSWORD, or add password: env:NAME (from cdc.yaml:2)',
      ].join('\n'),
    });
  });

  it('names a secret that is not set', async () => {
    const folder = await PipelineFolder.make({
      config: "name: shop\nsource: { url: 'mysql://cdc@127.0.0.1:1', password: env:SHOP_PASSWORD }\n",
    });
    await folder.fails(['check'], {
      code: 2,
      says: 'cdc: reading the secret env:SHOP_PASSWORD: the variable is not set\n→ export SHOP_PASSWORD=…',
    });
  });
});

describe('a wrong command line', () => {
  it.each([
    [['replicat'], 'there is no command replicat (did you mean replicate?)', 'cdc help replicate'],
    [
      ['replicate', '--full-laod'],
      'replicate: there is no option --full-laod (did you mean --full-load?)',
      '`cdc help replicate` shows what it takes',
    ],
    [['load'], 'load: give one of FILE, - and -e SQL', '`cdc help load` shows examples'],
    [['status', 'x'], 'status: takes no arguments', '`cdc help status` shows what it takes'],
    [
      ['replicate', '--full-load', '--from', 'now'],
      '--from goes with --ongoing alone: a full load finds its own position',
      'cdc replicate --ongoing --from now',
    ],
    [
      ['init', '--source', 'mysql://cdc:hunter2secret@db:3306'],
      '--source: a password on the command line can be read in the process list',
      'leave it out of the URL and export CDC_SOURCE_PASSWORD=…',
    ],
  ])('%j says what is meant', async (words, message, hint) => {
    const folder = await PipelineFolder.make({ secrets: ['hunter2secret'] });
    await folder.fails(words, { code: 2, says: `cdc: ${message}\n→ ${hint}` });
  });
});

it('a source that cannot be reached is told with its address, and init makes nothing', async () => {
  const port = await freePort();
  const folder = await PipelineFolder.make();
  const says = `cdc: connecting to 127.0.0.1:${port}: nothing listens there (ECONNREFUSED)\n→ check that the server runs, and that 127.0.0.1:${port} can be reached from here (address, port, firewall)`;
  await folder.fails(['init', '--source', `mysql://cdc@127.0.0.1:${port}`], { code: 1, says });
  await folder.configure(`name: shop\nsource: 'mysql://cdc@127.0.0.1:${port}'\n`);
  await folder.fails(['check'], { code: 1, says });
  await folder.fails(['load', '-e', 'SELECT 1', '--yes'], { code: 1, says });
});

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
