import { expect, test } from 'vitest';
import {
  isLoadOver,
  loadTroubles,
  tableTroubles,
  taskFailure,
} from '../../../../src/core/pipeline/aws-run/task-outcome.ts';
import { table, task } from './tasks.ts';

test('a load is whole when every table is completed and DMS counts none that is not', () => {
  expect(loadTroubles(task(), [table('orders'), table('persons')], ['shop.orders', 'shop.persons'])).toEqual([]);
});

test.each([
  ['Table error', 'DMS stopped it after an error (Table error)'],
  ['Table cancelled', 'its load was cancelled (Table cancelled)'],
  ['Table does not exist', 'the source has no such table any more (Table does not exist)'],
  ['Before load', 'it was not loaded to the end (Before load)'],
  ['Full load', 'it was not loaded to the end (Full load)'],
])('a table left as %s is named', (state, reason) => {
  expect(loadTroubles(task(), [table('orders', { state }), table('persons')])).toEqual([
    { table: 'shop.orders', reason },
  ]);
});

test('rows that were not written make a completed table wrong', () => {
  expect(tableTroubles([table('orders', { loadErrorRows: 3 })])).toEqual([
    { table: 'shop.orders', reason: '3 of its rows were not written (Table completed)' },
  ]);
});

test('a table of the source that DMS does not mention is named', () => {
  expect(loadTroubles(task(), [table('orders')], ['shop.orders', 'shop.persons'])).toEqual([
    { table: 'shop.persons', reason: expect.stringContaining('DMS did not load it') },
  ]);
});

test('what DMS counts as not loaded is not hidden by completed tables', () => {
  const tables = { loaded: 1, loading: 0, queued: 1, errored: 0 };
  expect(loadTroubles(task({ tables }), [table('orders')])).toHaveLength(1);
});

test('a load goes on while a table is before it or in it; without tables it has not begun', () => {
  expect(isLoadOver([])).toBe(false);
  expect(isLoadOver([table('a'), table('b', { state: 'Full load' })])).toBe(false);
  expect(isLoadOver([table('a'), table('b', { state: 'Table is being reloaded' })])).toBe(false);
  expect(isLoadOver([table('a'), table('b', { state: 'Table error' })])).toBe(true);
});

test.each(['NORMAL', 'FULL_LOAD_ONLY_FINISHED', 'STOPPED_AT_COMMIT_TIME', undefined])(
  '%s is no failure',
  (stopReason) => {
    expect(taskFailure({ status: 'stopped', stopReason, failure: 'of an earlier run' })).toBeUndefined();
  },
);

test.each([
  'RECOVERABLE_ERROR',
  'FATAL_ERROR',
  'STOPPED_DUE_TO_LOW_MEMORY',
  'STOPPED_DUE_TO_LOW_DISK',
  'SOMETHING_NEW',
])('a task that stopped by %s has failed, although it is only `stopped`', (stopReason) => {
  expect(taskFailure({ status: 'stopped', stopReason, failure: undefined })).toBe(stopReason);
});

test('a failed task says why, in its own words where it has some', () => {
  expect(taskFailure({ status: 'failed', stopReason: 'FATAL_ERROR', failure: 'no binlog' })).toBe('no binlog');
  expect(taskFailure({ status: 'failed', stopReason: undefined, failure: undefined })).toBe('DMS does not say why');
});
