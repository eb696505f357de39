import { expect, test } from 'vitest';
import type { ReplicationTask } from '../../../../src/core/aws/dms-task.ts';
import { CdcError } from '../../../../src/core/errors.ts';
import { chooseTask, type KnownNotes, type KnownTasks } from '../../../../src/core/pipeline/aws-run/choose-task.ts';
import { task } from './tasks.ts';

const both = { fullLoad: true, ongoing: true };
const onlyLoad = { fullLoad: true, ongoing: false };
const onlyOngoing = { fullLoad: false, ongoing: true };

const loadTask = (more: Partial<ReplicationTask> = {}) =>
  task({ kind: 'full-load', name: 'load', status: 'stopped', stopReason: 'FULL_LOAD_ONLY_FINISHED', ...more });
const cdcTask = (more: Partial<ReplicationTask> = {}) => task({ kind: 'cdc', name: 'cdc', ...more });
const neverRan = { status: 'ready', startedAt: undefined, freshStartAt: undefined, loadFinishedAt: undefined };

function choose(request: Parameters<typeof chooseTask>[0], tasks: KnownTasks = {}, notes: KnownNotes = {}): string {
  try {
    const choice = chooseTask(request, tasks, notes);
    if (choice.act === 'create')
      return `create ${choice.kind}${choice.from === undefined ? '' : ` from ${choice.from}`}`;
    if (choice.act === 'start') return `${choice.how} ${choice.task.name}`;
    return `${choice.act} ${choice.task?.name ?? '-'}`;
  } catch (error) {
    if (!(error instanceof CdcError)) throw error;
    return error.code;
  }
}

test('nothing is there: a task of the kind that was asked for', () => {
  expect(choose(both)).toBe('create full-load-and-cdc');
  expect(choose(onlyLoad)).toBe('create full-load');
  expect(choose(onlyOngoing)).toBe('load.missing');
  expect(choose({ ...onlyOngoing, from: 'now' })).toBe('create cdc from now');
});

test('the first start is start-replication, each later one goes on', () => {
  const name = 'shop-full-load-and-cdc';
  expect(choose(both, { 'full-load-and-cdc': task(neverRan) })).toBe(`start-replication ${name}`);
  expect(choose(both, { 'full-load-and-cdc': task({ status: 'stopped' }) })).toBe(`resume-processing ${name}`);
  expect(choose(both, { 'full-load-and-cdc': task({ status: 'failed' }) })).toBe(`resume-processing ${name}`);
});

test.each(['running', 'starting'])('a task that is %s is doing it already', (status) => {
  expect(choose(both, { 'full-load-and-cdc': task({ status }) })).toBe('already shop-full-load-and-cdc');
  expect(choose(onlyOngoing, { 'full-load-and-cdc': task({ status }) })).toBe('already shop-full-load-and-cdc');
  expect(choose(onlyLoad, { 'full-load': loadTask({ status, stopReason: undefined }) })).toBe('already load');
});

test('another request than what runs is refused', () => {
  const loading = loadTask({ status: 'running', stopReason: undefined });
  expect(choose(both, { 'full-load': loading })).toBe('task.other-request');
  expect(choose(onlyOngoing, { 'full-load': loading })).toBe('task.other-request');
  expect(choose({ ...onlyOngoing, from: 'now' }, { cdc: cdcTask() })).toBe('task.other-request');
});

test('--full-load, then --ongoing: a second task from where the binlog stood before the first', () => {
  const tasks = { 'full-load': loadTask() };
  const notes = { loadPosition: 'mysql-bin-changelog.000003:154' };
  expect(choose(onlyOngoing, tasks, notes)).toBe('create cdc from mysql-bin-changelog.000003:154');
  expect(choose(both, tasks, notes)).toBe('create cdc from mysql-bin-changelog.000003:154');
  expect(choose(onlyOngoing, tasks)).toBe('load.no-position');
  expect(choose({ ...onlyOngoing, from: 'now' }, tasks)).toBe('load.no-position');
  expect(choose({ ...onlyOngoing, from: 'bin.000001:4' }, tasks)).toBe('create cdc from bin.000001:4');
  expect(choose({ ...onlyOngoing, from: 'bin.000009:4' }, tasks, notes)).toBe(
    'create cdc from mysql-bin-changelog.000003:154',
  );
});

test('a full load that is done is not done again; one that is not whole goes on', () => {
  expect(choose(onlyLoad, { 'full-load': loadTask() })).toBe('loaded load');
  const errored = { loaded: 1, loading: 0, queued: 0, errored: 1 };
  expect(choose(onlyLoad, { 'full-load': loadTask({ tables: errored }) })).toBe('resume-processing load');
  expect(choose(onlyLoad, { 'full-load': loadTask({ stopReason: 'NORMAL' }) })).toBe('resume-processing load');
  expect(choose(onlyOngoing, { 'full-load': loadTask({ tables: errored }) })).toBe('load.incomplete');
  expect(choose(onlyLoad, { 'full-load': loadTask(neverRan) })).toBe('start-replication load');
});

test('what is followed was loaded: a full load is not taken again', () => {
  expect(choose(onlyLoad, { 'full-load': loadTask(), cdc: cdcTask({ status: 'stopped' }) })).toBe('loaded load');
  expect(choose(onlyLoad, { 'full-load-and-cdc': task({ status: 'stopped' }) })).toBe('loaded shop-full-load-and-cdc');
  const unfinished = task({ status: 'stopped', loadFinishedAt: undefined });
  expect(choose(onlyLoad, { 'full-load-and-cdc': unfinished })).toBe('task.other-request');
});

test('after `stop --all` a new task goes on where the deleted one stood', () => {
  const notes = { resumeFrom: 'checkpoint:V1#1' };
  expect(choose(both, {}, notes)).toBe('create cdc from checkpoint:V1#1');
  expect(choose(onlyOngoing, {}, notes)).toBe('create cdc from checkpoint:V1#1');
  expect(choose(onlyLoad, {}, notes)).toBe('loaded -');
  expect(choose({ ...onlyOngoing, from: 'now' }, {}, notes)).toBe('task.other-request');
});

test('a command that was cut short between making and starting goes on', () => {
  const made = cdcTask({ ...neverRan, startPosition: 'bin.000001:4' });
  expect(choose({ ...onlyOngoing, from: 'bin.000001:4' }, { cdc: made })).toBe('start-replication cdc');
  expect(choose({ ...onlyOngoing, from: 'now' }, { cdc: made })).toBe('start-replication cdc');
  expect(choose({ ...onlyOngoing, from: 'bin.000009:4' }, { cdc: made })).toBe('task.other-request');
});
