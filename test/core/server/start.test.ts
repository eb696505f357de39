import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';

describeOnServers('a private server', (flavor) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer(flavor);
  });
  afterAll(() => server?.stop());

  it('answers', async () => {
    expect(await server.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });
});
