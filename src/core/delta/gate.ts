/** Which tables this version can read and write: what it does not know is refused by name, never half done (delta.md 1.9). */

import { CdcError } from '../errors.ts';
import { objectPath } from './actions.ts';
import type { LakeTable } from './lake-table.ts';
import { parseSchema } from './schema.ts';
import type { Snapshot } from './snapshot.ts';

/** Features that cost nothing while unused; the checks below find out whether they are in use. */
const READER_FEATURES = new Set(['columnMapping', 'deletionVectors']);
const WRITER_FEATURES = new Set([
  ...READER_FEATURES,
  'appendOnly',
  'invariants',
  'checkConstraints',
  'changeDataFeed',
  'generatedColumns',
  'identityColumns',
]);

const COORDINATORS = [
  'delta.coordinatedCommits.commitCoordinator-preview',
  'delta.coordinatedCommits.commitCoordinator',
];

/** Throws CdcError `lake.unsupported` where reading the files alone would give wrong rows. */
export function assertReadable(table: LakeTable, snapshot: Snapshot): void {
  const reasons = unreadable(snapshot);
  if (reasons.length > 0) throw unsupported(table, 'reading', reasons);
}

/** Throws CdcError `lake.unsupported` naming every feature that keeps us from writing. */
export function assertWritable(table: LakeTable, snapshot: Snapshot): void {
  const reasons = [...unreadable(snapshot), ...unwritable(snapshot)];
  if (reasons.length > 0) throw unsupported(table, 'writing', reasons);
}

function unreadable({ protocol, metaData, files }: Snapshot): string[] {
  const reasons: string[] = [];
  if (protocol.minReaderVersion > 3) reasons.push(`reader version ${protocol.minReaderVersion}`);
  for (const feature of protocol.readerFeatures ?? [])
    if (!READER_FEATURES.has(feature)) reasons.push(`the feature ${feature}`);
  const mapping = metaData.configuration['delta.columnMapping.mode'] ?? 'none';
  if (mapping !== 'none') reasons.push('column mapping (delta.columnMapping.mode)');
  if ([...files.values()].some((file) => file.deletionVector !== undefined)) reasons.push('deletion vectors');
  // The newest commits may be known to the coordinator alone: what the log's folder holds would be an older version.
  for (const property of COORDINATORS)
    if (metaData.configuration[property] !== undefined) reasons.push(`a coordinator of commits (${property})`);
  return reasons;
}

function unwritable({ protocol, metaData, files }: Snapshot): string[] {
  const reasons: string[] = [];
  const { configuration } = metaData;
  if (protocol.minWriterVersion > 7) reasons.push(`writer version ${protocol.minWriterVersion}`);
  for (const feature of protocol.writerFeatures ?? [])
    if (!WRITER_FEATURES.has(feature) && !protocol.readerFeatures?.includes(feature))
      reasons.push(`the feature ${feature}`);
  const isTrue = (property: string) => configuration[property]?.toLowerCase() === 'true';
  if (isTrue('delta.appendOnly')) reasons.push('append only (delta.appendOnly)');
  // The second is its old name, which Delta still obeys.
  for (const property of ['delta.enableChangeDataFeed', 'delta.enableChangeDataCapture'])
    if (isTrue(property)) reasons.push(`change data feed (${property})`);
  if (Object.keys(configuration).some((name) => name.startsWith('delta.constraints.')))
    reasons.push('CHECK constraints (delta.constraints.*)');
  if (configuration['delta.setTransactionRetentionDuration'] !== undefined)
    reasons.push('a limited ledger (delta.setTransactionRetentionDuration)');
  if (isTrue('delta.compatibility.symlinkFormatManifest.enabled'))
    reasons.push('manifests for other readers (delta.compatibility.symlinkFormatManifest.enabled)');
  // Then a checkpoint of Spark's has no statistics that we read: rows before and after a merge could not be counted.
  if (configuration['delta.checkpoint.writeStatsAsJson']?.toLowerCase() === 'false')
    reasons.push('checkpoints without statistics as JSON (delta.checkpoint.writeStatsAsJson)');
  if (metaData.partitionColumns.length > 0) reasons.push(`partitions (${metaData.partitionColumns.join(', ')})`);
  if (metaData.format.provider !== 'parquet') reasons.push(`files of format ${metaData.format.provider}`);
  if ([...files.values()].some((file) => objectPath(file.path) === undefined))
    reasons.push('files outside the table (a shallow clone)');
  for (const field of parseSchema(metaData.schemaString)) {
    if (field.delta === undefined) reasons.push(`the type ${field.type} of column ${field.name}`);
    if (!field.nullable) reasons.push(`NOT NULL of column ${field.name}`);
    if ('delta.invariants' in field.metadata) reasons.push(`the invariant of column ${field.name}`);
    if ('delta.generationExpression' in field.metadata) reasons.push(`the generated column ${field.name}`);
    if ('delta.identity.start' in field.metadata) reasons.push(`the identity column ${field.name}`);
  }
  return reasons;
}

function unsupported(table: LakeTable, doing: string, reasons: readonly string[]): CdcError {
  return new CdcError(
    'lake.unsupported',
    `${doing} the lake table ${table.store.location}/${table.folder}: this version does not support ${reasons.join('; ')}`,
    { hint: 'turn it off with the engine that turned it on, or load the table again into a new folder' },
  );
}
