/** What runs of the Glue job are given: Spark and Delta as the script needs them, and the pipeline (scripts/glue/merge_changes.py). */

import { formatTableName, type TableName } from '../../change.ts';
import type { Config } from '../../config.ts';
import { glueLogs } from '../aws/names.ts';

/** Of every run. Nothing in it is secret: Glue logs arguments. `modules`: where the zip of the script's modules lies. */
export function jobArguments(config: Config, modules: string): Record<string, string> {
  const append = config.tables.filter(({ mode }) => mode === 'append').map(({ pattern }) => pattern);
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
    '--staging': config.staging.location,
    '--lake': config.lake.location,
    '--pipeline': config.name,
    '--unfit': config.merge.unfit,
    ...(append.length === 0 ? {} : { '--append': append.join(',') }),
  };
}

/** What one merge asks for, on top. */
export interface MergeRequest {
  /** Empty: all. */
  tables?: readonly TableName[];
  /** The key of a file in staging: what is pending of its table comes first, nothing after it. */
  file?: string | undefined;
  takeOver?: boolean;
}

/** Undefined: those of the job alone. */
export function runArguments(request: MergeRequest): Record<string, string> | undefined {
  const { tables = [], file, takeOver = false } = request;
  const given = {
    ...(tables.length === 0 ? {} : { '--tables': tables.map(formatTableName).join(',') }),
    ...(file === undefined ? {} : { '--file': file }),
    ...(takeOver ? { '--take_over': 'true' } : {}),
  };
  return Object.keys(given).length === 0 ? undefined : given;
}
