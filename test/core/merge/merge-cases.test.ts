import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { tableFolder } from '../../../src/core/change-file/layout.ts';
import { openEngine } from '../../../src/core/engine/engine.ts';
import { mergeTable } from '../../../src/core/merge/merge-table.ts';
import { silent } from '../../../src/core/progress.ts';
import { openLocalStore } from '../../../src/core/store/local.ts';
import { type MergeCase, mergeCases, stageRound, tableOf } from '../../support/merge-cases.ts';
import { type DeltaRow, readDeltaTable } from '../../support/python.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

async function runCase(one: MergeCase): Promise<void> {
  const root = await temporaryFolder();
  const engine = await openEngine({ tempDirectory: join(root, '.tmp-engine'), threads: 1 });
  onTestFinished(() => engine.close());
  const staging = openLocalStore(join(root, 'staging'));
  const lake = openLocalStore(join(root, 'lake'));
  const table = tableOf(one);
  const folder = join(root, 'lake', tableFolder(table));
  for (const index of one.rounds.keys()) {
    await stageRound(staging, one, index);
    const merging = mergeTable({
      staging,
      lake,
      table,
      appId: 'test/shop.persons',
      engine,
      policies: { unfit: one.unfit },
      mode: one.mode,
      progress: silent,
    });
    const { error, ...report } = one.expected.reports[index] ?? {};
    const failure = error ?? (index === one.rounds.length - 1 ? one.expected.error : undefined);
    if (failure !== undefined) {
      await expect(merging).rejects.toMatchObject({
        code: failure.code,
        message: expect.stringContaining(failure.message),
      });
      for (const file of one.removeAfterError) await staging.delete(`${tableFolder(table)}${file}`);
    } else expect(await merging).toMatchObject(report);
  }
  const { rows, history, quarantine } = one.expected;
  if (rows !== null) expect(sorted(await readDeltaTable(folder))).toEqual(sorted(rows));
  for (const [version, then] of Object.entries(history))
    expect(sorted(await readDeltaTable(folder, { version: Number(version) }))).toEqual(sorted(then));
  const lines: unknown[] = [];
  for (const { key } of await lake.list(`${tableFolder(table)}_cdc/quarantine/`))
    for (const line of (await lake.get(key)).toString().trimEnd().split('\n')) lines.push(JSON.parse(line));
  expect(lines).toEqual(
    quarantine.map((line) => expect.objectContaining({ ...line, file: expect.stringContaining(String(line.file)) })),
  );
}

function sorted(rows: DeltaRow[]): DeltaRow[] {
  return [...rows]
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
    .map((row) => Object.fromEntries(Object.entries(row).sort()));
}

describe('merge case', () => {
  it.each(mergeCases().map((one) => [one.name, one.about, one] as const))('%s: %s', async (_name, _about, one) => {
    await runCase(one);
  });
});
