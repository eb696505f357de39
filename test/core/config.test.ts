import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ConfigOverride, followsTable, parseConfig, readConfig, tableRuleFor } from '../../src/core/config.ts';
import { configTemplate, pipelineName } from '../../src/core/config-template.ts';
import { ConfigError } from '../../src/core/errors.ts';
import { temporaryFolder } from '../support/temp-folder.ts';

const parse = (text: string, overrides: ConfigOverride[] = []) =>
  parseConfig({ file: '/shop/cdc.yaml', text, overrides });

/** `path: message (from origin)` of each problem. */
function problems(text: string, overrides: ConfigOverride[] = []): string[] {
  try {
    parse(text, overrides);
  } catch (error) {
    if (error instanceof ConfigError)
      return error.problems.map(({ path, message, origin }) => `${path}: ${message} (${origin})`);
    throw error;
  }
  throw new Error('the configuration is right');
}

const GLUE_NEEDS =
  'glue with target: local needs merge.glue_job, the name of a Glue job, and staging and lake on s3://';

describe('a configuration', () => {
  it('of a name alone has every default', () => {
    expect(parse('name: persons-qkzw')).toEqual({
      file: '/shop/cdc.yaml',
      folder: '/shop',
      stateFolder: '/shop/.cdc',
      name: 'persons-qkzw',
      target: 'local',
      source: { kind: 'private' },
      s3: {},
      tables: [{ pattern: '%.%', mode: 'mirror' }],
      exclude: [],
      staging: { location: '/shop/staging', keepMs: 86_400_000 },
      lake: { location: '/shop/lake' },
      capture: { maxFileBytes: 64e6, maxDelayMs: 500, truncate: 'apply', foreignKeyCascades: 'refuse' },
      merge: {
        engine: 'local',
        sparkSubmit: 'spark-submit',
        unfit: 'fail',
        zeroDates: 'null',
        writeBudgetBytesPerHour: 20e9,
        memoryLimitBytes: 768e6,
      },
    });
  });

  it('takes every value that the file gives', () => {
    const config = parse(`
name: shop
target: local
source: { private: true, flavor: mysql, port: 3399 }
tables: [ 'shop.%', { table: shop.audit, key: [id, at], mode: append } ]
exclude: [ 'shop.tmp_%' ]
staging: { location: /data/staging, keep: 7d }
lake: ../lake
capture: { max_file_bytes: 1MiB, max_delay: 10s, truncate: stop, foreign_key_cascades: accept }
merge: { engine: local, unfit: quarantine, zero_dates: null, write_budget: 5GB/h, memory_limit: 1.5GB }
`);
    expect(config).toMatchObject({
      source: { kind: 'private', flavor: 'mysql', port: 3399 },
      tables: [
        { pattern: 'shop.%', mode: 'mirror' },
        { pattern: 'shop.audit', key: ['id', 'at'], mode: 'append' },
      ],
      exclude: ['shop.tmp_%'],
      staging: { location: '/data/staging', keepMs: 7 * 86_400_000 },
      lake: { location: '/lake' },
      capture: { maxFileBytes: 2 ** 20, maxDelayMs: 10_000, truncate: 'stop', foreignKeyCascades: 'accept' },
      merge: { unfit: 'quarantine', zeroDates: 'null', writeBudgetBytesPerHour: 5e9, memoryLimitBytes: 1.5e9 },
    });
  });

  it('is frozen all the way down', () => {
    const config = parse('name: shop');
    expect(() => Object.assign(config.merge, { unfit: 'quarantine' })).toThrow(TypeError);
    expect(() => Object.assign(config.tables[0] ?? {}, { mode: 'append' })).toThrow(TypeError);
  });

  it('is read from the file, its paths relative to that file', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'inner'));
    const file = join(folder, 'inner', 'cdc.yaml');
    await writeFile(file, 'name: shop\nlake: ../lake');
    expect(await readConfig({ file })).toMatchObject({ lake: { location: join(folder, 'lake') } });
  });

  it('that is not there is said with the command that writes one', async () => {
    await expect(readConfig({ file: '/nowhere/cdc.yaml' })).rejects.toMatchObject({
      code: 'config.missing',
      message: 'reading the configuration: there is no /nowhere/cdc.yaml',
      hint: expect.stringContaining('cdc init'),
    });
  });

  it('that cannot be read is said as such', async () => {
    await expect(readConfig({ file: await temporaryFolder() })).rejects.toMatchObject({ code: 'config.unreadable' });
  });
});

describe('staging and lake of target local', () => {
  it('may each be a folder or a bucket, whose files are fewer and stay longer', () => {
    const staging = parse(
      'name: shop\nstaging: s3://mine/cdc/in/\nlake: lake\naws: { region: eu-west-1, profile: work }',
    );
    expect(staging).toMatchObject({
      staging: { location: 's3://mine/cdc/in', keepMs: 7 * 86_400_000 },
      lake: { location: '/shop/lake' },
      capture: { maxDelayMs: 60_000 },
      s3: { region: 'eu-west-1', profile: 'work' },
    });
    const lake = parse('name: shop\nlake: { bucket: mine, prefix: lakes/shop }');
    expect(lake).toMatchObject({
      staging: { location: '/shop/staging', keepMs: 86_400_000 },
      lake: { location: 's3://mine/lakes/shop' },
      capture: { maxDelayMs: 500 },
      s3: {},
    });
    expect(parse('name: shop\nstaging: s3://mine/a\nlake: s3://mine/b\ncapture: { max_delay: 1s }')).toMatchObject({
      staging: { location: 's3://mine/a' },
      lake: { location: 's3://mine/b' },
      capture: { maxDelayMs: 1000 },
    });
  });
});

describe('the problems of a configuration', () => {
  it('come all at once, each with its key path and its line', () => {
    expect(
      problems(`name: Shop
tabels: [a.b]
capture:
  max_delay: 500
  truncate: aply
tables:
  - shop.orders
  - { table: orders, mode: apend, keys: [id] }
`),
    ).toEqual([
      'tabels: is not a key (did you mean tables?) (cdc.yaml:2)',
      'name: "Shop" is not a name: write at most 25 of a-z, 0-9 and -, beginning with a letter (cdc.yaml:1)',
      'tables[1].keys: is not a key (did you mean key?) (cdc.yaml:8)',
      'tables[1].table: "orders" is not a table as schema.table, such as shop.orders or shop.% (cdc.yaml:8)',
      'tables[1].mode: apend is not known here: write one of mirror, append (did you mean append?) (cdc.yaml:8)',
      'capture.max_delay: 500 is not a duration such as 500ms, 10s or 1d (cdc.yaml:4)',
      'capture.truncate: aply is not known here: write one of apply, stop (did you mean apply?) (cdc.yaml:5)',
    ]);
  });

  it('stand in one error, whose text has a line for each', () => {
    expect(() => parse('name: 7\nlake: 3')).toThrow(
      'the configuration has 2 problems:\n' +
        '  name: 7 is not a name: write at most 25 of a-z, 0-9 and -, beginning with a letter (from cdc.yaml:1)\n' +
        '  lake: takes keys: location, bucket, prefix (from cdc.yaml:2)',
    );
  });

  it.each([
    ['', 'name: is missing: write name: with at most 25 of a-z, 0-9 and -, beginning with a letter (cdc.yaml)'],
    ['- a', 'yaml: the file does not hold keys (name: …) (cdc.yaml:1)'],
    ['name: a\nname: b', 'yaml: Map keys must be unique (cdc.yaml:2)'],
    ['name: a\ntarget: gcp', 'target: gcp is not known here: write one of local, aws (cdc.yaml:2)'],
    ['name: a\nmerge: { engine: glue }', `merge.engine: ${GLUE_NEEDS} (cdc.yaml:2)`],
    ['name: a\nmerge: { engine: glue, glue_job: j }\nlake: s3://mine/cdc', `merge.engine: ${GLUE_NEEDS} (cdc.yaml:2)`],
    [
      'name: a\nmerge: { engine: glue }\nlake: s3://mine/lake\nstaging: s3://mine/staging',
      `merge.engine: ${GLUE_NEEDS} (cdc.yaml:2)`,
    ],
    ['name: a\nlake: gs://bucket', 'lake: gs:// is not built yet: write a folder, or s3://bucket/prefix (cdc.yaml:2)'],
    ['name: a\nlake: s3://Bucket', 'lake: takes a folder or a bucket: write s3://bucket/prefix (cdc.yaml:2)'],
    ['name: a\nlake: { prefix: x }', 'lake: has a prefix and no bucket: write s3://bucket/prefix (cdc.yaml:2)'],
    [
      'name: a\nlake: s3://mine/cdc/lake\nstaging: s3://mine/cdc',
      'lake: lies under the same prefix as staging: give each its own (cdc.yaml:2)',
    ],
    ['name: a\naws: { region: eu-west-1 }', 'aws: is for target: aws, and for staging or lake on s3:// (cdc.yaml:2)'],
    ['name: a\nlake: staging', 'lake: lies in the same folder as staging: give each its own (cdc.yaml:2)'],
    ['name: a\nlake: staging/lake', 'lake: lies in the same folder as staging: give each its own (cdc.yaml:2)'],
    ['name: a\ntables:', 'tables: has no value: give one, or leave the line out (cdc.yaml:2)'],
    ['name: a\ntables: []', 'tables: is an empty list (cdc.yaml:2)'],
    ['name: a\ntables: shop.%', 'tables: takes a list (cdc.yaml:2)'],
    [
      'name: a\nmerge: 7',
      'merge: takes keys: engine, spark_submit, glue_job, unfit, zero_dates, write_budget, memory_limit (cdc.yaml:2)',
    ],
    [
      'name: a\nsource: privat',
      'source: this is neither private, nor rds, nor a URL (did you mean private?): write mysql://user@host:3306 (cdc.yaml:2)',
    ],
    [
      'name: a\nsource: postgres://u@h',
      'source: postgres:// is not a source: write mysql://user@host:3306 (cdc.yaml:2)',
    ],
    ['name: a\nsource: mysql://db', 'source: names no user: write mysql://user@host:3306 (cdc.yaml:2)'],
    [
      'name: a\nsource: mysql://u@db/shop',
      'source: the URL names a schema, but a source is a whole server: say what to follow with tables: (cdc.yaml:2)',
    ],
    [
      'name: a\nsource: mysql://u@db?ssl=1',
      'source: the URL has parameters: write them as keys beside url: (cdc.yaml:2)',
    ],
    ['name: a\nsource: { port: 70000 }', 'source.port: Too big: expected number to be <=65535 (cdc.yaml:2)'],
    [
      'name: a\nsource:\n  url: mysql://u@h\n  tls: { moed: off }',
      'source.tls.moed: is not a key (did you mean mode?) (cdc.yaml:4)',
    ],
  ])('%j: %s', (text, problem) => {
    expect(problems(text)).toEqual([problem]);
  });

  it('name the flag or variable that a value came from', () => {
    expect(
      problems('name: shop\nmerge: { engine: local }', [
        { path: 'merge.engine', value: 'sprak', origin: 'flag --engine' },
        { path: 'lake', value: '', origin: 'env CDC_LAKE' },
      ]),
    ).toEqual([
      'lake: takes the path of a folder (env CDC_LAKE)',
      'merge.engine: sprak is not known here: write one of local, spark, glue (did you mean spark?) (flag --engine)',
    ]);
  });
});

describe('precedence', () => {
  it('is flag over environment over file over default', () => {
    const env = { path: 'lake', value: 'from-env', origin: 'env CDC_LAKE' };
    const flag = { path: 'lake', value: 'from-flag', origin: 'flag --lake' };
    expect(parse('name: a').lake.location).toBe('/shop/lake');
    expect(parse('name: a\nlake: from-file').lake.location).toBe('/shop/from-file');
    expect(parse('name: a\nlake: from-file', [env]).lake.location).toBe('/shop/from-env');
    expect(parse('name: a\nlake: from-file', [env, flag]).lake.location).toBe('/shop/from-flag');
  });

  it('lets CDC_TLS_CA speak of a server by URL, in either form, and leaves a private one alone', () => {
    const env = { path: 'source.tls.ca', value: '/ca.pem', origin: 'env CDC_TLS_CA' };
    expect(parse('name: a\nsource: mysql://u@db', [env]).source).toMatchObject({
      tls: { mode: 'verify', ca: '/ca.pem' },
    });
    expect(parse('name: a\nsource: { url: mysql://u@db, tls: { ca: b.pem } }', [env]).source).toMatchObject({
      tls: { ca: '/ca.pem' },
    });
    expect(parse('name: a', [env]).source).toEqual({ kind: 'private' });
    expect(parse('name: a\nsource: private', [env]).source).toEqual({ kind: 'private' });
  });
});

describe('a source by URL', () => {
  const source = (text: string) => parse(`name: a\nsource: ${text}`).source;

  it('takes its password from CDC_SOURCE_PASSWORD unless it says otherwise', () => {
    expect(source('mysql://cdc@db.example.com')).toEqual({
      kind: 'url',
      host: 'db.example.com',
      port: 3306,
      user: 'cdc',
      password: { kind: 'env', name: 'CDC_SOURCE_PASSWORD', optional: true },
      tls: { mode: 'verify' },
    });
    expect(source('{ url: mysql://db:3307, user: root, password: "file:secret.txt", tls: off }')).toEqual({
      kind: 'url',
      host: 'db',
      port: 3307,
      user: 'root',
      password: { kind: 'file', path: '/shop/secret.txt' },
      tls: { mode: 'off' },
    });
  });

  it('asks for TLS everywhere but on this machine', () => {
    expect(source('mysql://u@127.0.0.1')).toMatchObject({ tls: { mode: 'off' } });
    expect(source('mysql://u@localhost:3307')).toMatchObject({ tls: { mode: 'off' } });
    expect(source('"mysql://u@[::1]"')).toMatchObject({ host: '::1', tls: { mode: 'off' } });
    expect(source('mysql://u@10.0.0.1')).toMatchObject({ tls: { mode: 'verify' } });
    expect(source('{ url: mysql://u@127.0.0.1, tls: verify }')).toMatchObject({ tls: { mode: 'verify' } });
  });

  it.each([
    ['mysql://root:hunter2@db', 'source: the URL has a password in it'],
    ['{ url: "mysql://root:hunter2@db" }', 'source.url: the URL has a password in it'],
    ['{ url: mysql://root@db, password: hunter2 }', 'source.password: a secret is not written here'],
    ['{ url: mysql://root@db, password: "env:hunter2 x" }', 'source.password: a secret is not written here'],
    ['{ url: mysql://root@db, password: "secret:arn:hunter2" }', 'source.password: secret: is not built yet'],
    ['{ url: mysql://root@db, password: 42 }', 'source.password: a secret is not written here'],
  ])('refuses the literal secret of %s and does not repeat it', (text, problem) => {
    const [found = '', ...others] = problems(`name: a\nsource: ${text}`);
    expect(others).toEqual([]);
    expect(found.startsWith(problem)).toBe(true);
    expect(found).not.toContain('hunter2');
  });
});

describe('the tables of a configuration', () => {
  const config = parse(`
name: a
tables: [ 'shop.%', { table: shop.orders, key: [id] }, 'log.%', { table: 'log.2%', mode: append } ]
exclude: [ 'shop.tmp%' ]
`);

  it('are those that fit a pattern and no exclusion', () => {
    expect(followsTable(config, { schema: 'shop', table: 'orders' })).toBe(true);
    expect(followsTable(config, { schema: 'shop', table: 'tmp1' })).toBe(false);
    expect(followsTable(config, { schema: 'crm', table: 'orders' })).toBe(false);
  });

  it('follow the entry that names them, else the last that fits', () => {
    expect(tableRuleFor(config, { schema: 'shop', table: 'orders' })).toMatchObject({ key: ['id'] });
    expect(tableRuleFor(config, { schema: 'shop', table: 'lines' })).toEqual({ pattern: 'shop.%', mode: 'mirror' });
    expect(tableRuleFor(config, { schema: 'log', table: '2026' })).toMatchObject({ mode: 'append' });
    expect(tableRuleFor(config, { schema: 'shop', table: 'tmp1' })).toBeUndefined();
  });
});

describe('a configuration for AWS', () => {
  it('of a name and a target has every default', () => {
    const config = parse('name: shop-qkzw\ntarget: aws');
    expect(config).toMatchObject({
      target: 'aws',
      source: {
        kind: 'rds',
        instanceClass: 'db.t3.micro',
        storageGb: 20,
        version: '8.4',
        user: 'admin',
        openToWorld: false,
        binlogRetentionHours: 24,
        tls: { mode: 'verify' },
      },
      staging: { location: 's3://shop-qkzw-staging/', keepMs: 7 * 86_400_000 },
      lake: { location: 's3://shop-qkzw-lake/' },
      aws: {
        staging: { bucket: 'shop-qkzw-staging', prefix: '', isNamed: false },
        lake: { bucket: 'shop-qkzw-lake', prefix: '', isNamed: false },
        dms: { instanceClass: 'dms.t3.micro', fullLoadTasks: 8, maxBatchSeconds: 300 },
      },
    });
  });

  it('takes every value that the file gives', () => {
    const config = parse(`
name: shop
target: aws
aws: { region: eu-west-1, profile: work }
source: { rds: { class: db.t4g.small, storage: 100, version: 8.4.5, user: root2, operator: 203.0.113.7/32, open_to_world: true, binlog_retention: 72 }, tls: { ca: ca.pem } }
staging: { bucket: mine, prefix: /cdc/in/, keep: 3d }
lake: s3://mine/cdc/lake
dms: { class: dms.t3.small, full_load_tasks: 4, max_batch_interval: 1m }
`);
    expect(config).toMatchObject({
      source: {
        instanceClass: 'db.t4g.small',
        storageGb: 100,
        version: '8.4.5',
        user: 'root2',
        operator: '203.0.113.7/32',
        openToWorld: true,
        binlogRetentionHours: 72,
        tls: { ca: '/shop/ca.pem' },
      },
      staging: { location: 's3://mine/cdc/in', keepMs: 3 * 86_400_000 },
      aws: {
        region: 'eu-west-1',
        profile: 'work',
        staging: { bucket: 'mine', prefix: 'cdc/in', isNamed: true },
        lake: { bucket: 'mine', prefix: 'cdc/lake', isNamed: true },
        dms: { instanceClass: 'dms.t3.small', fullLoadTasks: 4, maxBatchSeconds: 60 },
      },
    });
  });

  it.each([
    ['source: private', 'source: private is for target local: write rds, or the URL of a server that DMS can reach'],
    [
      'staging: ./staging',
      'staging: takes a bucket for target aws: write s3://bucket/prefix, or { bucket: …, prefix: … }',
    ],
    [
      'lake: ./lake',
      'lake: takes a bucket for target aws: write s3://bucket/prefix, or { bucket: …, prefix: … }; a folder takes target: local, whose staging may be that bucket',
    ],
    ['lake: { bucket: Shop }', 'lake.bucket: "Shop" is not the name of a bucket (3 to 63 of a-z, 0-9, - and .)'],
    ['lake: s3://a-staging/x', 'lake: lies under the same prefix as staging: give each its own'],
    ['aws: { vpc: mine }', 'aws.vpc: "mine" is not a VPC such as vpc-0a1b2c3d4e5f60718'],
    ['aws: { roles: { dms: r } }', 'aws.roles.dms: is not a key (did you mean dms_s3?)'],
    ['dms: { private: sometimes }', 'dms.private: takes a boolean'],
    ['aws: { region: Ireland }', 'aws.region: "Ireland" is not a region such as eu-west-1'],
    [
      'source: { rds: { version: 8.0 } }',
      "source.rds.version: 8 has left standard support, which RDS bills at ten times the instance: write '8.4'",
    ],
    ['source: { rds: { clas: db.t3.micro } }', 'source.rds.clas: is not a key (did you mean class?)'],
  ])('is refused: %s', (line, problem) => {
    expect(problems(`name: a\ntarget: aws\n${line}`)).toEqual([`${problem} (cdc.yaml:3)`]);
  });

  it.each([
    ['shop--eu', '"shop--eu" has two hyphens in a row, which RDS and DMS refuse'],
    ['shop-', '"shop-" ends with a hyphen, which RDS and DMS refuse before the next one'],
    ['sg-shop', '"sg-shop" begins with sg-, which EC2 keeps for itself'],
  ])('is refused with the name %s, which a service would refuse halfway', (name, problem) => {
    expect(problems(`name: ${name}\ntarget: aws`)).toEqual([`name: ${problem} (cdc.yaml:1)`]);
    expect(parse(`name: ${name}`).name).toBe(name);
  });

  it.each(['source: { rds: { user: rdsadmin } }', 'lake: { bucket: my..lake }', 'lake: { bucket: 192.0.2.7 }'])(
    'is refused with a name that a service refuses: %s',
    (line) => {
      expect(problems(`name: a\ntarget: aws\n${line}`)).toHaveLength(1);
    },
  );

  it('is refused pieces of the cloud that a pipeline on this machine does not use', () => {
    expect(problems('name: a\nlake: s3://mine/lake\naws: { region: eu-west-1, roles: { glue: mine } }')).toEqual([
      'aws: vpc, subnets and roles are for target: aws (cdc.yaml:3)',
    ]);
  });

  it('is refused for another target', () => {
    expect(problems('name: a\nsource: rds\naws: { region: eu-west-1 }\ndms: { full_load_tasks: 2 }')).toEqual([
      'source: rds is for target: aws (cdc.yaml:2)',
      'aws: is for target: aws, and for staging or lake on s3:// (cdc.yaml:3)',
      'dms: is for target: aws (cdc.yaml:4)',
    ]);
  });

  it('takes the authority that a variable names, also when it does not speak of the source', () => {
    const overrides = [{ path: 'source.tls.ca', value: '/ca.pem', origin: 'env CDC_TLS_CA' }];
    for (const source of ['', 'source: rds', 'source: { rds: { storage: 30 } }'])
      expect(parse(`name: a\ntarget: aws\n${source}`, overrides)).toMatchObject({ source: { tls: { ca: '/ca.pem' } } });
  });
});

describe('the template of a new configuration', () => {
  it.each([
    [{ name: 'shop-abcd', source: 'private', tables: [] }, '%.%', 'private'],
    [
      { name: 'shop-abcd', source: 'mysql://cdc@db.example.com:3306', tables: ["it's.%", 'shop.orders'] },
      "it's.%",
      'url',
    ],
  ])('is a configuration, and says every default as it is', (values, pattern, kind) => {
    const config = parse(configTemplate(values));
    const bare = parse('name: shop-abcd');
    expect(config).toMatchObject({ capture: bare.capture, merge: bare.merge, staging: bare.staging, lake: bare.lake });
    expect(config.tables[0]?.pattern).toBe(pattern);
    expect(config.source.kind).toBe(kind);
  });

  it.each([
    ['rds', { region: 'eu-west-1', profile: 'work' }],
    ['mysql://cdc@db.example.com:3306', {}],
  ])('is a configuration for AWS with the source %s, and says every default as it is', (source, account) => {
    const text = configTemplate({ name: 'shop-abcd', target: 'aws', source, tables: [], ...account });
    const bare = parse(`name: shop-abcd\ntarget: aws\nsource: ${source}`);
    const { file, folder, stateFolder, ...values } = bare;
    expect(parse(text)).toEqual({
      file,
      folder,
      stateFolder,
      ...values,
      s3: account,
      aws: { ...bare.aws, ...account },
    });
  });

  it.each([
    ['Persons DB', 'persons-db-zzzz'],
    ['2026_shop', 'shop-zzzz'],
    ['a-very-long-folder-name-indeed', 'a-very-long-folder-n-zzzz'],
    ['---', 'pipeline-zzzz'],
    ['Übung', 'bung-zzzz'],
  ])('names the pipeline of the folder %j %s', (folder, name) => {
    expect(pipelineName(folder, () => 0.9999)).toBe(name);
    expect(parse(`name: ${name}`).name).toBe(name);
  });
});
