/** `status` on target aws: task and tables as DMS has them, the states of what costs money, and what it costs. */

import type { Answer, Context } from '../../cli/command.ts';
import { openRunOnAws } from '../../cli/open-aws.ts';
import { textTable } from '../../cli/table.ts';
import {
  type AwsMergeStatus,
  type AwsStatusReport,
  isUnwellOnAws,
  statusOnAws as status,
} from '../../core/pipeline/aws-run/status.ts';

export async function statusOnAws(options: { exitCode: boolean }, context: Context): Promise<Answer> {
  const report = await status(await openRunOnAws(context));
  return { text: render(report), json: report, exitCode: options.exitCode && isUnwellOnAws(report) ? 3 : 0 };
}

function render({ aws, slots, tables, worker }: AwsStatusReport): string {
  const lines = [
    `account      ${aws.account}, ${aws.region}`,
    `source       ${slots.source}, ${aws.database}`,
    `replication  ${aws.replication_instance}`,
    `connections  source ${aws.connections.source}, target ${aws.connections.target}`,
    ...aws.tasks.map(
      (task) => `task         ${task.name}: ${task.state}${task.reason === null ? '' : ` (${task.reason})`}`,
    ),
    ...(aws.latency === null
      ? []
      : [`behind       source ${seconds(aws.latency.source_seconds)}, files ${seconds(aws.latency.target_seconds)}`]),
    `function     ${aws.function.state}${aws.function.last_error === null ? '' : `; last error ${aws.function.last_error.time}: ${aws.function.last_error.text}`}`,
    ...(aws.merges.length === 0 ? ['merge        never ran'] : aws.merges.map(mergeLine)),
    `sweep        every hour: ${aws.sweep}`,
    ...(aws.resumes_from === null ? [] : [`goes on from ${aws.resumes_from}: cdc start`]),
    `store        ${slots.store}`,
    `cost         $${aws.cost.daily_usd.toFixed(2)} a day now`,
  ];
  if (worker.error !== undefined) lines.push(`error        ${worker.error.message}`);
  if (tables.length === 0) return [...lines, '', 'no table is followed yet'].join('\n');
  const table = textTable(tables, [
    { title: 'table', value: (row) => `${row.schema}.${row.table}` },
    { title: 'state', value: (row) => row.state },
    { title: 'loaded', value: (row) => row.loaded_rows, right: true },
    { title: 'inserts', value: (row) => row.inserts, right: true },
    { title: 'updates', value: (row) => row.updates, right: true },
    { title: 'deletes', value: (row) => row.deletes, right: true },
  ]);
  const errors = tables.flatMap((row) =>
    row.error === null ? [] : ['', row.error.message, `  → ${row.error.hint ?? 'cdc logs'}`],
  );
  return [...lines, '', table, ...errors].join('\n');
}

/** One of the last runs. */
function mergeLine({ run, state, started_at, error, seconds }: AwsMergeStatus): string {
  return `merge        run ${run}: ${state}, ${seconds} s${started_at === null ? '' : `, began ${started_at}`}${error === null ? '' : `: ${error}`}`;
}

function seconds(value: number | null): string {
  return value === null ? 'not measured' : `${value} s`;
}
