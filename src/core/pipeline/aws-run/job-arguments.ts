/**
 * What every run of the Glue job is given: Spark and Delta as the script needs them, and the pipeline as one JSON argument.
 * The script (scripts/glue/merge_changes.py) reads `--pipeline`; the rest is Glue's.
 */

import type { Config } from '../../config.ts';
import { glueLogs } from '../aws/names.ts';

/** What the script must know of a pipeline. All else lies in staging and lake. Nothing in it is secret: Glue logs arguments. */
export interface PipelineArgument {
  /** In the `appId` of every merge: `cdc/{name}/{schema}.{table}`. */
  name: string;
  /** `s3://bucket/prefix/`, with a slash at its end. */
  staging: string;
  lake: string;
  /** As cdc.yaml has them, in its order: one that names a table counts before one with wildcards, else the last that fits. */
  tables: { pattern: string; mode: 'mirror' | 'append'; key?: readonly string[] }[];
  exclude: readonly string[];
  unfit: 'fail' | 'quarantine';
}

export function pipelineArgument(config: Config): PipelineArgument {
  return {
    name: config.name,
    staging: config.staging.location,
    lake: config.lake.location,
    tables: config.tables.map(({ pattern, mode, key }) => ({ pattern, mode, ...(key && { key }) })),
    exclude: config.exclude,
    unfit: config.merge.unfit,
  };
}

export function jobArguments(config: Config, modules: string): Record<string, string> {
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
    '--pipeline': JSON.stringify(pipelineArgument(config)),
  };
}
