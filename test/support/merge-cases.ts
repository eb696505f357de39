/**
 * The merge cases of test/fixtures/merge-cases: a history of one table as change files, and the rows it must give. Both
 * engines run them; each round puts files and records into staging and merges.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { readFile, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { TableName } from '../../src/core/change.ts';
import { readCsv } from '../../src/core/change-file/csv.ts';
import { DIALECT_KEY } from '../../src/core/change-file/dialect.ts';
import { putDmsEpoch } from '../../src/core/change-file/dms-epoch.ts';
import { definitionKey, tableFolder } from '../../src/core/change-file/layout.ts';
import { publishLoadRecord } from '../../src/core/change-file/load-record.ts';
import { type ChangeNumber, changeNumber } from '../../src/core/change-number.ts';
import { parseColumnList } from '../../src/core/merge/loose-columns.ts';
import type { Store } from '../../src/core/store/store.ts';
import { defineTable, definitionToJson, type TableDefinition } from '../../src/core/table-definition.ts';

const FOLDER = fileURLToPath(new URL('../fixtures/merge-cases/', import.meta.url));

const round = z.int().default(0);
const caseFile = z.strictObject({
  about: z.string(),
  table: z.string(),
  definitions: z.array(
    z.strictObject({
      /** `run:number`, as everywhere below. */
      number: z.string(),
      columns: z.string(),
      key: z.array(z.string()),
      zeroDates: z.enum(['null', 'fail', 'text']).default('null'),
      /** The round in which it appears. */
      round,
    }),
  ),
  loads: z.array(
    z.strictObject({
      kind: z.enum(['load', 'truncate', 'start']),
      number: z.string(),
      files: z.array(z.string()),
      round,
    }),
  ),
  /** The files that appear before each merge. */
  rounds: z.array(z.array(z.string())),
  /** Files that DMS wrote: how, and when it began to load; a later record of the same start replaces the first. */
  dms: z
    .strictObject({
      dialect: z.record(z.string(), z.unknown()),
      epochs: z.array(
        z.strictObject({
          kind: z.enum(['load', 'start']).default('load'),
          started: z.string(),
          state: z.enum(['loading', 'complete']),
          caches: z.boolean().default(true),
          rows: z.int().optional(),
          /** LobMaxSize of its tasks. */
          lobKb: z.array(z.int()).optional(),
          round,
        }),
      ),
      /** When a file was written; now unless told. */
      modified: z.record(z.string(), z.string()).default({}),
    })
    .optional(),
  unfit: z.enum(['fail', 'quarantine']).default('fail'),
  mode: z.enum(['merge', 'append']).default('merge'),
  /** Files taken away before the merge of a round. */
  removeBefore: z.record(z.string(), z.array(z.string())).default({}),
  /** Files taken away after the round that failed. */
  removeAfterError: z.array(z.string()).default([]),
});

const row = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]));
const error = z.strictObject({ code: z.string(), message: z.string() });
const report = z.looseObject({ error: error.optional() });
const expectedFile = z.strictObject({
  /** At the end; null: the table is as before the error, or absent. */
  rows: z.array(row).nullable(),
  /** What each round must report, as far as it is given. */
  reports: z.array(report).default([]),
  /** The only error, in the last round. */
  error: error.optional(),
  /** Rows of earlier versions. */
  history: z.record(z.string(), z.array(row)).default({}),
  quarantine: z.array(z.record(z.string(), z.unknown())).default([]),
});

export type MergeCase = z.infer<typeof caseFile> & { name: string; expected: z.infer<typeof expectedFile> };

/** False where a file must be older than it is: nobody sets the time of an object in a bucket. */
export function fitsBucket({ dms }: MergeCase): boolean {
  return Object.keys(dms?.modified ?? {}).length === 0;
}

export function mergeCases(): MergeCase[] {
  const names = readdirSync(FOLDER, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return names.map(({ name }) => {
    const json = (file: string) => JSON.parse(readFileSync(join(FOLDER, name, file), 'utf8'));
    return { name, ...caseFile.parse(json('case.json')), expected: expectedFile.parse(json('expected.json')) };
  });
}

export function tableOf({ table: text }: MergeCase): TableName {
  const [schema = '', table = ''] = text.split('.');
  return { schema, table };
}

function numberOf(text: string): ChangeNumber {
  const [run, number] = text.split(':').map(Number);
  return changeNumber(run ?? 0, number ?? 0);
}

/** Puts what appears in this round into staging. */
export async function stageRound(staging: Store, one: MergeCase, index: number): Promise<void> {
  const table = tableOf(one);
  const definitions = one.definitions.map(
    (given): TableDefinition =>
      defineTable(table, {
        number: numberOf(given.number),
        columns: parseColumnList(given.columns),
        key: given.key,
        zeroDates: given.zeroDates,
      }),
  );
  for (const [at, definition] of definitions.entries())
    if (one.definitions[at]?.round === index)
      await staging.put(definitionKey(table, definition.number), JSON.stringify(definitionToJson(definition)));
  for (const file of one.removeBefore[index] ?? []) await staging.delete(`${tableFolder(table)}${file}`);
  for (const file of one.rounds[index] ?? []) await putFile(staging, one, file);
  if (one.dms !== undefined) await stageDms(staging, one, index, definitions);
  for (const load of one.loads) {
    if (load.round !== index) continue;
    const number = numberOf(load.number);
    const definition = definitions.findLast((candidate) => candidate.number <= number) ?? definitions[0];
    if (definition === undefined) throw new Error(`${one.name} has no definition`);
    const files = await Promise.all(
      load.files.map(async (file) => {
        const key = `${tableFolder(table)}${file}`;
        const body = await readFile(join(FOLDER, one.name, file));
        let rows = -1;
        for await (const _ of readCsv(onePiece(body), { file })) rows++;
        return { key, size: body.length, rows };
      }),
    );
    await publishLoadRecord(staging, {
      format: 1,
      ...table,
      kind: load.kind,
      number,
      position: 'binlog.000001:4',
      definition,
      files,
    });
  }
}

async function putFile(staging: Store, one: MergeCase, file: string): Promise<void> {
  const key = `${tableFolder(tableOf(one))}${file}`;
  await staging.put(key, await readFile(join(FOLDER, one.name, file)));
  const modified = one.dms?.modified[file];
  if (modified !== undefined) await utimes(join(staging.location, key), new Date(modified), new Date(modified));
}

async function stageDms(
  staging: Store,
  one: MergeCase,
  index: number,
  definitions: readonly TableDefinition[],
): Promise<void> {
  if (index === 0) await staging.put(DIALECT_KEY, JSON.stringify(one.dms?.dialect));
  const definition = definitions.findLast((_, at) => (one.definitions[at]?.round ?? 0) <= index);
  if (definition === undefined) throw new Error(`${one.name} has no definition`);
  for (const { started, round: at, ...epoch } of one.dms?.epochs ?? []) {
    if (at !== index) continue;
    const record = {
      ...tableOf(one),
      ...epoch,
      started: new Date(started),
      task: 'test',
      definition: definition.number,
    };
    await putDmsEpoch(staging, record);
  }
}

async function* onePiece(body: Buffer): AsyncGenerator<Buffer> {
  yield body;
}
