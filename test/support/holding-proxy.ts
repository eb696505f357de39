/** Stands before a service of HTTP on this machine and holds a request back until the test lets it go. */

import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Passing {
  method: string;
  /** With the query. */
  path: string;
  body: string;
}

export class HoldingProxy {
  readonly url: string;
  /** Told of each request as it comes. */
  onRequest: (passing: Passing) => void = () => undefined;
  readonly #to: URL;
  readonly #close: () => Promise<void>;
  #hold: { matches: (passing: Passing) => boolean; events: EventEmitter } | undefined;

  private constructor(to: string, url: string, close: () => Promise<void>) {
    this.#to = new URL(to);
    this.url = url;
    this.#close = close;
  }

  static async start(to: string): Promise<HoldingProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const proxy = new HoldingProxy(to, `http://127.0.0.1:${port}`, async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    server.on('request', (request, response) => void proxy.#pass(request, response));
    return proxy;
  }

  stop(): Promise<void> {
    return this.#close();
  }

  /** The next request like this is held: `held` resolves when it has come, and it goes on after `letGo`. */
  holdNext(matches: (passing: Passing) => boolean): { held: Promise<unknown>; letGo: () => void } {
    const events = new EventEmitter();
    this.#hold = { matches, events };
    return { held: once(events, 'held'), letGo: () => void events.emit('go') };
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const passing = { method: request.method ?? '', path: request.url ?? '', body: body.toString() };
    this.onRequest(passing);
    const hold = this.#hold;
    if (hold?.matches(passing) === true) {
      this.#hold = undefined;
      const go = once(hold.events, 'go');
      hold.events.emit('held');
      await go;
    }
    // Whoever waits for `100 Continue` has had it from this server.
    const { expect: _expect, ...headers } = request.headers;
    const { hostname, port } = this.#to;
    const onward = send(
      { hostname, port, method: passing.method, path: passing.path, headers: { ...headers, connection: 'close' } },
      (reply) => {
        response.writeHead(reply.statusCode ?? 502, reply.headers);
        reply.pipe(response);
      },
    );
    onward.on('error', () => response.destroy());
    onward.end(body);
  }
}
