/** Runs a merge case by an engine and compares what it reports, the rows, earlier versions and the quarantine with what the case says. */

import { expect } from 'vitest';
import { tableFolder } from '../../src/core/change-file/layout.ts';
import type { MergeTableOptions } from '../../src/core/merge/merge-table.ts';
import { type MergeCase, stageRound, tableOf } from './merge-cases.ts';
import type { DeltaRow } from './python.ts';
import { inFolders, type TablePlace } from './table-place.ts';
import { temporaryFolder } from './temp-folder.ts';

export type CaseOptions = Pick<MergeTableOptions, 'staging' | 'lake' | 'table' | 'appId' | 'policies'> & {
  mode: MergeCase['mode'];
};

export async function runMergeCase(
  one: MergeCase,
  /** `firstVersion`: of the lake table, once its first batch is committed. */
  {
    merge,
    firstVersion,
    place,
  }: { merge: (options: CaseOptions) => Promise<object>; firstVersion: number; place?: TablePlace },
): Promise<{ rows: number }> {
  const { stores, read, readers } = place ?? inFolders(await temporaryFolder());
  const { staging, lake } = stores(one.name);
  const table = tableOf(one);
  for (const index of one.rounds.keys()) {
    await stageRound(staging, one, index);
    const { mode } = one;
    const merging = merge({ staging, lake, table, appId: 'test/shop.persons', policies: { unfit: one.unfit }, mode });
    const { error, ...report } = one.expected.reports[index] ?? {};
    const failure = error ?? (index === one.rounds.length - 1 ? one.expected.error : undefined);
    if (failure !== undefined) {
      await expect(merging).rejects.toMatchObject({
        code: failure.code,
        message: expect.stringContaining(failure.message),
      });
      for (const file of one.removeAfterError) await staging.delete(`${tableFolder(table)}${file}`);
    } else expect(await merging).toMatchObject(laterBy(firstVersion, report));
  }
  const { rows, history, quarantine } = one.expected;
  if (rows !== null) for (const by of readers) expect(sorted(await by(lake, table))).toEqual(sorted(rows));
  for (const [version, then] of Object.entries(history))
    expect(sorted(await read(lake, table, Number(version) + firstVersion))).toEqual(sorted(then));
  const lines: unknown[] = [];
  for (const { key } of await lake.list(`${tableFolder(table)}_cdc/quarantine/`))
    for (const line of (await lake.get(key)).toString().trimEnd().split('\n')) lines.push(JSON.parse(line));
  expect(lines).toEqual(
    quarantine.map((line) => expect.objectContaining({ ...line, file: expect.stringContaining(String(line.file)) })),
  );
  const compared = [rows ?? [], ...Object.values(history), quarantine];
  return { rows: compared.reduce((sum, { length }) => sum + length, 0) };
}

/** The case counts versions from 0; -1 is no table at all. */
function laterBy(versions: number, report: Record<string, unknown>): Record<string, unknown> {
  const { version } = report;
  return typeof version === 'number' && version >= 0 ? { ...report, version: version + versions } : report;
}

function sorted(rows: DeltaRow[]): DeltaRow[] {
  return [...rows]
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
    .map((row) => Object.fromEntries(Object.entries(row).sort()));
}
