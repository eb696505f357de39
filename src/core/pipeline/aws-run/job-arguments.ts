/** What runs of the Glue job are given: Spark and Delta as the script needs them, and the pipeline (scripts/glue/merge_changes.py). */

import { formatTableName, readTableName, type TableName } from '../../change.ts';
import type { Config } from '../../config.ts';
import { ConfigError } from '../../errors.ts';
import { hasWildcard, matchesPattern } from '../../table-pattern.ts';
import { glueLogs } from '../aws/names.ts';

/** Of every run. Nothing in it is secret: Glue logs arguments. `modules`: where the zip of the script's modules lies. */
export function jobArguments(config: Config, modules: string): Record<string, string> {
  const { '--append': append, ...ofPipeline } = pipelineArguments(config);
  return {
    '--job-language': 'python',
    '--datalake-formats': 'delta',
    '--conf': [
      'spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension',
      'spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog',
    ].join(' --conf '),
    '--extra-py-files': modules,
    // Bookmarks remember files by their time; what is merged stands in the lake's own log.
    '--job-bookmark-option': 'job-bookmark-disable',
    '--custom-logGroup-prefix': glueLogs(config.name),
    ...ofPipeline,
    ...(append === NO_TABLES ? {} : { '--append': append }),
  };
}

const NO_TABLES = '[]';

/** What says which pipeline a run merges, and how; nothing of it is left to the job. */
export function pipelineArguments(config: Config) {
  return {
    '--staging': config.staging.location,
    '--lake': config.lake.location,
    '--pipeline': config.name,
    '--unfit': config.merge.unfit,
    '--append': JSON.stringify(appendPatterns(config)),
  };
}

/** The job knows no order of entries: one that takes tables out of an earlier `mode: append` is refused. */
function appendPatterns({ tables, file }: Config): string[] {
  const append = tables.flatMap(({ mode, pattern }, index) => (mode === 'append' ? [{ pattern, index }] : []));
  for (const [index, { pattern, mode }] of tables.entries()) {
    if (mode === 'append') continue;
    const name = hasWildcard(pattern) ? undefined : readTableName(pattern);
    const hidden = append.find((one) =>
      name === undefined ? hasWildcard(one.pattern) && one.index < index : matchesPattern(one.pattern, name),
    );
    if (hidden !== undefined && hidden.pattern !== pattern)
      throw new ConfigError(
        [{ path: 'tables', origin: file, message: `${pattern} is no history although ${hidden.pattern} may be` }],
        'the Glue job cannot tell the two apart: write the tables with `mode: append` by their names',
      );
  }
  return append.map(({ pattern }) => pattern);
}

/** What one merge asks for, on top. */
export interface MergeRequest {
  /** Empty: all. */
  tables?: readonly TableName[];
  /** The key of a file in staging: what is pending of its table comes first, nothing after it. */
  file?: string | undefined;
  takeOver?: boolean;
}

export function runArguments(request: MergeRequest): Record<string, string> {
  const { tables = [], file, takeOver = false } = request;
  return {
    ...(tables.length === 0 ? {} : { '--tables': JSON.stringify(tables.map(formatTableName)) }),
    ...(file === undefined ? {} : { '--file': file }),
    ...(takeOver ? { '--take_over': 'true' } : {}),
  };
}
