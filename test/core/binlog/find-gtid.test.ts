import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findGtid } from '../../../src/core/binlog/find-gtid.ts';
import { followBinlog } from '../../../src/core/binlog/stream.ts';
import type { BinlogPosition } from '../../../src/core/position.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';
import { addressOf, connectAdmin, endOfBinlog, selectText } from './support.ts';

describeOnServers('finding a GTID in the binlog', (flavor) => {
  let server: TestServer;
  let admin: Connection;
  const places: BinlogPosition[] = [];

  /** Three files, in each of them DDL and transactions; every place between two of them is noted. */
  beforeAll(async () => {
    server = await startTestServer(flavor);
    admin = await connectAdmin(server);
    await admin.query('DROP DATABASE IF EXISTS g; CREATE DATABASE g');
    for (let file = 1; file <= 3; file++) {
      await admin.query(`CREATE TABLE g.t${file} (id int primary key)`);
      places.push(await endOfBinlog(admin));
      for (let id = 1; id <= 3; id++) {
        await admin.query(`INSERT INTO g.t${file} VALUES (${id})`);
        places.push(await endOfBinlog(admin));
      }
      await admin.query('FLUSH BINARY LOGS');
    }
    await admin.query('INSERT INTO g.t1 VALUES (10)');
    places.push(await endOfBinlog(admin));
  });
  afterAll(async () => {
    await admin?.end();
    await server?.stop();
  });

  const find = async (gtid: string, files?: string[]) =>
    findGtid({
      address: addressOf(server),
      gtid,
      files: files ?? (await selectText(admin, 'SHOW BINARY LOGS')).map(([name]) => name ?? ''),
      serverId: 4713,
      signal: AbortSignal.timeout(60_000),
    });

  /** Of the first transaction or statement from there on. */
  const startOfNext = async (from: BinlogPosition) => {
    const done = new AbortController();
    let start: BinlogPosition | undefined;
    await followBinlog({
      address: addressOf(server),
      from,
      serverId: 4714,
      heartbeatSeconds: 0.2,
      signal: AbortSignal.any([done.signal, AbortSignal.timeout(30_000)]),
      wants: () => false,
      onEvent(event) {
        if (event.kind === 'begin' || event.kind === 'statement') start ??= event.start;
        if (event.kind !== 'rotate') done.abort();
      },
    });
    return start;
  };

  it('finds every place of every file', async () => {
    expect(places).toHaveLength(13);
    for (const place of places) {
      const found = await find(place.gtid ?? '');
      expect(found.gtid).toBe(place.gtid);
      // The same place may have several names: where one file ends and the next begins, around events that are no transactions.
      expect(await startOfNext(found)).toEqual(await startOfNext(place));
    }
  });

  it('says what lies before the files that are left, and what never happened', async () => {
    const [first] = places;
    const files = (await selectText(admin, 'SHOW BINARY LOGS')).map(([name]) => name ?? '');
    await expect(find(first?.gtid ?? '', files.slice(-1))).rejects.toMatchObject({
      code: 'position.purged',
      message: expect.stringContaining(`before ${files.at(-1)}`),
    });
    const last = places.at(-1)?.gtid ?? '';
    const beyond = last.replace(/\d+$/, (number) => String(Number(number) + 1));
    await expect(find(beyond)).rejects.toMatchObject({ code: 'position.unknown' });
  });
});
