import type { Connection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { BinlogEvent } from '../../../src/core/binlog/events.ts';
import { followBinlog } from '../../../src/core/binlog/stream.ts';
import type { BinlogPosition } from '../../../src/core/position.ts';
import type { TableDefinition } from '../../../src/core/table-definition.ts';
import { purgeBinlog } from '../../support/purge-binlog.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';
import {
  addressOf,
  connectAdmin,
  definitionOf,
  endOfBinlog,
  linesOf,
  readBinlog,
  type SeenEvent,
  selectText,
} from './support.ts';

/** Events by kind; statements with their text. */
function kinds(events: SeenEvent[]): string[] {
  return events.map((event) =>
    event.kind === 'rows' ? `rows ${event.op}` : event.kind === 'statement' ? `statement ${event.sql}` : event.kind,
  );
}

describeOnServers('following the binlog', (flavor) => {
  let server: TestServer;
  let admin: Connection;
  let from: BinlogPosition;
  let definitions: TableDefinition[];

  beforeAll(async () => {
    server = await startTestServer(flavor);
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    admin = await connectAdmin(server);
    await admin.query(`DROP DATABASE IF EXISTS s; CREATE DATABASE s; USE s;
      CREATE TABLE a (id int primary key, v varchar(20));
      CREATE TABLE other (id int primary key);
      CREATE TABLE big (id int primary key, v longtext, w longblob)`);
    from = await endOfBinlog(admin);
    definitions = [await definitionOf(admin, 's', 'a'), await definitionOf(admin, 's', 'big')];
  });
  afterEach(() => admin?.end());

  const read = async (options: { from?: BinlogPosition; until?: BinlogPosition } = {}) =>
    readBinlog({ server, from, until: await endOfBinlog(admin), definitions, ...options });

  /** Follows until the stream ends by itself; what it rejected with. */
  const failure = async (options: { from?: BinlogPosition; onEvent?: (event: BinlogEvent) => void } = {}) =>
    followBinlog({
      address: addressOf(server),
      from,
      serverId: 4712,
      heartbeatSeconds: 1,
      signal: AbortSignal.timeout(30_000),
      wants: () => false,
      onEvent: () => {},
      ...options,
    }).then(
      () => undefined,
      (error: unknown) => error,
    );

  it('tells transactions, rows and statements in order, and ends where the server stands', async () => {
    await admin.query("INSERT INTO a VALUES (1,'x'),(2,'y')");
    await admin.query("START TRANSACTION; UPDATE a SET v = 'z' WHERE id = 1; DELETE FROM a WHERE id = 2; COMMIT");
    await admin.query('INSERT INTO other VALUES (1)');
    await admin.query('ALTER TABLE a ADD COLUMN n int');
    await admin.query('TRUNCATE TABLE other');
    const end = await endOfBinlog(admin);
    const events = await read();
    expect(kinds(events)).toEqual([
      'begin',
      'rows I',
      'commit',
      'begin',
      'rows U',
      'rows D',
      'commit',
      'begin',
      'commit',
      'statement ALTER TABLE a ADD COLUMN n int',
      'statement TRUNCATE TABLE other',
    ]);
    const last = events.at(-1)!;
    expect(last).toMatchObject({ kind: 'statement', schema: 's', inTransaction: false, position: end });
    expect(end.gtid).not.toBe(from.gtid);
    expect(linesOf(events).map(({ op, fields }) => [op, ...fields])).toEqual([
      ['I', '1', 'x'],
      ['I', '2', 'y'],
      ['U', '1', 'z'],
      ['D', '2', 'y'],
    ]);
  });

  it('gives the commit time of a transaction, and its GTID', async () => {
    const now = async () => (await selectText(admin, 'SELECT UNIX_TIMESTAMP(NOW(6)) * 1000000'))[0]![0];
    const before = await now();
    await admin.query("INSERT INTO a VALUES (1,'x')");
    const after = await now();
    const [begin] = await read();
    if (begin?.kind !== 'begin') throw new Error('no begin');
    const second = 1_000_000;
    const precision = flavor === 'mysql' ? 1 : second;
    expect(begin.timestamp).toBeGreaterThanOrEqual(Math.floor(Number(before) / precision) * precision);
    expect(begin.timestamp).toBeLessThanOrEqual(Number(after));
    expect(begin.gtid).toMatch(flavor === 'mysql' ? /^[0-9a-f-]{36}:\d+$/ : /^0-\d+-\d+$/);
    expect(begin.start).toEqual(from);
  });

  it('can resume at every transaction end, and at the last event of every transaction to compare its mark', async () => {
    for (let i = 0; i < 5; i++) await admin.query(`INSERT INTO a VALUES (${i}, 'row ${i}')`);
    await admin.query('CREATE TABLE later (id int); FLUSH BINARY LOGS');
    await admin.query("START TRANSACTION; INSERT INTO a VALUES (10,'x'); INSERT INTO a VALUES (11,'x'); COMMIT");
    await admin.query('DROP TABLE later');
    const all = await read();
    const ends = all.flatMap((event, i) =>
      event.kind === 'commit' || event.kind === 'statement' ? [{ event, i }] : [],
    );
    expect(ends.length).toBe(8);
    for (const { event, i } of ends) {
      const rest = kinds(all.slice(i + 1));
      if (rest.length > 0) {
        const resumed = await read({ from: event.position });
        expect(kinds(resumed)).toEqual(rest);
        expect(resumed.at(-1)).toEqual(all.at(-1));
      }
      const { file, offset } = event.mark;
      const compared = await read({ from: { ...event.position, file, offset } });
      expect(compared[0]).toMatchObject({ kind: event.kind, mark: event.mark, position: event.position });
      expect(kinds(compared.slice(1))).toEqual(rest);
    }
  });

  it('follows from file to file', async () => {
    await admin.query("INSERT INTO a VALUES (1,'x'); FLUSH BINARY LOGS; INSERT INTO a VALUES (2,'y')");
    const end = await endOfBinlog(admin);
    const events = await read();
    expect(kinds(events)).toEqual(['begin', 'rows I', 'commit', 'rotate', 'begin', 'rows I', 'commit']);
    expect(events[3]).toEqual({ kind: 'rotate', file: end.file });
    expect(events.at(-1)).toMatchObject({ position: { file: end.file, gtid: end.gtid } });
    expect(end.file).not.toBe(from.file);
  });

  it('learns the GTIDs of the past from the head of a file when it was not given them', async () => {
    await admin.query("INSERT INTO a VALUES (1,'x'); FLUSH BINARY LOGS; INSERT INTO a VALUES (2,'y')");
    const { gtid: _, ...without } = from;
    const commits = (await read({ from: without })).filter((event) => event.kind === 'commit');
    expect(commits[0]!.position.gtid).toBeUndefined();
    expect(commits[1]!.position.gtid).toBe((await endOfBinlog(admin)).gtid);
  });

  it('joins rows of more than 16 MB, several of them in a transaction', async () => {
    await admin.query('SET GLOBAL max_allowed_packet = 1073741824');
    const session = await connectAdmin(server);
    const size = 17 * 1024 * 1024;
    await session.query(
      `INSERT INTO s.big VALUES (1, REPEAT('a"', ${size / 2}), REPEAT('b', ${size})), (2, 'small', 's')`,
    );
    await session.query(`INSERT INTO s.big VALUES (3, REPEAT('c', ${2 ** 24 - 60}), '')`);
    await session.end();
    const lines = linesOf(await read());
    expect(lines.map(({ fields }) => fields[0])).toEqual(['1', '2', '3']);
    expect(lines[0]!.fields[1] === 'a"'.repeat(size / 2)).toBe(true);
    expect(lines[0]!.fields[2] === '62'.repeat(size)).toBe(true);
    expect(lines[1]!.fields).toEqual(['2', 'small', '73']);
    expect(lines[2]!.fields[1] === 'c'.repeat(2 ** 24 - 60)).toBe(true);
  });

  it('reads events with many rows, and transactions of many events', async () => {
    await admin.query(
      `INSERT INTO a WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i, REPEAT('v', 20) FROM n`,
    );
    await admin.query(
      `START TRANSACTION; ${Array.from({ length: 50 }, (_, i) => `UPDATE a SET v = 'u${i}' WHERE id % 50 = ${i}`).join(';')}; COMMIT`,
    );
    const events = await read();
    expect(linesOf(events).filter(({ op }) => op === 'I')).toHaveLength(900);
    expect(linesOf(events).filter(({ op }) => op === 'U')).toHaveLength(900);
    expect(kinds(events).filter((kind) => kind === 'commit')).toHaveLength(2);
  });

  it('holds the stream while the listener is busy, one event at a time', async () => {
    for (let i = 0; i < 200; i++) await admin.query(`INSERT INTO other VALUES (${i})`);
    const until = await endOfBinlog(admin);
    const stop = new AbortController();
    let busy = 0;
    let commits = 0;
    await followBinlog({
      address: addressOf(server),
      from,
      serverId: 4712,
      signal: stop.signal,
      wants: () => true,
      async onEvent(event) {
        expect(busy).toBe(0);
        busy++;
        await new Promise((resolve) => setImmediate(resolve));
        busy--;
        if (event.kind !== 'commit') return;
        commits++;
        if (event.position.offset === until.offset) stop.abort();
      },
    });
    expect(commits).toBe(200);
  });

  it('resolves only after the listener is done when the signal fires, and hands out nothing more', async () => {
    await admin.query("INSERT INTO a VALUES (1,'x'); INSERT INTO a VALUES (2,'x')");
    const stop = new AbortController();
    const story: string[] = [];
    await followBinlog({
      address: addressOf(server),
      from,
      serverId: 4712,
      signal: stop.signal,
      wants: () => true,
      onEvent(event) {
        story.push(event.kind);
        if (event.kind !== 'commit') return;
        stop.abort();
        return new Promise<void>((resolve) => setTimeout(resolve, 50)).then(() => void story.push('done'));
      },
    });
    story.push('resolved');
    expect(story).toEqual(['begin', 'rows', 'commit', 'done', 'resolved']);
  });

  it('resolves at once when the signal had fired before', async () => {
    await followBinlog({
      address: { ...addressOf(server), port: 1 },
      from,
      serverId: 4712,
      signal: AbortSignal.abort(),
      wants: () => true,
      onEvent: () => {},
    });
  });

  it('rejects with what the listener threw, thrown or rejected', async () => {
    await admin.query("INSERT INTO a VALUES (1,'x')");
    const broken = new Error('disk full');
    expect(
      await failure({
        onEvent: () => {
          throw broken;
        },
      }),
    ).toBe(broken);
    expect(await failure({ onEvent: () => Promise.reject(broken) as unknown as undefined })).toBe(broken);
  });

  it('reports source.lost when the server kills the connection', async () => {
    const failed = failure({
      onEvent(event) {
        if (event.kind !== 'heartbeat') return;
        admin
          .query(`SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'`)
          .then(async ([rows]) => {
            for (const { id, ID } of rows as Record<string, string>[]) await admin.query(`KILL ${id ?? ID}`);
          });
      },
    });
    expect(await failed).toMatchObject({ code: 'source.lost', message: expect.stringContaining(`at ${from.file}:`) });
  });

  it('says heartbeat while nothing happens', async () => {
    const stop = new AbortController();
    const events: string[] = [];
    await followBinlog({
      address: addressOf(server),
      from,
      serverId: 4712,
      heartbeatSeconds: 0.2,
      signal: stop.signal,
      wants: () => false,
      onEvent({ kind }) {
        events.push(kind);
        if (events.length === 3) stop.abort();
      },
    });
    expect(events).toEqual(['heartbeat', 'heartbeat', 'heartbeat']);
  });

  it('reports position.purged when the file is gone', async () => {
    await admin.query('FLUSH BINARY LOGS');
    await purgeBinlog(server);
    expect(await failure()).toMatchObject({ code: 'position.purged', message: expect.stringContaining(from.file) });
  });

  it('reports position.unknown beyond the end of the file', async () => {
    expect(await failure({ from: { ...from, offset: from.offset + 1_000_000 } })).toMatchObject({
      code: 'position.unknown',
    });
  });

  it('does not take the middle of an event for the start of one', async () => {
    await admin.query("INSERT INTO a VALUES (1,'xxxxxxxxxxxxxxxxxx')");
    expect(await failure({ from: { ...from, offset: from.offset + 7 } })).toMatchObject({
      code: expect.stringMatching(/^(position\.unknown|source\.(corrupt|failed))$/),
    });
  });

  it('refuses to begin at rows whose table it was not told', async () => {
    await admin.query("INSERT INTO a VALUES (1,'x')");
    const [events] = await admin.query(`SHOW BINLOG EVENTS IN '${from.file}' FROM ${from.offset}`);
    const row = (events as unknown as Record<string, string>[]).find((event) =>
      event.Event_type?.startsWith('Write_rows'),
    );
    expect(await failure({ from: { ...from, offset: Number(row!.Pos) } })).toMatchObject({ code: 'position.invalid' });
  });

  it('refuses an offset that the protocol cannot ask for', async () => {
    expect(await failure({ from: { ...from, offset: 2 ** 32 } })).toMatchObject({ code: 'position.too-far' });
  });

  it('reads a binlog without checksums, and one that changes over', async () => {
    await admin.query("SET GLOBAL binlog_checksum = NONE; INSERT INTO a VALUES (1,'x')");
    const plain = await endOfBinlog(admin);
    await admin.query("INSERT INTO a VALUES (2,'y'); SET GLOBAL binlog_checksum = CRC32; INSERT INTO a VALUES (3,'z')");
    const events = await read();
    expect(linesOf(events).map(({ fields }) => fields[0])).toEqual(['1', '2', '3']);
    const resumed = await read({ from: plain });
    expect(linesOf(resumed).map(({ fields }) => fields[0])).toEqual(['2', '3']);
    const mark = (list: SeenEvent[]) => list.findLast((event) => event.kind === 'commit')!.mark;
    expect(mark(resumed)).toEqual(mark(events));
    const first = resumed.find((event) => event.kind === 'commit')!;
    expect(first.mark.checksum).toBeGreaterThan(0);
    const again = await read({ from: { ...from, file: first.mark.file, offset: first.mark.offset } });
    expect(again[0]).toMatchObject({ kind: 'commit', mark: first.mark });
  });

  it('carries on after the server was killed and started again', async () => {
    await admin.query("INSERT INTO a VALUES (1,'x')");
    let last: BinlogPosition = from;
    let isDown: Promise<void> | undefined;
    const error = await failure({
      onEvent(event) {
        if (event.kind === 'commit') last = event.position;
        if (event.kind === 'commit') isDown ??= server.kill9();
      },
    });
    expect(error).toMatchObject({ code: 'source.lost' });
    await isDown;
    await server.restart();
    admin = await connectAdmin(server);
    await admin.query("INSERT INTO s.a VALUES (2,'y')");
    const events = await read({ from: last });
    expect(kinds(events)).toEqual(['rotate', 'begin', 'rows I', 'commit']);
    expect(events.at(-1)).toMatchObject({ position: { gtid: (await endOfBinlog(admin)).gtid } });
  });

  it('names the missing privilege', async () => {
    await admin.query("CREATE USER IF NOT EXISTS 'nobody'@'%' IDENTIFIED BY 'secret-word'");
    const error = await followBinlog({
      address: { ...addressOf(server), user: 'nobody', password: 'secret-word' },
      from,
      serverId: 4712,
      signal: AbortSignal.timeout(20_000),
      wants: () => false,
      onEvent: () => {},
    }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'source.access-denied', hint: expect.stringContaining('REPLICATION SLAVE') });
    expect(JSON.stringify(error) + String(error)).not.toContain('secret-word');
  });
});
