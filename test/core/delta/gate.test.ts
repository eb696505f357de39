import { describe, expect, it } from 'vitest';
import { assertReadable, assertWritable } from '../../../src/core/delta/gate.ts';
import type { LakeTable } from '../../../src/core/delta/lake-table.ts';
import type { Snapshot } from '../../../src/core/delta/snapshot.ts';
import { createTable, openTestLake } from '../../support/lake.ts';

interface Change {
  protocol?: Partial<Snapshot['protocol']>;
  configuration?: Record<string, string>;
  partitionColumns?: string[];
  provider?: string;
  field?: object;
  file?: object;
}

async function tableLike(change: Change): Promise<{ lake: LakeTable; snapshot: Snapshot }> {
  const lake = await openTestLake();
  const made = await createTable(lake, [{ lake: 'id', delta: 'long' }]);
  const field = { name: 'x', type: 'string', nullable: true, metadata: {}, ...change.field };
  const file = { path: 'part', partitionValues: {}, size: 1, modificationTime: 1, dataChange: true, ...change.file };
  const snapshot: Snapshot = {
    ...made,
    protocol: { ...made.protocol, ...change.protocol },
    metaData: {
      ...made.metaData,
      configuration: { ...made.metaData.configuration, ...change.configuration },
      partitionColumns: change.partitionColumns ?? [],
      format: { provider: change.provider ?? 'parquet', options: {} },
      schemaString: JSON.stringify({ type: 'struct', fields: [field] }),
    },
    files: new Map([['part', file]]),
  };
  return { lake, snapshot };
}

const vector = { storageType: 'u', pathOrInlineDv: 'x', sizeInBytes: 1, cardinality: 1 };
const features = (reader: string[], writer: string[]): Change => ({
  protocol: {
    minReaderVersion: 3,
    minWriterVersion: 7,
    readerFeatures: reader,
    writerFeatures: [...reader, ...writer],
  },
});

describe('a table', () => {
  it.each<[string, Change]>([
    ['of ours', {}],
    ['of writer version 6 that uses nothing of it', { protocol: { minReaderVersion: 2, minWriterVersion: 6 } }],
    [
      'with features that are listed and not used',
      features(
        ['deletionVectors', 'columnMapping'],
        ['appendOnly', 'invariants', 'checkConstraints', 'changeDataFeed', 'generatedColumns', 'identityColumns'],
      ),
    ],
    [
      'with appendOnly switched off',
      { configuration: { 'delta.appendOnly': 'false', 'delta.columnMapping.mode': 'none' } },
    ],
  ])('%s can be read and written', async (_name, change) => {
    const { lake, snapshot } = await tableLike(change);
    assertReadable(lake, snapshot);
    assertWritable(lake, snapshot);
  });

  it.each<[string, Change]>([
    ['reader version 4', { protocol: { minReaderVersion: 4 } }],
    ['the feature variantType', features(['variantType'], [])],
    ['the feature v2Checkpoint', features(['v2Checkpoint'], [])],
    ['column mapping', { configuration: { 'delta.columnMapping.mode': 'name' } }],
    ['deletion vectors', { file: { deletionVector: vector } }],
    [
      'a coordinator of commits (delta.coordinatedCommits.commitCoordinator-preview)',
      { configuration: { 'delta.coordinatedCommits.commitCoordinator-preview': 'dynamodb' } },
    ],
  ])('with %s is refused by name for reading and writing', async (name, change) => {
    const { lake, snapshot } = await tableLike(change);
    for (const refuse of [assertReadable, assertWritable])
      expect(() => refuse(lake, snapshot)).toThrow(
        expect.objectContaining({ code: 'lake.unsupported', message: expect.stringContaining(name) }),
      );
  });

  it.each<[string, Change]>([
    ['writer version 8', { protocol: { minWriterVersion: 8 } }],
    ['the feature rowTracking', features([], ['rowTracking'])],
    ['the feature clustering', features([], ['clustering'])],
    ['delta.appendOnly', { configuration: { 'delta.appendOnly': 'true' } }],
    ['delta.enableChangeDataFeed', { configuration: { 'delta.enableChangeDataFeed': 'TRUE' } }],
    ['delta.enableChangeDataCapture', { configuration: { 'delta.enableChangeDataCapture': 'true' } }],
    ['CHECK constraints', { configuration: { 'delta.constraints.positive': 'id > 0' } }],
    [
      'delta.setTransactionRetentionDuration',
      { configuration: { 'delta.setTransactionRetentionDuration': 'interval 1 day' } },
    ],
    [
      'delta.compatibility.symlinkFormatManifest.enabled',
      { configuration: { 'delta.compatibility.symlinkFormatManifest.enabled': 'true' } },
    ],
    ['delta.checkpoint.writeStatsAsJson', { configuration: { 'delta.checkpoint.writeStatsAsJson': 'false' } }],
    ['partitions (day)', { partitionColumns: ['day'] }],
    ['files of format orc', { provider: 'orc' }],
    ['NOT NULL of column x', { field: { nullable: false } }],
    ['the invariant of column x', { field: { metadata: { 'delta.invariants': '{}' } } }],
    ['the generated column x', { field: { metadata: { 'delta.generationExpression': 'id' } } }],
    ['the identity column x', { field: { metadata: { 'delta.identity.start': 1 } } }],
    ['the type timestamp_ntz of column x', { field: { type: 'timestamp_ntz' } }],
    ['of column x', { field: { type: { type: 'array', elementType: 'string', containsNull: true } } }],
    ['a shallow clone', { file: { path: 's3://other/part' } }],
  ])('with %s can be read, and is refused by name for writing', async (name, change) => {
    const { lake, snapshot } = await tableLike(change);
    assertReadable(lake, snapshot);
    expect(() => assertWritable(lake, snapshot)).toThrow(
      expect.objectContaining({ code: 'lake.unsupported', message: expect.stringContaining(name) }),
    );
  });

  it('is refused with every reason at once', async () => {
    const { lake, snapshot } = await tableLike({
      partitionColumns: ['a'],
      configuration: { 'delta.appendOnly': 'true' },
    });
    expect(() => assertWritable(lake, snapshot)).toThrow(/append only.*; partitions/);
  });
});
