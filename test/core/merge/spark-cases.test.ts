import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tableFolder } from '../../../src/core/change-file/layout.ts';
import { openLocalStore } from '../../../src/core/store/local.ts';
import { type MergeCase, mergeCases, stageRound, tableOf } from '../../support/merge-cases.ts';
import { type DeltaRow, readDeltaTable } from '../../support/python.ts';
import { mergeBySpark } from '../../support/spark.ts';
import { hasSpark } from '../../support/spark-parts.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

const isThere = await hasSpark();

/** `npm run proof -- engines` runs all; a case costs Spark seconds. */
const SAMPLE = [
  'guide',
  'nasty-text',
  'types',
  'add-column',
  'append',
  'conflict',
  'dms-guide',
  'dms-key-change',
  'dms-types',
  'gap',
  'quarantine',
  'reload',
  'truncate',
  'unfit-key',
  'wrong-width-row',
];
const isFull = process.env.CDC_PROOF_SEEDS !== undefined;

async function runCase(one: MergeCase): Promise<void> {
  const root = await temporaryFolder();
  const staging = openLocalStore(join(root, 'staging'));
  const lake = openLocalStore(join(root, 'lake'));
  const table = tableOf(one);
  const folder = join(root, 'lake', tableFolder(table));
  for (const index of one.rounds.keys()) {
    await stageRound(staging, one, index);
    const merging = mergeBySpark({
      staging,
      lake,
      table,
      appId: 'test/shop.persons',
      policies: { unfit: one.unfit },
      mode: one.mode,
    });
    const { error, ...report } = one.expected.reports[index] ?? {};
    const failure = error ?? (index === one.rounds.length - 1 ? one.expected.error : undefined);
    if (failure !== undefined) {
      await expect(merging).rejects.toMatchObject({
        code: failure.code,
        message: expect.stringContaining(failure.message),
      });
      for (const file of one.removeAfterError) await staging.delete(`${tableFolder(table)}${file}`);
    } else expect(await merging).toMatchObject(bySpark(report));
  }
  const { rows, history, quarantine } = one.expected;
  if (rows !== null) expect(sorted(await readDeltaTable(folder))).toEqual(sorted(rows));
  for (const [version, then] of Object.entries(history))
    expect(sorted(await readDeltaTable(folder, { version: Number(version) + 1 }))).toEqual(sorted(then));
  const lines: unknown[] = [];
  for (const { key } of await lake.list(`${tableFolder(table)}_cdc/quarantine/`))
    for (const line of (await lake.get(key)).toString().trimEnd().split('\n')) lines.push(JSON.parse(line));
  expect(lines).toEqual(
    quarantine.map((line) => expect.objectContaining({ ...line, file: expect.stringContaining(String(line.file)) })),
  );
}

/** A table of Spark's begins with a version without rows, so each batch is one version later than the other engine's. */
function bySpark<Report extends Record<string, unknown>>(report: Report): Report {
  return typeof report.version === 'number' && report.version >= 0
    ? { ...report, version: report.version + 1 }
    : report;
}

function sorted(rows: DeltaRow[]): DeltaRow[] {
  return [...rows]
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
    .map((row) => Object.fromEntries(Object.entries(row).sort()));
}

describe.runIf(isThere)('merge case by Spark', () => {
  const cases = mergeCases().filter(({ name }) => isFull || SAMPLE.includes(name));
  it.each(cases.map((one) => [one.name, one.about, one] as const))(
    '%s: %s',
    async (_name, _about, one) => {
      await runCase(one);
    },
    240_000,
  );
});
