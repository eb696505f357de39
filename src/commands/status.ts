/** One picture of the pipeline: worker, and per table state, position, lag, rows and last error. */

import { defineCommand } from '../cli/command.ts';
import { type Column, textTable } from '../cli/table.ts';
import { openPipeline } from '../core/pipeline/pipeline.ts';
import { isUnwell, pipelineStatus, type StatusReport, type TableStatus } from '../core/pipeline/status.ts';

export interface StatusOptions {
  exitCode: boolean;
}

export const command = defineCommand({
  arguments: {},
  options: {
    'exit-code': { help: 'exit 3 when a table or the worker is not well' },
  },
  answerIsNo: 'with --exit-code: a table has stopped, or the worker does not run',
  onAws: () => import('./on-aws/status.ts').then((file) => file.statusOnAws),
  description: `
    Per table: its state, the position up to which it is merged, how many seconds and files it is behind, its
    rows and version, and the last error with the command that mends it.
  `,
  examples: [
    { line: 'cdc status', does: 'now' },
    { line: 'cdc status --json', does: 'for a script' },
    { line: 'cdc status --exit-code --quiet || alert', does: 'for a watchdog' },
  ],
  parse: (input): StatusOptions => ({ exitCode: input.has('exit-code') }),
  async run(options: StatusOptions, context): Promise<StatusAnswer> {
    const report = await pipelineStatus(openPipeline(await context.config(), context.env.variables));
    return { report, exitCode: options.exitCode && isUnwell(report) ? 3 : 0 };
  },
  json: ({ report }) => report,
  exitCode: ({ exitCode }) => exitCode,
  render({ report }, { columns }) {
    const { worker, server, slots, tables } = report;
    const lines = [
      `worker   ${worker.state}${worker.pid === null ? '' : ` (pid ${worker.pid})`}`,
      `source   ${slots.source}${server === 'not ours' ? '' : `, ${server}`}`,
      `store    ${slots.store}`,
    ];
    if (worker.error !== undefined)
      lines.push(
        `error    ${worker.error.message}`,
        ...(worker.error.hint === undefined ? [] : [`         → ${worker.error.hint}`]),
      );
    if (tables.length === 0) return [...lines, '', 'no table is followed yet'].join('\n');
    const shown: Column<TableStatus>[] = [
      { title: 'table', value: (row) => `${row.schema}.${row.table}` },
      { title: 'state', value: (row) => row.state },
      { title: 'position', value: (row) => row.position ?? undefined, drop: 1 },
      { title: 'lag', value: (row) => (row.lag_seconds === null ? undefined : `${row.lag_seconds} s`), right: true },
      { title: 'files', value: (row) => row.pending_files, right: true },
      { title: 'rows', value: (row) => row.rows?.toLocaleString('en-US'), right: true },
      { title: 'version', value: (row) => row.version ?? undefined, right: true },
    ];
    const table = textTable(tables, shown, { width: columns });
    const errors = tables.flatMap((row) =>
      row.error === null
        ? []
        : [
            '',
            `${row.schema}.${row.table}: ${row.error.message}`,
            ...(row.error.hint === undefined ? [] : [`  → ${row.error.hint}`]),
          ],
    );
    const waiting = tables.flatMap((row) => (row.waiting === null ? [] : [renderWaiting(row, row.waiting)]));
    const quarantined = tables
      .filter((row) => row.quarantined > 0)
      .map((row) => `${row.schema}.${row.table}: ${row.quarantined} rows in quarantine`);
    return [...lines, '', table, ...waiting, ...errors, ...quarantined].join('\n');
  },
});

function renderWaiting(table: TableStatus, { reason, until }: NonNullable<TableStatus['waiting']>): string {
  const name = `${table.schema}.${table.table}`;
  switch (reason) {
    case 'write-budget':
      return `${name}: the next merge waits until ${until}, so that rewriting stays under \`merge.write_budget\``;
    case 'lease':
      return `${name}: merges wait for another process that writes to its lake table`;
    case 'loading':
      return `${name}: changes wait for the table's load`;
    case 'gap':
      return `${name}: changes wait for a file that is missing`;
    case 'replaying':
      return `${name}: the replication task repeats changes; they are merged when it is where it was before`;
  }
}

interface StatusAnswer {
  report: StatusReport;
  exitCode: 0 | 3;
}
