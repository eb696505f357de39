/** Lists the change files in staging. */

import { type Context, defineCommand, parseTableName } from '../cli/command.ts';
import { sayError } from '../cli/say-error.ts';
import { type Column, textTable } from '../cli/table.ts';
import type { TableName } from '../core/change.ts';
import { withEngine } from '../core/engine/engine.ts';
import { chooseStagedTables } from '../core/pipeline/merge-pending.ts';
import { openPipeline } from '../core/pipeline/pipeline.ts';
import { formatBytes } from '../core/quantity.ts';
import { listStagedFiles, type StagedFileSummary } from '../core/query/staged-files.ts';

export interface FilesOptions {
  tables: TableName[];
  pending: boolean;
}

export interface FilesReport {
  files: StagedFileSummary[];
}

export const command = defineCommand({
  arguments: {},
  options: {
    table: { value: 'TABLE', repeat: true, help: 'files of these tables only', default: 'all' },
    pending: { help: 'only what no merge has applied yet' },
  },
  description: `
    Lists what is in staging, oldest first: the table, the kind of file (load or changes), its rows, the range of
    change numbers in it, and the version of the lake table that it was merged in.
  `,
  examples: [
    { line: 'cdc files', does: 'everything' },
    { line: 'cdc files --table shop.orders --pending', does: 'what is still to be merged of one table' },
  ],

  parse: (input): FilesOptions => ({
    tables: input.list('table').map((text) => parseTableName(text, '--table')),
    pending: input.has('pending'),
  }),

  async run({ tables, pending }: FilesOptions, context: Context): Promise<FilesReport> {
    const { signal, progress } = context;
    const onUnreadable = sayError(progress);
    const pipeline = openPipeline(await context.config(), context.env.variables);
    const chosen = await chooseStagedTables(pipeline.staging, tables);
    return withEngine({ ...pipeline.engineOptions, signal }, async (engine) => {
      const files: StagedFileSummary[] = [];
      for (const table of chosen)
        files.push(...(await listStagedFiles(table, { ...pipeline.mergeOf(table), engine, onUnreadable, signal })));
      return { files: pending ? files.filter(({ state }) => state !== 'merged') : files };
    });
  },

  render({ files }, { columns }) {
    if (files.length === 0) return 'no files';
    const table: Column<StagedFileSummary>[] = [
      { title: 'file', value: ({ file }) => file },
      { title: 'kind', value: ({ kind }) => kind },
      { title: 'rows', value: ({ rows }) => rows ?? undefined, right: true },
      { title: 'size', value: ({ bytes }) => formatBytes(bytes), right: true, drop: 2 },
      { title: 'numbers', value: numbers, right: true, drop: 1 },
      { title: 'state', value: ({ state, version }) => (version === null ? state : `${state} in version ${version}`) },
    ];
    return textTable(files, table, { width: columns });
  },
});

/** `1:7-12`: run, then the numbers within it. */
function numbers({ first, last, kind }: StagedFileSummary): string | undefined {
  if (first === null || last === null) return undefined;
  const within = (number: string) => String(Number(number.slice(4)));
  const run = String(Number(first.slice(0, 4)));
  return kind === 'load' ? `${run}:${within(last)}` : `${run}:${within(first)}-${within(last)}`;
}
