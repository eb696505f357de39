/** Compares lake tables with the source at one position. */

import { defineCommand, parseTableName } from '../cli/command.ts';
import { count } from '../cli/table.ts';
import { connectSource } from '../core/binlog/connection.ts';
import { readCheckpoint } from '../core/capture/checkpoint.ts';
import { formatTableName } from '../core/change.ts';
import { withEngine } from '../core/engine/engine.ts';
import { CdcError } from '../core/errors.ts';
import { catchUp } from '../core/pipeline/catch-up.ts';
import { openPipeline } from '../core/pipeline/pipeline.ts';
import { snapshotTable } from '../core/pipeline/source-tables.ts';
import { type TableVerdict, verifyTables } from '../core/verify/verify.ts';

export interface VerifyOptions {
  tables: string[];
}

export const command = defineCommand({
  arguments: {},
  options: {
    table: { value: 'TABLE', repeat: true, help: 'compare these tables only', default: 'all that cdc.yaml follows' },
  },
  answerIsNo: 'a table is not equal to its source',
  description: `
    Merges what is pending, then compares every row of each lake table with the source at one position, and
    counts rows that are missing, extra or different, with the first keys of each.
  `,
  examples: [
    { line: 'cdc verify', does: 'every table' },
    { line: 'cdc verify --table shop.orders', does: 'one table' },
  ],
  parse: (input): VerifyOptions => ({ tables: input.list('table') }),
  async run(options: VerifyOptions, context): Promise<VerifyReport> {
    const { signal, progress } = context;
    const pipeline = openPipeline(await context.config(), context.env.variables);
    const checkpoint = await readCheckpoint(pipeline.staging);
    const followed = Object.keys(checkpoint?.tables ?? {}).filter(
      (name) => options.tables.length === 0 || options.tables.includes(name),
    );
    const unknown = options.tables.find((name) => !followed.includes(name));
    if (unknown !== undefined || followed.length === 0)
      throw new CdcError(
        'table.not-followed',
        `comparing ${unknown ?? 'the lake'} with the source: ${unknown === undefined ? 'no table is followed yet' : 'it is not followed'}`,
        { hint: 'cdc replicate' },
      );
    const tables = followed.map((name) => parseTableName(name, '--table'));
    const [mirrors, histories] = [
      tables.filter((name) => pipeline.mergeOf(name).mode !== 'append'),
      tables.filter((name) => pipeline.mergeOf(name).mode === 'append'),
    ];
    for (const name of histories)
      progress.warn(`${formatTableName(name)} keeps a history (mode: append): there is nothing to compare it with`);
    const address = await pipeline.address();
    const verdicts = await withEngine({ ...pipeline.engineOptions, signal }, (engine) =>
      verifyTables({
        connect: () => connectSource(address, { signal }),
        tables: mirrors.map((name) => snapshotTable(pipeline, name)),
        lake: pipeline.lake,
        engine,
        catchUp: (position) => catchUp({ pipeline, engine, tables: mirrors, position, signal, progress }),
        scratchFolder: pipeline.config.stateFolder,
        maxFileBytes: pipeline.config.capture.maxFileBytes,
        signal,
        progress,
      }),
    );
    return { tables: verdicts, equal: verdicts.every(isEqual) };
  },
  exitCode: (report) => (report.equal ? 0 : 3),
  render: (report) => report.tables.map(renderVerdict).join('\n'),
  next: (report) =>
    report.tables.filter((verdict) => !isEqual(verdict)).map((verdict) => `cdc reload ${formatTableName(verdict)}`),
});

interface VerifyReport {
  tables: TableVerdict[];
  equal: boolean;
}

function isEqual(verdict: TableVerdict): boolean {
  return verdict.missing + verdict.extra + verdict.different === 0;
}

function renderVerdict(verdict: TableVerdict): string {
  const counts = `${count(verdict.source_rows, 'row')}, ${verdict.missing} missing, ${verdict.extra} extra, ${verdict.different} different`;
  const keys = verdict.keys.map(({ kind, key }) => `  ${kind}: ${key.join(', ')}`);
  return [`${formatTableName(verdict)}: ${counts}`, ...keys].join('\n');
}
