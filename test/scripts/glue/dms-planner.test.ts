import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DIALECT_KEY } from '../../../src/core/change-file/dialect.ts';
import { dmsTime, putDmsEpoch } from '../../../src/core/change-file/dms-epoch.ts';
import { tableFolder } from '../../../src/core/change-file/layout.ts';
import { changeNumber } from '../../../src/core/change-number.ts';
import type { Snapshot } from '../../../src/core/delta/snapshot.ts';
import { openLocalStore } from '../../../src/core/store/local.ts';
import { type CdcMergeChild, hasPlainPython, startCdcMergeChild } from '../../support/cdc-merge-child.ts';
import {
  mergeWithoutRows,
  mergeWithoutRowsInPython,
  type PythonSnapshot,
  plansOf,
  type RowlessMerge,
} from '../../support/rowless-merge.ts';
import { StagedTable, TABLE } from '../../support/staged-table.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

const BEGIN = Date.UTC(2026, 10, 22, 10);
const FOLDER = tableFolder(TABLE);

describe.skipIf(!hasPlainPython())('the planner of the Glue job, for files of DMS', () => {
  let child: CdcMergeChild;
  beforeAll(() => {
    child = startCdcMergeChild();
  });
  afterAll(() => child.stop());

  it('plans whatever DMS leaves in staging as the TypeScript planner does, and fails with the same words', async () => {
    const came = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(step, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 5 }),
        fc.constantFrom('merge' as const, 'merge' as const, 'merge' as const, 'append' as const),
        fc.constantFrom(...DIALECTS),
        async (rounds, mode, dialect) => {
          const table = new StagedTable(await temporaryFolder());
          await table.staging.put(DIALECT_KEY, JSON.stringify(dialect));
          await table.putDefinition(table.define(changeNumber(0, 1), COLUMNS));
          await take(table, FIRST);
          const ours: RowlessMerge = { staging: table.staging, lake: table.lake, table: TABLE, appId: 'test', mode };
          const theirs = { ...ours, lake: openLocalStore(join(table.root, 'lake of python')) };
          let snapshot: Snapshot | undefined;
          let pythonSnapshot: PythonSnapshot | undefined;
          for (const steps of rounds) {
            for (const one of steps) await take(table, one);
            const here = await mergeWithoutRows(ours, snapshot);
            const there = await mergeWithoutRowsInPython(child, theirs, pythonSnapshot);
            expect(there.outcome).toEqual(here.outcome);
            expect(await plansOf(theirs.lake, TABLE)).toEqual(await plansOf(ours.lake, TABLE));
            snapshot = here.snapshot;
            pythonSnapshot = there.snapshot;
            const what =
              here.outcome.error?.code ?? here.outcome.waits ?? (here.outcome.files > 0 ? 'merged' : 'already');
            came.set(what, (came.get(what) ?? 0) + 1);
          }
        },
      ),
      { seed: Number(process.env.CDC_SEED ?? 6), numRuns: Number(process.env.CDC_RUNS ?? 100) },
    );
    // The sample met what it is for.
    for (const what of ['merged', 'loading', 'replaying', 'replay.gone', 'definition.unknown'])
      expect([...came.keys()], `in ${JSON.stringify([...came])}`).toContain(what);
  });
});

const COLUMNS = 'id int not null, name varchar(50)';
const DIALECTS = [
  { format: 1, null: '<null>', timestamp_column: 'dms_ts' },
  { format: 1, null: '<null>', timestamp_column: 'dms_ts' },
  { format: 1 },
  { format: 1, header: false, ddl: 'frozen' },
];

type Step =
  | { does: 'changes'; minute: number; seqs: number[]; shape: Shape; young: boolean; folder: string }
  | { does: 'load'; minute: number; number: number }
  | { does: 'epoch'; minute: number; kind: 'load' | 'start'; state: 'loading' | 'complete'; caches: boolean }
  | { does: 'lose'; which: number }
  | { does: 'change'; which: number }
  | { does: 'define' };

/** What the header of a change file is. */
type Shape = 'full' | 'bare' | 'before' | 'reordered' | 'unknown' | 'wider' | 'none' | 'empty';

const FIRST: Step = { does: 'epoch', minute: 2, kind: 'load', state: 'loading', caches: true };
const minute = fc.integer({ min: 0, max: 20 });
const seqs = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 20 }).map((at) => [at, at]) },
  { weight: 2, arbitrary: fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 3 }) },
);
const shape = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Shape>('full') },
  { weight: 5, arbitrary: fc.constantFrom<Shape>('before', 'reordered', 'bare', 'empty') },
  { weight: 1, arbitrary: fc.constantFrom<Shape>('unknown', 'wider', 'none') },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      does: fc.constant('changes' as const),
      minute,
      seqs,
      shape,
      young: fc.constantFrom(true, true, false),
      folder: fc.constantFrom('', '', '2026/11/22/'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ does: fc.constant('load' as const), minute, number: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constant('epoch' as const),
      minute,
      kind: fc.constantFrom('load' as const, 'load' as const, 'load' as const, 'start' as const),
      state: fc.constantFrom('loading' as const, 'complete' as const),
      caches: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('lose' as const), which: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('change' as const), which: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.constant({ does: 'define' as const }) },
);

async function take(table: StagedTable, one: Step): Promise<void> {
  const { staging } = table;
  switch (one.does) {
    case 'changes': {
      const key = `${FOLDER}${one.folder}${dmsTime(at(one.minute))}.csv`;
      if ((await staging.stat(key)) === undefined)
        await put(table, key, bodyOf(one.shape, one.seqs), one.young ? undefined : at(one.minute));
      return;
    }
    case 'load':
      await put(table, `${FOLDER}LOAD0000000${one.number}.csv`, bodyOf('full', []), at(one.minute));
      return;
    case 'epoch': {
      const { does: _, minute: from, ...epoch } = one;
      const rows = one.state === 'complete' && one.caches ? { rows: 0 } : {};
      await putDmsEpoch(staging, {
        ...TABLE,
        ...epoch,
        ...rows,
        started: at(from),
        task: 'test',
        definition: changeNumber(0, 1),
      });
      return;
    }
    case 'lose':
    case 'change': {
      const found = (await staging.list(FOLDER))[one.which];
      if (found === undefined) return;
      if (one.does === 'lose') await staging.delete(found.key);
      // Another file than the one that was read; still one of DMS.
      else await put(table, found.key, bodyOf('full', [1, 2, 3, 4]), found.modified);
      return;
    }
    case 'define':
      await table.putDefinition(table.define(changeNumber(0, 2), `${COLUMNS}, qty int`));
      return;
  }
}

function at(minuteOfHour: number): Date {
  return new Date(BEGIN + minuteOfHour * 60_000);
}

async function put(table: StagedTable, key: string, body: string, modified: Date | undefined): Promise<void> {
  await table.staging.put(key, body);
  if (modified !== undefined) await utimes(join(table.staging.location, key), modified, modified);
}

function bodyOf(of: Shape, numbers: readonly number[]): string {
  const headers: Record<Shape, string> = {
    full: 'Op,dms_ts,id,name,dms_seq',
    bare: 'Op,dms_ts,id,name',
    before: 'Op,dms_ts,id,name,dms_seq,BI_id',
    reordered: 'Op,dms_ts,NAME,Id,dms_seq',
    unknown: 'Op,dms_ts,id,name,colour,dms_seq',
    wider: 'Op,dms_ts,id,name,qty,dms_seq',
    none: '',
    empty: '',
  };
  if (of === 'empty') return '';
  const header = headers[of];
  const names = header.split(',');
  const rows = numbers.map((number, index) => {
    if (header === '') return `U,${index},a\n`;
    const seq = `20261122${String(1000 + number)}0000${String(index).padStart(19, '0')}`;
    const fields = names.map((name) => ({ Op: 'U', dms_ts: '2026-11-22 10:00:00', dms_seq: seq })[name] ?? '1');
    return `${fields.join(',')}\n`;
  });
  return `${header === '' ? '' : `${header}\n`}${rows.join('')}`;
}
