import { expect, test } from 'vitest';
import { lobLimitOf, sameSettings, taskSettings } from '../../../../src/core/pipeline/aws-run/task-settings.ts';

test('the limit of settings that are there, and of those that do not say', () => {
  expect(lobLimitOf(taskSettings({ fullLoadTasks: 8, lobMaxKb: 128 }))).toBe(128);
  expect(['{}', '{"TargetMetadata":{}}', ''].map(lobLimitOf)).toEqual([32, 32, 32]);
});

const usual = { fullLoadTasks: 8, lobMaxKb: 32 };

test('nothing that happens at the source deletes files in staging, and a full load deletes none', () => {
  expect(JSON.parse(taskSettings(usual))).toMatchObject({
    ChangeProcessingDdlHandlingPolicy: { HandleSourceTableDropped: false, HandleSourceTableTruncated: false },
    FullLoadSettings: { TargetTablePrepMode: 'DO_NOTHING', MaxFullLoadSubTasks: 8 },
    Logging: { EnableLogging: true },
  });
});

test('no error is only logged: a table that has one stops', () => {
  const { ErrorBehavior } = JSON.parse(taskSettings(usual));
  expect(Object.values(ErrorBehavior)).not.toContain('LOG_ERROR');
  expect(Object.values(ErrorBehavior)).not.toContain('IGNORE_RECORD');
  expect(ErrorBehavior.DataTruncationErrorPolicy).toBe('SUSPEND_TABLE');
  expect(ErrorBehavior.RecoverableErrorCount).toBeGreaterThan(0);
});

test('before images are asked for in the table mappings, as S3 needs them', () => {
  expect(JSON.parse(taskSettings(usual)).BeforeImageSettings).toBeUndefined();
});

test.each([
  [1, 32, 4096],
  [32, 32, 4096],
  [64, 64, 2048],
  [1_000_000, 102_400, 1],
])('large values of %i KB: DMS is told %i KB, and moves %i rows at a time', (lobMaxKb, told, rows) => {
  const { TargetMetadata, FullLoadSettings } = JSON.parse(taskSettings({ fullLoadTasks: 8, lobMaxKb }));
  expect(TargetMetadata).toMatchObject({ LimitedSizeLobMode: true, FullLobMode: false, LobMaxSize: told });
  expect(FullLoadSettings.CommitRate).toBe(rows);
});

test('what DMS adds to settings is no difference; another value is', () => {
  const asked = taskSettings(usual);
  const found = JSON.parse(asked);
  found.Logging.CloudWatchLogGroup = 'dms-tasks-x';
  found.ControlTablesSettings = { historyTimeslotInMinutes: 5 };
  expect(sameSettings(asked, JSON.stringify(found))).toBe(true);
  found.FullLoadSettings.MaxFullLoadSubTasks = 4;
  expect(sameSettings(asked, JSON.stringify(found))).toBe(false);
  expect(sameSettings(asked, '')).toBe(false);
});
