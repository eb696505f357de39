/** A proxy before an HTTP service that counts: requests, and bytes of bodies up and down. */

import { request as ask, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Metered {
  requests: number;
  /** Requests that read a Parquet file. */
  dataReads: number;
  up: number;
  down: number;
}

export interface ByteMeter {
  url: string;
  /** What was counted since the last time. */
  take(): Metered;
  stop(): Promise<void>;
}

export async function startByteMeter(target: string): Promise<ByteMeter> {
  const { hostname, port } = new URL(target);
  const nothing = (): Metered => ({ requests: 0, dataReads: 0, up: 0, down: 0 });
  let metered = nothing();
  const server = createServer((incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming;
    metered.requests++;
    if (method === 'GET' && /\.parquet(\?|$)/.test(url)) metered.dataReads++;
    const inner = ask({ hostname, port, method, path: url, headers }, (reply) => {
      outgoing.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.on('data', (chunk: Buffer) => {
        metered.down += chunk.length;
      });
      reply.pipe(outgoing);
    });
    inner.on('error', () => outgoing.destroy());
    incoming.on('data', (chunk: Buffer) => {
      metered.up += chunk.length;
    });
    incoming.pipe(inner);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: own } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${own}`,
    take() {
      const taken = metered;
      metered = nothing();
      return taken;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
