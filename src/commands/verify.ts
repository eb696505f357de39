/** Compares lake tables with the source at one position. */

import { defineCommand, parseTableName } from '../cli/command.ts';
import { count } from '../cli/table.ts';
import { formatTableName } from '../core/change.ts';
import { openPipeline } from '../core/pipeline/pipeline.ts';
import { verifyPipeline } from '../core/pipeline/verify-pipeline.ts';
import { isEqual, type TableVerdict } from '../core/verify/verdict.ts';

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
    const only = options.tables.map((text) => parseTableName(text, '--table'));
    const verdicts = await verifyPipeline({ pipeline, only, signal, progress });
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

function renderVerdict(verdict: TableVerdict): string {
  const name = formatTableName(verdict);
  const { error, missing, extra, different, unsettled, quarantined } = verdict;
  if (error !== null)
    return `${name}: not compared: ${error.message}${error.hint === undefined ? '' : `\n  → ${error.hint}`}`;
  const counts = `${count(verdict.source_rows, 'row')}, ${missing} missing, ${extra} extra, ${different} different`;
  return [
    `${name}: ${counts}`,
    ...(unsettled > 0 ? [`  ${count(unsettled, 'row')} written in every comparison: not judged`] : []),
    ...(quarantined > 0 ? [`  ${count(quarantined, 'row')} in quarantine`] : []),
    ...verdict.keys.map(({ kind, key }) => `  ${kind}: ${key.join(', ')}`),
  ].join('\n');
}
