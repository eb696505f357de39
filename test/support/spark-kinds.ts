/** The kinds of tables that Delta 3.3.2 can make: for each of its features and properties that a merge could trip over, one with rows. */

export interface SparkKind {
  name: string;
  /** Of Delta's own list: those that a table of this kind uses, or lists. */
  features?: string[];
  /** Table properties, as a user or a session's defaults set them. */
  properties?: Record<string, string>;
  /** Settings of the session while the table is made and changed. */
  session?: Record<string, string>;
  /** `id`, `name` and `qty` and perhaps more, as SQL. */
  columns?: string;
  /** Columns that only the builder can make. */
  built?: { name: string; type: string; generated?: string }[];
  /** After the columns. */
  clause?: string;
  /** Changes of the first four rows: an update and a delete unless told. */
  change?: (table: string) => string[];
  /** Of `npm test`, which has no time for all. */
  sample?: boolean;
  /** What the merge's refusal must name; merged where there is none. */
  refused?: string;
  /** Its rows cannot be read by their files alone either: what the refusal of reading must name. */
  unreadable?: string;
}

export const updateAndDelete = (table: string) => [
  `MERGE INTO ${table} t USING (SELECT 1 AS id UNION ALL SELECT 4) s ON t.id = s.id
     WHEN MATCHED AND t.id = 4 THEN DELETE WHEN MATCHED THEN UPDATE SET qty = 15`,
];

/** Properties that list features, whether they are used or not. */
export const lists = (...features: string[]) =>
  Object.fromEntries(features.map((one) => [`delta.feature.${one}`, 'supported']));

/** Properties of Delta 3.3.2 that say nothing to a merge, with the reason. */
export const WITHOUT_EFFECT: Record<string, string> = {
  'delta.ignoreProtocolDefaults': 'is used while a table is made, and never stored',
  'delta.columnMapping.maxColumnId': 'goes with column mapping',
  'delta.coordinatedCommits.tableConf-preview': 'goes with a coordinator',
  'delta.inCommitTimestampEnablementTimestamp': 'goes with times in commits',
  'delta.inCommitTimestampEnablementVersion': 'goes with times in commits',
  'delta.requireCheckpointProtectionBeforeVersion': 'goes with protected checkpoints',
  'delta.redirectReaderWriter-preview': 'its feature is not in the list outside of the tests of Delta',
  'delta.redirectWriterOnly-preview': 'its feature is not in the list outside of the tests of Delta',
  'delta.universalFormat.enabledFormats':
    'asks for an Iceberg compatibility, or for Hudi, which needs a jar to convert',
};
