import { expect, it, onTestFinished } from 'vitest';
import { changeNumber } from '../../../src/core/change-number.ts';
import { openEngine } from '../../../src/core/engine/engine.ts';
import type { MergeMode } from '../../../src/core/merge/ledger.ts';
import { mergeTable } from '../../../src/core/merge/merge-table.ts';
import { StagedTable } from '../../support/staged-table.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

async function setUp() {
  const root = await temporaryFolder();
  const engine = await openEngine({ tempDirectory: root, threads: 1 });
  onTestFinished(() => engine.close());
  const table = new StagedTable(root);
  const load = async (run: number) => {
    const definition = table.define(changeNumber(run, 0));
    await table.putDefinition(definition);
    await table.putLoad(definition, [['1', 'a', '1']], { number: definition.number });
    return definition;
  };
  const definition = await load(1);
  return {
    table,
    load,
    merge: (mode: MergeMode) => mergeTable({ ...table.options(engine), mode }),
    rows: () => table.lakeRows(engine),
    change: (number: number) =>
      table.putChanges(definition, [{ number: changeNumber(1, number), op: 'U', values: ['1', `v${number}`, '1'] }]),
  };
}

it('refuses to keep a history in a mirror', async () => {
  const { merge, change, load, rows } = await setUp();
  await merge('merge');
  await change(1);
  await expect(merge('append')).rejects.toMatchObject({ code: 'table.mode-changed' });
  await load(2);
  await expect(merge('append')).rejects.toMatchObject({ code: 'table.mode-changed' });
  expect(await rows()).toEqual([{ id: 1, name: 'a', qty: 1 }]);
});

it('refuses to mirror into a history, until a load replaces it', async () => {
  const { merge, change, load, rows } = await setUp();
  await merge('append');
  await change(1);
  await expect(merge('merge')).rejects.toMatchObject({ code: 'table.mode-changed' });
  await load(2);
  await merge('merge');
  expect(await rows()).toEqual([{ id: 1, name: 'a', qty: 1 }]);
});
