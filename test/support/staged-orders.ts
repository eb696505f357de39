/** The table `shop.orders` of a test in a temporary folder, with an engine of its own that ends with the test. */

import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { changeNumber } from '../../src/core/change-number.ts';
import { openEngine } from '../../src/core/engine/engine.ts';
import { StagedTable } from './staged-table.ts';
import { temporaryFolder } from './temp-folder.ts';

/** Its definition is there; loads and changes count from 1:0. `path`: of its lake table. */
export async function stagedOrders(columns?: string, key?: string[]) {
  const root = await temporaryFolder();
  const engine = await openEngine({ tempDirectory: join(root, '.tmp-engine'), threads: 1 });
  onTestFinished(() => engine.close());
  const table = new StagedTable(root);
  const definition = table.define(changeNumber(1, 0), columns, key);
  await table.putDefinition(definition);
  return {
    table,
    definition,
    engine,
    options: table.options(engine),
    path: join(table.lake.location, 'shop', 'orders'),
    change: (number: number, op: 'I' | 'U' | 'D', ...values: (string | null)[]) =>
      table.putChanges(definition, [{ number: changeNumber(1, number), op, values }]),
    load: (...rows: (string | null)[][]) => table.putLoad(definition, rows, { number: changeNumber(1, 0) }),
  };
}
