/** Hands one file to the merge as if it had just arrived. */

import { basename } from 'node:path';
import { defineCommand } from '../cli/command.ts';
import { type MergedTable, mergedTable } from '../cli/merged-table.ts';
import { count } from '../cli/table.ts';
import { needStagedFile } from '../core/change-file/find-file.ts';
import { withEngine } from '../core/engine/engine.ts';
import { mergeTable } from '../core/merge/merge-table.ts';
import { countPending } from '../core/pipeline/merge-pending.ts';
import { openPipeline } from '../core/pipeline/pipeline.ts';

export interface TriggerOptions {
  file: string;
}

export const command = defineCommand({
  arguments: {
    file: { required: true, help: 'a file in staging: its key (shop/orders/20261122-101530123.csv) or its path' },
  },
  options: {},
  changes: true,
  onAws: () => import('./on-aws/trigger.ts').then((file) => file.triggerOnAws),
  description: `
    What the arrival of a file sets off, for one file by hand: prints store, key and file name as the trigger
    gets them, merges what is pending up to that file, and prints the result. The event only wakes: earlier
    files of the table come first.
  `,
  examples: [
    { line: 'cdc trigger shop/orders/20261122-101530123.csv', does: 'one file' },
    { line: 'cdc trigger staging/shop/orders/LOAD00000001.csv', does: 'by path' },
  ],
  parse: (input): TriggerOptions => ({ file: input.need('file') }),
  async run(options: TriggerOptions, context): Promise<TriggerReport> {
    const { signal, progress } = context;
    const pipeline = openPipeline(await context.config(), context.env.variables);
    const { key, table } = await needStagedFile(pipeline.staging, context.cwd, options.file);
    const event = { store: pipeline.staging.location, key, file: basename(key) };
    if (context.flags.dryRun) {
      const [pending] = await countPending({ pipeline, tables: [table], upTo: key, signal });
      return { ...event, would_merge: pending?.files ?? 0 };
    }
    const result = await withEngine({ ...pipeline.engineOptions, signal }, (engine) =>
      mergeTable({ ...pipeline.mergeOf(table), engine, upTo: key, signal, progress }),
    );
    return { ...event, result: mergedTable(result), already: result.already === true };
  },
  json: (report) => ('result' in report ? report : { ...report, dry_run: true }),
  render: (report) =>
    [
      `store   ${report.store}`,
      `key     ${report.key}`,
      `file    ${report.file}`,
      `result  ${'result' in report ? resultOf(report) : would(report.would_merge)}`,
    ].join('\n'),
});

type TriggerReport = { store: string; key: string; file: string } & (
  | { result: MergedTable; already: boolean }
  | { would_merge: number }
);

function resultOf({ result, already }: { result: MergedTable; already: boolean }): string {
  const { inserted, updated, deleted, version, seconds, waiting } = result;
  if (already) return waiting === undefined ? `already merged: version ${version}` : `waiting: ${waiting}`;
  return `${inserted} inserted, ${updated} updated, ${deleted} deleted: version ${version} in ${seconds.toFixed(2)} s`;
}

function would(files: number): string {
  return files === 0 ? 'already merged' : `would merge ${count(files, 'file')}`;
}
