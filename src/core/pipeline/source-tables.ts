/** The source as a pipeline sees it: the findings of its preflight, and the tables that can be followed. */

import { connectSource, type SourceAddress } from '../binlog/connection.ts';
import { formatTableName, type TableName } from '../change.ts';
import { tableRuleFor } from '../config.ts';
import { CdcError } from '../errors.ts';
import type { SnapshotTable } from '../snapshot/snapshot.ts';
import { type Finding, refusedTables, sourceErrors } from '../source/finding.ts';
import { readTables } from '../source/read-definition.ts';
import { readServer, type SourceServer } from '../source/server.ts';
import { checkSource } from '../source/source-check.ts';
import type { Pipeline } from './pipeline.ts';

export interface SourceView {
  server: SourceServer;
  /** What `tables:` asks for and nothing speaks against. */
  tables: SnapshotTable[];
  /** Asked for, and left out for a reason. */
  refused: Finding[];
}

/** Every finding about the source; throws when it cannot be reached at all. */
export async function checkPipeline(options: {
  pipeline: Pipeline;
  only?: readonly string[];
  signal: AbortSignal;
}): Promise<Finding[]> {
  const { pipeline, only = [], signal } = options;
  const connection = await connectSource(await pipeline.address(), { signal });
  try {
    return await checkSource(connection, { ...checkOptions(pipeline, only), signal });
  } finally {
    connection.destroy();
  }
}

/** Throws `source.unfit`, with every reason, when the source as a whole cannot be followed. */
export function refuseUnfitSource(findings: readonly Finding[]): void {
  const errors = sourceErrors(findings).filter(({ code }) => code !== 'tables.none');
  if (errors.length === 0) return;
  throw new CdcError(
    'source.unfit',
    [
      'following the source: it cannot be followed as it is set up:',
      ...errors.map(({ message, fix }) => `  ${message}\n    fix: ${fix}`),
    ].join('\n'),
    { hint: 'cdc check   # when that is done' },
  );
}

/** Throws `source.unfit` when nothing of the source can be followed, with every reason. */
export async function readSource(options: {
  pipeline: Pipeline;
  address: SourceAddress;
  signal: AbortSignal;
}): Promise<SourceView> {
  const { pipeline, signal } = options;
  const connection = await connectSource(options.address, { signal });
  try {
    const findings = await checkSource(connection, { ...checkOptions(pipeline), signal });
    refuseUnfitSource(findings);
    const refused = refusedTables(findings);
    const names = await readTables(connection, checkOptions(pipeline), signal);
    return {
      server: await readServer(connection, signal),
      tables: names.filter((name) => !refused.has(formatTableName(name))).map((name) => snapshotTable(pipeline, name)),
      refused: findings.filter(({ level, table }) => level === 'error' && table !== undefined),
    };
  } finally {
    connection.destroy();
  }
}

export function snapshotTable(pipeline: Pipeline, name: TableName): SnapshotTable {
  const { config } = pipeline;
  const keyOverride = tableRuleFor(config, name)?.key;
  return { name, zeroDates: config.merge.zeroDates, ...(keyOverride === undefined ? {} : { keyOverride }) };
}

function checkOptions({ config }: Pipeline, only: readonly string[] = []) {
  return {
    tables: only.length > 0 ? only : config.tables.map((rule) => rule.pattern),
    exclude: config.exclude,
    ruleFor: (name: TableName) => tableRuleFor(config, name),
    foreignKeyCascades: config.capture.foreignKeyCascades,
  };
}
