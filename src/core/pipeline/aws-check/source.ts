/** The findings about the source of a pipeline on AWS: those of `check` on every target, without what only our own capture needs. */

import { connectSource, type SourceAddress } from '../../binlog/connection.ts';
import { formatTableName, type TableName } from '../../change.ts';
import { type Config, tableRuleFor } from '../../config.ts';
import { type Finding, refusedTables } from '../../source/finding.ts';
import { queryRows } from '../../source/query.ts';
import { readTables } from '../../source/read-definition.ts';
import { checkSource } from '../../source/source-check.ts';
import { measureLargeValues, tooLongFindings } from '../aws-run/large-values.ts';
import { looseKeyFindings } from './before-images.ts';
import { error, type Found } from './findings.ts';

/** DMS takes its load without holding writes, and names columns by the definition it reads itself. */
const OF_OUR_CAPTURE = new Set(['grant.snapshot', 'grant.xa-recover', 'binlog.row-metadata', 'server.id']);

export async function checkAwsSource(options: {
  config: Config;
  address: SourceAddress;
  only: readonly string[];
  /** Replication tasks that do not say what a key was before an update. */
  withoutBeforeImages: readonly string[];
  signal: AbortSignal | undefined;
}): Promise<Found> {
  const { config, address, only, withoutBeforeImages, signal } = options;
  const patterns = {
    tables: only.length > 0 ? only : config.tables.map((rule) => rule.pattern),
    exclude: config.exclude,
  };
  const connection = await connectSource(address, signal === undefined ? {} : { signal });
  try {
    const findings = await checkSource(connection, {
      ...patterns,
      ruleFor: (name: TableName) => tableRuleFor(config, name),
      foreignKeyCascades: config.capture.foreignKeyCascades,
      signal,
    });
    const refused = refusedTables(findings);
    const readable = (await readTables(connection, patterns, signal)).filter(
      (name) => !refused.has(formatTableName(name)),
    );
    const [checksum] = await queryRows({
      connection,
      sql: "SHOW GLOBAL VARIABLES WHERE Variable_name = 'binlog_checksum'",
      doing: 'reading the settings of the source',
      signal,
    });
    return {
      findings: [
        ...findings.filter(({ code }) => !OF_OUR_CAPTURE.has(code)),
        ...checkChecksum(config, checksum?.value ?? 'NONE'),
        ...(await looseKeyFindings(connection, { config, patterns, tasks: withoutBeforeImages, signal })),
        ...tooLongFindings(await measureLargeValues(connection, readable, signal)),
      ],
    };
  } finally {
    connection.destroy();
  }
}

/** AWS's guide to MySQL as a source asks for it; ours sets it in the parameter group. */
function checkChecksum({ source }: Config, value: string): Finding[] {
  if (value.toUpperCase() === 'NONE' || source.kind === 'rds') return [];
  return [
    error(
      'binlog.checksum',
      `binlog_checksum is ${value}: DMS asks for NONE`,
      'SET PERSIST binlog_checksum = NONE (on RDS: in the parameter group)',
    ),
  ];
}
