import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { boundLog } from '../../../src/core/pipeline/housekeeping.ts';
import { readWorkerState, type WorkerState, WorkerStateFile } from '../../../src/core/pipeline/worker-state.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

const initial: Omit<WorkerState, 'format' | 'updatedAt'> = {
  process: { host: 'here', pid: 1 },
  startedAt: '2026-11-24T00:00:00.000Z',
  state: 'starting',
  merge: true,
  ongoing: true,
  doing: 'starting',
  loaded: [],
  warnings: [],
  loadsMerged: false,
  tables: {},
};

it('empties a log that has grown too large while its worker writes on, and keeps what it said', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'worker.log');
  const log = await open(path, 'a');
  try {
    await log.write('first\n');
    expect(await boundLog(folder, 10)).toBe(false);
    await log.write('second\n');
    expect(await boundLog(folder, 10)).toBe(true);
    await log.write('third\n');
  } finally {
    await log.close();
  }
  expect(await readFile(path, 'utf8')).toBe('third\n');
  expect(await readFile(`${path}.1`, 'utf8')).toBe('first\nsecond\n');
});

it('has nothing to do where there is no log', async () => {
  expect(await boundLog(await temporaryFolder())).toBe(false);
});

it('tells of itself in a file, the last word last', async () => {
  const folder = await temporaryFolder();
  const file = new WorkerStateFile(folder, initial);
  expect(await readWorkerState(folder)).toBeUndefined();
  for (let count = 0; count < 50; count++) file.update({ doing: `step ${count}` });
  file.updateTable('shop.a', { error: { code: 'x', message: 'y' } });
  file.updateTable('shop.a', { version: 3 });
  await file.flush();
  expect(await readWorkerState(folder)).toMatchObject({
    doing: 'step 49',
    tables: { 'shop.a': { error: { code: 'x', message: 'y' }, version: 3 } },
  });
});

it('forgets what is no longer so', async () => {
  const folder = await temporaryFolder();
  const file = new WorkerStateFile(folder, initial);
  file.updateTable('shop.a', { error: { code: 'x', message: 'y' } });
  file.updateTable('shop.a', { error: undefined });
  await file.flush();
  expect((await readWorkerState(folder))?.tables['shop.a']).toEqual({});
});

it('ends nobody by a file that cannot be written, and writes it when it can', async () => {
  const folder = await temporaryFolder();
  const blocked = join(folder, '.cdc');
  await writeFile(blocked, 'a file where the folder should be');
  const file = new WorkerStateFile(blocked, initial);
  file.update({ doing: 'lost' });
  await file.flush();
  await rm(blocked);
  file.update({ doing: 'told' });
  await file.flush();
  expect((await readWorkerState(blocked))?.doing).toBe('told');
});

it('takes a file of another version, or half of one, for none', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'worker.json');
  await writeFile(path, '{"format": 99}');
  expect(await readWorkerState(folder)).toBeUndefined();
  await writeFile(path, '{"format": 1, "proc');
  expect(await readWorkerState(folder)).toBeUndefined();
});
