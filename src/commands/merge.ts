/** Applies change files to lake tables: what is pending in a pipeline, or one loose file without any pipeline. */

import { type Context, defineCommand, parseTableName } from '../cli/command.ts';
import { textTable } from '../cli/table.ts';
import type { ConfigOverride } from '../core/config.ts';
import { CdcError, UsageError } from '../core/errors.ts';

/** A file of nobody's pipeline, described by flags. */
export interface LooseFileOptions {
  kind: 'loose';
  file: string;
  table: { schema: string; table: string };
  key: string[];
  /** As typed: `PersonId bigint, FullName varchar(50)`. */
  columns: string;
  lake: string;
  again: boolean;
}

/** What is pending in the pipeline of cdc.yaml. */
export interface PendingOptions {
  kind: 'pending';
  /** Up to and with this file; absent: everything. */
  file: string | undefined;
  tables: { schema: string; table: string }[];
  watch: boolean;
  overrides: ConfigOverride[];
}

export type MergeOptions = LooseFileOptions | PendingOptions;

export interface MergeReport {
  tables: {
    schema: string;
    table: string;
    files: number;
    changes: number;
    inserted: number;
    updated: number;
    deleted: number;
    quarantined: number;
    version: number;
    seconds: number;
  }[];
  engine: 'local';
}

export const command = defineCommand({
  arguments: { file: { help: 'a change file: of this pipeline (its key or path), or any file with --lake' } },
  options: {
    table: { value: 'TABLE', repeat: true, help: 'schema.table: of the loose file; or merge these tables only' },
    key: { value: 'COLUMNS', repeat: true, help: "loose file: the key's columns, separated by commas" },
    columns: { value: 'LIST', help: 'loose file: its columns in order, with MySQL types; a bare name is text' },
    lake: { value: 'DIR', help: 'loose file: the folder of the lake; needs no cdc.yaml' },
    again: { help: 'loose file: apply it although the same bytes were applied before' },
    watch: { short: 'w', help: 'merge whenever a file arrives, until Ctrl-C' },
    engine: { value: 'ENGINE', help: 'what does the work: local', default: 'merge.engine, else local' },
  },
  changes: true,
  description: `
    Applies the pending change files of each table in order, the last change of a key counts, and commits them to the
    Delta table as one version: readers see all of it or nothing. Applied once is applied for good; a file that comes
    again changes nothing, and a killed merge is finished by the next one.

    With FILE of a pipeline, earlier pending files of its table come first. With FILE and --lake, no pipeline and no
    database are needed: any CSV of changes, with or without a header and an Op column, is merged into a table
    described by --table, --key and --columns.
  `,
  examples: [
    { line: 'cdc merge', does: 'everything that is pending' },
    { line: 'cdc merge --watch', does: 'whenever a file arrives' },
    {
      line: "cdc merge changes.csv --table shop.persons --key PersonId --columns 'PersonId bigint, FullName varchar(50), City varchar(50)' --lake lake",
      does: 'a loose file, without a pipeline',
    },
  ],

  parse(input): MergeOptions {
    const file = input.argument('file');
    const tables = input.list('table').map((text) => parseTableName(text, '--table'));
    const lake = input.text('lake');
    if (lake === undefined) {
      for (const option of ['key', 'columns', 'again'] as const)
        if (input.has(option))
          throw new UsageError(
            `merge: --${option} describes a loose file, and that needs --lake`,
            'add --lake DIR, or leave the option out to merge a file of the pipeline',
          );
      const overrides = input.override('engine', 'merge.engine');
      return { kind: 'pending', file, tables, watch: input.has('watch'), overrides };
    }
    const key = input.list('key').flatMap((text) => text.split(',').map((name) => name.trim()));
    const columns = input.text('columns');
    const [table] = tables;
    if (file === undefined) throw new UsageError('merge: --lake is for a loose FILE, and none is given');
    if (tables.length !== 1 || table === undefined)
      throw new UsageError('merge: a loose file needs one --table', 'add --table schema.table');
    if (key.length === 0 || key.includes(''))
      throw new UsageError('merge: a loose file needs --key', 'add --key with the column that tells rows apart');
    if (columns === undefined)
      throw new UsageError(
        'merge: a loose file needs --columns',
        "add --columns 'id bigint, name varchar(50)' in the order of the file",
      );
    if (input.has('watch')) throw new UsageError('merge: --watch is for a pipeline, not for a loose file');
    return { kind: 'loose', file, table, key, columns, lake, again: input.has('again') };
  },

  async run(_options: MergeOptions, _context: Context): Promise<MergeReport> {
    throw new CdcError('command.not-built', 'merge: this command is not built yet');
  },

  render(report) {
    if (report.tables.length === 0) return 'nothing is pending';
    return textTable(report.tables, [
      { title: 'table', value: ({ schema, table }) => `${schema}.${table}` },
      { title: 'files', value: (table) => table.files, right: true },
      { title: 'changes', value: (table) => table.changes, right: true },
      { title: 'inserted', value: (table) => table.inserted, right: true },
      { title: 'updated', value: (table) => table.updated, right: true },
      { title: 'deleted', value: (table) => table.deleted, right: true },
      { title: 'quarantined', value: (table) => table.quarantined, right: true },
      { title: 'version', value: (table) => table.version, right: true },
      { title: 'seconds', value: (table) => table.seconds.toFixed(2), right: true },
    ]);
  },
});
