/** What a person can do wrong with a pipeline in use, through the built command line: the server behind it makes no difference. */

import { once } from 'node:events';
import { copyFile, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { errorJson } from '../support/cli-json.ts';
import { PipelineFolder } from '../support/pipeline-folder.ts';
import { pipelinesOn } from '../support/pipelines-on.ts';
import { describeOnOneServer } from '../support/servers.ts';

describeOnOneServer('wrong uses', (flavor) => {
  const on = pipelinesOn(flavor);
  const { pipeline } = on;

  it('a source in which no table fits is refused', async () => {
    const { folder, schema } = await pipeline();
    await folder.configure(
      `name: ${schema}\nsource: 'mysql://cdc@127.0.0.1:${on.server.port}'\ntables: ['${schema}.nothing%']\n`,
    );
    await folder.fails(['replicate'], {
      code: 1,
      says: 'cdc: following the source: it has no table that `tables:` in cdc.yaml asks for\n→ cdc load FILE.sql   # or change `tables:` in cdc.yaml',
    });
  });

  it('following without a load is refused with both ways on', async () => {
    const { folder } = await pipeline();
    await folder.fails(['replicate', '--ongoing'], {
      code: 1,
      says: 'cdc: following the source: nothing is loaded yet, so there is no position to go on from\n→ cdc replicate\n→ cdc replicate --ongoing --from now   # begins without the rows that are there',
    });
  });

  it('replicate, start and stop twice say already, and another request is refused while it runs', async () => {
    const { folder, schema } = await pipeline();
    const first = await folder.ok('replicate');
    expect(folder.plain(first)).toMatch(/^replicating 1 table from \S+:\d+ \(pid N\)\n$/);
    const { pid } = (await folder.status()).worker;
    await expectNoSecretInProcesses([on.server.cdc.password, on.server.admin.password]);
    for (const words of [
      ['replicate'],
      ['replicate', '--full-load'],
      ['replicate', '--ongoing'],
      ['start'],
      ['replicate', '--foreground'],
    ])
      expect(await folder.ok(...words)).toBe(`already replicating (pid ${pid})\n`);
    const another = (why: string) => ({
      code: 1 as const,
      says: `cdc: replicating: a worker with another request runs already (pid N): ${why}\n→ cdc stop --worker   # then this command again`,
    });
    await folder.fails(['replicate', '--no-merge'], another('it merges what it captures'));
    await folder.fails(['replicate', '--ongoing', '--from', 'now'], another('it has a position already'));
    // The same folder seen from elsewhere, as another machine would: its .cdc/ is not there.
    const elsewhere = await PipelineFolder.make({ env: folder.env });
    await elsewhere.configure(
      `name: ${schema}\nsource: 'mysql://cdc@127.0.0.1:${on.server.port}'\ntables: ['${schema}.%']\nstaging: ${folder.path}/staging\nlake: ${folder.path}/lake\n`,
    );
    const held = await elsewhere.cdc('replicate');
    expect(held).toMatchObject({ code: 1, stdout: '' });
    expect(held.stderr).toContain(`another worker captures into ${folder.path}/staging: cdc on `);
    expect(held.stderr).toContain(`(pid ${pid})`);

    expect(await folder.ok('stop')).toBe('stopped the worker\n');
    expect(await folder.ok('stop')).toBe('already stopped: the worker\n');
    expect(await folder.ok('replicate', '--full-load')).toBe('already loaded: 1 table\n');
    expect((await folder.status()).tables).toMatchObject([{ rows: 2, version: 0, error: null }]);
  });

  it('stop ends a worker that has just been started', async () => {
    const { folder } = await pipeline();
    expect(folder.plain(await folder.ok('replicate', '--no-wait'))).toBe('replicating (pid N)\n');
    expect(await folder.ok('stop')).toBe('stopped the worker\n');
    expect((await folder.status()).worker).toMatchObject({ state: 'not running', pid: null });
    expect(await folder.ok('stop')).toBe('already stopped: the worker\n');
    await folder.ok('replicate');
    await folder.ok('verify');
  });

  it('two that replicate at the same moment start one worker', async () => {
    const { folder } = await pipeline();
    const answers = await Promise.all([folder.ok('replicate'), folder.ok('replicate'), folder.ok('replicate')]);
    const pids = new Set(answers.map((answer) => /pid (\d+)/.exec(answer)?.[1]));
    expect([...pids]).toEqual([String((await folder.status()).worker.pid)]);
    expect(await folder.ok('stop')).toBe('stopped the worker\n');
  });

  describe('of files', () => {
    /** Two tables, each with a change file that waits. */
    async function pending() {
      const { folder, schema } = await pipeline();
      await on.server.query(
        `CREATE TABLE ${schema}.wide (id INT PRIMARY KEY, name VARCHAR(20), price INT)`,
        `INSERT INTO ${schema}.wide VALUES (1, 'one', 1)`,
      );
      await folder.ok('replicate', '--no-merge');
      await on.server.query(
        `INSERT INTO ${schema}.orders VALUES (3, 'three')`,
        `INSERT INTO ${schema}.wide VALUES (2, 'two', 2)`,
      );
      const orders = await folder.changeFile(`${schema}.orders`, 1);
      const wide = await folder.changeFile(`${schema}.wide`, 1);
      await folder.ok('stop');
      return { folder, schema, orders, wide };
    }

    it('a file that is not there is looked for, and not found, by name', async () => {
      const { folder, schema } = await pipeline();
      const file = `${schema}/orders/20261122-101530123.csv`;
      for (const command of ['merge', 'show', 'trigger'])
        await folder.fails([command, file], {
          code: 1,
          says: `cdc: looking for ${file}: staging (…/staging) holds no change file of that name\n→ \`cdc files\` lists what is there`,
        });
    });

    it("another table's file and a file cut in the middle of a row are refused, with file and line, and nothing is applied", async () => {
      const { folder, orders, wide } = await pending();
      const path = join(folder.path, 'staging', orders);
      const whole = join(folder.path, 'whole.csv');
      await copyFile(path, whole);

      await copyFile(join(folder.path, 'staging', wide), path);
      const width = `cdc: reading …/staging/${orders}, line 1: its header does not fit the table's definition (field 5 is "price", expected "cdc_seq"; 6 fields, expected 5)\n→ is this a file of another table?`;
      await folder.fails(['merge', orders], { code: 1, says: width });
      await folder.fails(['trigger', orders], { code: 1, says: width });

      await copyFile(whole, path);
      await truncate(path, (await readFile(whole)).length - 12);
      const cut = `cdc: reading …/staging/${orders}, line 2: the file ends inside a row\n→ copy the file again; if its last row is whole, end it with a newline`;
      for (const command of ['merge', 'trigger', 'show']) await folder.fails([command, orders], { code: 1, says: cut });
      // The others are merged, and told apart; status and files show what can be seen.
      const merged = await folder.cdc('merge');
      expect(merged.code).toBe(1);
      expect(folder.plain(merged.stderr)).toContain(cut.replace('cdc: ', 'warning: '));
      expect(merged.stdout).toMatch(/\.wide +2 /);
      expect((await folder.status()).tables).toMatchObject([
        { table: 'orders', version: null, error: { code: 'file.cut' } },
        { table: 'wide', version: 0, error: null },
      ]);
      const listed = await folder.cdc('files');
      expect(listed).toMatchObject({ code: 0, stdout: expect.stringContaining(orders) });
      expect(folder.plain(listed.stderr)).toBe(`${cut.replace('cdc: ', 'warning: ')}\n`);

      await copyFile(whole, path);
      expect(await folder.ok('merge')).toMatch(/\.orders +2 +3 /);
      expect(await folder.json('query', `SELECT count(*) AS n FROM ${orders.split('/')[0]}.orders`)).toEqual([
        { n: 3 },
      ]);
    });
  });

  it('a staging folder that cannot be made is named', async () => {
    const { folder, schema } = await pipeline({ init: false });
    await writeFile(join(folder.path, 'notes'), 'not a folder');
    await folder.configure(
      `name: ${schema}\nsource: 'mysql://cdc@127.0.0.1:${on.server.port}'\ntables: ['${schema}.%']\nstaging: notes/staging\n`,
    );
    const why = 'writing …/notes/staging: a part of this path is a file, and no folder';
    expect(await folder.cdc('check')).toMatchObject({
      code: 3,
      stdout: `error: staging: ${why}\n  fix: name another folder in cdc.yaml\n`.replaceAll('…', folder.path),
    });
    await folder.fails(['init'], { code: 1, says: `cdc: ${why}\n→ name another folder in cdc.yaml` });
    await folder.fails(['replicate'], { code: 1, says: `cdc: ${why}\n→ name another folder in cdc.yaml` });
    expect(await readFile(join(folder.path, 'notes'), 'utf8')).toBe('not a folder');
  });

  it('staging of another pipeline is left alone', async () => {
    const { folder } = await pipeline();
    const other = await PipelineFolder.make({ env: folder.env });
    await other.configure(
      `name: other\nsource: 'mysql://cdc@127.0.0.1:${on.server.port}'\nstaging: ${folder.path}/staging\n`,
    );
    for (const words of [['init'], ['replicate'], ['destroy', '--yes']]) {
      const result = await other.cdc(...words);
      expect(result).toMatchObject({ code: 1, stdout: '' });
      expect(result.stderr).toMatch(
        /staging: it belongs to the pipeline wrong\d+, and this one is other\n→ give this pipeline places of its own with `staging:` and `lake:` in cdc.yaml/,
      );
    }
  });

  it('a port that is taken is named, and the next init goes on', async () => {
    const taken = net.createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as net.AddressInfo;
    const folder = await PipelineFolder.make({
      isOpen: true,
      config: `name: port\nsource: { flavor: ${flavor}, port: ${port} }\n`,
    });
    await folder.fails(['init'], {
      code: 1,
      says: `cdc: starting the private server on 127.0.0.1:${port}: another program uses that port\n→ take another number in source.port of cdc.yaml, or leave it out: the tool then finds a free one`,
    });
    taken.close();
    await once(taken, 'close');
    expect(await folder.ok('init')).toContain('server');
    expect(await folder.ok('destroy', '--yes')).toContain('removed the private server');
  });

  it('what asks refuses without a terminal and without --yes, shows what it would touch, and touches nothing', async () => {
    const { folder, schema } = await pipeline();
    await folder.ok('replicate');
    const noTerminal = (what: string) =>
      `cdc: asking ${what}: there is no terminal\n→ add --yes when that is what you want`;
    await folder.fails(['destroy'], {
      code: 2,
      says: [
        'This removes:',
        `  …/staging (${await countFiles(join(folder.path, 'staging'))} files: change files, checkpoint)`,
        "  …/.cdc (the worker's log and cache)",
        'It leaves:',
        `  …/lake (${schema}.orders: 2 rows): it holds rows; --delete-lake removes it`,
        noTerminal('before that is done'),
      ].join('\n'),
    });
    await folder.fails(['reload', `${schema}.orders`], {
      code: 2,
      says: noTerminal(`"This copies ${schema}.orders anew and replaces the lake table by the copy."`),
    });
    await folder.fails(['load', '-e', `DROP TABLE ${schema}.orders`], {
      code: 2,
      says: noTerminal(`"Run DROP TABLE ${schema}.orders on 127.0.0.1:${on.server.port} as cdc?"`),
    });
    const json = await folder.cdc('destroy', '--json');
    expect(errorJson.parse(JSON.parse(json.stderr)).error).toMatchObject({ code: 'usage', exit_code: 2 });
    expect((await folder.status()).worker.state).toBe('following');
    await folder.ok('verify');
  });

  it('--dry-run of every command that changes something changes nothing', async () => {
    const { folder, schema } = await pipeline({ init: false });
    const unchanged = async (words: string[], says: string | RegExp) => {
      const before = await folder.contents();
      const answer = folder.plain(await folder.ok(...words, '--dry-run'));
      if (typeof says === 'string') expect(answer).toBe(says);
      else expect(answer).toMatch(says);
      expect(await folder.contents(), words.join(' ')).toEqual(before);
    };
    await unchanged(['init'], /^STEP +ACTION +RESOURCE\nconfig +is there .*\nstaging +create .*\nlake +create /);
    await folder.ok('init');
    await unchanged(['replicate'], `would load ${schema}.orders\n`);
    await unchanged(['start'], 'nothing was replicated yet: no worker to start\n');
    await folder.ok('replicate', '--no-merge');
    await on.server.query(`INSERT INTO ${schema}.orders VALUES (3, 'three')`);
    const file = await folder.changeFile(`${schema}.orders`, 1);
    await folder.untilCheckpointed(`${schema}.orders`, 1);
    await unchanged(['replicate', '--no-merge'], 'already replicating (pid N)\n');
    await unchanged(['stop'], 'would stop the worker\n');
    expect((await folder.status()).worker.state).toBe('following');
    await unchanged(['merge'], `would merge 2 files of ${schema}.orders\n`);
    await unchanged(['merge', file], `would merge 2 files of ${schema}.orders\n`);
    await unchanged(['trigger', `${schema}/orders/LOAD00000001.csv`], /^result {2}would merge 1 file$/m);
    await unchanged(['reload', `${schema}.orders`], `would reload ${schema}.orders\n`);
    await unchanged(['load', '-e', `DROP TABLE ${schema}.orders; SELECT 1`], /^would run 2 statements \(/);
    await unchanged(
      ['destroy'],
      /^would remove .*staging\nwould remove .*\.cdc\n.*would leave …\/cdc.yaml: it is yours\n$/s,
    );
    await folder.ok('stop');
    await unchanged(['stop'], 'already stopped: the worker\n');
    await unchanged(['start'], new RegExp(`^would go on from \\S+:\\d+ with ${schema}\\.orders\n$`));
    expect((await folder.status()).worker.pid).toBeNull();
    expect((await on.server.query(`SELECT count(*) AS n FROM ${schema}.orders`))[0]).toEqual({ n: 3 });
    const loose = ['--table', 'a.b', '--key', 'id', '--columns', 'id int, name text', '--lake', 'other'];
    await writeFile(join(folder.path, 'loose.csv'), 'I,1,one\nI,2,two\n');
    await unchanged(['merge', 'loose.csv', ...loose], 'would merge 1 file of a.b\n');
  });

  it('init, start, stop and destroy twice are no errors', async () => {
    const { folder } = await pipeline();
    expect(await folder.ok('init')).toBe('already made\n');
    await folder.ok('replicate');
    expect(await folder.ok('destroy', '--yes', '--delete-lake')).toMatch(
      /^removed .*\n.*left .*cdc.yaml: it is yours\n$/s,
    );
    expect(folder.plain(await folder.ok('destroy', '--yes'))).toBe('already destroyed\nleft …/cdc.yaml: it is yours\n');
    expect(await readdir(folder.path)).toEqual(['cdc.yaml']);
    expect(await folder.ok('stop')).toBe('already stopped: the worker\n');
    expect((await folder.status()).tables).toEqual([]);
  });

  it('nothing the pipeline leaves has a password in it', async () => {
    const { folder, schema } = await pipeline();
    await folder.ok('replicate');
    await folder.ok('reload', `${schema}.orders`, '--yes');
    await on.server.kill9();
    await folder.untilStatus(({ worker }) => worker.state === 'reconnecting');
    await on.server.restart();
    await folder.untilStatus(({ worker }) => worker.state === 'following');
    for (const words of [
      ['status', '--json'],
      ['check', '--json'],
      ['verify', '--verbose'],
      ['plan', '--json'],
      ['logs', '--lines', '999'],
    ])
      await folder.cdc(...words);
    for (const entry of await readdir(folder.path, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const body = await readFile(path).catch(() => Buffer.alloc(0));
      for (const { password } of [on.server.cdc, on.server.admin]) expect(body.includes(password), path).toBe(false);
    }
  });
});

async function countFiles(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}

/** Everybody can read the command line of a process. */
async function expectNoSecretInProcesses(secrets: readonly string[]): Promise<void> {
  for (const pid of (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))) {
    const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    for (const secret of secrets) expect(words.includes(secret), `the words of process ${pid}`).toBe(false);
  }
}
