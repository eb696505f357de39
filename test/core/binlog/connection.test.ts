import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectSource, type SourceAddress, sourceError } from '../../../src/core/binlog/connection.ts';
import { CdcError } from '../../../src/core/errors.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';
import { addressOf, selectText } from './support.ts';

const run = promisify(execFile);

function failure(address: SourceAddress, signal?: AbortSignal): Promise<CdcError | undefined> {
  return connectSource(address, signal === undefined ? {} : { signal }).then(
    (connection) => {
      connection.destroy();
      return undefined;
    },
    (error: CdcError) => error,
  );
}

/** A CA, and a certificate signed by it for these names. */
async function makeCertificates(folder: string, names: string): Promise<{ ca: string; args: string[] }> {
  const file = (name: string) => path.join(folder, name);
  const openssl = (...args: string[]) => run('openssl', args);
  await openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=test CA',
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.pem'),
  );
  await openssl(
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    '/CN=server',
    '-keyout',
    file('server.key'),
    '-out',
    file('server.csr'),
  );
  await writeFile(file('names'), `subjectAltName=${names}`);
  await openssl(
    'x509',
    '-req',
    '-in',
    file('server.csr'),
    '-CA',
    file('ca.pem'),
    '-CAkey',
    file('ca.key'),
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    file('names'),
    '-out',
    file('server.pem'),
  );
  await chmod(folder, 0o755);
  await chmod(file('server.key'), 0o644);
  return {
    ca: await readFile(file('ca.pem'), 'utf8'),
    args: [`--ssl-ca=${file('ca.pem')}`, `--ssl-cert=${file('server.pem')}`, `--ssl-key=${file('server.key')}`],
  };
}

describeOnServers('connecting to the source', (flavor) => {
  let server: TestServer;
  let certificates: string;
  let ca: string;

  beforeAll(async () => {
    certificates = await mkdtemp(path.join(tmpdir(), 'cdc-test-tls-'));
    const made = await makeCertificates(certificates, 'IP:127.0.0.1,DNS:db.example');
    ca = made.ca;
    server = await startTestServer(flavor, { extraArgs: made.args });
  });
  afterAll(async () => {
    await server?.stop();
    await rm(certificates, { recursive: true, force: true });
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

  it('verifies the chain and the name of the server over TLS', async () => {
    const tls = { mode: 'verify', ca } as const;
    const connection = await connectSource({ ...addressOf(server), tls });
    const [[, cipher]] = (await selectText(connection, "SHOW STATUS LIKE 'Ssl_cipher'")) as [string[]];
    expect(cipher).not.toBe('');
    await connection.end();

    const stranger = await mkdtemp(path.join(certificates, 'other-'));
    const { ca: otherCa } = await makeCertificates(stranger, 'IP:127.0.0.1');
    expect(await failure({ ...addressOf(server), tls: { mode: 'verify', ca: otherCa } })).toMatchObject({
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
