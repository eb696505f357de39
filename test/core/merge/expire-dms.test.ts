import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { putDmsEpoch } from '../../../src/core/change-file/dms-epoch.ts';
import { definitionKey } from '../../../src/core/change-file/layout.ts';
import { openEngine } from '../../../src/core/engine/engine.ts';
import { expireChangeFiles } from '../../../src/core/merge/expire.ts';
import { mergeTable } from '../../../src/core/merge/merge-table.ts';
import { definitionToJson } from '../../../src/core/table-definition.ts';
import { dmsSequence, putDialect, putDmsChanges, putDmsLoad } from '../../support/aws/dms-writer.ts';
import { StagedTable, TABLE } from '../../support/staged-table.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

const START = Date.parse('2026-11-22T10:00:00Z');
const at = (seconds: number) => new Date(START + seconds * 1000);

describe('files of DMS in staging', () => {
  it('leave when ten commits lie above them, but for what a load that has begun since may need', async () => {
    const root = await temporaryFolder();
    const engine = await openEngine({ tempDirectory: join(root, '.tmp-engine'), threads: 1 });
    onTestFinished(() => engine.close());
    const table = new StagedTable(root);
    const definition = table.define(1n);
    const date = (key: string, time: Date) => utimes(join(table.staging.location, key), time, time);
    await putDialect(table.staging);
    await table.staging.put(definitionKey(TABLE, 1n), JSON.stringify(definitionToJson(definition)));
    const epoch = { ...TABLE, kind: 'load' as const, task: 't', caches: false, definition: 1n };
    await putDmsEpoch(table.staging, { ...epoch, started: at(0), state: 'complete', rows: 1 });
    const [load = ''] = await putDmsLoad(table.staging, definition, [['1', 'a', null]]);
    await date(load, at(1));
    const keys: string[] = [];
    for (let index = 0; index < 12; index++) {
      const named = at(10 + index);
      const row = ['1', `v${index}`, null];
      const change = { op: 'U' as const, row, sequence: dmsSequence(named, index + 1) };
      const key = await putDmsChanges(table.staging, definition, [change], { named });
      await date(key, named);
      keys.push(key);
      await mergeTable(table.options(engine));
    }
    const expire = () => expireChangeFiles({ ...table.options(engine), keepMs: 0 });
    await putDmsEpoch(table.staging, { ...epoch, started: at(11), state: 'loading' });
    // The state ten commits ago has the load and the first two changes; the second may be needed by the load in progress.
    expect(await expire()).toEqual([keys[0], load]);
    expect(await expire()).toEqual([]);
    const [again = ''] = await putDmsLoad(table.staging, definition, [['1', 'again', null]], { first: 2 });
    await date(again, at(30));
    await putDmsEpoch(table.staging, { ...epoch, started: at(11), state: 'complete', rows: 1 });
    expect(await mergeTable(table.options(engine))).toMatchObject({ files: 12 });
    expect(await table.lakeRows(engine)).toMatchObject([{ name: 'v11' }]);
  });
});
