import net from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectSource, type SourceAddress, sourceError } from '../../../src/core/binlog/connection.ts';
import { CdcError } from '../../../src/core/errors.ts';
import { makeCertificates, type TestCertificates } from '../../support/certificates.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';
import { addressOf, selectText } from './support.ts';

function failure(address: SourceAddress, signal?: AbortSignal): Promise<CdcError | undefined> {
  return connectSource(address, signal === undefined ? {} : { signal }).then(
    (connection) => {
      connection.destroy();
      return undefined;
    },
    (error: CdcError) => error,
  );
}

describeOnServers('connecting to the source', (flavor) => {
  let server: TestServer;
  let certificates: TestCertificates;
  let ca: string;

  beforeAll(async () => {
    certificates = await makeCertificates('IP:127.0.0.1,DNS:db.example');
    ca = certificates.ca;
    server = await startTestServer(flavor, { extraArgs: certificates.serverArgs });
  });
  afterAll(async () => {
    await server?.stop();
    await certificates?.remove();
  });

  it('reads every value as text, times in UTC, text of any language', async () => {
    const connection = await connectSource(addressOf(server));
    const rows = await selectText(
      connection,
      "SELECT 1, 18446744073709551615, 1.50, 1e0, '日本😀', NULL, DATE'2024-02-29', FROM_UNIXTIME(0), @@time_zone, @@character_set_results",
    );
    expect(rows).toEqual([
      [
        '1',
        '18446744073709551615',
        '1.50',
        '1',
        '日本😀',
        null,
        '2024-02-29',
        '1970-01-01 00:00:00',
        '+00:00',
        'utf8mb4',
      ],
    ]);
    const [[mode]] = (await selectText(connection, 'SELECT @@sql_mode')) as [string[]];
    expect(mode).toContain('STRICT_TRANS_TABLES');
    await connection.end();
  });

  it('runs several statements at once only when asked to', async () => {
    const one = await connectSource(addressOf(server));
    await expect(one.query('SELECT 1; SELECT 2')).rejects.toThrow();
    await one.end();
    const many = await connectSource(addressOf(server), { multipleStatements: true });
    await many.query('SELECT 1; SELECT 2');
    await many.end();
  });

  it('connects over the socket of the machine', async () => {
    const connection = await connectSource({ ...addressOf(server, 'admin'), socket: server.socket }).catch(
      (error: CdcError) => error,
    );
    // Who may come over the socket is the server's business; that it was reached is ours.
    if (connection instanceof CdcError) expect(connection.code).toBe('source.access-denied');
    else await connection.end();
  });

  it('names the server that cannot be reached, and the user who may not come in, but never the password', async () => {
    const { address, port } = await new Promise<net.AddressInfo>((resolve) => {
      const free = net.createServer().listen(0, '127.0.0.1', () => {
        const found = free.address();
        free.close(() => resolve(found as net.AddressInfo));
      });
    });
    const unreachable = await failure({ ...addressOf(server), host: address, port });
    expect(unreachable).toMatchObject({
      code: 'source.unreachable',
      message: expect.stringContaining(`${address}:${port}`),
    });
    expect(unreachable?.hint).toContain(`${address}:${port}`);
    expect(unreachable?.cause).toBeInstanceOf(Error);

    const denied = await failure({ ...addressOf(server), password: 'wrong-word' });
    expect(denied).toMatchObject({
      code: 'source.access-denied',
      message: expect.stringContaining(` as ${server.cdc.user}`),
    });
    expect(JSON.stringify(denied) + denied?.message + denied?.hint + denied?.stack).not.toContain('wrong-word');

    expect(await failure({ ...addressOf(server, 'admin'), database: 'no_such' })).toMatchObject({
      code: 'source.no-database',
    });
  });

  it('gives up when the signal fires', async () => {
    expect(await failure(addressOf(server), AbortSignal.abort())).toMatchObject({ code: 'cancelled' });
    const silent = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const stop = new AbortController();
    silent.once('connection', () => stop.abort());
    const { port } = silent.address() as net.AddressInfo;
    expect(await failure({ ...addressOf(server), port }, stop.signal)).toMatchObject({ code: 'cancelled' });
    silent.close();
  });

  it('says what a failed query was for', async () => {
    const connection = await connectSource(addressOf(server));
    const error = await connection
      .query('SELECT * FROM mysql.no_such')
      .catch((thrown: unknown) => sourceError(thrown, 'reading shop.orders'));
    expect(error).toMatchObject({
      code: expect.stringMatching(/^source\./),
      message: expect.stringMatching(/^reading shop\.orders: /),
    });
    const [[id]] = (await selectText(connection, 'SELECT CONNECTION_ID()')) as [string[]];
    await server.query(`KILL ${id}`);
    const lost = await connection.query('SELECT 1').catch((thrown: unknown) => sourceError(thrown, 'counting'));
    expect(lost).toMatchObject({ code: 'source.lost', hint: expect.any(String) });
  });

  it('is ended at any moment of a TLS handshake without an error that nobody catches', async () => {
    const uncaught: unknown[] = [];
    const note = (error: unknown) => void uncaught.push(error);
    process.prependListener('uncaughtException', note);
    // A TCP connection, a greeting and three flights of TLS: some twenty turns of the event loop.
    for (let turns = 0; turns < 120; turns++) {
      const stop = new AbortController();
      const ended = failure({ ...addressOf(server), tls: { mode: 'verify', ca } }, stop.signal);
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      stop.abort();
      const error = await ended;
      if (error !== undefined) expect(error).toMatchObject({ code: 'cancelled' });
    }
    process.off('uncaughtException', note);
    expect(uncaught).toEqual([]);
  });

  it('verifies the chain and the name of the server over TLS', async () => {
    const tls = { mode: 'verify', ca } as const;
    const connection = await connectSource({ ...addressOf(server), tls });
    const [[, cipher]] = (await selectText(connection, "SHOW STATUS LIKE 'Ssl_cipher'")) as [string[]];
    expect(cipher).not.toBe('');
    await connection.end();

    const stranger = await makeCertificates();
    await stranger.remove();
    expect(await failure({ ...addressOf(server), tls: { mode: 'verify', ca: stranger.ca } })).toMatchObject({
      code: 'source.tls',
    });
    expect(await failure({ ...addressOf(server), tls: { mode: 'verify' } })).toMatchObject({ code: 'source.tls' });
    // The certificate is for 127.0.0.1 and db.example, not for localhost.
    expect(await failure({ ...addressOf(server), host: 'localhost', tls })).toMatchObject({
      code: 'source.tls',
      hint: expect.stringContaining('source.tls.ca'),
    });
  });
});

describeOnServers('a server without TLS', (flavor) => {
  it('is refused where TLS is asked for', async () => {
    const server = await startTestServer(flavor, {
      extraArgs: flavor === 'mysql' ? ['--tls-version='] : ['--skip-ssl'],
    });
    try {
      expect(await failure({ ...addressOf(server), tls: { mode: 'verify' } })).toMatchObject({ code: 'source.tls' });
      expect(await failure({ ...addressOf(server), tls: { mode: 'off' } })).toBeUndefined();
    } finally {
      await server.stop();
    }
  });
});
