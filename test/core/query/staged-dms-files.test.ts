import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readDialect } from '../../../src/core/change-file/dialect.ts';
import { putDmsEpoch } from '../../../src/core/change-file/dms-epoch.ts';
import { definitionKey } from '../../../src/core/change-file/layout.ts';
import { showFile } from '../../../src/core/change-file/show.ts';
import { openEngine } from '../../../src/core/engine/engine.ts';
import { mergeTable } from '../../../src/core/merge/merge-table.ts';
import { listStagedFiles } from '../../../src/core/query/staged-files.ts';
import { definitionToJson } from '../../../src/core/table-definition.ts';
import { dmsSequence, putDialect, putDmsChanges, putDmsLoad } from '../../support/aws/dms-writer.ts';
import { StagedTable, TABLE } from '../../support/staged-table.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

const START = Date.parse('2026-11-22T10:00:00Z');
const at = (seconds: number) => new Date(START + seconds * 1000);

async function staged() {
  const root = await temporaryFolder();
  const engine = await openEngine({ tempDirectory: join(root, '.tmp-engine'), threads: 1 });
  onTestFinished(() => engine.close());
  const table = new StagedTable(root);
  const definition = table.define(1n);
  await putDialect(table.staging);
  await table.staging.put(definitionKey(TABLE, 1n), JSON.stringify(definitionToJson(definition)));
  const epoch = { ...TABLE, kind: 'load' as const, started: at(0), task: 't', caches: true, definition: 1n };
  await putDmsEpoch(table.staging, { ...epoch, state: 'complete', rows: 2 });
  const change = (op: 'I' | 'U' | 'D', row: (string | null)[], counter: number, before?: (string | null)[]) => ({
    op,
    row,
    before,
    sequence: dmsSequence(at(60), counter),
  });
  return { table, engine, definition, change };
}

describe('files that DMS wrote', () => {
  it('are listed with kind, rows and the version that merged them; leftovers belong to no load', async () => {
    const { table, engine, definition, change } = await staged();
    const [load] = await putDmsLoad(table.staging, definition, [
      ['1', 'a', null],
      ['2', 'b', '5'],
    ]);
    const [left] = await putDmsLoad(table.staging, definition, [['9', 'x', null]], { first: 2 });
    const old = at(-3600);
    await utimes(join(table.staging.location, left ?? ''), old, old);
    const first = await putDmsChanges(
      table.staging,
      definition,
      [change('U', ['1', 'c', null], 1), change('D', ['2', 'b', '5'], 2)],
      { named: at(100) },
    );
    await mergeTable(table.options(engine));
    const second = await putDmsChanges(table.staging, definition, [change('I', ['3', '', null], 3)], {
      named: at(200),
    });
    const files = () =>
      listStagedFiles(TABLE, {
        ...table.options(engine),
        engine,
        onUnreadable: (error) => {
          throw error;
        },
      });
    const brief = async () =>
      (await files()).map(({ file, kind, rows, state, version }) => [file, kind, rows, state, version]);
    expect(await brief()).toEqual([
      [load, 'load', null, 'merged', 0],
      [left, 'load', null, 'unpublished', null],
      [first, 'changes', 2, 'merged', 0],
      [second, 'changes', 1, 'pending', null],
    ]);
    await mergeTable(table.options(engine));
    expect((await brief()).at(-1)).toEqual([second, 'changes', 1, 'merged', 1]);
  });

  it('are shown in the form of the guide, without what DMS added, NULL told from texts', async () => {
    const { table, definition, change } = await staged();
    const key = await putDmsChanges(
      table.staging,
      definition,
      [change('U', ['7', 'ABC, XYZ', null], 1, ['6', 'a', null]), change('I', ['8', '', '1'], 2)],
      { named: at(100) },
    );
    const rows: unknown[] = [];
    const dms = { definitions: [definition], dialect: await readDialect(table.staging) };
    for await (const row of showFile({ store: table.staging, key, dms })) rows.push(row);
    expect(rows).toEqual([
      {
        op: 'U',
        ts: '2026-11-22 10:01:00.000000',
        number: null,
        columns: { id: '7', name: 'ABC, XYZ', qty: null },
        text: 'U,7,"ABC, XYZ",',
      },
      {
        op: 'I',
        ts: '2026-11-22 10:01:00.000000',
        number: null,
        columns: { id: '8', name: '', qty: '1' },
        text: 'I,8,"",1',
      },
    ]);
  });
});
