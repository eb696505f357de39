/** Compares lake tables with the source at one position. */

import { defineCommand, parseTableName } from '../cli/command.ts';
import {
  exitCodeOf,
  nextOf,
  parseSettle,
  renderReport,
  reportOf,
  type VerifyOptions,
  type VerifyReport,
} from '../cli/verify-report.ts';
import { openPipeline } from '../core/pipeline/pipeline.ts';
import { verifyPipeline } from '../core/pipeline/verify-pipeline.ts';

export const command = defineCommand({
  arguments: {},
  options: {
    table: { value: 'TABLE', repeat: true, help: 'compare these tables only', default: 'all that cdc.yaml follows' },
    settle: {
      value: 'DURATION',
      help: 'how long DMS may take from a commit to its file: rows that differ are looked at again after it',
      default: 'dms.max_batch_interval and its latency; 60s for files that DMS wrote elsewhere',
    },
  },
  answerIsNo: 'a table is not equal to its source',
  onAws: () => import('./on-aws/verify.ts').then((file) => file.verifyOnAws),
  description: `
    Merges what is pending, then compares every row of each lake table with the source at one position, and
    counts rows that are missing, extra or different, with the first keys of each.

    The files of DMS do not say up to which position of the source they reach. There a row that differs is looked at
    again once DMS must have written what was committed at the first look: if neither side has changed until then,
    it is wrong; if one has, it is counted as not judged. When DMS is further behind than that, a row on its way is
    taken for a wrong one; a row that went to another value and back between the looks may be, too.
  `,
  examples: [
    { line: 'cdc verify', does: 'every table' },
    { line: 'cdc verify --table shop.orders', does: 'one table' },
  ],
  parse: (input): VerifyOptions => ({ tables: input.list('table'), ...parseSettle(input.text('settle')) }),
  async run(options: VerifyOptions, context): Promise<VerifyReport> {
    const { signal, progress } = context;
    const pipeline = openPipeline(await context.config(), context.env.variables);
    const only = options.tables.map((text) => parseTableName(text, '--table'));
    const dms = options.settleMs === undefined ? {} : { settleMs: options.settleMs };
    return reportOf(await verifyPipeline({ pipeline, only, dms, signal, progress }));
  },
  exitCode: exitCodeOf,
  render: renderReport,
  next: nextOf,
});
