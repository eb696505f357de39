/** What a person can do wrong, through the built command line: each has one clear error, its exit code, and leaves everything as it was. */

import { once } from 'node:events';
import { copyFile, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { errorJson } from '../support/cli-json.ts';
import { PipelineFolder } from '../support/pipeline-folder.ts';
import { describeOnServers, startTestServer, type TestServer } from '../support/servers.ts';

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

describeOnServers('wrong uses', (flavor) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer(flavor);
  });
  afterAll(() => server?.stop());

  let schemas = 0;
  /** A pipeline on the server of the suite, with a schema of its own that holds `orders` with two rows. */
  async function pipeline(
    options: { init?: boolean; user?: string; password?: string; config?: string } = {},
  ): Promise<{ folder: PipelineFolder; schema: string }> {
    const schema = `wrong${++schemas}`;
    await server.query(
      `CREATE DATABASE ${schema}`,
      `CREATE TABLE ${schema}.orders (id INT PRIMARY KEY, name VARCHAR(20))`,
      `INSERT INTO ${schema}.orders VALUES (1, 'one'), (2, 'two')`,
    );
    const { user = server.cdc.user, password = server.cdc.password, config = '' } = options;
    const folder = await PipelineFolder.make({
      config: `name: ${schema}\nsource: 'mysql://${user}@127.0.0.1:${server.port}'\ntables: ['${schema}.%']\n${config}`,
      env: { CDC_SOURCE_PASSWORD: password },
      secrets: [server.cdc.password, server.admin.password, password],
    });
    if (options.init !== false) await folder.ok('init');
    return { folder, schema };
  }

  it('a wrong password is told without it', async () => {
    const { folder: right } = await pipeline();
    const folder = new PipelineFolder(right.path, {
      env: { CDC_SOURCE_PASSWORD: 'hunter2secret' },
      secrets: ['hunter2secret', server.cdc.password],
    });
    const { stderr } = await folder.cdc('check');
    expect(stderr).toMatch(
      new RegExp(
        `^cdc: connecting to 127\\.0\\.0\\.1:${server.port} as cdc: Access denied for user 'cdc'@'[^']+' \\(using password: YES\\)\n→ check the user name, the password and the host that cdc may connect from\n$`,
      ),
    );
    const says = stderr.trimEnd();
    for (const words of [
      ['init'],
      ['check'],
      ['replicate'],
      ['replicate', '--foreground'],
      ['load', '-e', 'SELECT 1', '--yes'],
    ])
      await folder.fails(words, { code: 1, says });
    const none = new PipelineFolder(folder.path);
    expect((await none.cdc('check')).stderr).toContain('→ no password was given: export CDC_SOURCE_PASSWORD=…');
  });

  it('a server without a binlog is refused with the setting', async () => {
    const { folder } = await pipeline({ init: false });
    await server.shutdown();
    await server.restart({ extraArgs: ['--skip-log-bin'] });
    try {
      const { code, stdout } = await folder.cdc('check');
      expect(code).toBe(3);
      expect(stdout).toContain(
        'error: the server writes no binlog\n  fix: start it with --log-bin (on RDS: turn automated backups on), then run `cdc check` again',
      );
      const says =
        'cdc: following the source: it cannot be followed as it is set up:\n  the server writes no binlog\n    fix: start it with --log-bin (on RDS: turn automated backups on), then run `cdc check` again\n→ cdc check   # when that is done';
      await folder.fails(['init'], { code: 1, says });
      expect(await folder.cdc('replicate')).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining(says),
      });
    } finally {
      await server.shutdown();
      await server.restart({ extraArgs: [] });
    }
  });

  it('a binlog of format MIXED is refused before anything is loaded', async () => {
    const { folder } = await pipeline();
    await server.query('SET GLOBAL binlog_format = MIXED');
    try {
      const fix =
        flavor === 'mysql'
          ? 'SET PERSIST binlog_format = ROW (on RDS: in the parameter group); then let the applications connect anew, for sessions keep the old format'
          : 'SET GLOBAL binlog_format = ROW, and the same in my.cnf; then let the applications connect anew, for sessions keep the old format';
      const finding = 'binlog_format is MIXED: statements are written instead of rows';
      await folder.fails(['replicate'], {
        code: 1,
        says: `cdc: following the source: it cannot be followed as it is set up:\n  ${finding}\n    fix: ${fix}\n→ cdc check   # when that is done`,
      });
      expect(await folder.cdc('check')).toMatchObject({ code: 3, stdout: `error: ${finding}\n  fix: ${fix}\n` });
    } finally {
      await server.query('SET GLOBAL binlog_format = ROW');
    }
    expect(await folder.ok('replicate', '--full-load')).toBe('loaded 1 table\n');
  });

  it('missing grants are listed, each with the GRANT that mends it', async () => {
    await server.query("CREATE USER weak@'%' IDENTIFIED BY 'weaksecret'");
    const { folder, schema } = await pipeline({ init: false, user: 'weak', password: 'weaksecret' });
    await server.query(`GRANT SELECT ON ${schema}.* TO weak@'%'`);
    const { code, stdout } = await folder.cdc('check');
    const monitor = flavor === 'mariadb' ? 'BINLOG MONITOR' : 'REPLICATION CLIENT';
    expect(code).toBe(3);
    expect(stdout.split('\n').filter((line) => line.startsWith('  fix: GRANT'))).toEqual([
      '  fix: GRANT REPLICATION SLAVE ON *.* TO `weak`@`%`',
      `  fix: GRANT ${monitor} ON *.* TO \`weak\`@\`%\``,
      ...(flavor === 'mysql'
        ? ['  fix: GRANT RELOAD ON *.* TO `weak`@`%`', '  fix: GRANT XA_RECOVER_ADMIN ON *.* TO `weak`@`%`']
        : []),
    ]);
    const result = await folder.cdc('replicate');
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toContain('the user lacks REPLICATION SLAVE: the server does not send it the binlog');
    // What it says can be pasted.
    for (const line of stdout.split('\n'))
      if (line.startsWith('  fix: GRANT')) await server.query(line.replace('  fix: ', ''));
    expect((await folder.cdc('check')).code).toBe(0);
  });

  it('a table without a key is refused with the warning of the guide, and holds up no other', async () => {
    const { folder, schema } = await pipeline({ init: false });
    await server.query(`CREATE TABLE ${schema}.visits (id INT, page VARCHAR(20))`);
    const warning = `${schema}.visits: IT IS VERY IMPORTANT THAT A TABLE HAS A PRIMARY KEY: WITHOUT ONE ONGOING REPLICATION DOES NOT WORK`;
    expect(await folder.ok('init')).toContain(`error: ${warning}\n  fix: add a primary key, or name`);
    expect(await folder.cdc('check')).toMatchObject({ code: 3, stdout: expect.stringContaining(`error: ${warning}`) });
    const result = await folder.cdc('replicate', '--full-load');
    expect(result).toMatchObject({ code: 0, stdout: 'loaded 1 table\n' });
    expect(result.stderr).toContain(`left out ${warning}`);
    expect((await folder.status()).tables.map(({ table }) => table)).toEqual(['orders']);
  });

  it('a source in which no table fits is refused', async () => {
    const { folder, schema } = await pipeline();
    await folder.configure(
      `name: ${schema}\nsource: 'mysql://cdc@127.0.0.1:${server.port}'\ntables: ['${schema}.nothing%']\n`,
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
    await expectNoSecretInProcesses([server.cdc.password, server.admin.password]);
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
      `name: ${schema}\nsource: 'mysql://cdc@127.0.0.1:${server.port}'\ntables: ['${schema}.%']\nstaging: ${folder.path}/staging\nlake: ${folder.path}/lake\n`,
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
      await server.query(
        `CREATE TABLE ${schema}.wide (id INT PRIMARY KEY, name VARCHAR(20), price INT)`,
        `INSERT INTO ${schema}.wide VALUES (1, 'one', 1)`,
      );
      await folder.ok('replicate', '--no-merge');
      await server.query(
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
      `name: ${schema}\nsource: 'mysql://cdc@127.0.0.1:${server.port}'\ntables: ['${schema}.%']\nstaging: notes/staging\n`,
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
      `name: other\nsource: 'mysql://cdc@127.0.0.1:${server.port}'\nstaging: ${folder.path}/staging\n`,
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
      says: noTerminal(`"Run DROP TABLE ${schema}.orders on 127.0.0.1:${server.port} as cdc?"`),
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
    await server.query(`INSERT INTO ${schema}.orders VALUES (3, 'three')`);
    const file = await folder.changeFile(`${schema}.orders`, 1);
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
    expect((await server.query(`SELECT count(*) AS n FROM ${schema}.orders`))[0]).toEqual({ n: 3 });
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

  it('Ctrl-C while it works in the foreground exits 130, with everything captured and the lease released', async () => {
    const { folder, schema } = await pipeline();
    const run = await folder.start('replicate', '--foreground');
    await folder.untilStatus(({ worker }) => worker.state === 'following');
    await server.query(`INSERT INTO ${schema}.orders VALUES (3, 'three')`);
    await folder.changeFile(`${schema}.orders`, 1);
    run.process.kill('SIGINT');
    const result = await run.ended;
    expect(result).toMatchObject({ code: 130, stdout: '' });
    expect(result.stderr).toMatch(
      /cdc: stopped: everything up to \S+:\d+ is captured\n→ cdc start {3}# goes on from there\n$/,
    );
    expect((await folder.status()).worker).toMatchObject({ state: 'not running', pid: null });
    expect(folder.plain(await folder.ok('start'))).toMatch(/^replicating 1 table from /);
    await folder.ok('verify');
  });

  it('Ctrl-C in the middle of a load exits 130, and the next replicate loads', async () => {
    const { folder, schema } = await pipeline();
    await server.query(
      `CREATE TABLE ${schema}.many (id INT PRIMARY KEY, filler VARCHAR(200))`,
      `INSERT INTO ${schema}.many SELECT @n := @n + 1, REPEAT('x', 200) FROM (SELECT @n := 0) AS start, information_schema.columns AS a, information_schema.columns AS b LIMIT 100000`,
    );
    const network = await stallingNetwork(server.port, 5_000_000);
    const config = (port: number) =>
      `name: ${schema}\nsource: 'mysql://cdc@127.0.0.1:${port}'\ntables: ['${schema}.%']\n`;
    await folder.configure(config(network.port));
    const run = await folder.start('replicate', '--foreground');
    await network.stalled;
    run.process.kill('SIGINT');
    const result = await run.ended;
    expect(result).toMatchObject({ code: 130, stdout: '' });
    expect(result.stderr).toContain(
      'cdc: stopped before the load was complete\n→ cdc replicate   # loads what is not loaded\n',
    );
    network.close();
    await folder.configure(config(server.port));
    await folder.ok('replicate');
    await folder.ok('verify');
    expect((await folder.status()).tables).toMatchObject([{ rows: 100_000 }, { rows: 2 }]);
  });

  it('Ctrl-C while it waits for the worker exits 130, and the worker goes on', async () => {
    const { folder, schema } = await pipeline();
    // The load waits behind a lock, so the wait is long enough to be interrupted.
    const lock = await server.connect();
    await lock.query(`LOCK TABLES ${schema}.orders WRITE`);
    const run = await folder.start('replicate');
    await folder.untilStatus(({ worker }) => worker.pid !== null);
    run.process.kill('SIGINT');
    const result = await run.ended;
    expect({ ...result, stderr: folder.plain(result.stderr) }).toMatchObject({
      code: 130,
      stdout: '',
      stderr: expect.stringContaining(
        'cdc: interrupted: the worker (pid N) goes on in the background\n→ cdc status\n→ cdc stop --worker\n',
      ),
    });
    await lock.query('UNLOCK TABLES');
    await lock.end();
    await folder.untilStatus(({ worker, tables }) => worker.state === 'following' && tables[0]?.rows === 2);
    await folder.ok('verify');
  });

  it('a reader that has seen enough is no failure', async () => {
    const { folder, schema } = await pipeline();
    await folder.ok('replicate', '--full-load');
    const run = await folder.start('show', `${schema}/orders/LOAD00000001.csv`);
    run.process.stdout?.destroy();
    expect(await run.ended).toMatchObject({ code: 0, stderr: '' });
    const follow = await folder.start('logs', '--follow');
    await once(follow.process.stdout ?? expect.fail('no stdout'), 'data');
    follow.process.kill('SIGINT');
    expect((await follow.ended).code).toBe(0);
  });

  it('nothing the pipeline leaves has a password in it', async () => {
    const { folder, schema } = await pipeline();
    await folder.ok('replicate');
    await folder.ok('reload', `${schema}.orders`, '--yes');
    await server.kill9();
    await folder.untilStatus(({ worker }) => worker.state === 'reconnecting');
    await server.restart();
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
      for (const { password } of [server.cdc, server.admin]) expect(body.includes(password), path).toBe(false);
    }
  });
});

async function countFiles(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}

/** Carries connections to a server, and lets no more than so many of its bytes through each. */
async function stallingNetwork(port: number, bytes: number) {
  const sockets = new Set<net.Socket>();
  let stall = () => {};
  const stalled = new Promise<void>((resolve) => {
    stall = resolve;
  });
  const listener = net.createServer((client) => {
    const upstream = net.connect(port, '127.0.0.1');
    client.pipe(upstream);
    let left = bytes;
    upstream.on('data', (chunk) => {
      client.write(chunk);
      left -= chunk.length;
      if (left > 0) return;
      upstream.pause();
      stall();
    });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => other.destroy());
    }
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const close = () => {
    for (const socket of sockets) socket.destroy();
    listener.close();
  };
  onTestFinished(close);
  return { port: (listener.address() as net.AddressInfo).port, stalled, close };
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Everybody can read the command line of a process. */
async function expectNoSecretInProcesses(secrets: readonly string[]): Promise<void> {
  for (const pid of (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))) {
    const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    for (const secret of secrets) expect(words.includes(secret), `the words of process ${pid}`).toBe(false);
  }
}
