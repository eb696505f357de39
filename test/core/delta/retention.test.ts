import { describe, expect, it } from 'vitest';
import { deletedFileRetentionMs, logRetentionMs } from '../../../src/core/delta/retention.ts';

const HOUR = 3_600_000;

describe("a table's retention", () => {
  it.each([
    ['interval 1 day', 24 * HOUR],
    ['interval 30 days', 720 * HOUR],
    ['INTERVAL 1 week 2 hours', 170 * HOUR],
    ['2 days 30 minutes', 48.5 * HOUR],
    ["interval '7' day", 168 * HOUR],
    ['interval 0 seconds', 0],
  ])('of %s is read', (text, milliseconds) => {
    expect(logRetentionMs({ 'delta.logRetentionDuration': text })).toBe(milliseconds);
    expect(deletedFileRetentionMs({ 'delta.deletedFileRetentionDuration': text })).toBe(milliseconds);
  });

  it("is Delta's own where the table does not say", () => {
    expect(logRetentionMs({})).toBe(30 * 24 * HOUR);
    expect(deletedFileRetentionMs({})).toBe(7 * 24 * HOUR);
  });

  it.each(['interval', '', 'interval 1', 'interval 1 month', 'interval one day', 'interval -1 day', '1 day extra'])(
    'of "%s" is refused, naming the property',
    (text) => {
      expect(() => logRetentionMs({ 'delta.logRetentionDuration': text })).toThrow(/delta\.logRetentionDuration/);
    },
  );
});
