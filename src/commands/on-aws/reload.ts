/** `reload` on target aws: DMS loads the tables again. */

import type { Answer, Context } from '../../cli/command.ts';
import { openRunOnAws } from '../../cli/open-aws.ts';
import { formatTableName } from '../../core/change.ts';
import { CancelledError } from '../../core/errors.ts';
import { reloadOnAws as reload, tablesToReload } from '../../core/pipeline/aws-run/reload.ts';

export async function reloadOnAws(options: { tables: string[] }, context: Context): Promise<Answer> {
  const run = await openRunOnAws(context);
  const tables = await tablesToReload(run, options.tables);
  const names = tables.map(formatTableName);
  if (context.flags.dryRun) return { text: `would reload ${names.join(', ')}`, json: { tables: names, dry_run: true } };
  if (!(await context.confirm(`This copies ${names.join(', ')} anew.`)))
    throw new CancelledError('nothing was reloaded');
  const report = await reload({ ...run, tables });
  return { text: `reloaded ${report.tables.join(', ')}`, json: report, next: ['cdc status'] };
}
