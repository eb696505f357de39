import net from 'node:net';
import type { Connection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { BinlogEvent } from '../../../src/core/binlog/events.ts';
import { followBinlog } from '../../../src/core/binlog/stream.ts';
import type { BinlogPosition } from '../../../src/core/position.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';
import { addressOf, connectAdmin, endOfBinlog } from './support.ts';

interface Proxy {
  port: number;
  /** What becomes of the bytes from the server; undefined swallows them. */
  alter: (chunk: Buffer) => Buffer | undefined;
  /** Cuts every connection. */
  cut(): void;
  close(): void;
}

/** Stands between the tool and the server. */
async function startProxy(target: { host: string; port: number }): Promise<Proxy> {
  const sockets = new Set<net.Socket>();
  const listener = net.createServer((client) => {
    const upstream = net.connect(target.port, target.host);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (chunk) => upstream.write(chunk));
    upstream.on('data', (chunk) => {
      const altered = proxy.alter(chunk);
      if (altered !== undefined) client.write(altered);
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const proxy: Proxy = {
    port: (listener.address() as net.AddressInfo).port,
    alter: (chunk) => chunk,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    close: () => {
      proxy.cut();
      listener.close();
    },
  };
  return proxy;
}

describeOnServers('a bad network', (flavor) => {
  let server: TestServer;
  let admin: Connection;
  let proxy: Proxy;
  let from: BinlogPosition;

  beforeAll(async () => {
    server = await startTestServer(flavor);
    admin = await connectAdmin(server);
    await admin.query('CREATE DATABASE n; USE n; CREATE TABLE t (id int primary key auto_increment, v longtext)');
  });
  afterAll(async () => {
    await admin?.end();
    await server?.stop();
  });
  beforeEach(async () => {
    proxy = await startProxy(server);
    from = await endOfBinlog(admin);
  });
  afterEach(() => proxy.close());

  const follow = (onEvent: (event: BinlogEvent) => void | Promise<void>, signal = AbortSignal.timeout(30_000)) =>
    followBinlog({
      address: { ...addressOf(server), port: proxy.port },
      from,
      serverId: 99,
      heartbeatSeconds: 0.3,
      signal,
      wants: () => true,
      onEvent,
    }).then(
      () => undefined,
      (error: unknown) => error,
    );

  it('that goes silent counts as lost', async () => {
    const error = await follow(({ kind }) => {
      if (kind === 'heartbeat') proxy.alter = () => undefined;
    });
    expect(error).toMatchObject({ code: 'source.lost', message: expect.stringContaining('no sign') });
  });

  it('that is cut counts as lost, with the position reached', async () => {
    await admin.query("INSERT INTO t (v) VALUES ('x')");
    let reached: BinlogPosition | undefined;
    const error = await follow((event) => {
      if (event.kind !== 'commit') return;
      reached = event.position;
      proxy.cut();
    });
    expect(error).toMatchObject({
      code: 'source.lost',
      message: expect.stringContaining(`${reached?.file}:${reached?.offset}`),
    });
  });

  it('that changes a byte is noticed by the checksum', async () => {
    await admin.query("INSERT INTO t (v) VALUES ('CHANGE ME')");
    proxy.alter = (chunk) => {
      const at = chunk.indexOf('CHANGE ME');
      if (at >= 0) chunk[at] = 0x58;
      return chunk;
    };
    const seen: string[] = [];
    expect(await follow(({ kind }) => void seen.push(kind))).toMatchObject({ code: 'source.corrupt' });
    expect(seen).toEqual(['begin']);
  });

  it('that hands over a byte at a time changes nothing', async () => {
    await admin.query("INSERT INTO t (v) VALUES ('slow'), (REPEAT('z', 3000))");
    const until = await endOfBinlog(admin);
    const stop = new AbortController();
    const client: net.Socket[] = [];
    proxy.close();
    // Every chunk of the server is written in pieces that split headers and values.
    const slow = net.createServer((socket) => {
      client.push(socket);
      const upstream = net.connect(server.port, server.host);
      socket.on('data', (chunk) => upstream.write(chunk)).on('error', () => {});
      socket.setNoDelay(true);
      let queue = Promise.resolve();
      upstream
        .on('error', () => {})
        .on('data', (chunk) => {
          for (let at = 0; at < chunk.length; at += 1 + (at % 3)) {
            const piece = chunk.subarray(at, at + 1 + (at % 3));
            queue = queue.then(() => new Promise((resolve) => socket.write(piece, () => setImmediate(resolve))));
          }
        });
      socket.on('close', () => upstream.destroy());
    });
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
    proxy.port = (slow.address() as net.AddressInfo).port;
    const kinds: string[] = [];
    await follow(
      (event) => {
        if (event.kind !== 'heartbeat') kinds.push(event.kind);
        if (event.kind === 'commit' && event.position.offset >= until.offset) stop.abort();
      },
      AbortSignal.any([stop.signal, AbortSignal.timeout(30_000)]),
    );
    for (const socket of client) socket.destroy();
    slow.close();
    expect(kinds).toEqual(['begin', 'rows', 'commit']);
  });

  it('does not count the time that the listener takes', async () => {
    await admin.query("INSERT INTO t (v) VALUES ('x'); INSERT INTO t (v) VALUES ('y')");
    const stop = new AbortController();
    let commits = 0;
    const error = await follow(
      async (event) => {
        if (event.kind !== 'commit') return;
        commits++;
        // Longer than the silence after which the connection counts as lost.
        if (commits === 1) await new Promise((resolve) => setTimeout(resolve, 1500));
        else stop.abort();
      },
      AbortSignal.any([stop.signal, AbortSignal.timeout(30_000)]),
    );
    expect(error).toBeUndefined();
    expect(commits).toBe(2);
  });
});
