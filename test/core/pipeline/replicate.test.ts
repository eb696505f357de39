import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { CAPTURE_LEASE } from '../../../src/core/change-file/layout.ts';
import { parseConfig } from '../../../src/core/config.ts';
import { openPipeline } from '../../../src/core/pipeline/pipeline.ts';
import { replicateHere } from '../../../src/core/pipeline/replicate.ts';
import { findWorker } from '../../../src/core/pipeline/worker-process.ts';
import { silent } from '../../../src/core/progress.ts';
import { acquireLease } from '../../../src/core/store/lease.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

it('one of two that were started at once says nothing of itself while the other has not yet spoken', async () => {
  const folder = await temporaryFolder();
  const text = 'name: pipe\nsource: mysql://cdc@127.0.0.1:1\ntables: [shop.%]\n';
  const pipeline = openPipeline(parseConfig({ file: join(folder, 'cdc.yaml'), text }), {});
  const { stateFolder } = pipeline.config;
  // It looks for a worker before the other has the lease, and asks for the lease after.
  const { staging } = pipeline;
  const list = staging.list.bind(staging);
  staging.list = async (...words) => {
    const found = await list(...words);
    staging.list = list;
    const lease = await acquireLease({ store: staging, folder: CAPTURE_LEASE, engine: 'cdc' });
    onTestFinished(() => lease.release());
    return found;
  };
  await expect(
    replicateHere({
      pipeline,
      request: { fullLoad: true, ongoing: true, merge: true },
      progress: silent,
      signal: new AbortController().signal,
    }),
  ).rejects.toMatchObject({ code: 'lease.held' });
  expect(await readdir(stateFolder).catch(() => [])).not.toContain('worker.json');
  expect(await findWorker(stateFolder)).toMatchObject({ alive: false, state: undefined });
});
