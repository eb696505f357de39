import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { tableFolder } from '../../../src/core/change-file/layout.ts';
import { changeNumber } from '../../../src/core/change-number.ts';
import type { Snapshot } from '../../../src/core/delta/snapshot.ts';
import { openEngine } from '../../../src/core/engine/engine.ts';
import { CdcError } from '../../../src/core/errors.ts';
import { seqOfKey } from '../../../src/core/merge/ledger.ts';
import { mergeTable } from '../../../src/core/merge/merge-table.ts';
import { silent } from '../../../src/core/progress.ts';
import { openLocalStore } from '../../../src/core/store/local.ts';
import { type CdcMergeChild, hasPlainPython, startCdcMergeChild } from '../../support/cdc-merge-child.ts';
import { type MergeCase, mergeCases, stageRound, tableOf } from '../../support/merge-cases.ts';
import {
  mergeWithoutRows,
  mergeWithoutRowsInPython,
  type PythonSnapshot,
  plansOf,
  type RowlessMerge,
} from '../../support/rowless-merge.ts';
import { type Change, StagedTable, TABLE } from '../../support/staged-table.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

const APP_ID = 'test/shop.persons';
const SEED = Number(process.env.CDC_SEED ?? 6);

describe.skipIf(!hasPlainPython())('the planner of the Glue job', () => {
  let child: CdcMergeChild;
  beforeAll(() => {
    child = startCdcMergeChild();
  });
  afterAll(() => child.stop());

  it.each(mergeCases().map((one) => [one.name, one] as const))(
    'plans the case %s as the local engine does',
    async (_name, one) => {
      await runCase(one, child);
    },
  );

  it('plans whatever lies in staging as the TypeScript planner does, and fails with the same words', async () => {
    const codes = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(
        beginning,
        fc.array(fc.array(step, { maxLength: 5 }), { minLength: 1, maxLength: 4 }),
        mode,
        async (first, rounds, kept) => {
          const table = new StagedTable(await temporaryFolder());
          const staging = table.staging;
          const ours: RowlessMerge = { staging, lake: table.lake, table: TABLE, appId: APP_ID, mode: kept };
          const theirs = { ...ours, lake: openLocalStore(join(table.root, 'lake of python')) };
          let snapshot: Snapshot | undefined;
          let pythonSnapshot: PythonSnapshot | undefined;
          const last = new Map<number, number>();
          for (const steps of rounds) {
            for (const one of steps === rounds[0] ? [...first, ...steps] : steps) await take(table, one, last);
            const upTo = steps.find((one) => one.does === 'limit')?.file;
            const limited = upTo === undefined ? {} : { upTo: `${tableFolder(TABLE)}${upTo}` };
            const here = await mergeWithoutRows({ ...ours, ...limited }, snapshot);
            const there = await mergeWithoutRowsInPython(child, { ...theirs, ...limited }, pythonSnapshot);
            expect(there.outcome).toEqual(here.outcome);
            expect(await plansOf(theirs.lake, TABLE)).toEqual(await plansOf(ours.lake, TABLE));
            expect(there.snapshot?.version).toBe(here.snapshot?.version);
            snapshot = here.snapshot;
            pythonSnapshot = there.snapshot;
            const came =
              here.outcome.error?.code ?? here.outcome.waits ?? (here.outcome.files > 0 ? 'merged' : 'already');
            codes.set(came, (codes.get(came) ?? 0) + 1);
          }
        },
      ),
      { seed: SEED, numRuns: Number(process.env.CDC_RUNS ?? 120) },
    );
    // The sample met what it is for.
    for (const code of ['merged', 'loading', 'gap', 'file.cut', 'schema.unsupported', 'input.missing'])
      expect([...codes.keys()], `in ${JSON.stringify([...codes])}`).toContain(code);
  });
});

/** The local engine with its rows, then the planner alone on a ledger of its own. */
async function runCase(one: MergeCase, child: CdcMergeChild): Promise<void> {
  const root = await temporaryFolder();
  const engine = await openEngine({ tempDirectory: join(root, '.tmp-engine'), threads: 1 });
  onTestFinished(() => engine.close());
  const staging = openLocalStore(join(root, 'staging'));
  const lake = openLocalStore(join(root, 'lake'));
  const table = tableOf(one);
  const shared = { staging, table, appId: APP_ID, mode: one.mode };
  const theirs: RowlessMerge = { ...shared, lake: openLocalStore(join(root, 'lake of python')), unfit: one.unfit };
  let snapshot: PythonSnapshot | undefined;
  for (const index of one.rounds.keys()) {
    await stageRound(staging, one, index);
    const merging = mergeTable({
      ...shared,
      lake,
      engine,
      policies: { unfit: one.unfit },
      gapWaitMs: 1e12,
      progress: silent,
    });
    const here = await merging.catch((error: unknown) => {
      if (error instanceof CdcError) return error;
      throw error;
    });
    const plans = await plansOf(lake, table);
    // What the rows alone show makes the batch fail after it was planned.
    const planned = Math.max(0, ...Object.keys(plans).map(seqOfKey));
    const isOfRows = here instanceof CdcError && ROWS.has(here.code) && planned > 0;
    const stopAt = isOfRows ? planned : undefined;
    for (const { key } of await lake.list(`${tableFolder(table)}_cdc/quarantine/`))
      await theirs.lake.put(key, await lake.get(key));
    const there = await mergeWithoutRowsInPython(child, theirs, snapshot, { stopAt });
    expect(await plansOf(theirs.lake, table)).toEqual(plans);
    if (here instanceof CdcError) {
      expect(there.stopped).toBe(stopAt !== undefined);
      if (stopAt === undefined)
        expect(there.outcome.error).toEqual({ code: here.code, message: here.message, hint: here.hint ?? null });
      for (const file of one.removeAfterError) await staging.delete(`${tableFolder(table)}${file}`);
    } else {
      expect(there.outcome).toEqual({ error: null, waits: here.waits, waiting: here.waiting, files: here.files });
      expect(there.snapshot?.version ?? -1).toBe(here.version);
    }
    snapshot = there.snapshot;
  }
  for (const { key } of await lake.list(`${tableFolder(table)}_cdc/batches/`)) {
    const body = (await lake.get(key)).toString();
    expect(rewritten.parse(await child.ask('rewrite_plan', { body }))).toEqual({ text: body, key });
  }
}

const rewritten = z.object({ text: z.string(), key: z.string() });

/** Errors that only whoever has the rows can meet. */
const ROWS = new Set([
  'row.unfit',
  'row.key',
  'change.conflict',
  'change.missing',
  'load.rows',
  'load.double-key',
  'file.width',
  'file.op',
  'file.unreadable',
  'type.dms',
]);

/** What appears in staging, or goes. */
type Step =
  | {
      does: 'changes';
      first: number | undefined;
      count: number;
      run: number;
      columns: Columns;
      name: number | undefined;
    }
  | { does: 'load'; kind: 'load' | 'truncate' | 'start'; number: number; run: number; columns: Columns; files: number }
  | { does: 'define'; number: number; run: number; columns: Columns }
  | { does: 'break'; how: 'cut' | 'half' | 'header' | 'number' | 'empty' | 'stray'; number: number }
  | { does: 'lose'; which: number }
  | { does: 'limit'; file: string };

const COLUMNS = {
  plain: 'id int not null, name varchar(50)',
  wider: 'id int not null, name varchar(50), qty int',
  filled: 'id int not null, name varchar(50), qty int not null',
  narrower: 'id int not null',
  retyped: 'id bigint not null, name varchar(50)',
  odd: 'id int not null, `Name, or so` varchar(50), `Ünï "x"` decimal(12,3)',
} as const;
type Columns = keyof typeof COLUMNS;

const columns = fc.oneof(
  { weight: 20, arbitrary: fc.constant<Columns>('plain') },
  { weight: 4, arbitrary: fc.constant<Columns>('wider') },
  { weight: 2, arbitrary: fc.constantFrom<Columns>('filled', 'narrower', 'retyped', 'odd') },
);
const run = fc.constantFrom(1, 1, 1, 1, 1, 1, 1, 1, 2, 3);
const small = fc.integer({ min: 0, max: 14 });
const mode = fc.constantFrom('merge' as const, 'merge' as const, 'append' as const);
const LOADED: Step = { does: 'load', kind: 'load', number: 0, run: 1, columns: 'plain', files: 1 };
/** Most tables begin with their load. */
const beginning = fc.constantFrom([], [LOADED], [LOADED], [LOADED]);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 24,
    arbitrary: fc.record({
      does: fc.constant('changes' as const),
      first: fc.option(fc.integer({ min: 1, max: 14 }), { nil: undefined, freq: 1 }),
      count: fc.integer({ min: 1, max: 6 }),
      run,
      columns,
      name: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined, freq: 3 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      does: fc.constant('load' as const),
      kind: fc.constantFrom('load' as const, 'load' as const, 'truncate' as const, 'start' as const),
      number: fc.constantFrom(0, 0, 0, 2, 3, 5, 9),
      run,
      columns,
      files: fc.integer({ min: 0, max: 2 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('define' as const), number: small, run, columns }) },
  {
    weight: 1,
    arbitrary: fc.record({
      does: fc.constant('break' as const),
      how: fc.constantFrom('cut', 'half', 'header', 'number', 'empty', 'stray'),
      number: small,
    }),
  },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('lose' as const), which: fc.nat(2) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      does: fc.constant('limit' as const),
      file: fc.constantFrom('20261122-000000001.csv', '20261122-000000003.csv', 'LOAD00000001.csv', 'nothing.csv'),
    }),
  },
);

function define(table: StagedTable, number: bigint, columnsName: Columns) {
  return table.define(number, COLUMNS[columnsName], ['id']);
}

async function take(table: StagedTable, one: Step, last: Map<number, number>): Promise<void> {
  const folder = tableFolder(TABLE);
  switch (one.does) {
    case 'changes': {
      const definition = define(table, 0n, one.columns);
      const first = one.first ?? (last.get(one.run) ?? 0) + 1;
      last.set(one.run, Math.max(last.get(one.run) ?? 0, first + one.count - 1));
      const changes = Array.from({ length: one.count }, (_, index): Change => {
        const values = [String(index), ...definition.columns.slice(1).map(() => 'x,"\n')];
        return { op: 'U', number: changeNumber(one.run, first + index), values };
      });
      const name = one.name === undefined ? undefined : `20261122-${String(one.name).padStart(9, '0')}.csv`;
      await table.putChanges(definition, changes, name);
      return;
    }
    case 'load': {
      const number = changeNumber(one.run, one.number);
      const definition = define(table, number, one.columns);
      const rows = [1, 2].map((id) => [String(id), ...definition.columns.slice(1).map(() => null)]);
      await table.putLoad(definition, rows, { number, kind: one.kind, files: one.files });
      return;
    }
    case 'define':
      await table.putDefinition(define(table, changeNumber(one.run, one.number), one.columns));
      return;
    case 'break': {
      const seq = `2026112210153012${String(changeNumber(1, one.number)).padStart(19, '0')}`;
      const header = 'Op,cdc_ts,id,name,cdc_seq\n';
      const row = `U,2026-11-22 10:15:30.120000,1,a,${seq}\n`;
      const bodies = {
        cut: header + row.slice(0, -3),
        half: `${header}${row}U,2026-11-22 10:15:30.120000,2,"un`,
        header: `id,name\n1,a\n`,
        number: `${header}U,2026-11-22 10:15:30.120000,1,a,12\n${row}`,
        empty: header,
        stray: 'a note',
      };
      // One at a time: of two broken files either may be met first.
      const name = one.how === 'stray' ? 'note.txt' : '20261123-000000001.csv';
      await table.staging.put(`${folder}${name}`, bodies[one.how]);
      return;
    }
    case 'lose': {
      const files = await table.staging.list(folder);
      const lost = files.at(-1 - one.which);
      if (lost !== undefined) await table.staging.delete(lost.key);
      return;
    }
    case 'limit':
      return;
  }
}
