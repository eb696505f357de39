/** Prints the changes in a change file, in the guide's headerless form. */

import { access } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { type Context, defineCommand, parseTableName } from '../cli/command.ts';
import type { TableName } from '../core/change.ts';
import { readDefinitions } from '../core/change-file/definitions.ts';
import { readDialect } from '../core/change-file/dialect.ts';
import { readDmsEpochs } from '../core/change-file/dms-epoch.ts';
import { findStagedFile, needStagedFile } from '../core/change-file/find-file.ts';
import { showFile } from '../core/change-file/show.ts';
import { CdcError } from '../core/errors.ts';
import { openStores } from '../core/pipeline/pipeline.ts';
import { openLocalStore } from '../core/store/local.ts';

export interface ShowOptions {
  file: string;
  table: TableName | undefined;
}

export interface ShowReport {
  rows: number;
}

export const command = defineCommand({
  arguments: { file: { required: true, help: 'a file in staging: its key or its path; or any change file' } },
  options: { table: { value: 'TABLE', help: 'schema.table, where the path does not say it' } },
  description: `
    Prints one line per change, in the order of the file: Op, then the columns, without header, time and number:
    U,7,ABC XYZ,Phoenix. NULL is an empty field, an empty text is "". With --json, one object a line: op, ts, number,
    columns.
  `,
  examples: [
    { line: 'cdc show shop/orders/20261122-101530123.csv', does: 'by its key in staging' },
    { line: 'cdc show staging/shop/orders/LOAD00000001.csv', does: 'by its path' },
  ],

  parse(input): ShowOptions {
    const table = input.text('table');
    return { file: input.need('file'), table: table === undefined ? undefined : parseTableName(table, '--table') };
  },

  async run(options: ShowOptions, context: Context): Promise<ShowReport> {
    const { store, key, definition, dms } = await locate(options, context);
    let rows = 0;
    for await (const { text, ...row } of showFile({ store, key, definition, dms })) {
      rows++;
      await context.emit(row, text);
    }
    return { rows };
  },

  json: () => undefined,
  render: () => '',
});

/** A file of the pipeline where there is one; else, and without any pipeline, a file by its path. */
async function locate(options: ShowOptions, context: Context) {
  const path = resolve(context.cwd, options.file);
  const isThere = await exists(path);
  const config = await context.config().catch((error: unknown) => {
    if (isThere && error instanceof CdcError && error.code === 'config.missing') return undefined;
    throw error;
  });
  const alone = { store: openLocalStore(dirname(path)), key: basename(path), dms: undefined };
  if (config === undefined) return { ...alone, definition: undefined };
  const { staging } = openStores(config, context.env.variables);
  const staged = isThere
    ? await findStagedFile(staging, context.cwd, options.file)
    : await needStagedFile(staging, context.cwd, options.file);
  const table = options.table ?? staged?.table;
  const definitions = table === undefined ? [] : await readDefinitions(staging, table);
  const definition = definitions.at(-1);
  if (staged === undefined) return { ...alone, definition };
  const isOfDms = table !== undefined && (await readDmsEpochs(staging, table)).length > 0;
  const dms = isOfDms ? { definitions, dialect: await readDialect(staging) } : undefined;
  return { store: staging, key: staged.key, definition, dms };
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
