/** Kinds of tables of Delta 3.3.2 that the engine on this machine merges into. */

import { lists, type SparkKind, updateAndDelete } from './spark-kinds.ts';

const UNUSED = ['checkConstraints', 'changeDataFeed', 'generatedColumns', 'identityColumns', 'columnMapping'];

export const MERGED_KINDS: SparkKind[] = [
  { name: 'as Delta makes it when nothing is set', features: ['appendOnly', 'invariants'], sample: true },
  {
    name: 'of versions 2 and 6, which bring all of the old features',
    features: UNUSED,
    properties: { 'delta.minReaderVersion': '2', 'delta.minWriterVersion': '6' },
  },
  {
    name: 'with features that are listed and not used',
    features: [...UNUSED, 'deletionVectors'],
    properties: lists(...UNUSED, 'deletionVectors'),
  },
  {
    name: 'with deletion vectors that were purged',
    properties: { 'delta.enableDeletionVectors': 'true' },
    change: (table) => [...updateAndDelete(table), `REORG TABLE ${table} APPLY (PURGE)`],
    sample: true,
  },
  {
    name: 'whose checkpoints have statistics as JSON alone, of every second version',
    properties: { 'delta.checkpoint.writeStatsAsStruct': 'false', 'delta.checkpointInterval': '2' },
  },
  {
    name: 'with statistics of no column',
    properties: { 'delta.dataSkippingNumIndexedCols': '0' },
  },
  {
    name: 'with statistics of one column that is not the key',
    properties: { 'delta.dataSkippingStatsColumns': 'qty' },
  },
  { name: 'without any statistics', session: { 'spark.databricks.delta.stats.collect': 'false' } },
  {
    name: 'with files in folders of random names',
    properties: { 'delta.randomizeFilePrefixes': 'true', 'delta.randomPrefixLength': '3' },
  },
  {
    name: 'that compacts itself, with retentions and isolation of its own',
    properties: {
      'delta.autoOptimize': 'true',
      'delta.autoOptimize.autoCompact': 'true',
      'delta.autoOptimize.optimizeWrite': 'true',
      'delta.isolationLevel': 'Serializable',
      'delta.enableExpiredLogCleanup': 'false',
      'delta.enableFullRetentionRollback': 'false',
      'delta.logRetentionDuration': 'interval 3 days',
      'delta.deletedFileRetentionDuration': 'interval 3 days',
      'delta.checkpointRetentionDuration': 'interval 3 days',
      'delta.sampleRetentionDuration': 'interval 3 days',
      'delta.dropFeatureTruncateHistory.retentionDuration': 'interval 3 hours',
    },
  },
  {
    name: 'with a file for each row, INT96 and snappy as Spark writes them',
    session: {
      'spark.sql.files.maxRecordsPerFile': '1',
      'spark.sql.parquet.outputTimestampType': 'INT96',
      'spark.sql.parquet.compression.codec': 'snappy',
    },
  },
];
