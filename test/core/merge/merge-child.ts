/** Merges a staged table in a process of its own; `CRASH_POINT` and the how-manieth time of it: dies there as kill -9 would. */

import { onCrashPoint } from '../../../src/core/crash-point.ts';
import { withEngine } from '../../../src/core/engine/engine.ts';
import { mergeTable } from '../../../src/core/merge/merge-table.ts';
import { StagedTable } from '../../support/staged-table.ts';

const [root = '', engineFolder = '', point = '', times = '1', rounds = '1'] = process.argv.slice(2);
let left = Number(times);
onCrashPoint((passed) => {
  if (passed === point && --left === 0) process.kill(process.pid, 'SIGKILL');
});

const table = new StagedTable(root);
let changes = 0;
await withEngine({ tempDirectory: engineFolder, threads: 1 }, async (engine) => {
  for (let round = 0; round < Number(rounds); round++) changes += (await mergeTable(table.options(engine))).changes;
});
process.send?.({ changes });
