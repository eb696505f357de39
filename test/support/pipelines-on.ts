/** Pipelines on the server of a test file, each with a schema of its own that holds `orders` with two rows. */

import { afterAll, beforeAll, expect } from 'vitest';
import { PipelineFolder } from './pipeline-folder.ts';
import { startTestServer, type TestServer } from './servers.ts';

export type MakePipeline = (options?: {
  /** False: only its cdc.yaml is there. */
  init?: boolean;
  user?: string;
  password?: string;
}) => Promise<{ folder: PipelineFolder; schema: string }>;

/** A server for the tests of the file, and pipelines on it. `server` is there once they run. */
export function pipelinesOn(flavor: TestServer['flavor']): { readonly server: TestServer; pipeline: MakePipeline } {
  let started: TestServer | undefined;
  beforeAll(async () => {
    started = await startTestServer(flavor);
  });
  afterAll(() => started?.stop());
  const running = () => started ?? expect.fail('the server has not started');
  return {
    get server() {
      return running();
    },
    pipeline: makePipelines(running),
  };
}

function makePipelines(running: () => TestServer): MakePipeline {
  let schemas = 0;
  return async (options = {}) => {
    const server = running();
    const { init = true, user = server.cdc.user, password = server.cdc.password } = options;
    const schema = `wrong${++schemas}`;
    await server.query(
      `CREATE DATABASE ${schema}`,
      `CREATE TABLE ${schema}.orders (id INT PRIMARY KEY, name VARCHAR(20))`,
      `INSERT INTO ${schema}.orders VALUES (1, 'one'), (2, 'two')`,
    );
    const folder = await PipelineFolder.make({
      config: `name: ${schema}\nsource: 'mysql://${user}@127.0.0.1:${server.port}'\ntables: ['${schema}.%']\n`,
      env: { CDC_SOURCE_PASSWORD: password },
      secrets: [server.cdc.password, server.admin.password, password],
    });
    if (init) await folder.ok('init');
    return { folder, schema };
  };
}
