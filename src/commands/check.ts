/** Preflight: every finding about configuration, source, folders or account, and tables, each with its fix. */

import { defineCommand } from '../cli/command.ts';
import { renderFindings } from '../cli/findings.ts';
import { checkStores } from '../core/pipeline/check-stores.ts';
import { openPipeline } from '../core/pipeline/pipeline.ts';
import { checkPipeline } from '../core/pipeline/source-tables.ts';
import type { Finding } from '../core/source/finding.ts';

export interface CheckOptions {
  tables: string[];
}

export const command = defineCommand({
  arguments: {},
  options: {
    table: { value: 'TABLE', repeat: true, help: 'look at these tables only', default: 'all that cdc.yaml follows' },
  },
  onAws: () => import('./on-aws/check.ts').then((file) => file.checkOnAws),
  answerIsNo: 'there is a finding that holds replication up',
  description: `
    Looks at everything that can stand in the way: the server's binlog settings and grants, the tables' keys and
    types, the folders. All findings are listed, each with the statement or setting that mends it; an error
    holds \`init\` and \`replicate\` up, a warning does not.

    On AWS also: credentials and their end, the account against the record, the clock, the network, the account's
    roles for DMS, versions and classes that the region offers, limits, missing rights, prices; and what nobody
    can know from here. The tables are looked at once the database is there.
  `,
  examples: [
    { line: 'cdc check', does: 'everything' },
    { line: 'cdc check --table shop.orders --json', does: 'one table, for a script' },
  ],
  parse: (input): CheckOptions => ({ tables: input.list('table') }),
  async run(options: CheckOptions, context): Promise<CheckReport> {
    const pipeline = openPipeline(await context.config(), context.env.variables);
    const { signal } = context;
    const findings = [
      ...(await checkStores(pipeline)),
      ...(await checkPipeline({ pipeline, only: options.tables, signal })),
    ];
    return { findings, ok: findings.every((finding) => finding.level !== 'error') };
  },
  exitCode: (report) => (report.ok ? 0 : 3),
  render: (report) => (report.findings.length === 0 ? 'nothing stands in the way' : renderFindings(report.findings)),
  next: (report) => (report.ok ? ['cdc replicate'] : []),
});

interface CheckReport {
  findings: Finding[];
  ok: boolean;
}
