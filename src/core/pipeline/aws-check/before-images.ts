/** Whether the files of a follower say what a key was before an update: without that the lake keeps the row of the old key. */

import type { Connection } from 'mysql2/promise';
import { findTask } from '../../aws/dms-task.ts';
import type { AwsSession } from '../../aws/session.ts';
import { formatTableName, type TableName } from '../../change.ts';
import { type Config, tableRuleFor } from '../../config.ts';
import { CancelledError, CdcError } from '../../errors.ts';
import type { Finding } from '../../source/finding.ts';
import { looselyComparedKey } from '../../source/key-collation.ts';
import { readSourceTable, readTables, type TablePatterns } from '../../source/read-definition.ts';
import { awsNames } from '../aws/names.ts';
import { saysTheKeyBefore, tableMappings } from '../aws-run/table-mappings.ts';
import { type Found, warning } from './findings.ts';

const FIX = 'cdc replicate   # has the task write it from then on; cdc verify finds the rows that were left behind';

/** Of the tasks that `replicate` makes all do; somebody may have changed one since. `without`: those that do not. */
export async function checkBeforeImages(session: AwsSession, config: Config): Promise<Found & { without: string[] }> {
  const { task: names } = awsNames(config);
  const wanted = tableMappings({ config, refused: [] });
  const without: string[] = [];
  for (const name of [names.cdc, names['full-load-and-cdc']]) {
    const task = await findTask(session, name);
    if (task !== undefined && !saysTheKeyBefore(wanted, task.tableMappings)) without.push(name);
  }
  return {
    without,
    findings: without.map((name) =>
      warning(
        'task.no-before-image',
        `the replication task ${name} does not write what a key was before an update (BI_…): an update of a key leaves the old row in the lake`,
        FIX,
      ),
    ),
  };
}

/**
 * Tables whose keys change where nobody sees a change of the key: MySQL calls `a` and `A` one key, to the lake they are two.
 * With before-images, as with our own capture, such an update takes the old row away like any other.
 */
export async function looseKeyFindings(
  connection: Connection,
  work: { config: Config; patterns: TablePatterns; tasks: readonly string[]; signal: AbortSignal | undefined },
): Promise<Finding[]> {
  const { config, patterns, tasks, signal } = work;
  if (tasks.length === 0) return [];
  const findings: Finding[] = [];
  for (const name of await readTables(connection, patterns, signal)) {
    const loose = await looseKeyOf(connection, name, { config, signal });
    if (loose.length === 0) continue;
    findings.push({
      level: 'error',
      code: 'key.collation',
      table: formatTableName(name),
      message: `its key ${loose.join(', ')} may change in case or blanks alone, which is one key to MySQL and two rows in the lake while ${tasks.join(', ')} does not write what a key was before`,
      fix: FIX,
    });
  }
  return findings;
}

/** A table that cannot be read is a finding already. */
async function looseKeyOf(
  connection: Connection,
  name: TableName,
  { config, signal }: { config: Config; signal: AbortSignal | undefined },
): Promise<string[]> {
  try {
    const table = await readSourceTable(connection, name, { keyOverride: tableRuleFor(config, name)?.key, signal });
    return looselyComparedKey(table).map(({ name: column, collation }) => `${column} (${collation})`);
  } catch (failure) {
    if (failure instanceof CancelledError || !(failure instanceof CdcError) || failure.code === 'source.lost')
      throw failure;
    return [];
  }
}
