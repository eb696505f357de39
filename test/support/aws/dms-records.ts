/** What `replicate` on AWS writes beside the files of DMS, for tests in which nobody runs it: definitions, and when a load began and ended. */

import { formatTableName, type TableName } from '../../../src/core/change.ts';
import { readDefinitions } from '../../../src/core/change-file/definitions.ts';
import { putDmsEpoch } from '../../../src/core/change-file/dms-epoch.ts';
import { definitionKey } from '../../../src/core/change-file/layout.ts';
import { readLoadRecords } from '../../../src/core/change-file/load-record.ts';
import type { Store } from '../../../src/core/store/store.ts';
import { definitionToJson, type TableDefinition } from '../../../src/core/table-definition.ts';
import type { DmsStandIn } from './dms-stand-in.ts';
import { putDialect } from './dms-writer.ts';

/** In the run that DMS has, which is none of our capture's. */
export async function recordDefinition(to: Store, definition: TableDefinition): Promise<TableDefinition> {
  const known = await readDefinitions(to, definition);
  const content = ({ columns, key }: TableDefinition) => JSON.stringify([columns, key]);
  const found = known.find((one) => content(one) === content(definition));
  if (found !== undefined) return found;
  const numbered = { ...definition, number: (known.at(-1)?.number ?? 0n) + 1n };
  await to.put(definitionKey(numbered, numbered.number), JSON.stringify(definitionToJson(numbered)));
  return numbered;
}

/** Has the task write the load that our own loader has made. */
export async function recordedLoad(
  task: DmsStandIn,
  work: { from: Store; to: Store; table: TableName; rowsPerFile: number },
): Promise<void> {
  const { from, to, table, rowsPerFile } = work;
  const record = (await readLoadRecords(from, table)).findLast(({ kind }) => kind === 'load');
  if (record === undefined) throw new Error(`${formatTableName(table)} is not loaded`);
  await putDialect(to);
  const { number: definition } = await recordDefinition(to, record.definition);
  const epoch = { ...table, kind: 'load' as const, task: 'stand-in', caches: true, definition };
  const started = await to.now();
  await putDmsEpoch(to, { ...epoch, started, state: 'loading' });
  const keys = record.files.map(({ key }) => key);
  const rows = await task.load(record.definition, keys, { reached: record.number, rowsPerFile });
  await putDmsEpoch(to, { ...epoch, started, state: 'complete', rows });
}
