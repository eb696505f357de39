import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connectSource } from '../../../src/core/binlog/connection.ts';
import { type Finding, refusedTables, sourceErrors } from '../../../src/core/source/finding.ts';
import { Grants } from '../../../src/core/source/grants.ts';
import { type CheckSourceOptions, checkSource } from '../../../src/core/source/source-check.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';

const connect = (server: TestServer, user = server.cdc) =>
  connectSource({ host: server.host, port: server.port, ...user });

async function check(
  server: TestServer,
  options: Partial<CheckSourceOptions> = {},
  user = server.cdc,
): Promise<Finding[]> {
  const connection = await connect(server, user);
  try {
    return await checkSource(connection, { tables: ['shop.%'], exclude: [], ...options });
  } finally {
    connection.destroy();
  }
}

const codes = (findings: Finding[], table?: string) =>
  findings.filter((finding) => finding.table === table).map(({ level, code }) => `${level} ${code}`);

describeOnServers('checking the source', (flavor) => {
  let server: TestServer;
  let admin: Connection;
  const mysql = flavor === 'mysql';
  beforeAll(async () => {
    server = await startTestServer(flavor);
    admin = await connect(server, server.admin);
    await admin.query('CREATE DATABASE shop');
    await admin.query('CREATE TABLE shop.orders (id INT PRIMARY KEY, name VARCHAR(20))');
  });
  afterAll(async () => {
    admin?.destroy();
    await server?.stop();
  });

  test('finds nothing wrong with the server that this tool makes', async () => {
    expect((await check(server)).filter(({ level }) => level === 'error')).toEqual([]);
  });

  const SETTINGS: [variable: string, bad: string, good: string, finding: string][] = [
    ['binlog_format', "'MIXED'", "'ROW'", 'error binlog.format'],
    ['binlog_format', "'STATEMENT'", "'ROW'", 'error binlog.format'],
    ['binlog_row_image', "'MINIMAL'", "'FULL'", 'error binlog.row-image'],
    ['binlog_row_image', "'NOBLOB'", "'FULL'", 'error binlog.row-image'],
    ['sync_binlog', '0', '1', 'warning binlog.sync'],
    ['binlog_row_metadata', mysql ? "'MINIMAL'" : "'NO_LOG'", "'FULL'", 'warning binlog.row-metadata'],
    ['binlog_expire_logs_seconds', '3600', '0', 'warning binlog.retention'],
    ...(mysql
      ? ([
          ['server_id', '0', '1', 'error server.id'],
          ['binlog_row_value_options', "'PARTIAL_JSON'", "''", 'error binlog.partial-json'],
          ['binlog_transaction_compression', 'ON', 'OFF', 'error binlog.compression'],
        ] as [string, string, string, string][])
      : ([
          ['log_bin_compress', 'ON', 'OFF', 'error binlog.compression'],
          ['binlog_alter_two_phase', 'ON', 'OFF', 'error binlog.alter-two-phase'],
        ] as [string, string, string, string][])),
  ];

  test.each(SETTINGS)('%s = %s', async (variable, bad, good, finding) => {
    await admin.query(`SET GLOBAL ${variable} = ${good}`);
    expect(codes(await check(server))).not.toContain(finding);
    await admin.query(`SET GLOBAL ${variable} = ${bad}`);
    try {
      const findings = await check(server);
      expect(codes(findings)).toContain(finding);
      expect(findings.find(({ code }) => finding.endsWith(code))?.fix).toContain(variable);
    } finally {
      await admin.query(`SET GLOBAL ${variable} = ${good}`);
    }
  });

  test('all findings come at once', async () => {
    await admin.query("SET GLOBAL binlog_format = 'MIXED', GLOBAL binlog_row_image = 'MINIMAL'");
    try {
      const findings = await check(server, { tables: ['shop.%', 'shop.order'] });
      expect(codes(findings)).toEqual(expect.arrayContaining(['error binlog.format', 'error binlog.row-image']));
      expect(codes(findings, 'shop.order')).toEqual(['error table.missing']);
      expect(sourceErrors(findings)).toHaveLength(2);
    } finally {
      await admin.query("SET GLOBAL binlog_format = 'ROW', GLOBAL binlog_row_image = 'FULL'");
    }
  });

  test('how long RDS keeps the binlog is asked where its procedure is', async () => {
    await admin.query(
      "CREATE PROCEDURE mysql.rds_show_configuration() SELECT 'binlog retention hours' AS name, @@global.auto_increment_offset AS value",
    );
    try {
      await admin.query('SET GLOBAL auto_increment_offset = 2');
      const found = (await check(server, {}, server.admin)).find(({ code }) => code === 'binlog.retention');
      expect(found).toMatchObject({
        level: 'warning',
        message: expect.stringContaining('2 h'),
        fix: expect.stringContaining('rds_set_configuration'),
      });
      await admin.query('SET GLOBAL auto_increment_offset = 48');
      expect(codes(await check(server, {}, server.admin))).not.toContain('warning binlog.retention');
    } finally {
      await admin.query('DROP PROCEDURE mysql.rds_show_configuration');
      await admin.query('SET GLOBAL auto_increment_offset = 1');
    }
  });

  describe('grants', () => {
    const user = { user: 'few', password: 'few-Password-1' };
    beforeEach(async () => {
      await admin.query("DROP USER IF EXISTS 'few'@'%'");
      await admin.query(`CREATE USER 'few'@'%' IDENTIFIED BY '${user.password}'`);
    });
    const grant = (privileges: string) => admin.query(`GRANT ${privileges} TO 'few'@'%'`);

    test('SELECT alone lacks the rest', async () => {
      await grant('SELECT ON *.*');
      const missing = ['error grant.replication', 'error grant.monitor'];
      expect(codes(await check(server, {}, user))).toEqual(
        mysql ? [...missing, 'error grant.snapshot', 'warning grant.xa-recover'] : missing,
      );
    });

    test('LOCK TABLES on the tables does where there is no RELOAD', async () => {
      await grant('SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.*');
      await grant('LOCK TABLES ON `sho_`.*');
      expect(codes(await check(server, {}, user))).toEqual(mysql ? ['warning grant.xa-recover'] : []);
    });

    test('SELECT on some columns of a table is not enough, and concerns that table only', async () => {
      await grant('REPLICATION SLAVE, REPLICATION CLIENT, RELOAD ON *.*');
      await admin.query('CREATE TABLE shop.part (id INT PRIMARY KEY, secret INT)');
      await grant('SELECT (id) ON shop.part');
      await grant('SELECT ON shop.orders');
      try {
        const findings = await check(server, {}, user);
        expect(codes(findings, 'shop.part')).toEqual(['error grant.select']);
        expect(codes(findings, 'shop.orders')).toEqual([]);
      } finally {
        await admin.query('DROP TABLE shop.part');
      }
    });

    test('a role that is active counts', async () => {
      await admin.query("DROP ROLE IF EXISTS 'reader'");
      await admin.query("CREATE ROLE 'reader'");
      await admin.query("GRANT SELECT, RELOAD, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'reader'");
      await admin.query("GRANT 'reader' TO 'few'@'%'");
      await admin.query(mysql ? "SET DEFAULT ROLE 'reader' TO 'few'@'%'" : "SET DEFAULT ROLE 'reader' FOR 'few'@'%'");
      expect(codes(await check(server, {}, user)).filter((code) => code.startsWith('error'))).toEqual([]);
    });
  });

  describe('tables', () => {
    const TABLES: [name: string, definition: string, findings: string[]][] = [
      ['no_key', '(a INT)', ['error key.missing']],
      ['unique_only', '(a INT NOT NULL, b INT, UNIQUE (a), UNIQUE (b))', ['error key.missing']],
      [
        'shape',
        '(id INT PRIMARY KEY, place GEOMETRY, other POINT)',
        ['error type.unsupported', 'error type.unsupported'],
      ],
      ['script', '(id INT PRIMARY KEY, t VARCHAR(9) CHARACTER SET ucs2)', ['error type.charset']],
      ['my_isam', '(id INT PRIMARY KEY) ENGINE = MyISAM', ['error table.engine']],
      ['in_memory', '(id INT PRIMARY KEY) ENGINE = MEMORY', ['error table.engine']],
      ['parent', '(id INT PRIMARY KEY)', []],
      [
        'child_cascade',
        '(id INT PRIMARY KEY, p INT, CONSTRAINT `a,b` FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE)',
        ['error table.cascade'],
      ],
      [
        'child_null',
        '(id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id) ON UPDATE SET NULL)',
        ['error table.cascade'],
      ],
      [
        'child_restrict',
        "(id INT PRIMARY KEY, p INT COMMENT 'ON DELETE CASCADE', FOREIGN KEY (p) REFERENCES parent (id) ON DELETE RESTRICT)",
        [],
      ],
      ['Cased', '(id INT PRIMARY KEY)', ['error table.name-clash']],
      ['cAsed', '(id INT PRIMARY KEY)', ['error table.name-clash']],
      ...(mysql
        ? []
        : ([
            ['versioned', '(id INT PRIMARY KEY) WITH SYSTEM VERSIONING', ['error table.versioned']],
            ['aria', '(id INT PRIMARY KEY) ENGINE = Aria', ['error table.engine']],
            ['address', '(id INT PRIMARY KEY, ip INET6)', ['error type.unsupported']],
          ] as [string, string, string[]][])),
    ];
    let findings: Finding[];
    beforeAll(async () => {
      await admin.query('USE shop');
      for (const [name, definition] of TABLES) await admin.query(`CREATE TABLE \`${name}\` ${definition}`);
      findings = await check(server);
    });
    afterAll(async () => {
      for (const [name] of [...TABLES].reverse()) await admin.query(`DROP TABLE shop.\`${name}\``);
    });

    test.each(TABLES)('%s %s', (name, _, expected) => {
      expect(codes(findings, `shop.${name}`)).toEqual(expected);
    });

    test('names the column, the key and what mends it', () => {
      const of = (table: string) => findings.find((finding) => finding.table === `shop.${table}`);
      expect(of('shape')?.message).toContain('column place');
      expect(of('script')?.message).toMatch(/column t.*ucs2/);
      expect(of('child_cascade')?.message).toContain('a,b');
      expect(of('no_key')?.message).toContain('VERY IMPORTANT');
    });

    test('a table that cannot be followed holds up no other', () => {
      expect(sourceErrors(findings)).toEqual([]);
      const refused = refusedTables(findings);
      expect(refused.has('shop.no_key')).toBe(true);
      for (const name of ['orders', 'parent', 'child_restrict']) expect(refused.has(`shop.${name}`)).toBe(false);
    });

    test('append mode and a chosen unique key do without a primary key', async () => {
      const rule = (name: { table: string }) =>
        name.table === 'no_key'
          ? { mode: 'append' as const }
          : name.table === 'unique_only'
            ? { mode: 'mirror' as const, key: ['A'] }
            : undefined;
      const found = await check(server, { ruleFor: rule });
      expect(codes(found, 'shop.no_key')).toEqual([]);
      expect(codes(found, 'shop.unique_only')).toEqual([]);
    });

    test('a chosen key must be unique and NOT NULL', async () => {
      for (const key of [['b'], ['a', 'b'], ['nobody']]) {
        const found = await check(server, { ruleFor: () => ({ mode: 'mirror', key }) });
        expect(codes(found, 'shop.unique_only')).toEqual(['error key.unfit']);
      }
    });

    test('accepted cascades stay a warning', async () => {
      const found = await check(server, { foreignKeyCascades: 'accept' });
      expect(codes(found, 'shop.child_cascade')).toEqual(['warning table.cascade']);
    });

    test('what is excluded is not looked at', async () => {
      const found = await check(server, { exclude: ['shop.%[_]key', 'shop.c%', 'shop.s%'] });
      expect(found.map(({ table }) => table)).not.toContain('shop.no_key');
      expect(found.map(({ table }) => table)).not.toContain('shop.child_cascade');
    });
  });

  test('says so when no table fits', async () => {
    expect(codes(await check(server, { tables: ['nowhere.%'] }))).toEqual(['error tables.none']);
    const [none, missing] = await check(server, { tables: ['shop.Orders'] });
    expect(none).toMatchObject({ code: 'tables.none', fix: expect.stringContaining('shop.orders') });
    expect(missing).toMatchObject({
      code: 'table.missing',
      table: 'shop.Orders',
      message: expect.stringContaining('did you mean shop.orders'),
    });
  });
});

describeOnServers('checking a source that was started wrongly', (flavor) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer(flavor, { extraArgs: ['--skip-log-bin'] });
    await server.query('CREATE DATABASE shop', 'CREATE TABLE shop.orders (id INT PRIMARY KEY)');
  });
  afterAll(() => server?.stop());

  test('without a binlog', async () => {
    expect(codes(await check(server))).toContain('error binlog.off');
  });

  test('with a binlog of some schemas only, and as a replica that writes none of what it replicates', async () => {
    await server.shutdown();
    await server.restart({
      extraArgs: [
        '--binlog-ignore-db=secret',
        flavor === 'mysql' ? '--log-replica-updates=OFF' : '--log-slave-updates=OFF',
      ],
    });
    expect(codes(await check(server))).toContain('error binlog.filter');
    expect(codes(await check(server, {}, server.admin))).not.toContain('error binlog.replica-updates');
    await server.query(
      flavor === 'mysql'
        ? "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = 1"
        : "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = 1",
    );
    expect(codes(await check(server, {}, server.admin))).toContain('error binlog.replica-updates');
  });
});

describe('reading SHOW GRANTS', () => {
  const orders = { schema: 'shop', table: 'orders' };
  test.each([
    ['GRANT SELECT ON *.* TO `a`@`%`', true],
    ['GRANT ALL PRIVILEGES ON *.* TO `a`@`%` WITH GRANT OPTION', true],
    ['GRANT INSERT, SELECT ON `shop`.* TO `a`@`%`', true],
    ['GRANT SELECT ON `sh%`.* TO `a`@`%`', true],
    ['GRANT SELECT ON `sho_`.* TO `a`@`%`', true],
    ['GRANT SELECT ON `sho\\_`.* TO `a`@`%`', false],
    ['GRANT SELECT ON `shop`.`orders` TO `a`@`%`', true],
    ['GRANT SELECT ON `shop`.`order` TO `a`@`%`', false],
    ['GRANT SELECT (`id`, `name`), INSERT ON `shop`.`orders` TO `a`@`%`', false],
    ['GRANT `reader`@`%` TO `a`@`%`', false],
    ['GRANT USAGE ON *.* TO `a`@`%`', false],
  ])('%s allows SELECT: %s', (line, expected) => {
    expect(new Grants([line]).hasOn(orders, 'SELECT')).toBe(expected);
  });
});
