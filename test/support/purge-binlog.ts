import { setTimeout as sleep } from 'node:timers/promises';
import type { TestServer } from './servers.ts';

/** Deletes every binlog file but the last; one that a connection still reads stays until that is gone. */
export async function purgeBinlog(server: TestServer): Promise<void> {
  for (let files = 2; files > 1; ) {
    const [end] = await server.query('SHOW MASTER STATUS');
    await server.query(`PURGE BINARY LOGS TO '${end?.File}'`);
    files = (await server.query('SHOW BINARY LOGS')).length;
    if (files > 1) await sleep(200);
  }
}
