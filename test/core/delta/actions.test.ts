import { describe, expect, it } from 'vitest';
import { fileKey, formatActions, objectPath, parseActions } from '../../../src/core/delta/actions.ts';

describe('the actions of a commit', () => {
  it('are read and written again without a change', () => {
    const body = [
      '{"commitInfo":{"timestamp":1795527545276,"operation":"MERGE","operationMetrics":{"numOutputRows":"3"},"txnId":"x"}}',
      '{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],"writerFeatures":["deletionVectors"]}}',
      '{"metaData":{"id":"i","format":{"provider":"parquet","options":{}},"schemaString":"{}","partitionColumns":[],"createdTime":1,"configuration":{"a.b":"c"}}}',
      '{"add":{"path":"p","partitionValues":{"d":null},"size":1,"modificationTime":2,"dataChange":true,"stats":"{\\"minValues\\":{\\"id\\":9223372036854775807}}","tags":{"x":"y"},"deletionVector":{"storageType":"u","pathOrInlineDv":"ab","offset":1,"sizeInBytes":40,"cardinality":6}}}',
      '{"remove":{"path":"p","deletionTimestamp":3,"dataChange":true,"extendedFileMetadata":true,"partitionValues":{},"size":1}}',
      '{"txn":{"appId":"a","version":9223372036854775807,"lastUpdated":4}}',
      '',
    ].join('\n');
    expect(formatActions(parseActions(body))).toBe(body);
  });

  it('pass over what this version does not know', () => {
    const body =
      '{"domainMetadata":{"domain":"d"}}\n\n{"add":{"path":"p","partitionValues":{},"size":1,"modificationTime":2,"dataChange":true,"baseRowId":7}}\r\n';
    expect(parseActions(body)).toEqual([
      { other: 'domainMetadata' },
      { add: expect.objectContaining({ path: 'p', size: 1 }) },
    ]);
  });

  it('read null, as a checkpoint has it, like nothing', () => {
    const [action] = parseActions(
      '{"txn":null,"remove":{"path":"p","dataChange":false,"size":null,"deletionVector":null},"add":null}',
    );
    expect(action).toEqual({
      remove: expect.objectContaining({ path: 'p', size: undefined, deletionVector: undefined }),
    });
  });

  it.each(['{"add":{"path":"p"}}', '{"txn":{"appId":"a","version":"1"}}', '[1]', '{"add":', 'null'])(
    'refuse %s',
    (line) => {
      expect(() => parseActions(line)).toThrow();
    },
  );

  it('tell a file with another deletion vector apart', () => {
    const vector = { storageType: 'u', pathOrInlineDv: 'x', sizeInBytes: 1, cardinality: 1 };
    const keys = [
      { path: 'p' },
      { path: 'p', deletionVector: vector },
      { path: 'p', deletionVector: { ...vector, offset: 0 } },
    ].map(fileKey);
    expect(new Set(keys).size).toBe(3);
  });

  it.each([
    ['part-1.parquet', 'part-1.parquet'],
    ['a%20b/c+d%2521.parquet', 'a b/c+d%21.parquet'],
    ['file:///lake/p.parquet', undefined],
    ['s3://bucket/p.parquet', undefined],
    ['/lake/p.parquet', undefined],
  ])('take the path %s for the object %s', (path, object) => {
    expect(objectPath(path)).toBe(object);
  });
});
