/**
 * Applies batches up to a number, each a row and its `txn`, with lease, checkpoints and clean-ups as merge does; kills itself
 * right before or right after its n-th write to the store.
 */

import { join } from 'node:path';
import { commitVersion } from '../../../../src/core/delta/commit.ts';
import { removeOf } from '../../../../src/core/delta/create-table.ts';
import { maintainLog, vacuumTable } from '../../../../src/core/delta/maintenance.ts';
import { readSnapshot } from '../../../../src/core/delta/snapshot.ts';
import { writeDataFiles } from '../../../../src/core/delta/write-parquet.ts';
import { openEngine } from '../../../../src/core/engine/engine.ts';
import { withLease } from '../../../../src/core/store/lease.ts';
import { openLocalStore } from '../../../../src/core/store/local.ts';
import type { Store } from '../../../../src/core/store/store.ts';

export const FOLDER = 'shop/orders/';
const COLUMNS = [{ lake: 'id', delta: 'long' as const }];

export async function applyBatches(root: string, store: Store, last: number): Promise<void> {
  const engine = await openEngine({ tempDirectory: join(root, '.tmp-engine'), threads: 1 });
  const table = { store, folder: FOLDER, engine };
  const now = new Date();
  await withLease({ store, folder: `${FOLDER}_cdc/lease/`, engine: 'cdc' }, async (lease) => {
    const assertHeld = () => lease.assertHeld();
    let snapshot = await readSnapshot(table);
    for (;;) {
      if (snapshot === undefined) throw new Error('there is no table');
      const batch = Number(snapshot.txns.get('app')?.version ?? 0n) + 1;
      if (batch > last) break;
      const adds = await engine.withConnection((connection) =>
        writeDataFiles(table, connection, {
          select: `SELECT ${batch}::BIGINT AS id`,
          columns: COLUMNS,
          key: ['id'],
          now,
        }),
      );
      // Each third batch writes the row before anew, so that there are removed files too.
      const removes = batch % 3 === 0 ? [...snapshot.files.values()].slice(-1) : [];
      const again = await engine.withConnection((connection) =>
        removes.length === 0
          ? Promise.resolve([])
          : writeDataFiles(table, connection, {
              select: `SELECT ${batch - 1}::BIGINT AS id`,
              columns: COLUMNS,
              key: ['id'],
              now,
            }),
      );
      await assertHeld();
      const result = await commitVersion(table, {
        previous: snapshot,
        actions: [
          ...removes.map((file) => ({ remove: removeOf(file, now) })),
          ...[...again, ...adds].map((add) => ({ add })),
          { txn: { appId: 'app', version: BigInt(batch) } },
        ],
        operation: 'MERGE',
        now,
      });
      if (result.state === 'taken') throw new Error('there is another writer');
      snapshot = await maintainLog(table, result.snapshot, { assertHeld, now });
    }
    await vacuumTable(table, { assertHeld, now });
  });
  engine.close();
}

/** Counts writes; `onWrite` may end the process at any of them. */
export function countingStore(store: Store, onWrite: (moment: 'before' | 'after', write: number) => void): Store {
  let writes = 0;
  const counted = async <T>(work: () => Promise<T>): Promise<T> => {
    const write = ++writes;
    onWrite('before', write);
    const result = await work();
    onWrite('after', write);
    return result;
  };
  return Object.assign(Object.create(store), bound(store), {
    put: (key: string, body: Buffer | string) => counted(() => store.put(key, body)),
    putIfAbsent: (key: string, body: Buffer | string) => counted(() => store.putIfAbsent(key, body)),
    delete: (key: string) => counted(() => store.delete(key)),
    publish: (path: string, key: string) => counted(() => store.publish(path, key)),
  });
}

function bound(store: Store): Partial<Store> {
  return {
    list: (prefix, options) => store.list(prefix, options),
    listFolders: (prefix) => store.listFolders(prefix),
    stat: (key) => store.stat(key),
    get: (key) => store.get(key),
    getIfPresent: (key) => store.getIfPresent(key),
    now: () => store.now(),
    materialise: (key) => store.materialise(key),
    scratchPath: (name) => store.scratchPath(name),
  };
}

const [root, last, moment, at] = process.argv.slice(2);
if (process.send !== undefined && root !== undefined && at !== undefined) {
  const store = countingStore(openLocalStore(root), (now, write) => {
    if (now === moment && write === Number(at)) process.kill(process.pid, 'SIGKILL');
  });
  await applyBatches(root, store, Number(last));
  process.disconnect();
}
