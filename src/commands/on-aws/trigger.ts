/** `trigger` on target aws: invokes the function with the event of a file, and follows the Glue run. */

import type { Answer, Context } from '../../cli/command.ts';
import { openRunOnAws } from '../../cli/open-aws.ts';
import { findArrival, triggerOnAws as trigger } from '../../core/pipeline/aws-run/trigger.ts';
import type { JobTable } from '../../core/pipeline/job-report.ts';

export async function triggerOnAws(options: { file: string }, context: Context): Promise<Answer> {
  const run = { ...(await openRunOnAws(context)), file: options.file };
  if (context.flags.dryRun) {
    const { store, key, file } = await findArrival(run);
    return {
      text: `store   ${store}\nkey     ${key}\nfile    ${file}\nwould call ${run.names.function} with its event`,
      json: { store, key, file, function: run.names.function, dry_run: true },
    };
  }
  const report = await trigger({ ...run, wait: true });
  return {
    text: [
      `store   ${report.store}`,
      `key     ${report.key}`,
      `file    ${report.file}`,
      `run     ${report.run ?? '-'}`,
      `result  ${report.state}${report.reason === null ? '' : `: ${report.reason}`}`,
      ...(report.tables ?? []).filter(({ files, error }) => files > 0 || error !== undefined).map(lineOf),
    ].join('\n'),
    json: report,
    exitCode: report.tables?.some(({ error }) => error !== undefined) ? 1 : 0,
  };
}

function lineOf({ schema, table, inserted, updated, deleted, version, error }: JobTable): string {
  const did = `${inserted} inserted, ${updated} updated, ${deleted} deleted: version ${version}`;
  return `merged  ${schema}.${table}: ${error === undefined ? did : `${error.message}${error.hint === undefined ? '' : ` → ${error.hint}`}`}`;
}
