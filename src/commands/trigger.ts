/** Hands one file to the merge as if it had just arrived. */

import { basename, isAbsolute, relative, resolve } from 'node:path';
import { defineCommand } from '../cli/command.ts';
import { nameOfFolder } from '../core/change-file/layout.ts';
import { withEngine } from '../core/engine/engine.ts';
import { CdcError } from '../core/errors.ts';
import { mergeTable, type TableMergeReport } from '../core/merge/merge-table.ts';
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
    const { staging } = pipeline;
    const path = isAbsolute(options.file) ? options.file : resolve(context.cwd, options.file);
    const inside = relative(staging.location, path);
    const key = !inside.startsWith('..') && (await staging.stat(inside)) !== undefined ? inside : options.file;
    const [schema, table] = key.split('/');
    if (
      schema === undefined ||
      table === undefined ||
      schema.startsWith('_') ||
      key.startsWith('/') ||
      key.includes('..') ||
      (await staging.stat(key)) === undefined
    )
      throw new CdcError('file.not-found', `triggering ${options.file}: there is no such file in ${staging.location}`, {
        hint: 'cdc files   # lists them',
      });
    const name = { schema: nameOfFolder(schema), table: nameOfFolder(table) };
    const result = await withEngine({ ...pipeline.engineOptions, signal }, (engine) =>
      mergeTable({ ...pipeline.mergeOf(name), engine, upTo: key, signal, progress }),
    );
    return { store: staging.location, key, file: basename(key), result };
  },
  json: ({ store, key, file, result }) => ({ store, key, file, result: { ...result, bytesWritten: undefined } }),
  render: ({ store, key, file, result }) =>
    [
      `store   ${store}`,
      `key     ${key}`,
      `file    ${file}`,
      `result  ${result.already ? `already merged, version ${result.version}` : `${result.inserted} inserted, ${result.updated} updated, ${result.deleted} deleted: version ${result.version} in ${result.seconds} s`}`,
    ].join('\n'),
});

interface TriggerReport {
  store: string;
  key: string;
  file: string;
  result: TableMergeReport;
}
