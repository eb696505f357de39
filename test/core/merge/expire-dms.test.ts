import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { putDmsEpoch } from '../../../src/core/change-file/dms-epoch.ts';
import { definitionKey } from '../../../src/core/change-file/layout.ts';
import { openEngine } from '../../../src/core/engine/engine.ts';
import { expireChangeFiles } from '../../../src/core/merge/expire.ts';
import type { MergeMode } from '../../../src/core/merge/ledger.ts';
import { mergeTable } from '../../../src/core/merge/merge-table.ts';
import { listStagedFiles } from '../../../src/core/query/staged-files.ts';
import { definitionToJson } from '../../../src/core/table-definition.ts';
import { dmsSequence, putDialect, putDmsChanges, putDmsLoad } from '../../support/aws/dms-writer.ts';
import { StagedTable, TABLE } from '../../support/staged-table.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

const START = Date.parse('2026-11-22T10:00:00Z');
const at = (seconds: number) => new Date(START + seconds * 1000);

/** A table of DMS that has been loaded, and what writes and merges one change. */
async function followed(mode: MergeMode) {
  const root = await temporaryFolder();
  const engine = await openEngine({ tempDirectory: join(root, '.tmp-engine'), threads: 1 });
  onTestFinished(() => engine.close());
  const table = new StagedTable(root);
  const definition = table.define(1n);
  const options = { ...table.options(engine), mode };
  const merge = () => mergeTable(options);
  const date = (key: string, time: Date) => utimes(join(table.staging.location, key), time, time);
  await putDialect(table.staging);
  await table.staging.put(definitionKey(TABLE, 1n), JSON.stringify(definitionToJson(definition)));
  const epoch = { ...TABLE, kind: 'load' as const, task: 't', caches: false, definition: 1n };
  /** Of one row, written at once. */
  const load = async (seconds: number, first = 1) => {
    await putDmsEpoch(table.staging, { ...epoch, started: at(seconds), state: 'complete', rows: 1 });
    const [key = ''] = await putDmsLoad(table.staging, definition, [['1', 'loaded', null]], { first });
    await date(key, at(seconds + 1));
    return key;
  };
  const change = async (seconds: number) => {
    const row = ['1', `at ${seconds}`, null];
    const changes = [{ op: 'U' as const, row, sequence: dmsSequence(at(seconds), seconds) }];
    const key = await putDmsChanges(table.staging, definition, changes, { named: at(seconds) });
    await date(key, at(seconds));
    return key;
  };
  const expire = () => expireChangeFiles({ ...options, keepMs: 0 });
  return { table, engine, epoch, load, change, merge, expire };
}

describe('files of DMS in staging', () => {
  it('leave when ten commits lie above them, but for what a load that has begun since may need', async () => {
    const { table, engine, epoch, load, change, merge, expire } = await followed('merge');
    const first = await load(0);
    const keys: string[] = [];
    for (let index = 0; index < 12; index++) {
      keys.push(await change(10 + index));
      await merge();
    }
    await putDmsEpoch(table.staging, { ...epoch, started: at(11), state: 'loading' });
    // The state ten commits ago has the load and the first two changes; the second may be needed by the load in progress.
    expect(await expire()).toEqual([keys[0], first]);
    expect(await expire()).toEqual([]);
    await load(11, 2);
    expect(await merge()).toMatchObject({ files: 12 });
    expect(await table.lakeRows(engine)).toMatchObject([{ name: 'at 21' }]);
  });

  it('stay in a history while they are not merged, however old their load is', async () => {
    const { table, engine, load, change, merge, expire } = await followed('append');
    const first = await load(0);
    const early = await change(10);
    await merge();
    const second = await load(20, 2);
    const next = await change(30);
    await merge();
    for (let index = 1; index <= 10; index++) {
      await change(30 + index);
      await merge();
    }
    const late = await change(15);
    const onUnreadable = ({ message }: Error) => expect.unreachable(message);
    const listed = await listStagedFiles(TABLE, { ...table.options(engine), onUnreadable });
    expect(listed.filter(({ state }) => state === 'pending').map(({ file }) => file)).toEqual([late]);
    expect(await expire()).toEqual([early, next, first, second]);
    expect(await merge()).toMatchObject({ files: 1, inserted: 1 });
    expect((await table.lakeRows(engine))?.map(({ name }) => name)).toContain('at 15');
  });
});
