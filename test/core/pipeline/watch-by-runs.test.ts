import { describe, expect, it } from 'vitest';
import { definitionKey, loadRecordFolder, tableFolder } from '../../../src/core/change-file/layout.ts';
import { changeNumber } from '../../../src/core/change-number.ts';
import { CancelledError, CdcError } from '../../../src/core/errors.ts';
import { type WatchByRunsOptions, watchByRuns } from '../../../src/core/pipeline/watch-by-runs.ts';
import { silent } from '../../../src/core/progress.ts';
import { MemoryStore } from '../../support/memory-store.ts';

const ORDERS = { schema: 'shop', table: 'orders' };
const ITEMS = { schema: 'shop', table: 'items' };

/** Watches until `run` has been called so often as there are steps; each step says what happens while that run is going on. */
async function watch(
  steps: ((staging: MemoryStore) => Promise<unknown> | unknown)[],
  options: Partial<WatchByRunsOptions> = {},
) {
  const staging = new MemoryStore();
  for (const table of [ORDERS, ITEMS]) await staging.put(definitionKey(table, changeNumber(1, 0)), '{}');
  const stop = new AbortController();
  const errors: string[] = [];
  let runs = 0;
  let idle = 0;
  const ended = watchByRuns({
    staging,
    tables: [],
    lookMs: 1,
    onError: ({ code }) => errors.push(code),
    // A look that finds nothing is told as waiting: after a few of them no run will follow.
    progress: {
      ...silent,
      update: () => {
        if (runs === 0) void addFile(staging, 0);
        else if (runs >= steps.length && ++idle > 5) stop.abort();
      },
    },
    signal: stop.signal,
    run: async () => (await steps[runs++]?.(staging)) === 'waits',
    ...options,
  });
  await expect(ended).rejects.toBeInstanceOf(CancelledError);
  return { runs, errors };
}

const addFile = (staging: MemoryStore, second: number, table = ORDERS) =>
  staging.put(`${tableFolder(table)}20261122-10153000${second}.csv`, 'x');

describe('watching with an engine that is started for each merge', () => {
  it('starts one run when a file arrives, and none before or after', async () => {
    expect(await watch([() => undefined])).toEqual({ runs: 1, errors: [] });
  });

  it('starts one more run for all that arrives while one is going on, of whatever table', async () => {
    const during = async (staging: MemoryStore) => {
      for (const second of [1, 2, 3]) await addFile(staging, second);
      await addFile(staging, 4, ITEMS);
    };
    expect(await watch([during, () => undefined])).toEqual({ runs: 2, errors: [] });
  });

  it('starts a run for a load that is recorded, which no change file tells of', async () => {
    const during = (staging: MemoryStore) => staging.put(`${loadRecordFolder(ITEMS)}1.json`, '{}');
    expect(await watch([during, () => undefined])).toEqual({ runs: 2, errors: [] });
  });

  it('comes back to what waits and to a run that failed, without any file', async () => {
    const failed = () => {
      throw new CdcError('spark.failed', 'merging with Spark: it ended');
    };
    expect(await watch([() => 'waits', failed, () => undefined], { againMs: 1 })).toEqual({
      runs: 3,
      errors: ['spark.failed'],
    });
  });

  it('ends at once when it is interrupted in the middle of a run', async () => {
    const stop = new AbortController();
    const run = async () => {
      stop.abort();
      throw new CancelledError();
    };
    expect(await watch([], { signal: stop.signal, run })).toMatchObject({ errors: [] });
  });

  it('lets a mistake of ours through', async () => {
    const staging = new MemoryStore();
    await staging.put(definitionKey(ORDERS, changeNumber(1, 0)), '{}');
    await addFile(staging, 1);
    const run = async () => {
      throw new TypeError('ours');
    };
    const { signal } = new AbortController();
    await expect(
      watchByRuns({ staging, tables: [], run, onError: () => undefined, progress: silent, signal }),
    ).rejects.toThrow('ours');
  });
});
