/** Commits as often as told on a table that others commit on too; says how often a version was taken. */

import { join } from 'node:path';
import { commitVersion } from '../../../../src/core/delta/commit.ts';
import { readSnapshot, updateSnapshot } from '../../../../src/core/delta/snapshot.ts';
import { openEngine } from '../../../../src/core/engine/engine.ts';
import { openLocalStore } from '../../../../src/core/store/local.ts';

/** What it sends at its end. */
export interface RaceReport {
  taken: number;
}

const [root = '', appId = '', commits = ''] = process.argv.slice(2);
const engine = await openEngine({ tempDirectory: join(root, '.tmp-engine'), threads: 1 });
const table = { store: openLocalStore(root), folder: 'shop/orders/', engine };
let snapshot = await readSnapshot(table);
let taken = 0;
process.send?.('ready');
await new Promise((go) => process.once('message', go));
for (let version = 1; version <= Number(commits); ) {
  const txn = { appId, version: BigInt(version) };
  const result = await commitVersion(table, {
    previous: snapshot,
    actions: [{ txn }],
    operation: 'TEST',
    now: new Date(),
  });
  if (result.state === 'committed') {
    snapshot = result.snapshot;
    version++;
  } else {
    taken++;
    snapshot = snapshot && (await updateSnapshot(table, snapshot));
  }
}
const report: RaceReport = { taken };
process.send?.(report);
process.disconnect();
engine.close();
