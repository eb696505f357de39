/** Ctrl-C, and a reader that goes away, while the built command line is at work: the server behind it makes no difference. */

import { once } from 'node:events';
import net from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { pipelinesOn } from '../support/pipelines-on.ts';
import { describeOnOneServer } from '../support/servers.ts';

describeOnOneServer('interrupted', (flavor) => {
  const on = pipelinesOn(flavor);
  const { pipeline } = on;

  it('Ctrl-C while it works in the foreground exits 130, with everything captured and the lease released', async () => {
    const { folder, schema } = await pipeline();
    const run = await folder.start('replicate', '--foreground');
    await folder.untilStatus(({ worker }) => worker.state === 'following');
    await on.server.query(`INSERT INTO ${schema}.orders VALUES (3, 'three')`);
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
    await on.server.query(
      `CREATE TABLE ${schema}.many (id INT PRIMARY KEY, filler VARCHAR(200))`,
      `INSERT INTO ${schema}.many SELECT @n := @n + 1, REPEAT('x', 200) FROM (SELECT @n := 0) AS start, information_schema.columns AS a, information_schema.columns AS b LIMIT 100000`,
    );
    const network = await stallingNetwork(on.server.port, 5_000_000);
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
    await folder.configure(config(on.server.port));
    await folder.ok('replicate');
    await folder.ok('verify');
    expect((await folder.status()).tables).toMatchObject([{ rows: 100_000 }, { rows: 2 }]);
  });

  it('Ctrl-C while it waits for the worker exits 130, and the worker goes on', async () => {
    const { folder, schema } = await pipeline();
    // The load waits behind a lock, so the wait is long enough to be interrupted.
    const lock = await on.server.connect();
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
});

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
