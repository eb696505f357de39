/** Pipelines on the server of a test file, each with a schema of its own that holds `orders` with two rows. */

import { PipelineFolder } from './pipeline-folder.ts';
import type { TestServer } from './servers.ts';

export type MakePipeline = (options?: {
  /** False: only its cdc.yaml is there. */
  init?: boolean;
  user?: string;
  password?: string;
}) => Promise<{ folder: PipelineFolder; schema: string }>;

export function pipelinesOn(server: TestServer): MakePipeline {
  let schemas = 0;
  return async ({ init = true, user = server.cdc.user, password = server.cdc.password } = {}) => {
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
