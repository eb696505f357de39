/** Times one change from its commit on the source to its change file and to the lake: what `demo` ends with. */

import { setTimeout as sleep } from 'node:timers/promises';
import { connectSource } from '../binlog/connection.ts';
import type { TableName } from '../change.ts';
import { tableFolder } from '../change-file/layout.ts';
import { CdcError, throwIfCancelled } from '../errors.ts';
import type { Store } from '../store/store.ts';
import type { Pipeline } from './pipeline.ts';

export interface ChangeTiming {
  fileSeconds: number;
  lakeSeconds: number;
}

const PATIENCE_MS = 30_000;

/** Runs the statement (which must change the table) and watches for what it causes. */
export async function timeOneUpdate(options: {
  pipeline: Pipeline;
  table: TableName;
  sql: string;
  signal: AbortSignal;
}): Promise<ChangeTiming> {
  const { pipeline, table, sql, signal } = options;
  const { staging, lake } = pipeline;
  const log = `${tableFolder(table)}_delta_log/`;
  const [files, versions] = [await newestKey(staging, `${tableFolder(table)}2`), await newestKey(lake, log)];
  const connection = await connectSource(await pipeline.address('admin'), { signal });
  try {
    await connection.query(sql);
  } finally {
    connection.destroy();
  }
  const committed = performance.now();
  const since = async (store: Store, prefix: string, before: string) => {
    while ((await newestKey(store, prefix)) === before) {
      throwIfCancelled(signal);
      if (performance.now() - committed > PATIENCE_MS)
        throw new CdcError('demo.stuck', 'the change has not arrived within 30 s', { hint: 'cdc status' });
      await sleep(5);
    }
    return (performance.now() - committed) / 1000;
  };
  const fileSeconds = await since(staging, `${tableFolder(table)}2`, files);
  return { fileSeconds, lakeSeconds: await since(lake, log, versions) };
}

async function newestKey(store: Store, prefix: string): Promise<string> {
  return (await store.list(prefix)).filter(({ key }) => /\.(csv|json)$/.test(key)).at(-1)?.key ?? '';
}
